"""What a study will take: formulas at numbers that can be checked in the head, and the whole on toys."""

import json
import re
import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest
import yaml
from project import ROOT, TOY_STUDY, Project

from maple.definitions.errors import DefinitionError
from maple.definitions.generation import BeamSearch
from maple.definitions.hardware import Hardware, read_hardware
from maple.definitions.local_model import PathModel
from maple.definitions.reading import read_yaml
from maple.evaluation.prompts import PROMPT_SCHEMA
from maple.models.size import Size
from maple.planning.costs import TaskLoad, generation_seconds, training_operations
from maple.planning.estimates import BUILT_TOKEN_BYTES, Estimates, ResultPaths
from maple.planning.forecast import forecast
from maple.planning.forecast_table import figure, table
from maple.planning.plan import PROMPT_BYTES, Plan, _model, plan_of
from maple.planning.sizes import ModelSizes
from maple.runtime.files import write_parquet
from maple.study.reading import read_study

DEFAULT = yaml.safe_load((ROOT / "config/config.yaml").read_text())
PAPER = yaml.safe_load((ROOT / "config/paper.yaml").read_text())
PAPER = {key: {**DEFAULT[key], **value} if isinstance(value, dict) else value for key, value in PAPER.items()}
TINY_CLASSIFICATION = read_yaml(ROOT / "config/classification-tiny.yaml")
TABLE = ROOT / "config/hardware.tsv"
# As tests/models/test_size.py measures the first two; of the tiny models nothing here depends on the size.
SIZES = {
    "llama-2-7b": Size(6_738_415_616, 6_607_343_616, 2_498_560, 524_288.0),
    "mistral-7b": Size(7_241_732_096, 7_110_660_096, 2_621_440, 0.0, 4096, 131_072.0),
    "tiny-llama": Size(1_000_000, 1_000_000, 10_000, 1000.0),
    "tiny-mistral": Size(1_000_000, 1_000_000, 10_000, 1000.0),
    "tiny-bert": Size(1_000_000, 1_000_000, 10_000, 0.0),
}
# Ten operations and a hundred bytes per second, so that times can be checked in the head.
SLOW = Hardware(
    device="toy",
    reported="Toy",
    peak_tflops=1e-11,
    memory_gb_s=1e-7,
    memory_gb=1e-6,
    watts=1.0,
    weight_bytes=2,
    train_16=1.0,
    train_8=1.0,
    train_4=1.0,
    prefill=1.0,
    decode=1.0,
    job_s=1.0,
    engine_s=1.0,
    disk_gb_s=1.0,
    source="toy",
)


def paths(folder):
    return ResultPaths(
        card=f"{folder}/cards/{{run}}/{{stage}}.json",
        base=f"{folder}/base/{{model}}",
        build=f"{folder}/base/{{model}}/build.json",
        fetched=f"{folder}/cards/fetch/{{repository}}.json",
        prompts=f"{folder}/prompts/{{task}}/{{language}}.parquet",
        completions=f"{folder}/generations/{{run}}/{{language}}.parquet",
    )


def of(config, results="nothing", keep=True):
    plan = plan_of(read_study(config | {"merge": config["merge"] | {"keep": keep}}, ROOT / "config"))
    table, local = read_hardware(TABLE), [name for name, model in plan.models.items() if not model.endpoint]
    known = {name: SIZES[name] for name in local if name in SIZES}
    sizes = ModelSizes(known, {name: "no size: fetch it" for name in local if name not in SIZES})
    return forecast(plan, table[plan.hardware], paths(results), sizes, core_watts=table["cpu"].watts)


def stage(made, name):
    return next(line for line in made.stages if line.stage == name)


def test_a_plan_crosses_params_as_plain_values():
    plan = plan_of(read_study(DEFAULT, ROOT / "config"))
    assert Plan(**json.loads(json.dumps(plan.params()))) == plan


def test_a_frozen_model_costs_four_operations_a_parameter_and_token_and_six_with_recomputation():
    assert training_operations(1000, 0, 10, recomputed=False) == 40_000
    assert training_operations(1000, 0, 10, recomputed=True) == 60_000
    assert training_operations(1000, 5, 10, recomputed=False) == 40_300


