import json
import re
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import ModelCard
from toy_scores import BASE, LORA, groups_of, in_both, summary_of

from maple.definitions.language import LanguageIdentity
from maple.definitions.task import TaskSources
from maple.report.model_card import ADAPTERS, MERGED, CardFiles, CardStudy, model_card, write_model_cards

IDENTITIES = {
    "eng_Latn": LanguageIdentity("eng_Latn", "English", "en", "Latn"),
    "swh_Latn": LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn"),
    "zho_Hans": LanguageIdentity("zho_Hans", "Chinese", "zh", "Hans"),
    "zho_Hant": LanguageIdentity("zho_Hant", "Chinese (traditional)", "zh", "Hant"),
}
FINETUNE = {
    "stage": "finetune",
    "run": LORA.key.params(),
    "base": {"hub": "some/base", "revision": "0" * 40},
    "method": {"peft": "LORA", "adapter": {"r": 2, "lora_alpha": 4}},
    "bits": 4,
    "trainable_parameters": 1000,
    "trainable_share": 0.01,
    "training": {"steps": 10, "learning_rate": 0.001},
    "examples": 20,
    "epochs": 0.5,
    "tokens": {"all": 300, "completion": 100},
    "hardware": {"device": "a GPU", "count": 1},
    "seconds": 12.3,
    "peak_memory_gib": 1.25,
    "versions": {"python": "3.11", "peft": "0.21.2"},
}
MERGE = {
    "stage": "merge",
    "run": FINETUNE["run"],
    "into": "dequantized",
    "bound": 1e-3,
    "rows": 8,
    "tokens": 100,
    "ways": {"dequantized": {"kl": 1e-6, "worst_kl": 2e-6, "worst_language": "swh_Latn", "agreement": 0.99}},
}
HUB = {
    "dataset": "facebook/xnli",
    "revision": "1" * 40,
    "files": "{iso639_1}/*",
    "splits": {"test": "test"},
    "languages": "all",
}
FRAMES = [in_both(BASE, [1, 0, 0, 0]), in_both(LORA, [1, 1, 1, 0])]
STUDY = CardStudy(
    summary=summary_of(*FRAMES),
    groups=groups_of(*FRAMES),
    identities=IDENTITIES,
    dataset_languages={"little": ["swh_Latn", "zho_Hans", "zho_Hant"]},
    sources={"xnli": TaskSources(hub=HUB)},
    hub_datasets={"little": "some/data"},
    licenses={"toy": "apache-2.0"},
    note="A toy.",
)
FILES = CardFiles("folder/of/weights", "folder/of/card/README.md")
ATTACHED = {"merge": None}
ORIGINAL = {"merge": MERGE | {"into": "original", "ways": {"original": MERGE["ways"]["dequantized"]}}}


def card(kind=MERGED, merge=MERGE, finetune=FINETUNE, **changes):
    return ModelCard(model_card(LORA, kind, finetune, merge, FILES, replace(STUDY, **changes)))


def test_the_hub_s_own_class_reads_the_front_matter():
    data = card().data
    assert (data.base_model, data.base_model_relation, data.datasets) == ("some/base", "finetune", ["some/data"])
    assert (data.license, data.library_name, data.pipeline_tag) == ("apache-2.0", "transformers", "text-generation")
    assert data.tags == ["multilingual", "lora", "instruction-tuning"]


def test_languages_are_iso_codes_each_once():
    assert card().data.language == ["sw", "zh"]


def test_every_headline_score_stands_in_the_model_index_in_points():
    found = {(one.dataset_config, one.metric_type): one for one in card().data.eval_results}
    assert {key: one.metric_value for key, one in found.items()} == {
        ("eng_Latn", "accuracy"): 75.0,
        ("swh_Latn", "accuracy"): 75.0,
    }
    one = found["swh_Latn", "accuracy"]
    assert (one.dataset_type, one.dataset_revision, one.dataset_split) == ("facebook/xnli", "1" * 40, "test")


def test_a_task_that_is_not_on_the_hub_is_called_by_its_name():
    one, _ = card(sources={"xnli": TaskSources(embedded={"languages": "all"})}).data.eval_results
    assert (one.dataset_type, one.dataset_config, one.dataset_revision) == ("xnli", "eng_Latn", None)


def test_what_is_not_known_is_left_out():
    data = card(finetune=FINETUNE | {"base": {"build": {}}}, licenses={}, hub_datasets={}).data.to_dict()
    assert not {"base_model", "base_model_relation", "license", "datasets"} & set(data)
    assert "No licence is stated" in card(licenses={}).text


