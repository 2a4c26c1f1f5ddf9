"""Answers of classifiers: toys over ten words, some of which give every text the same logits."""

import math
from functools import partial

import polars as pl
import pytest
from toy_classifiers import LABELS, POSITIONS, TYPES, WORDS, saved
from toy_generation import Echo, prompts, run
from tqdm import tqdm

from maple.definitions.generation import GenerateSettings
from maple.engines.classifier import Classifier
from maple.engines.machine import Machine
from maple.evaluation import classification
from maple.evaluation.asked_model import Weights, model_source
from maple.evaluation.classification import BATCHES_PER_PIECE, LabelError, RunClassifier, classify
from maple.evaluation.completions import COMPLETION_SCHEMA, RunOutputs, asked
from maple.evaluation.engine_rows import NotFiniteError
from maple.evaluation.generation import generate
from maple.runtime.journal import Journal

NOTHING = pl.DataFrame(schema=COMPLETION_SCHEMA)
SETTINGS = GenerateSettings(
    engine="vllm",  # for models that generate
    batch=2,
    max_length=512,
    cpu_cache_gib=1,
    flip_sample=3,
    batch_invariant=False,
    tensor_parallel=1,
)
NO_BAR = partial(tqdm, disable=True)
# From one word to eighteen; no two alike.
TEXTS = ["good", "the sun rises", "bad day", " ".join(WORDS), "the sun sets in the west", " ".join(WORDS[:9] * 2)]


def texts(*rows, labels=LABELS, **changes):
    """Prompts of a task with labels; each row is a text, or a pair of texts."""
    pairs = [[row] if isinstance(row, str) else list(row) for row in rows]
    choices = {"labels": list(labels), "verbalizers": [[label] for label in labels], "targets": [labels[0]]}
    frame = prompts(*("Is it good?" for _ in rows), **choices, answers=["classify"], **changes)
    words = [sum(len(text.split()) for text in pair) for pair in pairs]
    return frame.with_columns(
        texts=pl.Series(pairs, dtype=pl.List(pl.String)), text_words=pl.Series(words, dtype=pl.Int32)
    )


def answered(model, frame, path, previous=NOTHING, adapter=None, **settings):
    classifier = RunClassifier(Weights(model, kind="encoder"), adapter, SETTINGS.changed(**settings), 1)
    return classify(frame, classifier, previous=previous, journal=Journal(path / "journal.jsonl"), progress=NO_BAR)


def likelihoods(completed):
    return completed["log_likelihoods"].to_list()


@pytest.fixture(scope="module", params=TYPES)
def random_model(request, tmp_path_factory):
    """A classifier of each type, whose weights are random."""
    return saved(tmp_path_factory.mktemp("random"), request.param)


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    """A BERT whose weights are random."""
    return saved(tmp_path_factory.mktemp("bert"))


@pytest.mark.parametrize("model_type", TYPES)
def test_a_head_whose_bias_alone_decides_gives_every_text_the_softmax_of_its_bias(model_type, tmp_path):
    # exp: 1, 2 and 5 of 8.
    model = saved(tmp_path / "model", model_type, bias=[0.0, math.log(2), math.log(5)])
    completed, _ = answered(model, texts(*TEXTS), tmp_path)
    assert likelihoods(completed) == [pytest.approx([math.log(1 / 8), math.log(2 / 8), math.log(5 / 8)])] * len(TEXTS)
    told = completed.select("answer", "completion", "token_ids", "finish_reason", "log_probability", "flipped")
    assert set(told.with_columns(pl.col("token_ids").list.len()).rows()) == {
        ("classify", "", 0, "classify", None, None)
    }


def test_log_probabilities_stand_in_the_order_of_the_task_s_labels(tmp_path):
    model = saved(tmp_path / "model", labels=("none", "good", "bad"), bias=[0.0, math.log(2), math.log(5)])
    completed, _ = answered(model, texts("good", labels=("good", "bad", "none")), tmp_path)
    assert likelihoods(completed) == [pytest.approx([math.log(2 / 8), math.log(5 / 8), math.log(1 / 8)])]


