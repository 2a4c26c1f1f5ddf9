"""Corpus scores against sacrebleu's own, and the outputs of 18 published systems."""

import json
import subprocess
import sys

import numpy as np
import pytest
from project import ROOT
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.tokenizers import tokenizer_spm

from maple.metrics.metric import TextAnswers
from maple.metrics.translation import CORPUS_METRICS, SPBLEU, SPBLEU_FILE, missing_model, splits_clauses

OUTPUTS = ROOT.parent / "shared/data/parallel/outputs"
PREDICTIONS = ["The cat sat on the mat.", "It rains", "", "Nairobi is the capital of Kenya .", "a b c d e f"]
TARGETS = [
    ["The cat is sitting on the mat."], ["It is raining today."], ["Nothing at all was written."],
    ["Nairobi is the capital of Kenya.", "The capital of Kenya is Nairobi, as is known."], ["x b c d e y"],
]  # fmt: skip


def own(metric, answers):
    """Sacrebleu's score from 0 to 1, and its signature; streams of references, None where an item has fewer."""
    most = max(map(len, answers.targets))
    streams = [[texts[at] if at < len(texts) else None for texts in answers.targets] for at in range(most)]
    return metric.corpus_score(list(answers.predictions), streams).score / 100, str(metric.get_signature())


def ours(name, answers):
    counted = CORPUS_METRICS[name].count(answers)
    return CORPUS_METRICS[name].score(counted.counts), counted.signature


SACREBLEU = {
    "corpus_bleu": lambda: BLEU(force=True),
    "corpus_chrf": CHRF,
    "corpus_chrf++": lambda: CHRF(word_order=2),
}


@pytest.mark.parametrize("name", SACREBLEU)
@pytest.mark.parametrize("items", [slice(None), slice(0, 1), slice(1, 2), slice(2, 3), slice(4, 5)])
def test_a_corpus_score_and_its_signature_are_sacrebleu_s(name, items):
    answers = TextAnswers(PREDICTIONS[items], TARGETS[items], "eng_Latn")
    score, signature = ours(name, answers)
    expected, theirs = own(SACREBLEU[name](), answers)
    assert score == pytest.approx(expected, abs=1e-14)
    assert signature == theirs


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [("zho_Hans", "zh"), ("jpn_Jpan", "ja-mecab"), ("kor_Hang", "ko-mecab"), ("tha_Thai", "13a"), ("deu_Latn", "13a")],
)
def test_bleu_takes_the_tokenizer_that_sacrebleu_chooses(language, tokenizer):
    answers = TextAnswers(
        ["今天是星期一，天气很好。", "오늘은 월요일입니다."],
        [["今天是星期二，天气好。"], ["오늘은 화요일입니다."]],
        language,
    )
    assert ours("corpus_bleu", answers) == pytest.approx(own(BLEU(tokenize=tokenizer), answers), abs=1e-14)
    assert f"|tok:{tokenizer}" in ours("corpus_bleu", answers)[1]


@pytest.mark.parametrize(("name", "columns"), [("corpus_bleu", 10), ("corpus_chrf", 18), ("corpus_chrf++", 24)])
def test_an_item_has_sacrebleu_s_counts_and_the_pseudo_values_have_the_score_as_their_mean(name, columns):
    counts = CORPUS_METRICS[name].count(TextAnswers(PREDICTIONS, TARGETS, "eng_Latn")).counts
    assert counts.shape == (5, columns) and counts.dtype.kind == "i"
    assert CORPUS_METRICS[name].values(counts).mean() == pytest.approx(CORPUS_METRICS[name].score(counts), abs=1e-12)


def test_the_counts_of_a_sentence_can_be_counted_by_hand():
    # Six words, of which four are right; pairs: five, three right; and so on.
    counts = CORPUS_METRICS["corpus_bleu"].count(TextAnswers(PREDICTIONS[4:], TARGETS[4:], "eng_Latn")).counts
    assert counts.tolist() == [[6, 6, 4, 3, 2, 1, 6, 5, 4, 3]]