def test_the_axes_of_the_run_are_told():
    assert "with the method `lora-r2-4bit` (rank 2, bits 4), seed 1" in card().text


def test_the_parts_that_were_trained_and_those_that_stayed_frozen_are_told():
    method = FINETUNE["method"] | {"location": "mlp", "connector": "tuned"}
    parts = {"language_model": 2304, "connector": 4096, "vision_tower": 0, "lm_head": 0}
    text = card(finetune=FINETUNE | {"method": method, "trained_by_part": parts}).text
    assert "| trained parts | language model (2,304 parameters), connector (4,096 parameters) |" in text
    assert "| frozen parts | vision tower, output layer |" in text
    assert "| location | mlp |\n| connector | tuned |" in text
    assert (
        "trained parts" not in card().text
        and "trained parts" not in card(finetune=FINETUNE | {"trained_by_part": {}}).text
    )


def test_a_model_without_an_untouched_base_has_scores_and_no_changes():
    alone = in_both(LORA, [1, 1, 1, 0])
    text = card(summary=summary_of(alone), groups=groups_of(alone)).text
    assert "untouched base" in card().text and "untouched base" not in text
    assert re.search(r"\| task +\| +score \|\n", text)


def test_an_adapter_says_so_and_of_what_its_scores_are():
    made = card(ADAPTERS)
    assert (made.data.library_name, made.data.base_model_relation) == ("peft", "adapter")
    assert "merged into" in made.text and "PeftModel" in made.text and "## Merge" not in made.text
    assert "merged into" not in card(ADAPTERS, merge=None).text


def test_the_text_tells_change_training_merge_and_how_to_upload():
    text = card().text
    assert "| xnli, accuracy |" in text and "+50.0 [" in text
    assert "| steps | 10 |" in text and "1,000 (1.00 %)" in text
    assert "1.0e-06 nats per token" in text and "> A toy." in text
    assert "hf upload YOUR/NAME folder/of/weights . --exclude README.md" in text
    assert "hf upload YOUR/NAME folder/of/card/README.md README.md" in text
    assert "### Input:\ninstruction" in text


def test_a_published_card_names_its_repository_and_not_how_to_upload():
    text = model_card(LORA, ADAPTERS, FINETUNE, MERGE, replace(FILES, repository="me/toy"), STUDY)
    assert '"me/toy"' in text and "YOUR/NAME" not in text and "hf upload" not in text


def code_of(text):
    """The Python code of a card."""
    (code,) = re.findall("^```python\n(.*?)^```", text, re.S | re.M)
    return code


@pytest.mark.parametrize(
    ("kind", "run", "bits"),
    [
        (MERGED, {}, None),
        (ADAPTERS, {}, "load_in_4bit=True"),
        (ADAPTERS, {"finetune": FINETUNE | {"bits": 8}}, "load_in_8bit=True"),
        (ADAPTERS, {"finetune": FINETUNE | {"bits": 16}}, None),
        (ADAPTERS, ORIGINAL, None),
        (ADAPTERS, ATTACHED, None),
    ],
)
def test_the_code_loads_the_precision_whose_scores_the_card_has(kind, run, bits):
    code = code_of(card(kind, **run).text)
    assert re.findall(r"load_in_\dbit=True", code) == ([bits] if bits else [])
    assert 'dtype="bfloat16"' in code
    assert ('"revision": "0000' in code) == (kind == ADAPTERS), "the base of an adapter is pinned"


def test_a_card_says_where_its_adapter_was_trained_beside_other_weights_than_it_is_scored_on():
    assert "trained beside the base in 4 bits" in card(ADAPTERS, **ATTACHED).text
    assert "This loads the base in 4 bits, as in training." in card(ADAPTERS).text
    sixteen = card(ADAPTERS, merge=None, finetune=FINETUNE | {"bits": 16}).text
    assert "trained beside" not in sixteen and "This loads the base" not in sixteen


def test_code_of_its_own_is_trusted_in_the_card_only_if_it_was_in_the_study():
    trusted = FINETUNE | {"base": FINETUNE["base"] | {"trust_remote_code": True}}
    for kind in (MERGED, ADAPTERS):
        assert code_of(card(kind, finetune=trusted).text).count("trust_remote_code=True") == 2
        assert "trust_remote_code" not in card(kind).text


