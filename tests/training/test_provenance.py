"""A card of another training, of another adapter, of other weights: each is refused with its file and a command."""

import re

import pytest

from maple.runtime.files import write_json
from maple.runtime.fingerprint import weights_digest
from maple.training.provenance import ProvenanceError, hold_adapter, read_held_cards

RUN = {"model": "toy", "dataset": "little", "method": "lora-r2-4bit", "seed": 1}
PATH = "toy/little/lora-r2-4bit/seed1"
LORA = {"peft": "LORA", "adapter": {"r": 2}}
TRAINED_AS = {"base": {"kind": "causal"}, "bits": 4, "method": LORA, "training": {"steps": 4}}
CARDS = {
    "finetune": {**TRAINED_AS, "loss": [], "digests": {"base": "b", "mixture": "x", "adapter": "a"}},
    "merge": {"digests": {"base": "b", "adapter": "a", "merged": "m"}},
    "generate": {"weights": "m"},
}


def cards_in(folder, **changes):
    """Write the cards of a run, some of their keys changed; return their paths."""
    for stage, card in CARDS.items():
        write_json({"stage": stage, "run": RUN, **card, **changes.get(stage, {})}, folder / f"{stage}.json")
    return sorted(folder.glob("*.json"))


def test_cards_of_the_study_are_read(tmp_path):
    assert [card["stage"] for card in read_held_cards(cards_in(tmp_path), {PATH: TRAINED_AS})] == sorted(CARDS)


def test_cards_without_digests_are_held_against_the_study_alone(tmp_path):
    paths = cards_in(tmp_path, finetune={"digests": {}}, merge={"digests": {}}, generate={"weights": None})
    assert len(read_held_cards(paths, {PATH: TRAINED_AS})) == 3
    with pytest.raises(ProvenanceError, match=r"training\.steps is 4, and the study has 5"):
        read_held_cards(paths, {PATH: TRAINED_AS | {"training": {"steps": 5}}})


OTHERS = [
    ({"finetune": {"training": {"steps": 5}}}, "finetune", "training.steps is 5, and the study has 4"),
    ({"finetune": {"training": {"steps": 4, "packing": True}}}, "finetune", "training.packing is True"),
    ({"finetune": {"bits": 8}}, "finetune", "bits is 8, and the study has 4"),
    ({"finetune": {"base": {"kind": "seq2seq"}}}, "finetune", "base.kind is 'seq2seq'"),
    ({"finetune": {"method": {"peft": "LORA", "adapter": None}}}, "finetune", "method.adapter is None"),
    ({"finetune": {"digests": {"base": "b", "adapter": "other"}}}, "merge", "merged from another adapter"),
    ({"merge": {"digests": {"base": "other", "adapter": "a", "merged": "m"}}}, "merge", "into another base"),
    ({"generate": {"weights": "other"}}, "generate", "answers are those of other weights"),
    ({"merge": {"digests": {"base": "b", "adapter": "a", "merged": "n"}}}, "generate", "answers are those of other"),
]


@pytest.mark.parametrize(("changes", "stage", "says"), OTHERS)
def test_a_card_that_differs_is_refused_with_what_makes_it_again(tmp_path, changes, stage, says):
    with pytest.raises(ProvenanceError) as error:
        read_held_cards(cards_in(tmp_path, **changes), {PATH: TRAINED_AS})
    path = tmp_path / f"{stage}.json"
    assert str(error.value).startswith(f"{path}: ") and says in str(error.value)
    assert str(error.value).endswith(f"make it again by `snakemake --cores all --forcerun {path}`")


def test_answers_with_an_attached_adapter_are_held_against_base_and_adapter(tmp_path):
    cards_in(tmp_path, generate={"weights": "b+a"})
    paths = [tmp_path / "finetune.json", tmp_path / "generate.json"]
    assert len(read_held_cards(paths, {PATH: TRAINED_AS})) == 2
    cards_in(tmp_path, generate={"weights": "b+other"})
    with pytest.raises(ProvenanceError, match="its answers are those of other weights"):
        read_held_cards(paths, {PATH: TRAINED_AS})


def test_answers_of_a_model_that_was_trained_whole_are_held_against_it(tmp_path):
    trained = {"method": {"trains": "all"}, "digests": {"base": "b", "mixture": "x", "model": "t"}}
    for weights in ("t", "b"):
        cards_in(tmp_path, finetune=trained, generate={"weights": weights})
        paths = [tmp_path / "finetune.json", tmp_path / "generate.json"]
        if weights == "t":
            assert len(read_held_cards(paths, {})) == 2
        else:
            with pytest.raises(ProvenanceError, match="answers are those of other weights"):
                read_held_cards(paths, {})


def test_an_adapter_that_was_replaced_is_not_merged(tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_bytes(b"trained")
    digests = {"base": "b", "adapter": weights_digest(adapter)}
    path = tmp_path / "finetune.json"
    write_json({"stage": "finetune", "run": RUN, **TRAINED_AS, "digests": digests}, path)
    hold_adapter(path, TRAINED_AS, adapter)
    with pytest.raises(ProvenanceError, match=re.escape("finetune.json: bits is 4, and the study has 8")):
        hold_adapter(path, TRAINED_AS | {"bits": 8}, adapter)
    (adapter / "adapter_model.safetensors").write_bytes(b"another")
    with pytest.raises(ProvenanceError, match="its adapter is not the one in"):
        hold_adapter(path, TRAINED_AS, adapter)
