"""Training in several processes, which compute on the CPU here and on one GPU each elsewhere."""

import shutil
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from project import ROOT
from safetensors.numpy import load_file
from sharding import after_the_first_failed, place, same, sockets
from toy_training import MODEL, files, finetuned, finetuned_in_two_processes, lora, variant

from maple.methods.peft_method import reason_against_fsdp
from maple.runtime.files import read_json
from maple.runtime.processes import on_processes
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune

pytestmark = pytest.mark.heavy


@pytest.fixture(autouse=True)
def tests_are_found(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def test_one_process_is_this_one_and_several_answer_as_the_first():
    assert on_processes(1, place, "here") == ["here", None]
    assert on_processes(2, place, word="there") == ["there", "0 of 2"]


def test_processes_that_are_connected_listen_on_the_loopback_alone():
    addresses = on_processes(2, sockets)
    assert len(addresses) == 2
    loopback = {"0100007F", "00000000000000000000000001000000"}  # IPv6: ::1
    assert {address for process in addresses for address in process} <= loopback


def test_other_processes_import_this_package_wherever_they_start(tmp_path, monkeypatch):
    (tmp_path / "maple").mkdir()
    (tmp_path / "maple/__init__.py").write_text("raise SystemExit('another maple')")
    monkeypatch.chdir(tmp_path)
    assert on_processes(2, place, word="there") == ["there", "0 of 2"]


def test_what_a_killed_job_has_started_ends_with_it():
    computes = "from maple.runtime.processes import end_with_parent as end; end(); print('on', flush=True); input()"
    starts = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {computes!r}])"
    with subprocess.Popen([sys.executable, "-c", starts], cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True) as job:
        assert job.stdout.readline() == "on\n"
        job.kill()
        assert job.stdout.read() == ""  # the other's end of it is closed too


@pytest.mark.parametrize(
    ("method", "words"), [(lora(8), "8-bit weights"), (variant("ADALORA", 16, {}), "AdaLoRA"), (lora(4), None)]
)
def test_what_cannot_be_divided_among_processes_is_named(method, words):
    reason = reason_against_fsdp(method)
    assert reason is None if words is None else words in reason


def test_records_arrive_in_other_processes_as_what_they_are():
    plan = CheckpointPlan("folder", 4)
    assert on_processes(2, same, MODEL, method=lora(4), plan=plan) == [MODEL, lora(4), plan]


def test_a_process_that_fails_ends_the_others(capfd):
    with pytest.raises(Exception, match=r"maple\.runtime\.processes FAILED"):
        on_processes(2, after_the_first_failed)
    assert "ValueError: the first has failed" in capfd.readouterr().err


@pytest.mark.parametrize(("bits", "sharded"), [(16, False), (4, True)])
def test_two_processes_learn_what_one_learns_and_go_on_exactly(toy_base, tmp_path, bits, sharded):
    alone = finetuned(toy_base, tmp_path / "alone", lora(bits))
    together = finetuned_in_two_processes(toy_base, tmp_path / "together", lora(bits), sharded=sharded)
    assert (together.processes, together.sharded) == (2, sharded)
    assert together.tokens == alone.tokens
    assert [point["loss"] for point in together.loss] == pytest.approx(
        [point["loss"] for point in alone.loss], abs=1e-4
    )

    def weights(name: str) -> dict:
        return load_file(tmp_path / name / "adapter/adapter_model.safetensors")

    undisturbed, of_one = weights("together"), weights("alone")
    assert undisturbed.keys() == of_one.keys()
    assert all(abs(undisturbed[name] - of_one[name]).max() < 1e-3 for name in of_one)
    (last,) = (tmp_path / "together/checkpoints").glob("*/6")
    shutil.rmtree(last)
    shutil.rmtree(tmp_path / "together/adapter")
    resumed = finetuned_in_two_processes(toy_base, tmp_path / "together", lora(bits), sharded=sharded)
    assert resumed.resumed_from == 4
    assert all((weights("together")[name] == undisturbed[name]).all() for name in of_one)


def test_what_starts_with_a_part_of_the_base_is_saved_once_and_not_sharded(toy_base, tmp_path):
    olora = lora(adapter={"init_lora_weights": "olora"})
    finetuned_in_two_processes(toy_base, tmp_path, olora)
    assert read_json(tmp_path / "adapter/adapter_config.json")["r"] == 8
    assert not (tmp_path / "adapter/initial").exists()
    with pytest.raises(ValueError, match="write sharded: 0 for rule finetune in the profile"):
        finetune(
            toy_base,
            *files(tmp_path),
            tmp_path / "adapter",
            method=olora,
            model=MODEL,
            seed=1,
            threads=1,
            checkpoints=CheckpointPlan(tmp_path / "checkpoints", 4),
            code=["toy"],
            sharded=True,
        )


def test_a_profile_says_how_many_gpus_a_run_is_trained_on(finished, tmp_path):
    project = finished.copy_to(tmp_path / "study")
    run = "toy/little/lora-r2-16bit/seed1"
    card = f"results/cards/{run}/finetune.json"
    assert project.jobs("--set-resources", "finetune:gpu=2") == {}
    project.snakemake("--set-resources", "finetune:gpu=2", "--forcerun", "finetune", "--until", "finetune", "--", card)
    assert read_json(project.folder / card)["processes"] == 2