def test_reading_long_prompts_is_bound_by_arithmetic():
    # 10 prompts of 10 tokens and an answer of one token each: 2 operations x 5 parameters x 110 tokens, ten a second.
    loads = TaskLoad(items=10, prompt=10, demonstrations=0, answer=1, choices=0, bytes=0)
    assert generation_seconds(Size(5, 5, 0, 0.001), SLOW, [loads], batch=10, cached=True) == pytest.approx(110)


def test_writing_alone_is_bound_by_memory_and_a_batch_shares_the_weights():
    # 10 answers of 10 tokens: 100 steps alone, each of which moves 1,000 parameters of 2 bytes, 100 bytes a second.
    fast = replace(SLOW, peak_tflops=1.0)
    loads = TaskLoad(items=10, prompt=0, demonstrations=0, answer=10, choices=0, bytes=0)
    seconds = [
        generation_seconds(Size(1000, 1000, 0, 1e-9), replace(fast, memory_gb=1), [loads], batch=batch, cached=True)
        for batch in (1, 10)
    ]
    assert seconds == pytest.approx([2000, 200])


def test_beams_compute_each_their_tokens_and_share_the_weights_of_a_step():
    # 10 answers of 10 tokens by 5 beams, 10 at once: 500 tokens of 2 x 1,000 operations; 10 steps of 2,000 bytes.
    loads = TaskLoad(items=10, prompt=0, demonstrations=0, answer=10, choices=0, bytes=0, beams=5, at_once=10)
    size, options = Size(1000, 1000, 0, 1e-9), {"batch": 1, "cached": True}
    arithmetic = generation_seconds(size, replace(SLOW, memory_gb_s=1, memory_gb=1), [loads], **options)
    traffic = generation_seconds(size, replace(SLOW, peak_tflops=1.0, memory_gb=1), [loads], **options)
    assert (arithmetic, traffic) == (pytest.approx(100_000), pytest.approx(200))


def test_a_batch_is_no_larger_than_what_memory_holds():
    # 0.9 x 4,000 bytes less 2,000 of weights are 1,600: two sequences of 10 tokens at 80 bytes a token.
    size, row = Size(1000, 1000, 0, 80), replace(SLOW, peak_tflops=1.0, memory_gb=4e-6)
    loads = [TaskLoad(items=10, prompt=0, demonstrations=0, answer=10, choices=0, bytes=0)]
    options = {"cached": True, "memory_share": 0.9}
    two, many = (generation_seconds(size, row, loads, batch=batch, **options) for batch in (2, 256))
    assert many == pytest.approx(two)


def test_layers_with_a_window_keep_no_more_than_the_window():
    size = Size(1000, 1000, 0, cache=1.0, window=4, window_cache=10.0)
    assert size.cached(3) == 3 + 30 and size.cached(100) == 100 + 40


def test_experts_that_are_not_chosen_are_read_from_memory_and_do_not_compute():
    # 5 of 50 parameters compute: 10 tokens take 100 operations, ten per second. A step moves 100 bytes, in a second.
    size, loads = Size(50, 5, 0, 0), TaskLoad(items=1, prompt=10, demonstrations=0, answer=0, choices=0, bytes=0)
    assert generation_seconds(size, SLOW, [loads], batch=1, cached=True) == pytest.approx(10)
    written, fast = replace(loads, prompt=0, answer=10), replace(SLOW, peak_tflops=1.0)
    assert generation_seconds(size, fast, [written], batch=1, cached=True) == pytest.approx(10)


def test_demonstrations_are_read_once_where_there_is_a_cache():
    loads = [TaskLoad(items=10, prompt=1, demonstrations=9, answer=0, choices=0, bytes=0)]
    size = Size(5, 5, 0, 0.001)
    assert generation_seconds(size, SLOW, loads, batch=1, cached=True) == pytest.approx(10 + 9)
    assert generation_seconds(size, SLOW, loads, batch=1, cached=False) == pytest.approx(100)