@pytest.mark.parametrize("labels", [("bad", "good"), ("bad", "good", "neutral"), ("bad", "good", "none", "other")])
def test_a_model_with_other_labels_is_refused_with_both_lists(bert, tmp_path, labels):
    says = rf"toy: its labels are {', '.join(labels)}, and those of the model bad, good, none \(label2id"
    with pytest.raises(LabelError, match=says):
        answered(bert, texts("good", labels=labels), tmp_path)


def test_a_text_has_the_same_answer_in_a_batch_and_alone(random_model, tmp_path):
    together, _ = answered(random_model, texts(*TEXTS), tmp_path / "together", batch=len(TEXTS))
    alone, _ = answered(random_model, texts(*TEXTS), tmp_path / "alone", batch=1)
    for one, other in zip(likelihoods(together), likelihoods(alone), strict=True):
        assert one == pytest.approx(other, abs=1e-5)
        assert sum(map(math.exp, one)) == pytest.approx(1)
    assert len({tuple(row) for row in likelihoods(alone)}) == len(TEXTS)


def test_a_pair_of_texts_is_another_question_than_both_in_one(random_model, tmp_path):
    rows = [("the sun", "rises"), "the sun rises", ("rises", "the sun")]
    completed, counts = answered(random_model, texts(*rows), tmp_path)
    assert len({tuple(row) for row in likelihoods(completed)}) == counts.computed == 3
    assert completed["item_tokens"].to_list() == [3, 3, 3]
    assert completed["words"].to_list() == [3, 3, 3]
    assert completed["prompt"].to_list() == ["the sun\nrises", "the sun rises", "rises\nthe sun"]


def test_a_text_that_spells_a_special_token_stays_text(bert, tmp_path):
    completed, _ = answered(bert, texts("good [SEP] bad", ("good", "bad")), tmp_path)
    # [ SEP ] are three tokens, of which the second is unknown.
    assert completed["prompt_tokens"].to_list() == [2 + 5, 3 + 2]


def test_a_finished_run_is_replayed_without_a_model(bert, tmp_path, monkeypatch):
    first, _ = answered(bert, texts(*TEXTS), tmp_path)
    monkeypatch.setattr(classification, "Classifier", None)  # cannot be called
    again, counts = answered(bert, texts(*TEXTS), tmp_path / "other", previous=first.select(list(COMPLETION_SCHEMA)))
    assert again.equals(first) and (counts.carried_over, counts.computed) == (len(TEXTS), 0)


def test_a_changed_text_alone_is_classified_again_and_a_changed_prompt_costs_nothing(bert, tmp_path):
    first, _ = answered(bert, texts("good", "bad day"), tmp_path)
    previous = first.select(list(COMPLETION_SCHEMA))
    _, counts = answered(bert, texts("good", "good day"), tmp_path / "text", previous)
    assert counts.computed == 1
    reworded = texts("good", "bad day").with_columns(prompt=pl.lit("Say it."), max_new_tokens=pl.lit(9, pl.Int32))
    _, counts = answered(bert, reworded, tmp_path / "prompt", previous)
    assert counts.computed == 0


def test_weights_and_labels_are_parts_of_a_key(bert, tmp_path):
    keys = set()
    for model, labels in ((bert, LABELS), (saved(tmp_path / "other", seed=1), LABELS), (bert, LABELS[::-1])):
        completed, _ = answered(model, texts("good", labels=labels), tmp_path / f"{len(keys)}")
        keys.add(completed["key"][0])
    assert len(keys) == 3


def test_equal_texts_are_computed_once(bert, tmp_path):
    completed, counts = answered(bert, texts("good", "good"), tmp_path)
    assert (counts.prompts, counts.distinct, counts.computed) == (2, 1, 1)
    assert likelihoods(completed)[0] == likelihoods(completed)[1]


