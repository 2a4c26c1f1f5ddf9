import pytest
import yaml
from huggingface_hub import ModelCard
from test_summary import BASE, TUNED, groups_of, in_both, summary_of

from maple.report.model_card import ADAPTERS, MERGED, model_card, write_model_cards

IDENTITIES = {
    "eng_Latn": {"code": "eng_Latn", "name": "English", "iso639_1": "en", "script": "Latn"},
    "swh_Latn": {"code": "swh_Latn", "name": "Swahili", "iso639_1": "sw", "script": "Latn"},
    "zho_Hans": {"code": "zho_Hans", "name": "Chinese", "iso639_1": "zh", "script": "Hans"},
    "zho_Hant": {"code": "zho_Hant", "name": "Chinese (traditional)", "iso639_1": "zh", "script": "Hant"},
}
FINETUNE = {
    "stage": "finetune",
    "run": {name: TUNED[name] for name in ("model", "dataset", "method", "seed")},
    "base": {"hub": "some/base", "revision": "0" * 40},
    "adapter": {"r": 2, "lora_alpha": 4},
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
HUB = {"hub": {"dataset": "facebook/xnli", "revision": "1" * 40, "files": "{iso639_1}/*", "splits": {"test": "test"}}}
FRAMES = [in_both(BASE, [1, 0, 0, 0]), in_both(TUNED, [1, 1, 1, 0])]
STUDY = {
    "summary": summary_of(*FRAMES),
    "groups": groups_of(*FRAMES),
    "identities": IDENTITIES,
    "sources": {"xnli": HUB},
    "note": "A toy.",
}


def card(kind=MERGED, merge=MERGE, finetune=FINETUNE, license="apache-2.0", hub_dataset="some/data", **changes):
    text = model_card(
        TUNED, kind, finetune, merge, license=license, hub_dataset=hub_dataset,
        **{**STUDY, "trained_in": ["swh_Latn", "zho_Hans", "zho_Hant"], **changes},
    )  # fmt: skip
    return ModelCard(text)


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
    one, _ = card(sources={"xnli": {"embedded": {"languages": "all"}}}).data.eval_results
    assert (one.dataset_type, one.dataset_config, one.dataset_revision) == ("xnli", "eng_Latn", None)


def test_what_is_not_known_is_left_out():
    data = card(finetune=FINETUNE | {"base": {"build": {}}}, license=None, hub_dataset=None).data.to_dict()
    assert not {"base_model", "base_model_relation", "license", "datasets"} & set(data)
    assert "No licence is stated" in card(license=None).text


def test_an_adapter_says_so_and_of_what_its_scores_are():
    made = card(ADAPTERS)
    assert (made.data.library_name, made.data.base_model_relation) == ("peft", "adapter")
    assert "merged into" in made.text and "PeftModel" in made.text and "## Merge" not in made.text
    assert "merged into" not in card(ADAPTERS, merge=None).text


def test_the_text_tells_change_training_merge_and_how_to_upload():
    text = card().text
    assert "| xnli, accuracy |" in text and "+50.0 [" in text
    assert "| steps | 10 |" in text and "1,000 (1.00 %)" in text
    assert "1.0e-06 nats" in text and "> A toy." in text
    assert "hf upload YOUR/NAME results/model_cards/merged/toy/little/lora-r2-4bit/seed1/README.md README.md" in text
    assert "### Input:\ninstruction" in text


def test_a_pattern_of_layers_stays_in_its_cell():
    text = card(finetune=FINETUNE | {"adapter": {"target_modules": ".*(q_proj|v_proj)"}}).text
    assert r"| adapter | target\_modules .\*(q\_proj\|v\_proj) |" in text


def test_a_name_that_yaml_takes_for_something_else_stays_text():
    data = yaml.safe_load(card(hub_dataset="no").content.split("---")[1])
    assert data["datasets"] == ["no"]


def test_cards_are_written_for_merged_models_and_adapters(tmp_path):
    study = {**STUDY, "dataset_languages": {"little": ["swh_Latn"]}, "hub_datasets": {}, "licenses": {"toy": "mit"}}
    for kind in (MERGED, ADAPTERS):
        path = tmp_path / kind / "README.md"
        write_model_cards([TUNED], [path], kind, [FINETUNE, MERGE], **study)
        assert ModelCard.load(path).data.license == "mit"


@pytest.mark.parametrize("kind", [MERGED, ADAPTERS])
def test_no_line_is_left_of_the_template(kind):
    text = card(kind).content
    assert "{{" not in text and "{%" not in text and "\n\n\n" not in text.split("## Use")[0].split("---")[2]
