"""Repositories of the Hub, from a Hub on the loopback; each is fetched in a process of its own, as a job is."""

import json
import os
import subprocess
import sys
from hashlib import sha256

import polars as pl
import pytest
import yaml
from hub import REVISION, Hub
from project import ROOT, TOY_STUDY, Project

from maple.data.repository_folders import repository_folder
from maple.definitions.local_model import HubModel
from maple.models.model_files import CODE_FILES, MODEL_FILES, UNWANTED
from maple.study.repositories import repositories_of

TOKEN = "hf_secretsecretsecret"
MODEL = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights"}
TOKENIZERS = dict.fromkeys(
    (
        "merges.txt",
        "vocab.json",
        "vocab.txt",
        "source.spm",
        "qwen.tiktoken",
        "tokenizer.model.v3",
        "sentencepiece.bpe.model",
    ),
    b"pieces",
)
COPIES = dict.fromkeys(
    (
        *("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack"),
        *("consolidated.safetensors", "params.json", "model.fp16.safetensors", "modeling_toy.py"),
        *("onnx/config.json", "original/tokenizer.model", "openvino/vocab.json", "openvino_config.json"),
        *("checkpoint-1/model.safetensors",),
    ),
    b"{}",
)
REPOSITORIES = {"models/org/toy": MODEL | TOKENIZERS | COPIES}
WANTED = {"kind": "model", "id": "org/toy", "revision": REVISION, "files": MODEL_FILES, "unwanted": UNWANTED}
# As a job of the workflow: offline, until `fetch` decides otherwise.
FETCH = """
import json, sys
from dataclasses import asdict
from pathlib import Path
from maple.runtime.files import write_json
from maple.data.fetched import FetchError
from maple.data.hub import Repository, fetch
from maple.runtime.logs import log_to
log_to("log")
try:
    repository = Repository(**json.loads(sys.argv[1]))
    card = fetch(repository, Path("folder"), unfinished=Path("part"), card=Path("card.json"))
    write_json(asdict(card), "card.json")
except FetchError as error:
    sys.exit(str(error))
"""


@pytest.fixture
def fetched(tmp_path):
    """Fetch in tmp_path; return the log where it fails."""

    def fetch(hub, wanted=WANTED, token=None):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
        environment |= {"HF_ENDPOINT": hub if isinstance(hub, str) else hub.url} | (
            {"HF_TOKEN": token} if token else {}
        )
        command = [sys.executable, "-c", FETCH, json.dumps(wanted)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=False)
        return (tmp_path / "log").read_text() if done.returncode else ""

    return fetch


def test_a_model_comes_with_its_tokenizer_and_without_copies_at_its_revision_and_is_recorded(fetched, tmp_path):
    with Hub(REPOSITORIES) as hub:
        assert fetched(hub) == ""
        assert hub.tokens == {None}
        assert all(REVISION in path for path in hub.asked if "org/toy" in path)
    names = {path.name for path in (tmp_path / "folder").iterdir() if path.is_file()}
    assert names == {*MODEL, *TOKENIZERS, "BLAKE2SUMS"}
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["revision"] == REVISION and card["bytes"] == len(b"weights{}{}") + len(TOKENIZERS) * len(b"pieces")
    assert card["files"]["model.safetensors"] == {"bytes": 7, "sha256": sha256(b"weights").hexdigest()}
    assert not (tmp_path / "part").exists()


def test_the_code_of_a_model_is_fetched_at_its_revision_if_it_is_trusted(fetched, tmp_path):
    code = {"modeling_toy.py": b"class Toy: ...\n", "setup.sh": b"no"}
    with Hub({"models/org/toy": MODEL | code}) as hub:
        assert fetched(hub, WANTED | {"files": MODEL_FILES + CODE_FILES}) == ""
        assert "modeling_toy.py" in hub.loaded and "setup.sh" not in hub.loaded
    files = json.loads((tmp_path / "card.json").read_text())["files"]
    assert files["modeling_toy.py"]["sha256"] == sha256(code["modeling_toy.py"]).hexdigest()