def many():
    """Texts of three pieces, and their number in a piece."""
    size = BATCHES_PER_PIECE * 2
    return [f"{first} {second} day" for first in WORDS for second in WORDS][: 2 * size + 5], size


def test_a_killed_job_resumes_and_loses_one_piece_at_most(bert, tmp_path, monkeypatch):
    rows, size = many()
    undisturbed, _ = answered(bert, texts(*rows), tmp_path / "whole")
    computed = []

    class Dying(Classifier):
        def log_probabilities(self, examples, batch):
            computed.append(len(examples))
            if sum(computed) > size:
                raise RuntimeError("killed")
            return super().log_probabilities(examples, batch)

    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="killed"):
        patch.setattr(classification, "Classifier", Dying)
        answered(bert, texts(*rows), tmp_path)
    assert computed == [size, size]
    resumed, counts = answered(bert, texts(*rows), tmp_path)
    assert counts.carried_over == size and counts.computed == len(rows) - size
    assert resumed.equals(undisturbed)


def test_the_longest_texts_are_computed_first(bert, tmp_path, monkeypatch):
    lengths = []

    class Watched(Classifier):
        def log_probabilities(self, examples, batch):
            lengths.extend(map(len, examples))
            return super().log_probabilities(examples, batch)

    monkeypatch.setattr(classification, "Classifier", Watched)
    answered(bert, texts(*TEXTS), tmp_path)
    assert lengths == sorted(lengths, reverse=True) and lengths[0] == 20


def test_a_text_longer_than_the_model_s_positions_is_counted_and_never_cut(random_model, tmp_path):
    fits, long = " ".join(["sun"] * (POSITIONS - 2)), " ".join(["sun"] * (POSITIONS - 1))
    completed, counts = answered(random_model, texts(long, fits), tmp_path)
    assert completed["finish_reason"].to_list() == ["too_long", "classify"]
    assert completed["prompt_tokens"].to_list() == [POSITIONS + 1, POSITIONS]
    assert list(map(len, likelihoods(completed))) == [0, 3]
    assert (counts.too_long, counts.computed) == (1, 1)


def test_a_text_longer_than_the_config_s_max_length_is_counted(bert, tmp_path):
    completed, _ = answered(bert, texts("good", "good day"), tmp_path, max_length=3)
    assert completed["finish_reason"].to_list() == ["classify", "too_long"]


def test_a_faulty_row_is_not_asked(bert, tmp_path):
    completed, counts = answered(bert, texts("good", fault="an empty text"), tmp_path)
    assert completed.is_empty() and counts.prompts == 0


def test_a_head_that_computes_no_number_stops_the_job_at_the_item(tmp_path):
    model = saved(tmp_path / "model", bias=[0.0, float("nan"), 0.0])
    with pytest.raises(NotFiniteError, match="toy, eng_Latn, item 0: the model computes nan"):
        answered(model, texts("good"), tmp_path)


def test_its_rows_look_like_those_of_an_engine(bert, letters, tmp_path):
    completed, _ = answered(bert, texts("good"), tmp_path)
    of_engine, _ = run(letters, prompts("abc"), tmp_path / "engine", Echo())
    assert dict(completed.schema) == dict(of_engine.schema)


def job(source, frame, folder, adapter=None, **settings):
    """Run the job as the rule does; return the run card and the file of English."""
    journal = folder / "journal.jsonl"
    outputs = RunOutputs({"eng_Latn": folder / "eng_Latn.parquet"}, journal, adapter)
    folder.mkdir(parents=True, exist_ok=True)
    changed = SETTINGS.changed(**settings)
    (card,) = generate(frame, source, [outputs], settings=changed, machine=Machine(), progress=NO_BAR)
    assert not journal.exists()
    return card.values(), pl.read_parquet(outputs.outputs["eng_Latn"])


