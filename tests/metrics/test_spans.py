"""The published rules, written down a second time and plainly, on pairs drawn from real answers and passages.

Our rules depart from them where they say so, and the pairs are drawn so that this does not show: no text has a mark
between two digits, or a minus before one, which the published rules delete; NFKC is applied to all texts and format
characters (Cf) are taken out before; no answer is written in capitals that has a letter which we fold further than to
its small letter (ß is ss to us); scripts without spaces, which we cut by characters in every language, stand only
where MLQA cuts them too: Han in Chinese; and no comma, danda or full stop of another script stands between two words
without a space, which MLQA makes one word of.
"""

import json
import random
import re
import string
import unicodedata
from collections import Counter
from itertools import islice, pairwise

import pytest
from project import ROOT
from sacrebleu.metrics import BLEU, CHRF

from maple.metrics.registry import METRICS
from maple.text.words import words

SHARED = ROOT.parent / "shared" / "data"
pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"real rows are not there: {SHARED}")
PAIRS = 2000
CODES = {
    "en": "eng_Latn",
    "es": "spa_Latn",
    "vi": "vie_Latn",
    "de": "deu_Latn",
    "ar": "arb_Arab",
    "hi": "hin_Deva",
    "zh": "zho_Hans",
}
ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
}


def is_punctuation(char):
    return unicodedata.category(char).startswith("P") or char in string.punctuation


def squad_answer(text):
    text = "".join(char for char in text.lower() if char not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def mlqa_answer(text, language):
    text = "".join(char for char in text.lower() if not is_punctuation(char))
    if language in ARTICLES:
        text = re.sub(ARTICLES[language], " ", text)
    if language == "zh":
        text = re.sub("([\u4e00-\u9fa5])", r" \1 ", text)
    return text.split()


def overlap(answer_text, gold):
    shared = sum((Counter(answer_text) & Counter(gold)).values())
    if shared == 0:
        return 0.0
    precision, recall = shared / len(answer_text), shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def scores(answer_text, golds, answer):
    """Exact match and F1, the best over all gold answers."""
    answer_text, golds = answer(answer_text), [answer(gold) for gold in golds]
    return float(answer_text in golds), max(overlap(answer_text, gold) for gold in golds)


def real_rows(path):
    return [json.loads(line) for line in (SHARED / path).read_text(encoding="utf-8").splitlines()]


def qa_rows(language):
    folders = [folder for folder in ("mlqa", "xquad") if (SHARED / folder / language).is_dir()]
    return [
        row for folder in folders for part in ("test", "dev") for row in real_rows(f"{folder}/{language}/{part}.jsonl")
    ]


def plain(text):
    return "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")


def drawn_pairs(language):
    """Endless pairs of something answer_text and one to three gold answers, all of one passage."""
    draw = random.Random(f"pairs in {language}")
    rows = [(plain(row["context"]), [plain(gold) for gold in row["answers"]["text"]]) for row in qa_rows(language)]

    def cut(context):
        start = draw.randrange(len(context))
        return context[start : start + draw.randint(1, 60)]

    while True:
        context, golds = draw.choice(rows)
        gold = draw.choice(golds)
        golds = [gold, *(cut(context) for _ in range(draw.randrange(3)))]
        draw.shuffle(golds)
        at = context.find(gold)
        appended = draw.choice(
            [".", "!", " the", "”", f" {gold}", f" {cut(context)}", f" {draw.choice(ADDED[language])}"]
        )
        answer_text = draw.choice(
            [
                gold.upper() if gold.upper().lower() == gold.lower() else gold,
                gold + appended,
                f"{draw.choice(ADDED[language])} {gold}",
                cut(context),
                context[max(0, at - draw.randrange(20)) : at + len(gold) + draw.randrange(20)],
            ]
        )
        yield answer_text, golds


# Words and marks that the rules treat in their own way, to append to answers.
ADDED = {
    "en": ["the", "an", "a.", "The,", "$"],
    "es": ["la", "unos", "¿el?", "¡"],
    "vi": ["của", "những", "là."],
    "de": ["der", "Einer", "die,", "„das“"],
    "ar": ["ال", "الكتاب", "؟", "،"],
    "hi": ["।", "का", "॥"],
    "zh": ["。", "《", "的", "ABC", "2024"],
}


# Thai and Lao, Burmese, Khmer, kana, Han.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")


# What our rules read as one number, or as a range: 1.8, 1/8, 1990 - 1995, -18.
MARKED_NUMBER = re.compile(r"\d\s*[^\w\s]\s*\d|[-−–]\d")


