"""Answers of translators: toys of random weights over twenty words."""

import json
from functools import partial

import polars as pl
import pytest
from toy_generation import Echo, prompts, run
from toy_translators import ARCHITECTURES, POSITIONS, TAGS, WORDS, saved
from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.machine import Machine
from maple.engines.translator import TransformersTranslator
from maple.evaluation import translation
from maple.evaluation.asked_model import Weights, model_source
from maple.evaluation.attached_comparison import compare_attached
from maple.evaluation.completions import COMPLETION_SCHEMA, RunOutputs, asked
from maple.evaluation.engine_rows import NotFiniteError
from maple.evaluation.generation import fill_journals, generate
from maple.evaluation.translation import JobTranslator, RunTranslator, translate
from maple.models.language_tags import UnknownTagError
from maple.runtime.journal import Journal

NOTHING = pl.DataFrame(schema=COMPLETION_SCHEMA)
SEARCH = {"beams": 2, "batch_tokens": 60}
SETTINGS = GenerateSettings(
    engine="vllm",  # for models that generate from prompts
    batch=2,
    max_length=512,
    cpu_cache_gib=1,
    flip_sample=0,
    batch_invariant=False,
    tensor_parallel=1,
    beam_search=SEARCH,
)
NO_BAR = partial(tqdm, disable=True)
# From one word to twenty; no two alike.
TEXTS = ["good", "the sun rises", "bad day", " ".join(WORDS), "the sun sets in the west", " ".join(WORDS[:9])]


def texts(*rows, **changes):
    """Prompts of a translation from English to Swahili; each row is a source."""
    pair = {"source_language": "eng_Latn", "target_language": "swh_Latn", "max_new_tokens": 6}
    frame = prompts(*("Translate it." for _ in rows), **{"language": "swh_Latn", **pair, **changes})
    words = pl.Series([len(row.split()) for row in rows], dtype=pl.Int32)
    return frame.with_columns(texts=pl.Series([[row] for row in rows], dtype=pl.List(pl.String)), text_words=words)


def translated(model, frame, path, previous=NOTHING, search=SEARCH, **settings):
    of_run = SETTINGS.changed(**settings, beam_search=search)
    translator = RunTranslator(JobTranslator(Weights(model, kind="seq2seq"), of_run, 1))
    return translate(frame, translator, previous=previous, journal=Journal(path / "journal.jsonl"), progress=NO_BAR)


@pytest.fixture(scope="module")
def mbart(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("mbart"))


@pytest.mark.parametrize("model_type", ARCHITECTURES)
def test_a_text_has_the_same_translation_in_a_batch_and_alone(model_type, tmp_path):
    model = saved(tmp_path / "model", model_type)
    together, counts = translated(model, texts(*TEXTS), tmp_path / "together", search={"batch_tokens": 4096})
    alone, _ = translated(model, texts(*TEXTS), tmp_path / "alone", search={"batch_tokens": 1})
    columns = ["completion", "token_ids", "finish_reason", "key"]
    assert together.select(columns).equals(alone.select(columns))
    assert together["log_probability"].to_list() == pytest.approx(alone["log_probability"].to_list(), abs=1e-4)
    assert counts.computed == counts.distinct == len(TEXTS)
    assert together["completion"].n_unique() > 1


def test_neighbours_that_would_change_a_translation_are_counted(mbart, tmp_path, monkeypatch):
    completed, counts = translated(mbart, texts(*TEXTS), tmp_path / "same", flip_sample=4)
    assert (counts.compared_alone, counts.flipped) == (4, 0)
    assert completed["flipped"].to_list().count(None) == len(TEXTS) - 4

    class Swayed(TransformersTranslator):
        def translate(self, sources):
            completions = super().translate(sources)
            return completions if len(sources) > 1 else [each._replace(tokens=[9]) for each in completions]

    monkeypatch.setattr(translation, "TransformersTranslator", Swayed)
    _, counts = translated(mbart, texts("the sun", "the day"), tmp_path / "other", flip_sample=4)
    assert (counts.compared_alone, counts.flipped) == (2, 2)


