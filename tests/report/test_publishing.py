"""Uploads to the Hub, on a Hub on the loopback; each in a process of its own, as a job is."""

import json
import os
import subprocess
import sys

import pytest
from hub import Hub
from project import ROOT, TOY_STUDY
from studies import study

from maple.definitions.errors import DefinitionError

TOKEN = "hf_secretsecretsecret"
UPLOAD = """
import sys
from dataclasses import asdict
from pathlib import Path
from maple.report.publishing import PublishingError, upload
from maple.runtime.files import write_json
from maple.runtime.logs import log_to
log_to("log")
weights, card, record, private = Path("weights"), Path("card.md"), Path("record.json"), sys.argv[2] == "private"
record = upload(weights, card, sys.argv[1], private=private, record=record)
write_json(asdict(record), "record.json")
"""
NAMES = ["README.md", "adapter_config.json", "adapter_model.safetensors"]


@pytest.fixture
def folder(tmp_path):
    """An adapter's folder, as training leaves it, and a model card beside it."""
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "adapter_model.safetensors").write_bytes(b"weights")
    base = {"base_model_name_or_path": "some/base", "revision": "0" * 40}
    (weights / "adapter_config.json").write_text(json.dumps(base))
    (weights / ".snakemake_timestamp").write_text("")
    (tmp_path / "card.md").write_text("---\nlicense: mit\n---\n# A toy\n")
    return tmp_path


@pytest.fixture
def uploaded(folder):
    """Upload the adapter; return the log."""

    def upload(hub, token=TOKEN, repository="me/toy", visibility="private", fails=False):
        environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
        environment |= {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "home"), "PYTHONPATH": str(ROOT)}
        environment |= {"HF_ENDPOINT": hub if isinstance(hub, str) else hub.url, "HF_HUB_DISABLE_XET": "1"}
        environment |= {"HF_TOKEN": token} if token else {}
        command = [sys.executable, "-c", UPLOAD, repository, visibility]
        done = subprocess.run(command, cwd=folder, env=environment, check=False, text=True, capture_output=True)
        log = done.stdout + done.stderr + (folder / "log").read_text()
        assert bool(done.returncode) == fails, log
        return log

    return upload


def recorded(folder):
    return json.loads((folder / "record.json").read_text())


def test_an_adapter_and_its_card_are_one_commit(uploaded, folder):
    with Hub({}, token=TOKEN) as hub:
        uploaded(hub)
        assert hub.commits == [NAMES]
        files = hub.repositories["models/me/toy"]
        assert files["adapter_model.safetensors"] == b"weights"
        assert files["README.md"] == (folder / "card.md").read_bytes()
        assert hub.visibility == {"me/toy": "private"}
        assert recorded(folder)["commit"] == hub.head and sorted(recorded(folder)["files"]) == NAMES


def test_what_has_not_changed_makes_no_commit_and_what_has_is_uploaded_alone(uploaded, folder):
    with Hub({}, token=TOKEN) as hub:
        uploaded(hub)
        first = (folder / "record.json").read_bytes()
        uploaded(hub)
        assert len(hub.commits) == 1 and (folder / "record.json").read_bytes() == first
        (folder / "card.md").write_text("# Another\n")
        uploaded(hub)
        assert hub.commits[1:] == [["README.md"]]


def test_files_of_the_upload_before_are_removed_and_no_others(uploaded, folder):
    with Hub({}, token=TOKEN) as hub:
        (folder / "weights/extra.json").write_text("{}")
        uploaded(hub)
        hub.repositories["models/me/toy"]["picture.png"] = b"of the owner"
        (folder / "weights/extra.json").unlink()
        uploaded(hub)
        assert sorted(hub.repositories["models/me/toy"]) == [*NAMES, "picture.png"]
        assert hub.commits[1:] == [["extra.json"]]


def test_an_upload_that_broke_off_goes_on(uploaded, folder):
    with Hub({}, token=TOKEN) as hub:
        hub.lost = True
        assert "me/toy: the Hub cannot be reached" in uploaded(hub, fails=True)
        assert hub.commits == [] and not (folder / "record.json").exists()
        hub.lost = False
        uploaded(hub)
        assert hub.commits == [NAMES]


def test_without_a_token_the_hub_is_not_asked(uploaded):
    with Hub({}, token=TOKEN) as hub:
        assert "me/toy: no token: export HF_TOKEN" in uploaded(hub, token=None, fails=True)
        assert hub.asked == []