def test_choices_share_their_prompt_in_a_pass_of_their_own():
    # 10 prompts of 1 token and demonstrations of 9 once; 16 tokens for each of 20 choices.
    ranked = TaskLoad(items=10, prompt=1, demonstrations=9, answer=0, choices=2, bytes=0)
    size = Size(5, 5, 0, 0.001)
    assert generation_seconds(size, SLOW, [ranked], batch=1, cached=True) == pytest.approx(19 + 320)
    generated_too = replace(ranked, answer=1)
    seconds = generation_seconds(size, replace(SLOW, memory_gb_s=1), [generated_too], batch=1, cached=True)
    assert seconds == pytest.approx(2 * 19 + 320 + 10)


def test_every_row_of_the_table_names_its_source():
    rows = read_hardware(TABLE)
    assert set(rows) == {"h100", "a100", "rtx4090", "cpu"}
    for row in rows.values():
        assert row.source and row.reported
        assert all(value > 0 for value in vars(row).values() if isinstance(value, float))
        assert max(row.train_16, row.train_8, row.train_4, row.prefill, row.decode) <= 1


@pytest.mark.heavy
def test_the_jobs_are_those_that_snakemake_plans(tmp_path):
    project = Project.made_in(tmp_path)
    for changes in ({}, {"generate": TOY_STUDY["generate"] | {"adapters": "attached"}}):
        project.study(**changes)
        planned = project.jobs()
        project.snakemake("forecast")
        made = json.loads((tmp_path / "results/forecast.json").read_text())
        jobs = {line["stage"]: line["jobs"] for line in made["stages"]}
        assert jobs == {name: count for name, count in planned.items() if not name.startswith("generate_attached")} | {
            "generate": sum(count for name, count in planned.items() if name.startswith("generate"))
        }
        assert project.jobs() == planned, "a forecast makes nothing, and nothing stale"


@pytest.mark.heavy
def test_it_is_printed(tmp_path):
    printed = Project.made_in(tmp_path).snakemake("forecast")
    assert (tmp_path / "results/forecast.txt").read_text() in printed
    assert "2 runs, 32 answers, on 2 x cpu" in printed


def test_heads_labelled_rows_and_whole_models_are_forecast():
    config = DEFAULT | {key: value for key, value in TINY_CLASSIFICATION.items() if key != "finetune"}
    config |= {"finetune": DEFAULT["finetune"] | TINY_CLASSIFICATION["finetune"], "generate": DEFAULT["generate"]}
    made = of(config)
    assert stage(made, "head").jobs == 5, "two seeds of one task, three of the other"
    assert stage(made, "head").disk_gb == pytest.approx(5 * 2 * 1_000_000 / 1e9)
    jobs = {line.stage: line.jobs for line in made.stages}
    assert jobs["label"] == jobs["curate_labelled"] == 16 and not {"synthesize", "curate"} & jobs.keys()
    small = replace(read_hardware(TABLE)["cpu"], memory_gb=0.01)
    plan = plan_of(read_study(config, ROOT / "config"))
    notes = forecast(
        plan, small, paths("nothing"), ModelSizes({"tiny-bert": SIZES["tiny-bert"]}, {}), core_watts=1
    ).notes
    assert notes == [
        "tiny-bert: full finetuning holds about 0.016 GB beside the activations, more than one cpu has; name a "
        "smaller model, or an adapter."
    ]


def test_the_paper_s_grid_is_forecast_with_nothing_there():
    made = of(DEFAULT | PAPER)
    assert made.notes == []
    assert stage(made, "finetune").jobs == 68 and stage(made, "score").jobs == 70
    assert stage(made, "finetune").tokens == 68 * 2000 * 32768
    # 34 merged runs of each model at two bytes a parameter.
    weights = 2 * (6_738_415_616 + 7_241_732_096) / 1e9
    assert stage(made, "merge").disk_gb == pytest.approx(34 * weights)
    assert stage(made, "fetch").download_gb == pytest.approx(weights, rel=0.05)
    assert all(line.basis for line in made.stages)


def test_hours_are_power_and_devices_divide_the_days():
    one, eight = (of(DEFAULT | PAPER | {"forecast": {"hardware": "h100", "devices": count}}) for count in (1, 8))
    assert one.days == pytest.approx(8 * eight.days) and one.total == eight.total
    finetune = stage(one, "finetune")
    assert finetune.kwh == pytest.approx(0.7 * finetune.device_hours)