@pytest.mark.parametrize("trusted", [False, True])
def test_a_study_fetches_code_only_of_models_that_it_trusts(trusted):
    models = {
        "toy": HubModel(hub="org/toy", revision=REVISION, trust_remote_code=trusted),
        "again": HubModel(hub="org/toy", revision=REVISION),
    }
    (repository,) = repositories_of(models, []).values()
    assert ("*.py" in repository.files) == trusted


@pytest.mark.parametrize("path", ["model.safetensors", "config.json"])
def test_a_file_that_is_not_what_the_hub_lists_is_refused_and_loaded_again(fetched, tmp_path, path):
    with Hub(REPOSITORIES) as hub:
        hub.served["models/org/toy", path] = b"x" * len(MODEL[path])
        assert f"org/toy@{REVISION}: not what the Hub lists: {path} (" in fetched(hub)
        assert not (tmp_path / "folder").exists() and not (tmp_path / "card.json").exists()
        hub.served.clear()
        hub.loaded.clear()
        assert fetched(hub) == ""
        assert hub.loaded == [path], "what was right is kept"


def test_what_a_killed_download_left_is_not_taken_for_the_whole(fetched, tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part/config.json").write_bytes(MODEL["config.json"])
    with Hub({"models/org/toy": MODEL}, failing=1) as hub:
        assert f"org/toy@{REVISION}: model.safetensors, tokenizer.json could not be loaded; run again" in fetched(hub)
        assert not (tmp_path / "folder").exists()
        assert fetched(hub) == ""


def test_a_revision_whose_files_have_become_others_is_refused(fetched, tmp_path):
    with Hub(REPOSITORIES) as hub:
        fetched(hub)
        (tmp_path / "folder").rename(tmp_path / "lost")
        hub.repositories = {"models/org/toy": MODEL | {"model.safetensors": b"others"}}
        told = fetched(hub)
    assert f"org/toy@{REVISION}: model.safetensors: not the SHA-256 of the first download, which card.json has" in told
    assert not (tmp_path / "folder").exists()


def test_a_token_is_taken_from_the_environment_alone(fetched, tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home/token").write_text(TOKEN)
    with Hub(REPOSITORIES) as hub:
        assert fetched(hub) == ""
        assert hub.tokens == {None}


def test_a_gated_repository_names_its_page_and_the_token_is_written_nowhere(fetched, tmp_path):
    with Hub(REPOSITORIES, gated=["models/org/toy"], token=TOKEN) as hub:
        for token in (None, "hf_wrongwrongwrong"):
            told = fetched(hub, token=token)
            assert "org/toy: gated. Open https://huggingface.co/org/toy, agree to its terms" in told
        assert fetched(hub, token=TOKEN) == ""
        assert hub.tokens == {None, "Bearer hf_wrongwrongwrong", f"Bearer {TOKEN}"}
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written and b"hf_wrong" not in written


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"id": "org/none"}, "org/none: not on the Hub, or not open to you; look at https://huggingface.co/org/none"),
        ({"revision": "f" * 40}, f"org/toy: the Hub has no revision {'f' * 40}"),
        ({"files": ["*.gguf"]}, "has none of the files *.gguf"),
        (
            {"kind": "dataset", "id": "org/none"},
            "org/none: not on the Hub, or not open to you; look at https://huggingface.co/datasets/org/none",
        ),
    ],
)
def test_what_is_not_there_is_named(fetched, changed, says):
    with Hub(REPOSITORIES) as hub:
        assert says in fetched(hub, WANTED | changed)


def test_without_a_network_it_says_where_to_run(fetched):
    with Hub(REPOSITORIES) as hub:
        nobody = hub.url
    assert "org/toy: the Hub could not be asked" in (told := fetched(nobody))
    assert "run `snakemake --until fetch` where there is a network" in told