def test_the_tag_is_no_part_of_a_translation_and_the_columns_are_those_of_the_source(mbart, tmp_path):
    completed, _ = translated(mbart, texts("the sun rises", "good"), tmp_path)
    assert completed["prompt"].to_list() == ["the sun rises", "good"]
    assert completed["words"].to_list() == completed["item_tokens"].to_list() == [3, 1]
    assert completed["prompt_tokens"].to_list() == [5, 3]  # with the tag and the end
    assert completed["shots"].to_list() == [0, 0]
    for text, tokens in completed.select("completion", "token_ids").iter_rows():
        assert text == " ".join(([*"<>/?", *WORDS, *TAGS])[token] for token in tokens if 3 < token < 4 + len(WORDS))


def test_its_rows_look_like_those_of_an_engine(mbart, letters, tmp_path):
    completed, _ = translated(mbart, texts("good"), tmp_path)
    of_engine, _ = run(letters, prompts("abc"), tmp_path / "engine", Echo())
    assert dict(completed.schema) == dict(of_engine.schema)


def test_a_finished_run_is_replayed_without_a_model(mbart, tmp_path, monkeypatch):
    first, _ = translated(mbart, texts(*TEXTS), tmp_path, flip_sample=2)
    monkeypatch.setattr(translation, "TransformersTranslator", None)  # cannot be called
    previous = first.select(list(COMPLETION_SCHEMA))
    again, counts = translated(mbart, texts(*TEXTS), tmp_path / "other", previous, flip_sample=2)
    assert again.equals(first) and (counts.carried_over, counts.computed) == (len(TEXTS), 0)


def test_what_decides_a_translation_is_in_its_key_and_what_does_not_is_not(mbart, tmp_path):
    other = saved(tmp_path / "other", seed=1)

    def key(model=mbart, search=SEARCH, settings=None, **changes):
        of_run = SETTINGS.changed(**(settings or {}), beam_search=search)
        reader = RunTranslator(JobTranslator(Weights(model, kind="seq2seq"), of_run, 1))
        (row,) = texts("good", **changes).with_columns(answer=pl.lit("generate")).iter_rows(named=True)
        return reader.read(row).request.key

    same = [
        key(),
        key(prompt="Other words."),
        key(search=SEARCH | {"batch_tokens": 9}),
        key(search=SEARCH | {"length_penalty": 1, "repetition_penalty": 1, "early_stopping": True}),
        key(settings={"batch": 9, "engine": "auto"}),
    ]
    assert len(set(same)) == 1
    others = [
        key(other),
        key(source_language="deu_Latn"),
        key(target_language="deu_Latn"),
        key(max_new_tokens=7),
        key(settings={"dtype": "bfloat16"}),
        *(
            key(search=SEARCH | {name: value})
            for name, value in {
                "beams": 3, "length_penalty": 0.5, "early_stopping": False, "no_repeat_ngram": 3,
                "repetition_penalty": 1.1,
            }.items()
        ),
    ]  # fmt: skip
    assert len({same[0], *others}) == 1 + len(others)


def test_a_changed_text_alone_is_translated_again(mbart, tmp_path):
    first, _ = translated(mbart, texts("good", "bad day"), tmp_path)
    _, counts = translated(mbart, texts("good", "good day"), tmp_path / "x", first.select(list(COMPLETION_SCHEMA)))
    assert counts.computed == 1


def test_equal_texts_are_translated_once(mbart, tmp_path):
    completed, counts = translated(mbart, texts("good", "good"), tmp_path)
    assert (counts.prompts, counts.distinct, counts.computed) == (2, 1, 1)
    assert completed["completion"].n_unique() == 1


def test_a_killed_job_resumes_and_loses_one_batch_at_most(mbart, tmp_path, monkeypatch):
    undisturbed, _ = translated(mbart, texts(*TEXTS), tmp_path / "whole")
    computed = []

    class Dying(TransformersTranslator):
        def translate(self, sources):
            computed.append(len(sources))
            if len(computed) == 3:
                raise RuntimeError("killed")
            return super().translate(sources)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(translation, "TransformersTranslator", Dying)
        translated(mbart, texts(*TEXTS), tmp_path)
    resumed, counts = translated(mbart, texts(*TEXTS), tmp_path)
    assert counts.carried_over == sum(computed[:2]) and counts.computed == len(TEXTS) - sum(computed[:2])
    assert resumed.equals(undisturbed)  # also the last digit of log-probabilities: the batches are the same


