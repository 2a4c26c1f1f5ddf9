"""The real chain, run: the toy study, a killed job, and rows that nobody here wrote."""

import json
import os
import shutil
import signal
import subprocess
import time
from functools import partial

import polars as pl
import pytest
import yaml
from project import AFTER_ANSWER, ROOT, Project
from tqdm import tqdm

from maple.definitions.generation import GenerateBlock
from maple.engines.machine import Machine
from maple.engines.start import choose
from maple.evaluation.asked_model import Weights
from maple.evaluation.completions import RunOutputs, asked
from maple.evaluation.generation import generate

pytestmark = pytest.mark.heavy
CONFIG = yaml.safe_load((ROOT / "config/config.yaml").read_text())
RUN = "toy/little/lora-r2-16bit/seed1"
ROWS = {
    "recipe": "load",
    "languages": ["eng_Latn"],
    "load": {"local": {"path": "rows.jsonl"}},
    "curate": {},
    "mix": {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 1},
}
SHARED = ROOT.parent / "shared" / "data"


def test_the_chain_ends_in_a_report(finished):
    results = finished.folder / "results"
    page = (results / "report.html").read_text()
    assert "A toy." in page and "lora-r2-16bit" in page
    summary = pl.read_parquet(results / "summary.parquet")
    assert set(summary["task"]) >= {"xnli", "xquad"}
    assert set(summary["language"]) >= {"eng_Latn", "swh_Latn"}
    assert set(summary["method"]) == {"none", "lora-r2-16bit"}


def test_every_prompt_is_completed_and_scored(finished):
    results = finished.folder / "results"
    prompts = pl.read_parquet(results / "prompts" / "*" / "swh_Latn.parquet")
    completed = pl.read_parquet(results / "generations" / RUN / "swh_Latn.parquet")
    scores = pl.read_parquet(results / "scores" / RUN / "swh_Latn.parquet")
    assert prompts.height == completed.height == scores.select("task", "item").unique().height == 8
    assert completed["completion"].null_count() == 0


def test_the_run_cards_tell_what_was_done(finished):
    cards = finished.folder / "results" / "cards" / RUN
    finetune, merge, generate = (
        json.loads((cards / f"{stage}.json").read_text()) for stage in ("finetune", "merge", "generate")
    )
    assert finetune["run"] == {"model": "toy", "dataset": "little", "method": "lora-r2-16bit", "seed": 1}
    assert len(finetune["loss"]) == 4 and finetune["seconds"] > 0 and finetune["versions"]["peft"]
    assert finetune["base"]["build"]["training"]["steps"] == 10
    assert set(merge["ways"]["original"]["languages"]) == {"eng_Latn", "swh_Latn"}
    original, untouched = merge["ways"]["original"]["kl"], merge["ways"]["untouched"]["kl"]
    assert 0 <= original < merge["bound"] and original < untouched / 1000
    assert set(finetune["tokens"]["language"]) == {"eng_Latn", "swh_Latn"}
    assert [measure["step"] for measure in finetune["held_out"]] == [0, 4]
    assert generate["computed"] == generate["distinct"]


def test_nothing_half_written_is_left(finished):
    assert not list(finished.folder.rglob("*.part"))
    assert not list(finished.folder.rglob("journal.jsonl"))
    assert not [path for path in (finished.folder / "results/checkpoints").rglob("*") if path.is_file()]


