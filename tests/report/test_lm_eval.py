import json
import subprocess

import polars as pl
import pytest
from project import ROOT
from toy_scores import BASE, LORA, TASKS, scored, summary_of

from maple.definitions.task import PromptSpec, TaskSettings
from maple.report.lm_eval import ExportedTask, lm_eval_results, write_lm_eval

LM_EVAL = ROOT / ".lm-eval/bin/python"


def spec(prompt):
    return PromptSpec(item="id", prompt=prompt, targets="label", fields=["x"], max_new_tokens=8)


SHOTS = {"xnli": 8, "xquad": 0}
EXPORTED = {
    name: ExportedTask(
        measured=task,
        spec=spec(f"{name}: {{{{ x }}}}"),
        settings=TaskSettings(shots=SHOTS[name]),
    )
    for name, task in TASKS.items()
}
ANSWERS = {name: ["generate"] for name in TASKS}
# Half of four items right in English, all in Swahili; in Swahili a fifth row could not be asked.
SUMMARY = summary_of(
    scored(BASE, [1, 1, 0, 0]),
    scored(BASE, [1, 1, 1, 1], language="swh_Latn"),
    scored(BASE, [0.5, 0.0], "xquad", metric="f1"),
    scored(BASE, [0, 0], "xquad", metric="exact_match"),
    scored(LORA, [1, 1, 1, 0]),
)
QUALITY = pl.DataFrame(
    {"task": ["xnli", "xnli", "xquad"], "language": ["eng_Latn", "swh_Latn", "eng_Latn"], "available": [4, 5, 2]}
)
CARD = {"engine": "vllm 0.32.0", "dtype": "bfloat16"}


def results(tasks=EXPORTED, answers=ANSWERS):
    return lm_eval_results(SUMMARY, BASE, tasks, answers, CARD, QUALITY)


def test_a_task_in_a_language_is_a_task_and_metrics_have_lm_eval_s_keys():
    found = results()["results"]["xnli_eng_Latn"]
    assert found["accuracy,none"] == 0.5 and found["sample_len"] == 4
    assert found["accuracy_stderr,none"] == pytest.approx((0.25 / 3) ** 0.5)
    assert set(results()["results"]["xquad_eng_Latn"]) >= {"f1,none", "exact_match,none"}


def test_a_task_is_a_group_of_its_languages():
    found = results()
    assert found["group_subtasks"]["xnli"] == ["xnli_eng_Latn", "xnli_swh_Latn"]
    # Swahili is scored in one run alone, so that the mean is of English.
    assert found["groups"]["xnli"]["accuracy,none"] == found["results"]["xnli"]["accuracy,none"] == 0.5


def test_blind_answers_are_left_out():
    measured = TASKS["xnli"].changed(metrics=["accuracy", "blind_accuracy"])
    summary = summary_of(scored(BASE, [1, 0]), scored(BASE, [0, 0], metric="blind_accuracy"))
    tasks = {"xnli": EXPORTED["xnli"].changed(measured=measured)}
    found = lm_eval_results(summary, BASE, tasks, {"xnli": ["generate", "blind"]}, CARD, QUALITY)
    assert {key.split(",")[0] for key in found["results"]["xnli_eng_Latn"] if "," in key} == {
        "accuracy",
        "accuracy_stderr",
    }
    assert [metric["metric"] for metric in found["configs"]["xnli_eng_Latn"]["metric_list"]] == ["accuracy"]


def test_a_metric_that_is_better_when_lower_is_said_to_be_so_and_a_run_tells_its_axes():
    measured = TASKS["xquad"].changed(lower_is_better=["exact_match"])
    tasks = EXPORTED | {"xquad": EXPORTED["xquad"].changed(measured=measured)}
    assert results(tasks)["higher_is_better"]["xquad_eng_Latn"] == {"f1": True, "exact_match": False}
    metrics = results(tasks)["configs"]["xquad_eng_Latn"]["metric_list"]
    assert [metric["higher_is_better"] for metric in metrics] == [True, False]
    tuned = lm_eval_results(SUMMARY, LORA, EXPORTED, ANSWERS, CARD, QUALITY)
    assert tuned["config"]["model_args"] == {"pretrained": LORA.path, "rank": 2, "bits": 4}