def test_a_source_longer_than_the_model_s_positions_is_counted_and_never_cut(mbart, tmp_path):
    fits, long = " ".join(["sun"] * (POSITIONS - 2)), " ".join(["sun"] * (POSITIONS - 1))
    completed, counts = translated(mbart, texts(long, fits), tmp_path)
    assert completed["finish_reason"].to_list()[0] == "too_long" and counts.too_long == 1
    assert completed["prompt_tokens"].to_list() == [POSITIONS + 1, POSITIONS]
    assert completed["completion"][0] == "" and completed["log_probability"][0] is None


def test_a_source_longer_than_the_config_s_max_length_is_counted(mbart, tmp_path):
    completed, _ = translated(mbart, texts("good", "good day"), tmp_path, max_length=3)
    assert (completed["finish_reason"] == "too_long").to_list() == [False, True]


def test_a_translation_has_no_more_tokens_than_the_model_has_positions(mbart, tmp_path):
    completed, _ = translated(mbart, texts(*TEXTS, max_new_tokens=100), tmp_path)
    assert completed["completion_tokens"].max() == POSITIONS - 2  # after the start and the tag
    assert "length" in completed["finish_reason"]


def test_peft_s_prefix_takes_positions_that_a_translation_then_lacks(mbart, tmp_path):
    from peft import PrefixTuningConfig, get_peft_model

    from maple.models.seq2seq import load

    config = PrefixTuningConfig(task_type="SEQ_2_SEQ_LM", num_virtual_tokens=4)
    get_peft_model(load(mbart, 16), config).save_pretrained(tmp_path / "adapter")
    translator = RunTranslator(JobTranslator(Weights(mbart, kind="seq2seq"), SETTINGS, 1), tmp_path / "adapter")
    frame, journal = texts(*TEXTS, max_new_tokens=100), Journal(tmp_path / "journal.jsonl")
    completed, _ = translate(frame, translator, previous=NOTHING, journal=journal, progress=NO_BAR)
    assert completed["completion_tokens"].max() == POSITIONS - 2 - 4  # after the prefix, the start and the tag


@pytest.mark.parametrize("key", ["source_language", "target_language"])
def test_a_language_without_a_tag_is_refused_and_never_the_unknown_token(mbart, tmp_path, key):
    with pytest.raises(UnknownTagError, match=r"toy, swh_Latn, item 0: the model has no tag of zul_Latn; write"):
        translated(mbart, texts("good", **{key: "zul_Latn"}), tmp_path)


def test_a_tag_of_the_model_s_file_stands_for_a_language(mbart, tmp_path):
    settings, definition = SETTINGS, {"kind": "seq2seq", "path": "x", "tags": {"zul_Latn": "swh_Latn"}}
    job = JobTranslator(Weights.of(definition, mbart), settings, 1)
    (row,) = texts("good", target_language="zul_Latn").iter_rows(named=True)
    (other,) = texts("good").iter_rows(named=True)
    assert RunTranslator(job).read(row).request.key == RunTranslator(job).read(other).request.key


def test_a_model_that_computes_no_number_stops_the_job_at_the_item(tmp_path):
    model = saved(tmp_path / "model", ends=float("nan"))
    with pytest.raises(NotFiniteError, match="toy, swh_Latn, item 0: the model computes nan"):
        translated(model, texts("good"), tmp_path)


def job(source, frame, folder, adapter=None, **settings):
    """Run the job as the rule does; return the run card and the file of Swahili."""
    journal = folder / "journal.jsonl"
    outputs = RunOutputs({"swh_Latn": folder / "swh_Latn.parquet"}, journal, adapter)
    folder.mkdir(parents=True, exist_ok=True)
    changed = SETTINGS.changed(**settings)
    (card,) = generate(frame, source, [outputs], settings=changed, machine=Machine(), progress=NO_BAR)
    assert not journal.exists()
    return card.values(), pl.read_parquet(outputs.outputs["swh_Latn"])


def test_the_job_of_a_run_counts_translations_and_tells_its_search_and_speed(mbart, tmp_path, capsys):
    source = model_source({"kind": "seq2seq", "path": "anywhere"}, mbart)
    frame = asked(texts("good", "good day", " ".join(["sun"] * 40)).drop("answers"), {"toy": ["generate"]})
    card, file = job(source, frame, tmp_path / "m", flip_sample=1)
    assert (card["prompts"], card["computed"], card["too_long"], card["compared_alone"]) == (3, 2, 1, 1)
    assert card["started"] and card["rows_per_second"] > 0 and card["dtype"] == "float32"
    assert card["engine"].startswith("transformers ")
    assert card["settings"]["beam_search"] == SEARCH
    assert file["finish_reason"].to_list()[2] == "too_long"
    again, same = job(source, frame, tmp_path / "m", flip_sample=1)
    assert same.equals(file) and not again["started"] and "rows_per_second" not in again
    other, _ = job(source, frame, tmp_path / "m", dtype="bfloat16")
    assert other["computed"] == 2 and other["engine"].endswith(", bfloat16")
    assert "swh_Latn: 3 answers" in capsys.readouterr().out