def test_what_does_not_fit_and_what_is_not_known_is_said():
    config = DEFAULT | PAPER | {"forecast": {"hardware": "cpu", "devices": 1}}
    assert "llama-2-7b: its 16-bit weights are larger than the memory of one cpu." in of(config).notes
    config["grid"] = [{"models": ["qwen3-4b-instruct"], "datasets": [], "methods": {}, "seeds": []}]
    made = of(config)
    assert made.notes[0] == "qwen3-4b-instruct: no size: fetch it. The sums leave out what it computes."
    assert made.notes[0] in table(made)
    assert re.search("^all .* without qwen3-4b-instruct$", table(made), re.M), "the line of the sums says so itself"
    assert stage(made, "generate").jobs == 1 and stage(made, "generate").tokens == 0


def test_a_run_is_forecast_on_the_tasks_that_it_is_asked():
    part = DEFAULT["grid"][0] | {"models": ["tiny-llama"]}
    both, one, other = (
        stage(of(DEFAULT | {"tasks": ["xnli", "xcopa"], "grid": [part | {"tasks": tasks}]}), "generate").tokens
        for tasks in (["xnli", "xcopa"], ["xnli"], ["xcopa"])
    )
    assert both == pytest.approx(one + other) and one > 0 < other


def test_room_for_thinking_is_forecast_with_the_answer():
    study = read_study(DEFAULT | {"grid": [DEFAULT["grid"][0] | {"models": ["tiny-llama"]}]}, ROOT / "config")
    plan, table = plan_of(study), read_hardware(TABLE)
    thinking = plan.models["tiny-llama"].changed(thinking_tokens=100)
    sizes = ModelSizes({"tiny-llama": SIZES["tiny-llama"]})

    def tokens(plan):
        return stage(forecast(plan, table["cpu"], paths("nothing"), sizes, core_watts=1.0), "generate").tokens

    prompts = sum(len(task.languages) * min(task.items, plan.items) for task in plan.tasks.values())
    more = tokens(plan.changed(models={**plan.models, "tiny-llama": thinking})) - tokens(plan)
    assert more == pytest.approx(100 * prompts * len(plan.runs))


def test_a_blind_asking_costs_another_answer_and_ranks_nothing_again():
    study = read_study(DEFAULT | {"grid": [DEFAULT["grid"][0] | {"models": ["tiny-llama"]}]}, ROOT / "config")
    plan, table = plan_of(study), read_hardware(TABLE)
    sizes, run = ModelSizes({"tiny-llama": SIZES["tiny-llama"]}), plan.runs[0]

    def asked(*modes):
        model = plan.models["tiny-llama"].changed(answers={task: list(modes) for task in plan.tasks})
        return Estimates(plan.changed(models={"tiny-llama": model}), table["cpu"], paths("nothing"), sizes)

    once, twice = asked("generate", "rank"), asked("generate", "rank", "blind")
    assert 2 * twice.answers == 3 * once.answers
    assert sum(load.items * load.answer for load in twice.loads(run)) == pytest.approx(
        2 * sum(load.items * load.answer for load in once.loads(run))
    )
    ranked = (sum(load.items * load.choices for load in estimates.loads(run)) for estimates in (once, twice))
    assert len(set(ranked)) == 1


def test_a_text_that_is_classified_is_read_once_and_nothing_is_written(tmp_path):
    study = read_study(DEFAULT | {"grid": [DEFAULT["grid"][0] | {"models": ["tiny-llama"]}]}, ROOT / "config")
    plan, table = plan_of(study), read_hardware(TABLE)
    reads = plan.models["tiny-llama"].changed(answers={task: ["classify"] for task in plan.tasks})
    plan = plan.changed(models={**plan.models, "tiny-llama": reads})
    sizes = ModelSizes({"tiny-llama": SIZES["tiny-llama"]})
    prompts = sum(len(task.languages) * min(task.items, plan.items) for task in plan.tasks.values())
    made = forecast(plan, table["cpu"], paths("nothing"), sizes, core_watts=1.0)
    assert stage(made, "generate").tokens == pytest.approx(len(plan.runs) * prompts * PROMPT_BYTES / BUILT_TOKEN_BYTES)
    assert made.study.answers == len(plan.runs) * prompts
    # Once rendered, the texts count and not the prompts.
    texts = {"item": "1", "prompt": "p" * 1000, "texts": ["t" * 40, "t" * 3], "demonstrations": []}
    for task, planned in plan.tasks.items():
        for code in planned.languages:
            frame = pl.DataFrame([texts | {"task": task, "language": code}], schema=PROMPT_SCHEMA)
            (tmp_path / f"prompts/{task}").mkdir(parents=True, exist_ok=True)
            write_parquet(frame, tmp_path / f"prompts/{task}/{code}.parquet")
    made = forecast(plan, table["cpu"], paths(tmp_path), sizes, core_watts=1.0)
    cells = sum(len(task.languages) for task in plan.tasks.values())
    assert stage(made, "generate").tokens == pytest.approx(len(plan.runs) * cells * 43 / BUILT_TOKEN_BYTES)