def test_scores_of_many_sums_at_once_are_those_of_each():
    counts = CORPUS_METRICS["corpus_bleu"].count(TextAnswers(PREDICTIONS, TARGETS, "eng_Latn")).counts
    sums = np.stack([counts.sum(axis=0), counts[:2].sum(axis=0)])
    for name in ("corpus_bleu", SPBLEU):
        each = [CORPUS_METRICS[name].score(part) for part in (counts, counts[:2])]
        assert CORPUS_METRICS[name].pool(sums).tolist() == each


def test_a_perfect_translation_has_one():
    golds = [targets[0] for targets in TARGETS]
    for name in SACREBLEU:
        assert ours(name, TextAnswers(golds, [[gold] for gold in golds], "eng_Latn"))[0] == 1


def published():
    file = OUTPUTS / "published.json"
    return json.loads(file.read_text()) if file.is_file() else []


@pytest.mark.skipif(not published(), reason="the outputs of published systems are not on this machine")
def test_the_published_chrf2_of_eighteen_systems_come_out_to_the_digit():
    rows = {}
    for system in published():
        language = system["language"]
        if language not in rows:
            file = OUTPUTS / f"eng_Latn-{language}.flores200-devtest.jsonl"
            rows[language] = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        predictions = [row[system["system"]] for row in rows[language]]
        answers = TextAnswers(predictions, [[row["reference"]] for row in rows[language]], language)
        assert f"{100 * ours('corpus_chrf', answers)[0]:.1f}" == str(system["chrF2"]), system
        if system["system"] == "bible-1k":
            assert ours("corpus_bleu", answers) == pytest.approx(own(BLEU(force=True), answers), abs=1e-14)
    assert len(published()) == 18


def test_spbleu_names_the_model_that_is_missing_and_downloads_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    monkeypatch.setattr(tokenizer_spm, "download_file", lambda *_: pytest.fail("a download was tried"))
    assert missing_model(SPBLEU) == tmp_path / "models" / SPBLEU_FILE
    assert missing_model("corpus_bleu") is None
    with pytest.raises(FileNotFoundError, match=SPBLEU_FILE):
        CORPUS_METRICS[SPBLEU].count(TextAnswers(PREDICTIONS, TARGETS, "eng_Latn"))


def test_spbleu_is_sacrebleu_s_over_the_pieces_of_the_model(tmp_path, monkeypatch):
    from sentencepiece import SentencePieceTrainer

    (tmp_path / "models").mkdir()
    texts = iter([*PREDICTIONS, *(text for texts in TARGETS for text in texts)] * 20)
    with (tmp_path / "models" / SPBLEU_FILE).open("wb") as file:
        SentencePieceTrainer.train(
            sentence_iterator=texts, model_writer=file, vocab_size=60, hard_vocab_limit=False, minloglevel=2
        )
    monkeypatch.setenv("SACREBLEU", str(tmp_path))
    monkeypatch.setattr(tokenizer_spm, "SACREBLEU_DIR", str(tmp_path))
    answers = TextAnswers(PREDICTIONS, TARGETS, "eng_Latn")
    expected, signature = own(BLEU(tokenize="flores200", force=True), answers)
    assert ours(SPBLEU, answers) == (pytest.approx(expected, abs=1e-14), signature)
    assert "tok:flores200" in signature


def test_thirteen_a_is_flagged_where_words_have_no_spaces():
    signature = "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
    assert splits_clauses(signature, "khm_Khmr") and not splits_clauses(signature, "deu_Latn")
    assert not splits_clauses(signature.replace("13a", "zh"), "zho_Hans")


def test_who_reads_scores_does_not_load_sacrebleu():
    code = "import sys, maple.analysis.summary, maple.evaluation.scoring; print('sacrebleu' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