def adapters(model, folder, count=2):
    """Save LoRA adapters of random weights; return their folders and the merged model of the first."""
    import torch
    from peft import LoraConfig, get_peft_model

    from maple.models.seq2seq import load

    for number in range(count):
        torch.manual_seed(number)
        network = get_peft_model(
            load(model, 16), LoraConfig(task_type="SEQ_2_SEQ_LM", r=2, target_modules=["q_proj", "v_proj", "fc1"])
        )
        with torch.no_grad():
            for parameter in network.parameters():
                if parameter.requires_grad:
                    parameter.normal_(std=0.3)
        network.save_pretrained(folder / f"{number}")
        if not number:
            network.eval().merge_and_unload().save_pretrained(folder / "merged")
    for file in ("tokenizer.json", "tokenizer_config.json"):
        (folder / "merged" / file).write_bytes((model / file).read_bytes())
    return [folder / f"{number}" for number in range(count)], folder / "merged"


def test_one_job_translates_with_all_adapters_of_a_base_and_each_run_finds_its_own(mbart, tmp_path, monkeypatch):
    (first, second), merged = adapters(mbart, tmp_path / "adapters")
    source, frame = Weights(mbart, kind="seq2seq"), texts(*TEXTS)
    runs = [
        RunOutputs({"swh_Latn": tmp_path / name / "swh_Latn.parquet"}, tmp_path / name / "journal.jsonl", adapter)
        for name, adapter in (("a", first), ("b", second))
    ]
    cards = fill_journals(frame, source, runs, settings=SETTINGS, machine=Machine(), progress=NO_BAR)
    assert [card.started for card in cards] == [True, False]  # one start for both
    assert [card.counts.computed for card in cards] == [len(TEXTS)] * 2 and all("+" in card.weights for card in cards)
    with monkeypatch.context() as patch:
        patch.setattr(translation, "TransformersTranslator", None)  # cannot be called
        files = [job(source, frame, tmp_path / name, adapter)[1] for name, adapter in (("a", first), ("b", second))]
    assert not files[0]["token_ids"].equals(files[1]["token_ids"])
    _, of_merged = job(Weights(merged, kind="seq2seq"), frame, tmp_path / "merged")
    assert of_merged["completion"].equals(files[0]["completion"])
    card = compare_attached(
        frame, source, first, of_merged, count=4, settings=SETTINGS, machine=Machine(), progress=NO_BAR
    )
    assert (card.compared, card.different) == (4, 0)


def test_a_journal_that_a_kill_left_is_read_by_the_next_job(mbart, tmp_path):
    whole, _ = translated(mbart, texts(*TEXTS), tmp_path / "whole")
    path = tmp_path / "journal.jsonl"
    lines = (tmp_path / "whole" / "journal.jsonl").read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:2]) + lines[2][:20])  # torn while it was written
    resumed, counts = translated(mbart, texts(*TEXTS), tmp_path)
    assert counts.carried_over == 2
    assert resumed["completion"].equals(whole["completion"])
    assert len([json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]) == len(TEXTS)


def test_what_ctranslate2_translates_is_compared_with_transformers(mbart, tmp_path):
    pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed: make .venv/cpu")
    source, search = Weights(mbart, kind="seq2seq"), SEARCH | {"beams": 1}
    by_one, of_one = job(source, texts(*TEXTS), tmp_path / "one", beam_search=search)
    options = {"engine": "ctranslate2", "flip_sample": 4, "beam_search": search}
    by_other, of_other = job(source, texts(*TEXTS), tmp_path / "other", **options)
    assert of_other["completion"].equals(of_one["completion"]) and not of_other["key"].equals(of_one["key"])
    assert by_other["engines_differ"] == {"engine": by_one["engine"], "compared": 4, "different": 0}
    assert by_other["engine"].startswith("ctranslate2 ") and "engines_differ" not in by_one
    again, _ = job(source, texts(*TEXTS), tmp_path / "other", **options)
    assert not again["started"] and "engines_differ" not in again