def test_a_translation_is_as_long_as_its_source_until_one_was_made():
    study = read_study(DEFAULT | {"grid": [DEFAULT["grid"][0] | {"models": ["tiny-llama"]}]}, ROOT / "config")
    plan, table = plan_of(study), read_hardware(TABLE)
    translator = plan.models["tiny-llama"].changed(
        answers={task: ["generate"] for task in plan.tasks}, search=BeamSearch(beams=4, batch_tokens=800).stated
    )
    tasks = {name: task.changed(max_new_tokens=10_000) for name, task in plan.tasks.items()}
    plan = plan.changed(models={**plan.models, "tiny-llama": translator}, tasks=tasks)
    sizes = ModelSizes({"tiny-llama": SIZES["tiny-llama"]})
    prompts = sum(len(task.languages) * min(task.items, plan.items) for task in plan.tasks.values())
    made = forecast(plan, table["cpu"], paths("nothing"), sizes, core_watts=1.0)
    read = PROMPT_BYTES / BUILT_TOKEN_BYTES
    assert stage(made, "generate").tokens == pytest.approx(len(plan.runs) * prompts * 2 * read)
    assert "translations as long as their sources" in stage(made, "generate").basis
    estimates = Estimates(plan, table["cpu"], paths("nothing"), sizes)
    load = estimates.loads(plan.runs[0])[0]
    assert (load.beams, load.demonstrations) == (4, 0) and load.at_once == pytest.approx(800 / (4 * read))