def test_a_study_fetches_its_models_and_rows_and_all_other_jobs_are_offline(project_of_the_hub):
    project, hub = project_of_the_hub
    wanted = ("results/prompts/xcopa/swh_Latn.parquet", "results/base/toy", "results/synthesized/set/swh_Latn.parquet")
    assert project.jobs(*wanted) == {"fetch": 3, "base": 1, "render_prompts": 1, "synthesize": 1}
    assert project.jobs("--until", "fetch") == {"fetch": 3}, "what a node with a network has to do"
    project.snakemake(*wanted, "env.txt")
    assert "HF_HUB_OFFLINE=1" in (project.folder / "env.txt").read_text().splitlines()
    rows = project.folder / f"results/hub/{repository_folder('dataset', 'cambridgeltl/xcopa', REVISION)}"
    assert {path.name for path in rows.glob("*/*.jsonl")} == {"test-0.jsonl", "validation-0.jsonl"}
    weights = (project.folder / "results/base/toy/model.safetensors").stat()
    assert weights.st_nlink == 2, "the base is no second copy"
    assert pl.read_parquet(project.folder / wanted[-1])["output"].to_list() == ["Mwezi."]
    assert project.jobs(*wanted) == {}
    assert {path for path in hub.loaded if path.endswith("train-0.jsonl")} == set()


def test_a_refused_job_shows_the_page_and_the_token_stays_out_of_all_that_a_workflow_writes(
    project_of_the_hub, monkeypatch
):
    project, hub = project_of_the_hub
    hub.gated = ["models/org/toy"]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    printed = project.snakemake("results/base/toy", fails=True)
    assert "org/toy: gated. Open https://huggingface.co/org/toy, agree to its terms" in printed
    assert f"Bearer {TOKEN}" in hub.tokens
    written = b"".join(path.read_bytes() for path in project.folder.rglob("*") if path.is_file())
    assert TOKEN not in printed and TOKEN.encode() not in written


@pytest.fixture
def project_of_the_hub(wide_base, tmp_path, monkeypatch):
    """A study of which a model and the rows of XCOPA lie on the Hub."""
    (tmp_path / "study").mkdir()
    project = Project.made_in(tmp_path / "study")
    row = {"idx": 0, "premise": "Jua.", "choice1": "a", "choice2": "b", "question": "cause", "label": 0}
    line = (json.dumps(row) + "\n").encode()
    codes = ("sw", "qu", "ta", "vi", "zh")
    rows = {f"{code}/{split}-0.jsonl": line for code in codes for split in ("test", "validation", "train")}
    task = yaml.safe_load((ROOT / "config/tasks/xcopa.yaml").read_text())
    task["sources"]["hub"] |= {"revision": REVISION, "files": "{iso639_1}/{split}-*.jsonl"}
    task["sources"]["hub"]["languages"] = ["swh_Latn", "quy_Latn", "tam_Taml", "vie_Latn", "zho_Hans"]
    project.write("config/tasks/xcopa.yaml", task)
    project.write("config/models/toy.yaml", {"hub": "org/toy", "revision": REVISION})
    place = {"dataset": "org/set", "revision": REVISION, "files": "{iso639_1}.jsonl"}
    dataset = {"recipe": "load", "load": {"hub": place}, "curate": {}}
    project.write("config/datasets/set.yaml", dataset | {"mix": {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 1}})
    example = (json.dumps({"instruction": "Taja.", "input": "", "output": "Mwezi."}) + "\n").encode()
    grid = [TOY_STUDY["grid"][0] | {"datasets": ["set"]}]
    project.study(languages=["swh_Latn"], tasks=["xcopa"], task_source="hub", items=None, grid=grid, answers={})
    with open(project.folder / "workflow/rules/report.smk", "a") as rules:
        rules.write('\n\nrule environment:\n    output: "env.txt"\n    shell: "env > {output}"\n')
    sets = {"datasets/cambridgeltl/xcopa": rows, "datasets/org/set": {"en.jsonl": example, "sw.jsonl": example}}
    model = {path.name: path.read_bytes() for path in wide_base.iterdir()}
    with Hub({"models/org/toy": model, **sets}) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        yield project, hub