def test_the_job_of_a_run_counts_texts_and_tells_how_fast_they_were(bert, tmp_path, capsys):
    source = model_source({"kind": "encoder", "path": "anywhere"}, bert)
    frame = asked(texts("good", "good day", " ".join(["sun"] * 30)).drop("answers"), {"toy": ["classify"]})
    card, file = job(source, frame, tmp_path / "m")
    assert (card["prompts"], card["computed"], card["too_long"], card["compared_alone"]) == (3, 2, 1, 0)
    assert card["started"] and card["rows_per_second"] > 0 and card["dtype"] == "float32"
    assert card["engine"].startswith("transformers ") and card["engine"].endswith(", classify")
    assert file["finish_reason"].to_list() == ["classify", "classify", "too_long"]
    again, same = job(source, frame, tmp_path / "m")
    assert same.equals(file) and not again["started"] and "rows_per_second" not in again
    other, _ = job(source, frame, tmp_path / "m", dtype="bfloat16")
    assert other["computed"] == 2 and other["engine"].endswith(", classify, bfloat16")
    assert "eng_Latn: 3 answers" in capsys.readouterr().out


def test_the_job_names_the_run_whose_model_has_other_labels(bert, tmp_path):
    with pytest.raises(LabelError, match=r"m: toy: its labels are x, y, .* bad, good, none .*; the weights: "):
        job(Weights(bert, kind="encoder"), texts("good", labels=("x", "y")), tmp_path / "m")


@pytest.mark.parametrize("adapter", ["lora", "prefix", "prompt"])
def test_an_attached_adapter_answers_and_its_virtual_tokens_take_positions(bert, tmp_path, adapter):
    import torch
    from peft import LoraConfig, PrefixTuningConfig, PromptTuningConfig, get_peft_model

    from maple.models.encoder import load

    task = {"task_type": "SEQ_CLS", "inference_mode": False}
    configs = {
        "lora": LoraConfig(**task, r=2, target_modules=["query", "value"], modules_to_save=["pooler", "classifier"]),
        "prefix": PrefixTuningConfig(**task, num_virtual_tokens=4, modules_to_save=["pooler", "classifier"]),
        "prompt": PromptTuningConfig(**task, num_virtual_tokens=4, modules_to_save=["pooler", "classifier"]),
    }
    network = get_peft_model(load(bert, 16), configs[adapter])
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.requires_grad:
                parameter.normal_(std=0.2)
    network.save_pretrained(tmp_path / "adapter")
    fits = POSITIONS if adapter == "lora" else POSITIONS - 4
    rows = [*TEXTS[:4], " ".join(["sun"] * (fits - 2)), " ".join(["sun"] * (fits - 1))]
    source = Weights(bert, kind="encoder")
    card, attached = job(source, texts(*rows), tmp_path / "attached", adapter=tmp_path / "adapter")
    assert card["adapter"] == "attached" and "+" in card["weights"]
    assert attached["finish_reason"].to_list() == ["classify"] * 5 + ["too_long"]
    _, alone = job(source, texts(*rows), tmp_path / "alone", adapter=tmp_path / "adapter", batch=1)
    assert likelihoods(alone) == [pytest.approx(row, abs=1e-5) for row in likelihoods(attached)]
    _, base = job(source, texts(*rows), tmp_path / "base")
    for one, other in zip(likelihoods(base)[:4], likelihoods(alone)[:4], strict=True):
        assert one != pytest.approx(other, abs=1e-3)
    if adapter == "lora":
        network.eval().merge_and_unload().save_pretrained(tmp_path / "merged")
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (tmp_path / "merged" / file).write_bytes((bert / file).read_bytes())
        _, merged = job(Weights(tmp_path / "merged", kind="encoder"), texts(*rows), tmp_path / "of_merged")
        assert likelihoods(merged) == [pytest.approx(row, abs=1e-5) for row in likelihoods(alone)]