def test_a_changed_word_costs_that_language_s_completions_of_that_task_alone(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    card = project.folder / f"results/cards/{RUN}/generate.json"
    target = f"results/generations/{RUN}/swh_Latn.parquet"
    project.replace("config/languages.tsv", "\tKifungu\t", "\tMatini\t")  # the label of a passage, in XQuAD's prompts
    project.snakemake(target)
    done = json.loads(card.read_text())
    assert (done["computed"], done["carried_over"]) == (4, done["distinct"] - 4)
    project.replace("config/languages.tsv", "\tKweli\t", "\tNdiyo\t")  # an accepted answer, in no prompt
    project.snakemake(target)
    assert json.loads(card.read_text())["started"] is False


def test_a_killed_generation_resumes_and_ends_the_same(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    config = yaml.safe_load((project.folder / "study.yaml").read_text())
    project.study(items=40, generate=config["generate"] | {"batch": 1})  # 160 prompts, four a batch of the journal
    folder = project.folder / "results" / "generations" / RUN
    target = f"results/generations/{RUN}/swh_Latn.parquet"
    for path in folder.glob("*.parquet"):
        path.unlink()
    process = subprocess.Popen(
        project.command(target), cwd=project.folder, stderr=subprocess.DEVNULL, start_new_session=True
    )
    journal = folder / "journal.jsonl"
    deadline = time.monotonic() + 120
    while not (journal.is_file() and journal.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    survived = journal.read_text().count("\n")
    assert 4 <= survived < 160
    project.snakemake(target)
    card = json.loads((project.folder / f"results/cards/{RUN}/generate.json").read_text())
    assert (card["carried_over"], card["computed"]) == (survived, card["distinct"] - survived)
    resumed = {path: pl.read_parquet(path) for path in folder.glob("*.parquet")}
    for path in resumed:
        path.unlink()
    project.snakemake(target)
    assert len(resumed) == 2
    assert all(pl.read_parquet(path).equals(frame) for path, frame in resumed.items())


def test_merged_weights_that_are_not_kept_come_back_only_for_what_is_missing(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    merged = project.folder / "results/merged" / RUN
    card = project.folder / f"results/cards/{RUN}/generate.json"
    before = json.loads(card.read_text())
    project.study(merge={"keep": False})
    assert project.jobs() == {}
    shutil.rmtree(merged)
    assert project.jobs() == {}
    scores = f"results/scores/{RUN}/swh_Latn.parquet"
    (project.folder / scores).unlink()
    assert project.jobs(scores) == {"score": 1}
    project.study(items=5)
    assert project.jobs()["merge"] == 1
    project.snakemake()
    done = json.loads(card.read_text())
    assert (done["carried_over"], done["computed"]) == (before["distinct"], done["distinct"] - before["distinct"])
    assert not merged.exists() and project.jobs() == {}


def test_vllm_answers_the_study_as_transformers_does(finished, tmp_path):
    if choose("auto") != "vllm":
        pytest.skip("vLLM is not installed, or lacks a library of the system (libnuma1)")
    project = finished.copy_to(tmp_path / "project")
    names = [
        f"results/prompts/{task}/{code}.parquet" for task in ("xnli", "xquad") for code in ("eng_Latn", "swh_Latn")
    ]
    project.study(items=60)
    project.snakemake(*names)
    prompts = asked(
        pl.concat(pl.read_parquet(project.folder / name) for name in names),
        {task: ["generate"] for task in ("xnli", "xquad")},
    )
    answers = {}
    for engine in ("vllm", "transformers"):
        outputs = {code: tmp_path / engine / f"{code}.parquet" for code in ("eng_Latn", "swh_Latn")}
        generate(
            prompts,
            Weights(project.folder / "results/merged" / RUN),
            [RunOutputs(outputs, tmp_path / engine / "journal.jsonl")],
            settings=GenerateBlock(**CONFIG["generate"]).settings.changed(engine=engine),
            machine=Machine(),
            progress=partial(tqdm, disable=True),
        )
        answers[engine] = pl.concat(pl.read_parquet(path) for path in outputs.values())
    keys = ["task", "language", "item", "answer", "prompt"]
    both = answers["vllm"].join(answers["transformers"], on=keys, suffix="_by_transformers")
    assert both.height == prompts.height == 240
    differing = both.filter(pl.col("token_ids") != pl.col("token_ids_by_transformers"))
    print(differing.select(*keys[:3], "completion", "completion_by_transformers"))
    assert differing.height <= 0.01 * both.height


def test_a_killed_finetuning_goes_on_and_ends_in_the_same_adapter(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    project.study(finetune={"steps": 30}, checkpoint_steps=5)
    adapter = project.folder / "results/adapters" / RUN
    target = str(adapter.relative_to(project.folder))
    project.snakemake(target)
    undisturbed = (adapter / "adapter_model.safetensors").read_bytes()
    shutil.rmtree(adapter)
    process = subprocess.Popen(
        project.command(target), cwd=project.folder, stderr=subprocess.DEVNULL, start_new_session=True
    )
    checkpoints = project.folder / "results/checkpoints" / RUN
    deadline = time.monotonic() + 120
    while not list(checkpoints.glob("*/5")) and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not adapter.exists()
    project.snakemake(target)
    card = json.loads((project.folder / f"results/cards/{RUN}/finetune.json").read_text())
    assert 5 <= card["resumed_from"] < 30
    assert (adapter / "adapter_model.safetensors").read_bytes() == undisturbed
    assert not checkpoints.exists()


def test_two_runs_of_the_study_give_the_same_scores(finished, tmp_path):
    (tmp_path / "again").mkdir()
    project = Project.made_in(tmp_path / "again")
    assert "Report:" not in project.snakemake("results/examples/little/swh_Latn.parquet")
    project.snakemake("results/summary.parquet")
    first, second = (pl.read_parquet(one.folder / "results/summary.parquet") for one in (finished, project))
    assert first.equals(second)


def test_a_dataset_with_a_missing_column_is_refused_with_its_row(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    (project.folder / "rows.jsonl").write_text('{"instruction": "a", "output": "b"}\n{"instruction": "a"}\n')
    project.write("config/datasets/little.yaml", ROWS)
    output = project.snakemake("results/examples/little/eng_Latn.parquet", fails=True)
    log = (project.folder / "logs/synthesize/little/eng_Latn.log").read_text()
    assert "rows.jsonl: row 2 has no column output" in log and "rows.jsonl: row 2" in output
    assert not (project.folder / "results/synthesized/little/eng_Latn.parquet").exists()


def test_the_chain_runs_on_real_rows(tmp_path):
    if not SHARED.is_dir():
        pytest.skip(f"real rows are not there: {SHARED}")
    (tmp_path / "real").mkdir()
    project = Project.made_in(tmp_path / "real")
    real = yaml.safe_load((ROOT / "config/real.yaml").read_text())
    real["grid"][0]["models"] = ["toy"]  # the base of real.yaml itself would take two minutes to pretrain
    project.write("study.yaml", real | {"data": str(SHARED)})
    project.snakemake()
    summary = pl.read_parquet(project.folder / "results/summary.parquet")
    cells = summary.filter((pl.col("task") != "all") & (pl.col("language") != "all")).select(
        "task", "language", "metric"
    )
    offered = {"xcopa": ["eng_Latn", "swh_Latn", "tha_Thai", "zho_Hans"], "xnli": real["languages"]}
    metrics = ("accuracy", "rank_accuracy", "rank_accuracy_per_byte")
    assert set(cells.unique().iter_rows()) == {
        (task, code, metric) for task, codes in offered.items() for code in codes for metric in metrics
    }
    # 128 tokens a language more or less, at 512 of the toy's length: some demonstrations fit, and some do not.
    shots = summary.filter(pl.col("language") != "all", pl.col("task") != "all")
    assert ((shots["shots"] + shots["shots_dropped"]) - 2).abs().max() < 1e-9
    assert shots["shots"].max() > 0 and shots["shots_dropped"].max() > 0
    examples = pl.read_parquet(project.folder / "results/examples/multialpaca-sample/jpn_Jpan.parquet")
    assert examples.height > 100
    page = (project.folder / "results/report.html").read_text()
    assert "xcopa" in page and "Faulty and repaired rows" in page


def test_a_dataset_that_holds_passages_of_belebele_is_refused(tmp_path):
    (tmp_path / "toy").mkdir()
    project = Project.made_in(tmp_path / "toy")
    passage = " ".join(f"word{number}" for number in range(30))
    fields = ("question", "mc_answer1", "mc_answer2", "mc_answer3", "mc_answer4")
    item = {"id": 1, "flores_passage": passage, "correct_answer_num": "1", **dict.fromkeys(fields, "x")}
    (project.folder / "belebele/eng_Latn").mkdir(parents=True)
    (project.folder / "belebele/eng_Latn/test.jsonl").write_text(json.dumps(item))
    example = {"instruction": "Continue.", "input": "", "output": passage}
    (project.folder / "rows.jsonl").write_text(json.dumps(example))
    project.write("config/datasets/little.yaml", ROWS)
    project.study(tasks=["belebele"], task_source="local", data=".", languages=["eng_Latn"])
    target = f"results/generations/{RUN}/eng_Latn.parquet"
    assert project.jobs(target)["guard"] == 1
    project.snakemake("results/cleared/little/eng_Latn.json", fails=True)
    log = (project.folder / "logs/guard/little/eng_Latn.log").read_text()
    assert "dataset little: 1 examples hold passages of belebele" in log


def test_examples_of_a_test_set_are_dropped_and_one_task_more_in_the_study_drops_nothing_anew(tmp_path):
    (tmp_path / "toy").mkdir()
    project = Project.made_in(tmp_path / "toy")
    premise = "All the children of the village went to school early because of the great feast."
    song = "They sang a song about the morning sun."
    item = {"row": 1, "sentence1": premise, "sentence2": "They slept.", "gold_label": "contradiction"}
    for folder, row in {"xnli": item, "xcopa": {"idx": 1, "premise": song}}.items():
        (project.folder / folder / "en").mkdir(parents=True)
        (project.folder / folder / "en/test.jsonl").write_text(json.dumps(row))
    examples = [{"instruction": "Say it.", "output": song}, {"instruction": "Tell it.", "output": premise}]
    (project.folder / "rows.jsonl").write_text("\n".join(map(json.dumps, examples)))
    project.write("config/datasets/little.yaml", ROWS | {"curate": {"decontaminate": {"tasks": ["xnli"], "words": 13}}})
    study = {"task_source": "local", "data": ".", "languages": ["eng_Latn"]}
    project.study(tasks=["xnli"], **study)
    cleared = "results/cleared/little/eng_Latn.json"
    project.snakemake(cleared, "results/mixtures/little.parquet")
    dropped = pl.read_parquet(project.folder / "results/dropped/little/eng_Latn.parquet")
    assert dropped.select("id", "reason").rows() == [("1", "in a test set: xnli")]
    assert json.loads((project.folder / cleared).read_text())["xnli"]["overlapping"] == 0
    card = json.loads((project.folder / "results/cards/mix/little.json").read_text())
    assert (card["stage"], card["dataset"], card["rows"]) == ("mix", "little", 1)
    assert card["languages"]["eng_Latn"]["words"] == 2 + 8
    project.study(tasks=["xnli", "xcopa"], **study)
    assert project.jobs(cleared, "results/mixtures/little.parquet") == {"guard": 1}
    project.snakemake(cleared)
    counted = json.loads((project.folder / cleared).read_text())
    assert counted["xcopa"] == {"items": 1, "examples": 1, "overlapping": 1, "first": ["0"]}


def test_a_run_that_never_merges_is_completed_with_its_adapter_attached(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    grid = yaml.safe_load((project.folder / "study.yaml").read_text())["grid"]
    methods = {**grid[0]["methods"], "ia3": {"bits": [4]}, "prompt-tuning": {"rank": [4], "bits": [16]}}
    project.study(grid=[grid[0] | {"methods": methods}])
    project.snakemake()
    cards = project.folder / "results/cards/toy/little"
    attached = json.loads((cards / "prompt-tuning-r4-16bit/seed1/generate.json").read_text())
    assert attached["adapter"] == "attached" and attached["computed"] == attached["distinct"]
    assert not (cards / "prompt-tuning-r4-16bit/seed1/merge.json").exists()
    assert json.loads((cards / "ia3-4bit/seed1/merge.json").read_text())["bits"] == 4
    summary = pl.read_parquet(project.folder / "results/summary.parquet")
    assert dict(summary.select("method", "rank").unique().iter_rows()) == {
        "none": None, "lora-r2-16bit": 2, "ia3-4bit": None, "prompt-tuning-r4-16bit": 4,
    }  # fmt: skip
    page = (project.folder / "results/report.html").read_text()
    assert "ia3-4bit" in page and "prompt-tuning-r4-16bit" in page


def test_bad_rows_are_counted_and_stop_nothing(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    good = {"premise": "It rains.", "hypothesis": "It is wet.", "label": "entailment"}
    rows = [good, good | {"label": None}, good | {"label": "maybe"}, good | {"premise": "رطب\u200f\u200d " * 2000}]
    for code in ("en", "sw"):
        (project.folder / f"xnli/{code}").mkdir(parents=True)
        lines = [json.dumps({"row": number, **row}) for number, row in enumerate(rows)]
        text = "\n".join(lines).replace('"premise"', '"sentence1"').replace('"hypothesis"', '"sentence2"')
        (project.folder / f"xnli/{code}/test.jsonl").write_text(text.replace('"label"', '"gold_label"'))
    project.study(tasks=["xnli"], task_source="local", data=".")
    assert "2 of 4 rows cannot be asked, more than 10%" in project.snakemake(fails=True)
    project.replace("config/tasks/xnli.yaml", "\nprompt:", "\nmax_faulty: 1\nprompt:")
    project.snakemake()
    one = pl.read_parquet(project.folder / "results/summary.parquet").row(
        by_predicate=(pl.col("task") == "xnli") & (pl.col("language") == "swh_Latn") & (pl.col("method") == "none"),
        named=True,
    )
    assert (one["n"], one["too_long"], one["shots"]) == (2, 0.5, 0.0)
    page = (project.folder / "results/report.html").read_text()
    assert "no label" in page and "gold &#39;maybe&#39; is none of entailment, neutral, contradiction" in page

    # A task whose passages no dataset may hold is checked, and trains nothing anew.
    item = {"flores_passage": "A short one.", "question": "x", "correct_answer_num": "1", "id": 1}
    item |= {f"mc_answer{number}": str(number) for number in (1, 2, 3, 4)}
    for code in ("eng_Latn", "swh_Latn"):
        (project.folder / f"belebele/{code}").mkdir(parents=True)
        (project.folder / f"belebele/{code}/test.jsonl").write_text(json.dumps(item))
    project.study(tasks=["xnli", "belebele"], task_source="local", data=".")
    jobs = project.jobs()
    assert jobs == AFTER_ANSWER | {"render_prompts": 2, "cluster": 2, "guard": 2, "generate": 2, "score": 2}