def test_a_token_that_may_not_write_is_refused_and_never_shown(uploaded, folder):
    with Hub({}, token="another") as hub:
        log = uploaded(hub, fails=True)
    assert "me/toy: the Hub refuses it (403): export HF_TOKEN, a token that may write to repositories of me" in log
    assert TOKEN not in log


def test_the_token_stands_nowhere(uploaded, folder):
    with Hub({}, token=TOKEN) as hub:
        log = uploaded(hub)
        assert hub.tokens - {None} == {f"Bearer {TOKEN}"}
        assert not any(TOKEN.encode() in content for content in hub.repositories["models/me/toy"].values())
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert TOKEN not in log and TOKEN.encode() not in written


def test_without_a_network_it_says_so(uploaded):
    assert "me/toy: the Hub cannot be reached" in uploaded("http://127.0.0.1:9", fails=True)


def test_a_base_that_is_a_path_of_this_machine_is_not_published(uploaded, folder):
    (folder / "weights/adapter_config.json").write_text(json.dumps({"base_model_name_or_path": str(folder)}))
    with Hub({}, token=TOKEN) as hub:
        assert "a path of this machine; make the adapter again" in uploaded(hub, fails=True)
        assert hub.asked == []


def published(what="adapter", repository="me/{model}-{dataset}-{method}-seed{seed}", **changes):
    return study(publish={"repository": repository, "what": what, "private": True}, **changes).published


def test_every_finetuned_run_has_a_repository_and_a_study_without_publish_none():
    names = published()
    assert names["tiny-llama/generated/lora-r4-16bit/seed1"] == "me/tiny-llama-generated-lora-r4-16bit-seed1"
    assert study().published == {} and not any("none" in path for path in names)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"repository": "me/{model}"}, r"publish\.repository: .* would both be me/tiny-"),
        ({"repository": "me/{run}"}, r"publish\.repository: unknown placeholder \{run\}"),
        ({"repository": "{model}-{dataset}-{method}-{seed}"}, "the Hub takes no repository"),
        ({"repository": "me/{model}--{dataset}-{method}-{seed}"}, "the Hub takes no repository"),
        ({"repository": "me/" + "x" * 80 + "{model}-{dataset}-{method}-{seed}"}, "at most 96 characters"),
        ({"what": "merged", "generate": {"adapters": "attached"}}, r"publish\.what: merged: .*write adapter"),
    ],
)
def test_a_name_that_cannot_be_is_refused_before_any_job(settings, told):
    from studies import CONFIG

    changes = {"generate": CONFIG["generate"] | settings.pop("generate")} if "generate" in settings else {}
    with pytest.raises(DefinitionError, match=told):
        published(**settings, **changes)


def test_a_merged_model_of_an_adapter_that_never_merges_is_refused():
    methods = {"houlsby": {"reduction": [2], "bits": [16]}}
    part = {"models": ["tiny-llama"], "datasets": ["generated"], "methods": methods, "seeds": [1]}
    with pytest.raises(DefinitionError, match=r"publish\.what: merged: the adapters of houlsby-\S+ stay attached"):
        published("merged", grid=[part])


@pytest.mark.heavy
def test_a_study_is_published_by_its_own_target_alone(finished, tmp_path, monkeypatch):
    project = finished.copy_to(tmp_path / "project")
    assert "publish: nothing is to be uploaded" in project.snakemake("publish", fails=True)
    repository = "me/{model}-{dataset}-{method}-seed{seed}"
    project.study(publish={"repository": repository, "what": "adapter", "private": True})
    assert project.jobs() == {"describe": 1}, "the card names the repository, and nothing is uploaded"
    assert project.jobs("publish") == {"describe": 1, "upload": 1, "publish": 1}
    monkeypatch.setenv("HF_HUB_DISABLE_XET", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with Hub({}, token=TOKEN) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        output = project.snakemake("publish")
        name = "me/toy-little-lora-r2-16bit-seed1"
        files = hub.repositories[f"models/{name}"]
        assert sorted(files) == NAMES
        assert json.loads(files["adapter_config.json"])["base_model_name_or_path"] is None
        assert f'"{name}"' in files["README.md"].decode() and "YOUR/NAME" not in files["README.md"].decode()
        assert not any(str(tmp_path).encode() in content for content in files.values())
        assert project.jobs("publish") == {} and len(hub.commits) == 1
    logs = "".join(path.read_text() for path in project.folder.glob("logs/upload/**/*.log"))
    assert TOKEN not in output + logs
    project.study(grid=[TOY_STUDY["grid"][0]], publish=None)
    assert "upload" not in project.jobs()