def test_samples_are_counted_before_and_after_what_could_not_be_asked():
    assert results()["n-samples"]["xnli_swh_Latn"] == {"original": 5, "effective": 4}


def test_a_task_s_version_changes_with_its_prompt_alone():
    version = results()["versions"]["xnli_eng_Latn"]
    without_shots = EXPORTED["xnli"].changed(settings=TaskSettings(shots=0))
    assert results(EXPORTED | {"xnli": without_shots})["versions"] == results()["versions"]
    other = EXPORTED["xnli"].changed(spec=spec("another"))
    assert results(EXPORTED | {"xnli": other})["versions"]["xnli_eng_Latn"] != version


def test_a_single_item_has_no_standard_error():
    one = summary_of(scored(BASE, [1]))
    found = lm_eval_results(one, BASE, EXPORTED, ANSWERS, CARD, QUALITY)
    assert found["results"]["xnli_eng_Latn"]["accuracy_stderr,none"] == "N/A"


def test_a_job_that_started_no_engine_has_no_dtype():
    found = lm_eval_results(SUMMARY, BASE, EXPORTED, ANSWERS, {"engine": "openai"}, QUALITY)
    assert "model_dtype" not in found["config"]


def test_a_run_that_classifies_has_texts_and_no_demonstrations_beside_one_that_generates():
    texts = EXPORTED["xnli"].changed(spec=spec("Is it so? {{ x }}").params() | {"texts": ["{{ x }}", "{{ y }}"]})
    tasks = EXPORTED | {"xnli": texts}
    named = ("output_type", "doc_to_text", "num_fewshot")
    of_encoder = results(tasks, ANSWERS | {"xnli": ["classify"]})
    assert [of_encoder["configs"]["xnli_eng_Latn"][key] for key in named] == ["multiple_choice", "{{ x }}\n{{ y }}", 0]
    assert of_encoder["n-shot"]["xnli_eng_Latn"] == 0
    generated = results(tasks)
    assert [generated["configs"]["xnli_eng_Latn"][key] for key in named] == ["generate_until", "Is it so? {{ x }}", 8]
    assert generated["versions"] == of_encoder["versions"]


@pytest.mark.heavy
def test_lm_eval_reads_the_files_with_its_own_table(tmp_path):
    if not LM_EVAL.exists():
        pytest.skip("lm-eval is not installed: make .lm-eval/done")
    path = tmp_path / "results_maple.json"
    write_lm_eval(SUMMARY, [BASE], [CARD], [path], EXPORTED, [ANSWERS], QUALITY)
    script = """
import json, sys
from lm_eval.result_schema import EvalResults
from lm_eval.utils import get_results_filenames, make_table, sanitize_model_name
found = json.load(open(sys.argv[1]))
assert get_results_filenames(sys.argv[1:]) == sys.argv[1:]
assert found["model_name_sanitized"] == sanitize_model_name(found["model_name"])
assert not set(found) - set(EvalResults.__annotations__)
print(json.dumps([make_table(found), make_table(found, "groups")]))
"""
    done = subprocess.run([LM_EVAL, "-c", script, path], text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    table, groups = json.loads(done.stdout.splitlines()[-1])
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    version = results()["versions"]["xnli"]
    assert rows[0] == ["Tasks", "Version", "Filter", "n-shot", "Metric", "", "Value", "", "Stderr"]
    assert ["- xnli_eng_Latn", version, "none", "8", "accuracy", "↑", "0.50", "±", "0.2887"] in rows
    assert "xnli" in groups and "xnli_eng_Latn" not in groups


def test_a_metric_of_errors_is_not_better_if_higher():
    summary = summary_of(scored(BASE, [1, 0]), scored(BASE, [0.2, 0.4], metric="brier"))
    measured = EXPORTED["xnli"].measured.changed(metrics=["accuracy", "brier"], lower_is_better=["brier"])
    tasks = EXPORTED | {"xnli": EXPORTED["xnli"].changed(measured=measured)}
    better = lm_eval_results(summary, BASE, tasks, ANSWERS, CARD, QUALITY)["higher_is_better"]
    assert better["xnli_eng_Latn"] == {"accuracy": True, "brier": False}