def test_a_model_in_a_folder_has_a_size_before_it_is_linked(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", "vocab_size": 7}))
    model = PathModel(path=str(tmp_path))
    planned = _model("mine", model)
    assert planned.architecture == {"model_type": "llama", "vocab_size": 7} and planned.hub is None


def test_what_an_endpoint_answers_takes_no_hours_here():
    remote = {"models": ["gpt-4.1"], "datasets": [], "methods": {}, "seeds": []}
    alone, beside = (of(DEFAULT | {"grid": [*DEFAULT["grid"], *more]}) for more in ([], [remote]))
    assert stage(beside, "generate").jobs == stage(alone, "generate").jobs + 1
    assert stage(beside, "generate").device_hours == stage(alone, "generate").device_hours
    assert beside.notes == ["gpt-4.1: answers behind an endpoint, whose time and price are left out."]


def test_an_unknown_device_is_named():
    with pytest.raises(DefinitionError, match=r"forecast\.hardware: .*hardware\.tsv has no 'tpu'; it has h100, a100"):
        of(DEFAULT | {"forecast": {"hardware": "tpu", "devices": 1}})


def test_finished_runs_replace_the_table_for_runs_of_their_model_and_bits(tmp_path):
    def write(method, device, seconds, **more):
        card = {"seconds": seconds, "trainable_parameters": 10, "hardware": {"device": device}, **more}
        path = tmp_path / f"cards/tiny-llama/generated/{method}/seed1/finetune.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(card))

    alone = {**DEFAULT["grid"][0], "datasets": ["generated"], "methods": {"lora": {"rank": [4], "bits": [4, 16]}}}
    config = DEFAULT | {"grid": [alone]}
    told = stage(of(config), "finetune")
    assert "rate of cpu in the table" in told.basis
    write("lora-r4-16bit", "NVIDIA H100", 1e6)
    assert stage(of(config, tmp_path), "finetune").device_hours == pytest.approx(told.device_hours, rel=0.1)
    write("lora-r4-4bit", "x86_64", 36_000)
    measured = stage(of(config, tmp_path), "finetune")
    assert 10 < measured.device_hours < 10.1
    assert measured.basis.endswith("rate measured for 1 runs, 1 by the rate of cpu in the table")
    write("lora-r4-4bit", "x86_64", 9_000, processes=4)
    assert stage(of(config, tmp_path), "finetune").device_hours == pytest.approx(measured.device_hours)
    write("lora-r4-4bit", "x86_64", 10, resumed_from=100)
    assert "rate of cpu in the table" in stage(of(config, tmp_path), "finetune").basis
    write("lora-r4-4bit", "x86_64", 36_000)
    more = config | {"grid": [alone | {"methods": {"lora": {"rank": [4, 8], "bits": [4]}}}]}
    assert stage(of(more, tmp_path), "finetune").device_hours == pytest.approx(20, rel=0.1)


def test_prompts_that_are_there_are_counted(tmp_path):
    config = DEFAULT | {"tasks": ["xnli"], "languages": ["eng_Latn"]}
    rows = {"prompt": ["a" * 40, "b" * 60, ""], "fault": [None, None, "no gold answer"]}
    rows |= {"demonstrations": [[{"prompt": "c", "answer": "c"}]] * 3}
    frame = pl.DataFrame(rows, schema_overrides={"fault": pl.String})
    write_parquet(frame, tmp_path / "prompts/xnli/eng_Latn.parquet")
    made = of(config, tmp_path)
    assert made.study.answers == 2 * 2 * made.study.runs  # each is generated and ranked
    assert stage(made, "render_prompts").basis.startswith("items measured")


def test_merged_weights_that_do_not_stay_count_by_device_alone():
    config = DEFAULT | PAPER | {"forecast": {"hardware": "h100", "devices": 2}}
    kept, gone = of(config), of(config, keep=False)
    assert kept.peak_disk_gb - gone.peak_disk_gb == pytest.approx(
        stage(kept, "merge").disk_gb - 2 * 2 * 2 * 7_241_732_096 / 1e9
    )


def test_what_only_the_forecast_reads_decides_no_result():
    study = read_study(DEFAULT | PAPER, ROOT / "config")
    assert set(study.models["llama-2-7b"].params()) == {"hub", "revision"}
    assert all("size" not in task.prompt_spec.params() for task in study.tasks.values())
    assert all("size" not in dataset.recipe_of_all for dataset in study.datasets.values())


def test_it_loads_no_model_library():
    heavy = {"bitsandbytes", "datasets", "huggingface_hub", "openai", "peft", "torch", "transformers", "vllm"}
    code = f"import maple.planning.forecast, maple.planning.sizes, sys; print(*set(sys.modules) & {heavy!r})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    assert done.stdout.strip() == ""


@pytest.mark.parametrize(
    ("value", "text"), [(0, "-"), (0.0001, "<0.001"), (0.0123, "0.0123"), (1.234, "1.23"), (1234.5, "1,234")]
)
def test_three_digits_matter(value, text):
    assert figure(value) == text


@pytest.mark.heavy
def test_the_forecast_of_a_finished_study_is_what_it_took(finished, tmp_path):
    project = finished.copy_to(tmp_path / "project")
    project.snakemake("forecast")
    stages = {
        line["stage"]: line for line in json.loads((project.folder / "results/forecast.json").read_text())["stages"]
    }
    for name in ("finetune", "merge"):
        cards = [json.loads(path.read_text()) for path in project.folder.glob(f"results/cards/*/*/*/*/{name}.json")]
        start = read_hardware(TABLE)["cpu"].job_s * len(cards)
        took = sum(card["seconds"] for card in cards)
        assert stages[name]["device_hours"] * 3600 == pytest.approx(took + start)
    assert "measured" in stages["generate"]["basis"]
    assert project.jobs() == {}


def test_a_look_is_forecast_with_its_share_of_the_items(tmp_path):
    whole = of(DEFAULT).study.answers
    assert of(DEFAULT | {"looks": [0.1, 1.0], "look": 1}).study.answers == whole / 10
    assert of(DEFAULT | {"looks": [0.1, 1.0]}).study.answers == whole