@pytest.mark.heavy
def test_the_code_of_the_cards_runs_and_loads_what_was_scored(toy_base, tmp_path, capsys):
    import torch
    from toy_training import HELD_OUT, MODEL, finetuned, lora
    from toy_training import MERGE as SETTINGS

    from maple.training.merging import merge

    finetuned(toy_base, tmp_path, lora(bits=4))
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == (None, None), "the toy is in no public place"
    assert sorted(path.name for path in (tmp_path / "adapter").iterdir())[0] == "adapter_config.json"
    (tmp_path / "merged").mkdir()
    options = {"bits": 4, "max_length": 128, "settings": SETTINGS, "model": MODEL, "threads": 1}
    merge(toy_base, tmp_path / "adapter", HELD_OUT, tmp_path / "merged", **options)
    loaded = {}
    for name, (kind, folder, run) in {
        "merged": (MERGED, "merged", {}),
        "folded": (ADAPTERS, "adapter", {}),
        "attached": (ADAPTERS, "adapter", ATTACHED),
    }.items():
        code = code_of(card(kind, **run).text).replace("YOUR/NAME", str(tmp_path / folder))
        names = {}
        exec(code.replace("some/base", str(toy_base)), names)
        assert capsys.readouterr().out.strip(), "the model answers"
        model = names["model"]
        ids = torch.arange(4, 20)[None]
        with torch.inference_mode():
            loaded[name] = model(input_ids=ids).logits.float().log_softmax(-1)
        assert bool(getattr(model, "is_loaded_in_4bit", False)) == (name == "folded")
        assert next(model.parameters()).dtype == torch.bfloat16
    # The merged model is the adapter on the 4-bit base, up to rounding; on the base in 16 bits it is another one.
    near, far = ((loaded["merged"] - loaded[name]).abs().mean() for name in ("folded", "attached"))
    assert near < far / 2


def test_a_pattern_of_layers_stays_in_its_cell():
    text = card(
        finetune=FINETUNE | {"method": {"peft": "LORA", "adapter": {"target_modules": ".*(q_proj|v_proj)"}}}
    ).text
    assert r"| adapter | target\_modules .\*(q\_proj\|v\_proj) |" in text


def test_a_name_that_yaml_takes_for_something_else_stays_text():
    data = yaml.safe_load(card(hub_datasets={"little": "no"}).content.split("---")[1])
    assert data["datasets"] == ["no"]


def test_cards_are_written_for_merged_models_and_adapters(tmp_path):
    for kind in (MERGED, ADAPTERS):
        path = tmp_path / kind / "README.md"
        write_model_cards([LORA], kind, [FINETUNE, MERGE], ["folder"], [path], STUDY, {})
        assert ModelCard.load(path).data.license == "apache-2.0"


@pytest.mark.parametrize("kind", [MERGED, ADAPTERS])
def test_no_line_is_left_of_the_template(kind):
    text = card(kind).content
    assert "{{" not in text and "{%" not in text and "\n\n\n" not in text.split("## Use")[0].split("---")[2]


def test_a_model_that_was_trained_in_turns_says_how_to_ask_it_in_turns():
    for changes in ({"base": FINETUNE["base"] | {"frame": "chat"}}, {"training": {"steps": 1, "frame": "chat"}}):
        text = card(finetune=FINETUNE | changes).text
        assert 'tokenizer.apply_chat_template([{"role": "user", "content": "…"}], add_generation_prompt=True' in text
        assert "### Input:" not in text
    assert 'inputs = tokenizer("### Input:\\n…\\n\\n### Output:\\n", return_tensors="pt")' in card().text


@pytest.mark.heavy
@pytest.mark.parametrize("frame", ["none", "bactrian"])
def test_the_code_of_a_model_that_sees_runs_on_a_picture(frame, tmp_path, capsys):
    from toy_vision import build, draw, processor

    base = build("llava", tmp_path / "base")
    draw(tmp_path / "one.png", "square", "red")
    seeing = FINETUNE | {"base": {"kind": "vision", "frame": frame}}
    code = code_of(card(MERGED, MERGE, seeing).text).replace("YOUR/NAME", str(base))
    names = {}
    exec(code.replace("PICTURE.png", str(tmp_path / "one.png")).replace("…", "a"), names)
    assert capsys.readouterr().out.strip(), "the model answers"
    shown = processor("llava").image_token_id
    assert int((names["inputs"]["input_ids"] == shown).sum()) == 16, "one picture of 4 x 4 patches"