# A mark that ends a word or a sentence between two words without a space.
_LETTER = "[^\\W\u4e00-\u9fa5]"
PARTED = re.compile(rf"{_LETTER}[^\w\s]*[،؛؟۔।॥。、，；：！？][^\w\s]*{_LETTER}")


def take(language, wanted=lambda text: True):
    def comparable(text):
        if MARKED_NUMBER.search(text) or PARTED.search(text):
            return False
        return wanted(text) and not UNSPACED.search(re.sub("[\u4e00-\u9fa5]", "", text) if language == "zh" else text)

    pairs = drawn_pairs(language)
    return list(islice((pair for pair in pairs if all(map(comparable, [pair[0], *pair[1]]))), PAIRS))


def compare(pairs, code, answer):
    """Assert that both scores agree on every pair, and that the pairs are of all sorts."""
    seen = []
    for answer_text, golds in pairs:
        expected = scores(answer_text, golds, answer)
        got = METRICS["exact_match"].value(answer_text, golds, code), METRICS["f1"].value(answer_text, golds, code)
        assert got == pytest.approx(expected), (answer_text, golds)
        seen.append(expected)
    right = sum(exact for exact, _ in seen)
    part = sum(0 < value < 1 for _, value in seen)
    assert min(right, part) > PAIRS / 10 and any(value == 0 for _, value in seen)


def test_english_answers_score_as_squad_scores_them():
    def ascii_marks(text):
        return all(char.isascii() for char in text if is_punctuation(char))

    compare(take("en", ascii_marks), "eng_Latn", squad_answer)


@pytest.mark.parametrize("language", CODES)
def test_answers_score_as_mlqa_scores_them(language):
    compare(take(language), CODES[language], lambda text: mlqa_answer(text, language))


def answers_and_golds(rows, answer_text, gold):
    """What one row says against the next row's text, its own, and its own cut in half."""
    for row, following in pairwise(rows):
        half = row[gold][: len(row[gold]) // 2]
        yield from (
            (row[answer_text], [row[gold]]),
            (following[gold], [row[gold], row[answer_text]]),
            (half, [row[gold]]),
        )


def assert_sacrebleu_s(metric, own, pairs, code, segmented=str):
    """Assert that a metric is what sacrebleu's own object says of the pairs, the texts segmented before."""
    values = []
    for answer_text, golds in pairs:
        expected = own.sentence_score(segmented(answer_text), [segmented(gold) for gold in golds]).score / 100
        assert METRICS[metric].value(answer_text, golds, code) == pytest.approx(expected), (answer_text, golds)
        values.append(expected)
    assert len({round(value, 6) for value in values if 0 < value < 1}) > 30


XLSUM = {"th": "tha_Thai", "vi": "vie_Latn", "id": "ind_Latn", "ta": "tam_Taml"}


@pytest.mark.parametrize("language", XLSUM)
def test_chrf_of_summaries_is_sacrebleu_s(language):
    pairs = answers_and_golds(real_rows(f"xlsum/{language}/test.jsonl"), "title", "summary")
    assert_sacrebleu_s("chrf++", CHRF(word_order=2), pairs, XLSUM[language])


@pytest.mark.parametrize(("language", "tokenizer"), [("vi", "13a"), ("id", "13a"), ("ta", "intl")])
def test_bleu_of_summaries_is_sacrebleu_s(language, tokenizer):
    pairs = answers_and_golds(real_rows(f"xlsum/{language}/test.jsonl"), "title", "summary")
    assert_sacrebleu_s("bleu", BLEU(tokenize=tokenizer, effective_order=True), pairs, XLSUM[language])


def test_bleu_of_thai_is_sacrebleu_s_on_thai_words():
    pairs = answers_and_golds(real_rows("xlsum/th/test.jsonl"), "title", "summary")
    own = BLEU(tokenize="none", effective_order=True)
    assert_sacrebleu_s("bleu", own, pairs, "tha_Thai", lambda text: " ".join(words(text, "tha_Thai")))


@pytest.mark.parametrize(
    ("metric", "own"), [("chrf++", CHRF(word_order=2)), ("bleu", BLEU(tokenize="zh", effective_order=True))]
)
def test_chrf_and_bleu_of_chinese_are_sacrebleu_s(metric, own):
    pairs = answers_and_golds(real_rows("xcopa/zh/test.jsonl")[:150], "choice1", "premise")
    assert_sacrebleu_s(metric, own, pairs, "zho_Hans")
