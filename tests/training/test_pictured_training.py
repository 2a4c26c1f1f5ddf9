"""Vision-language models are finetuned on drawn pictures, with a frozen tower, and merged into folders vLLM reads."""

from pathlib import Path

import polars as pl
import pytest
from toy_pictured import placed, rows
from toy_training import MERGE, trains
from toy_vision import build

from maple.definitions.local_model import PathModel
from maple.definitions.method import MethodVariant
from maple.models import vision
from maple.models.stored_weights import SINGLE
from maple.models.tiny_vision import HUB_TOWER, rename_tower
from maple.models.vision_parts import parameters_by_part
from maple.runtime.files import write_parquet
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune
from maple.training.merging import merge

pytestmark = pytest.mark.heavy

LORA = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"}
MODEL = PathModel(path="toy", kind="vision")


def lora(bits=16, **axes):
    return placed("LORA", bits, LORA, **axes)


def made(name, folder: Path) -> Path:
    """Save a tiny base of bfloat16 weights under the Hub's names, and rows about pictures beside it."""
    import torch
    from transformers import AutoModelForImageTextToText

    base = build(name, folder / "base")
    AutoModelForImageTextToText.from_pretrained(base, dtype=torch.bfloat16).save_pretrained(base)
    rename_tower(base / SINGLE)
    write_parquet(pl.DataFrame(rows(folder / "pictures") + rows(folder / "pictures", "swh_Latn")), folder / "rows")
    return base


def trained(base, adapter: Path, method: MethodVariant):
    adapter.mkdir(parents=True, exist_ok=True)
    return finetune(
        base,
        base.parent / "rows",
        base.parent / "rows",
        adapter,
        method=method,
        model=MODEL,
        seed=1,
        threads=1,
        checkpoints=CheckpointPlan(adapter.parent / f"checkpoints-{adapter.name}", 4),
        code=["toy"],
        compared_rows=2,
    )


def merged(base, adapter: Path, folder: Path, bits: int, module="peft_method"):
    folder.mkdir()
    held_out = pl.read_parquet(base.parent / "rows")
    settings = MERGE.changed(bound=1e-2)
    return merge(
        base, adapter, held_out, folder, bits=bits, max_length=128, settings=settings, model=MODEL, threads=1,
        module=module,
    )  # fmt: skip


def tensors(folder: Path):
    from safetensors.torch import load_file

    return {name: each for path in folder.glob("*.safetensors") for name, each in load_file(path).items()}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    return {name: made(name, tmp_path_factory.mktemp(name)) for name in ("idefics3", "llava")}


@pytest.mark.parametrize(("name", "bits"), [("idefics3", 16), ("idefics3", 4), ("llava", 16), ("llava", 4)])
def test_a_trained_language_model_merges_and_all_else_of_the_folder_is_the_base_s(bases, tmp_path, name, bits):
    base = bases[name]
    card = trained(base, tmp_path / "adapter", lora(bits))
    before, *_, after = (one["bits_per_byte"] for one in card.held_out)
    assert all(after[code] < before[code] for code in ("eng_Latn", "swh_Latn"))
    # Each of 14 layers: r times its inputs and outputs.
    counted = {"language_model": 2 * 4 * (4 * 64 + 3 * 96), "connector": 0, "vision_tower": 0, "lm_head": 0}
    assert card.trained_by_part == counted and card.trainable_parameters == counted["language_model"]
    report = merged(base, tmp_path / "adapter", tmp_path / "merged", bits)
    way = report.ways[report.into]
    assert way.worst_kl < 1e-2 < report.ways["untouched"].kl
    if bits == 4:
        assert way.kl < report.ways["original"].kl
    found, there = tensors(tmp_path / "merged"), tensors(base)
    assert found.keys() == there.keys(), "the Hub's names, by which vLLM reads a LLaVA"
    assert name == "idefics3" or any(key.startswith(HUB_TOWER) for key in found)
    parts = vision.parts_of(vision.load(base, 16))
    language_model = [key for key in found if "layers" in key and "_proj" in key and "vision" not in key]
    assert len(language_model) == 14
    same = {key for key in found if (found[key] == there[key]).all()}
    assert (found.keys() - same) == set(language_model) and parts.text_type == "llama"
    written = {path.name for path in (tmp_path / "merged").iterdir()}
    assert {"processor_config.json", "tokenizer.json", "config.json"} <= written
    assert vision.encoder_of(tmp_path / "merged", MODEL).pad == vision.encoder_of(base, MODEL).pad


def test_a_tuned_connector_is_in_the_card_and_in_the_merged_folder(bases, tmp_path):
    base = bases["llava"]
    card = trained(base, tmp_path / "adapter", lora(location="mlp", connector="tuned"))
    assert card.method == {"peft": "LORA", "adapter": LORA, "location": "mlp", "connector": "tuned"}
    whole = parameters_by_part(vision.load(base, 16))
    counted = {"language_model": 2 * 4 * 3 * 96, "connector": whole["connector"], "vision_tower": 0, "lm_head": 0}
    assert card.trained_by_part == counted and card.trainable_parameters == sum(counted.values())
    report = merged(base, tmp_path / "adapter", tmp_path / "merged", 16)
    assert report.ways["original"].worst_kl < 1e-2 < report.ways["untouched"].kl
    found, there = tensors(tmp_path / "merged"), tensors(base)
    changed = {key for key in found if (found[key] != there[key]).any()}
    assert {key for key in changed if "projector" in key} == {key for key in there if "projector" in key}
    assert not any("vision_tower" in key or "self_attn" in key or "lm_head" in key for key in changed)


def test_the_connector_alone_is_saved_and_merged(bases, tmp_path):
    base = bases["idefics3"]
    card = trained(base, tmp_path / "adapter", trains("connector"))
    assert card.trained_by_part == {"language_model": 0, "connector": 4096, "vision_tower": 0, "lm_head": 0}
    assert set(tensors(tmp_path / "adapter")) == {"model.connector.modality_projection.proj.weight"}
    report = merged(base, tmp_path / "adapter", tmp_path / "merged", 16, "weights_method")
    assert report.ways["original"].worst_kl < 1e-2 < report.ways["untouched"].kl


@pytest.mark.parametrize("name", ["idefics3", "llava"])
def test_full_finetuning_leaves_the_tower_as_it_is(bases, tmp_path, name):
    base = bases[name]
    card = trained(base, tmp_path / "model", trains("all", learning_rate=1e-3))
    whole = parameters_by_part(vision.load(base, 16))
    assert card.trained_by_part == whole | {"vision_tower": 0}
    found, there = tensors(tmp_path / "model"), tensors(base)
    assert found.keys() == there.keys()
    same = {key for key in found if (found[key] == there[key]).all()}
    assert same == {key for key in there if "vision" in key} and same
    assert (tmp_path / "model/processor_config.json").is_file()
