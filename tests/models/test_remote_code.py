"""A model that brings its own code: it is trained and merged from its folder alone, or refused."""

import json
import shutil

import pytest
from toy_training import MERGE, finetuned, lora

from maple.definitions.local_model import HubModel
from maple.models import causal
from maple.models.base_folder import prepare_base
from maple.models.tiny import BaseError

pytestmark = pytest.mark.heavy
CODE = {
    "configuration_toy.py": """
from transformers import LlamaConfig

class ToyConfig(LlamaConfig):
    model_type = "toy-llama"
""",
    "modeling_toy.py": """
from transformers import LlamaForCausalLM
from .configuration_toy import ToyConfig

class ToyForCausalLM(LlamaForCausalLM):
    config_class = ToyConfig
""",
}
AUTO_MAP = {"AutoConfig": "configuration_toy.ToyConfig", "AutoModelForCausalLM": "modeling_toy.ToyForCausalLM"}
TRUSTED = HubModel(hub="org/toy", revision="0" * 40, trust_remote_code=True)


@pytest.fixture
def fetched(toy_base, tmp_path, monkeypatch):
    """A fetched repository whose model only its own code knows."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    folder = tmp_path / "fetched"
    shutil.copytree(toy_base, folder)
    for name, code in CODE.items():
        (folder / name).write_text(code)
    change(folder / "config.json", model_type="toy-llama", architectures=["ToyForCausalLM"], auto_map=AUTO_MAP)
    return folder


def change(path, **changes):
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(content | changes))


def base_of(fetched, folder, model=TRUSTED):
    folder.mkdir()
    prepare_base(model, folder, fetched=fetched, lengths={}, phrases={}, threads=1, progress=iter)
    return folder


def test_a_model_of_its_own_code_is_loaded_trained_and_merged_from_its_folder(fetched, tmp_path, monkeypatch):
    import polars as pl
    import toy_training

    from maple.training.merging import merge

    base = base_of(fetched, tmp_path / "base")
    assert {path.name for path in base.glob("*.py")} == set(CODE)
    assert type(causal.load(base, 16, trust_remote_code=True)).__name__ == "ToyForCausalLM"
    monkeypatch.setattr(toy_training, "MODEL", TRUSTED)
    finetuned(base, tmp_path / "run", lora())
    held_out = pl.read_parquet(tmp_path / "run/held_out.parquet")
    (tmp_path / "merged").mkdir()
    adapter, merged = tmp_path / "run/adapter", tmp_path / "merged"
    merge(base, adapter, held_out, merged, bits=16, max_length=128, settings=MERGE, model=TRUSTED, threads=1)
    assert type(causal.load(merged, 16, trust_remote_code=True)).__name__ == "ToyForCausalLM"


def test_without_trust_no_code_runs(fetched, tmp_path):
    (fetched / "modeling_toy.py").write_text("raise SystemExit('it ran')")
    (fetched / "configuration_toy.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(BaseError, match="trust_remote_code") as error:
        base_of(fetched, tmp_path / "base", TRUSTED.changed(trust_remote_code=False))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("file", "entry"),
    [
        ("config.json", {"AutoModelForCausalLM": "other/repo--modeling_toy.ToyForCausalLM"}),
        ("config.json", {"AutoConfig": "org/toy--configuration_toy.ToyConfig"}),
        ("config.json", {"AutoModelForCausalLM": "missing.ToyForCausalLM"}),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "other/repo--tokenization_toy.ToyTokenizer"]}),
    ],
)
def test_code_of_another_repository_is_refused(fetched, tmp_path, file, entry):
    change(fetched / file, auto_map=entry)
    with pytest.raises(BaseError, match=rf"{file}: auto_map names .*; name a revision that has its own code"):
        base_of(fetched, tmp_path / "base")


def test_code_that_needs_a_package_is_told_in_a_line(fetched, tmp_path):
    # A type of its own: transformers keeps the classes of one that this process has loaded before.
    for name, code in CODE.items():
        (fetched / name).write_text("import no_such_package\n" + code.replace("toy-llama", "toy-other"))
    change(fetched / "config.json", model_type="toy-other")
    with pytest.raises(BaseError, match=r"config and weights make no model: .*no_such_package") as error:
        base_of(fetched, tmp_path / "base")
    assert "\n" not in str(error.value)
