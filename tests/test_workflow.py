"""What Snakemake would run, asked of the real rules on a finished toy study."""

import shutil

import pytest
import yaml
from project import AFTER_ANSWER, AFTER_SCORE, ROOT, TOY_STUDY, Project

from maple.definitions.language import read_languages

pytestmark = pytest.mark.heavy


@pytest.fixture
def project(finished, tmp_path):
    return finished.copy_to(tmp_path / "project")


def scored(runs=2):
    return {"score": runs, **AFTER_ANSWER}


def test_a_finished_study_has_nothing_to_do(project):
    assert project.jobs() == {}


def test_a_comment_reruns_nothing(project):
    for path in (
        "maple/evaluation/scoring.py",
        "maple/models/encoding.py",
        "workflow/scripts/score.py",
        "workflow/scripts/finetune.py",
    ):
        file = project.folder / path
        file.write_text(file.read_text() + "\n# a remark\n")
    assert project.jobs() == {}


@pytest.mark.parametrize("copied", ["results and records", "results alone"])
def test_a_fresh_checkout_with_the_results_copied_in_reruns_nothing(project, copied):
    if copied == "results alone":
        shutil.rmtree(project.folder / ".snakemake")
    for part in ("Snakefile", "config", "maple", "workflow"):
        paths = [project.folder / part] if part == "Snakefile" else (project.folder / part).rglob("*")
        for path in paths:
            path.touch()
    assert project.jobs() == {}


def test_one_language_s_words_rerun_its_prompts_and_what_follows(project):
    project.replace("config/languages.tsv", "\tKweli\t", "\tNdiyo\t")
    assert project.jobs() == {"render_prompts": 1, "generate": 2, **scored()}


def test_a_task_s_template_reruns_its_prompts_and_no_training(project):
    project.replace("config/tasks/xquad.yaml", "{{ words.question }}:", "{{ words.question }} -")
    assert project.jobs() == {"render_prompts": 2, "generate": 2, **scored()}


def test_a_task_s_metric_reruns_scores_alone(project):
    project.replace("config/tasks/xquad.yaml", "[f1, exact_match]", "[f1]")
    assert project.jobs() == {"score": 2, **AFTER_SCORE}


def test_what_makes_a_cluster_generates_and_scores_nothing_anew(project):
    project.replace("config/tasks/xquad.yaml", "cluster: context", "cluster: question")
    assert project.jobs() == {"cluster": 2, **AFTER_SCORE}


def test_a_rank_added_to_the_grid_costs_its_own_run_alone(project):
    grid = [TOY_STUDY["grid"][0] | {"methods": {"lora": {"rank": [2, 4], "bits": [16]}}}]
    project.study(grid=grid)
    assert project.jobs() == {"finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}


def test_a_frame_of_finetuned_runs_trains_them_anew_and_asks_no_baseline(project):
    project.study(finetune=TOY_STUDY["finetune"] | {"frame": "none"})
    assert project.jobs() == {"finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}


def test_a_model_s_frame_and_its_demonstrations_leave_its_base_as_it_is(project):
    model = yaml.safe_load((project.folder / "config/models/toy.yaml").read_text())
    project.write("config/models/toy.yaml", model | {"frame": "none"})
    assert project.jobs() == {"finetune": 1, "merge": 1, "generate": 2, **scored()}
    project.write("config/models/toy.yaml", model | {"demonstrations": "text"})
    assert project.jobs() == {"generate": 2, **scored()}


def test_turns_of_a_chat_are_refused_for_a_model_without_a_template(project):
    project.study(finetune=TOY_STUDY["finetune"] | {"frame": "chat"})
    assert "toy is built here and has no chat template; write bactrian or none" in project.snakemake("-n", fails=True)


def test_checkpoints_at_other_steps_train_nothing_anew(project):
    project.study(checkpoint_steps=1)
    assert project.jobs() == {}


def test_curves_to_draw_train_nothing_anew(project):
    project.study(tracking={"to": ["tensorboard"], "project": "toy"})
    assert project.jobs() == {}


# Words are limits of curation, too.
OF_CURATION = {"synthesize": 2, "curate": 2, "mix": 1, "finetune": 1, "merge": 1}


@pytest.mark.parametrize(
    ("module", "reruns"),
    [
        ("maple/metrics/overlap.py", scored()),
        ("maple/evaluation/scoring.py", scored()),
        ("maple/text/words.py", {"render_prompts": 4, "cluster": 4, **OF_CURATION, "generate": 2, **scored()}),
        ("maple/evaluation/clusters.py", {"cluster": 4, **AFTER_SCORE}),
        ("maple/models/kind.py", {"describe": 1}),
        ("maple/models/causal.py", {"base": 1, "finetune": 1, "merge": 1, "generate": 2, **scored()}),
        ("maple/methods/capabilities.py", {}),
        ("maple/methods/peft_method.py", {"finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}),
        ("maple/training/merging.py", {"merge": 1, "generate": 1, **scored(runs=1)}),
        ("maple/training/batches.py", {"finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}),
        ("maple/training/checkpoints.py", {"finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}),
        ("maple/data/mixing.py", {"mix": 1, "finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}),
        ("maple/engines/start.py", {"generate": 2, **scored()}),
        ("maple/engines/openai_endpoint.py", {"generate": 2, **scored()}),
        ("maple/engines/local_model.py", {}),
        ("maple/synthesis/local_translator.py", {}),
        ("maple/report/page.py", {"report": 1}),
        ("maple/report/dataset_tables.py", {"report": 1}),
        ("maple/report/tables.py", {"tabulate": 1, "describe": 1}),
        ("maple/report/figures.py", {"draw": 1}),
        ("maple/report/lm_eval.py", {"export": 1}),
        ("maple/report/model_card.md.jinja", {"describe": 1}),
    ],
)
def test_an_edited_module_reruns_exactly_the_rules_that_use_it(project, module, reruns):
    file = project.folder / module
    file.write_text(file.read_text() + "\nEDITED = True\n")
    assert project.jobs() == reruns


def test_one_run_in_one_language_is_a_file(project):
    target = "results/scores/toy/little/lora-r2-16bit/seed1/swh_Latn.parquet"
    (project.folder / target).unlink()
    assert project.jobs(target) == {"score": 1}


def test_a_changed_word_scores_its_language_alone_and_the_others_keep_their_bytes(project):
    files = [
        path for part in ("generations", "scores") for path in (project.folder / "results" / part).rglob("*_*.parquet")
    ]
    before = {path: path.read_bytes() for path in files}
    project.replace("config/languages.tsv", "\tKweli\t", "\tNdiyo\t")
    said = project.snakemake("results/summary.parquet").splitlines()
    assert "jobid:" not in "".join(said)
    finished = {line.split(" s  ")[1] for line in said if " s  " in line}
    runs = ("toy/none/none/seed0", "toy/little/lora-r2-16bit/seed1")
    again = {f"{rule} {run}" for rule in ("generate", "score") for run in runs}
    assert finished == {"render_prompts xnli swh_Latn", *again, "summarize"}
    changed = sorted(path.stem for path in files if path.read_bytes() != before[path])
    assert changed == ["swh_Latn"] * 4  # the answers and the scores of two runs
    for log in (project.folder / "logs/score").rglob("*.log"):
        assert log.read_text().startswith("scored 1 of 2 languages, the others are unchanged: swh_Latn")


def test_a_word_that_denies_asks_nothing_again_and_scores_its_language_alone(project):
    project.replace("config/languages.tsv", "\tsi, sio, siyo, hapana", "\tsi, sio, siyo, hapana, la")
    assert project.jobs() == scored()
    assert project.snakemake("results/summary.parquet")
    for log in (project.folder / "logs/score").rglob("*.log"):
        assert log.read_text().startswith("scored 1 of 2 languages, the others are unchanged: swh_Latn")


def test_a_language_is_a_target(project):
    for path in (project.folder / "results" / "scores").rglob("*.parquet"):
        path.unlink()
    assert project.jobs("swh_Latn") == {"score": 2, "swh_Latn": 1}


def test_a_grid_of_one_language_is_a_config_value(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    jobs = project.jobs("--config", "languages=[swh_Latn]")
    assert jobs["synthesize"] == jobs["curate"] == 1
    assert jobs["render_prompts"] == 2
    assert jobs["score"] == 2


def test_a_language_is_one_row(project):
    table = project.folder / "config" / "languages.tsv"
    swahili = next(line for line in table.read_text().splitlines() if line.startswith("swh_Latn"))
    table.write_text(table.read_text() + swahili.replace("swh_Latn", "swc_Latn", 1) + "\n")
    phrases = yaml.safe_load((project.folder / "config/phrases.yaml").read_text())
    project.write("config/phrases.yaml", phrases | {"swc_Latn": phrases["swh_Latn"]})
    assert project.jobs() == {}
    dataset = yaml.safe_load((project.folder / "config/datasets/little.yaml").read_text())
    assert "languages" not in dataset
    project.study(languages=["eng_Latn", "swh_Latn", "swc_Latn"])
    jobs = project.jobs()
    assert jobs["render_prompts"] == 2 and jobs["synthesize"] == 1 and jobs["score"] == 2


def test_a_task_is_one_file(project):
    task = yaml.safe_load((project.folder / "config/tasks/xquad.yaml").read_text())
    project.write("config/tasks/mlqa.yaml", task)
    project.study(tasks=["xnli", "xquad", "mlqa"])
    assert project.jobs() == {"render_prompts": 2, "cluster": 2, "generate": 2, **scored()}


def test_a_model_is_one_file(project):
    model = yaml.safe_load((project.folder / "config/models/toy.yaml").read_text())
    project.write("config/models/mine.yaml", model)
    project.study(grid=[TOY_STUDY["grid"][0] | {"models": ["toy", "mine"]}])
    assert project.jobs() == {"base": 1, "finetune": 1, "merge": 1, "generate": 2, **scored()}


def test_a_dataset_is_one_file(project):
    (project.folder / "rows.jsonl").write_text('{"instruction": "Say one.", "input": "", "output": "One."}\n')
    dataset = {
        "recipe": "load",
        "load": {"local": {"path": "rows.jsonl"}},
        "curate": {},
        "mix": {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 1},
        "languages": ["eng_Latn"],
    }
    project.write("config/datasets/mine.yaml", dataset)
    project.study(grid=[TOY_STUDY["grid"][0] | {"datasets": ["little", "mine"]}])
    expected = {"synthesize": 1, "curate": 1, "mix": 1, "finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}
    assert project.jobs() == expected


def test_a_prompt_of_the_teacher_costs_the_languages_that_are_asked_in_it(project):
    rows = {"synthesize": 1, "curate": 1, "mix": 1, "finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}
    project.replace("config/self_instruct.yaml", "Setze die Liste unten fort", "Führe die Liste unten fort")
    assert project.jobs() == {}
    project.replace("config/self_instruct.yaml", "Endeleza orodha", "Endelea na orodha")
    assert project.jobs() == rows
    assert project.jobs("results/synthesized/little/eng_Latn.parquet") == {}


def test_asking_in_english_costs_the_languages_that_were_asked_in_their_own(project):
    dataset = yaml.safe_load((project.folder / "config/datasets/little.yaml").read_text())
    project.write("config/datasets/little.yaml", dataset | {"prompt_language": "english"})
    assert project.jobs()["synthesize"] == 1
    assert project.jobs("results/synthesized/little/eng_Latn.parquet") == {}


def test_the_datasets_that_ask_a_teacher_plan_with_all_that_they_are_made_from(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    for name in ("self_instruct_seed/seed_tasks", "bactrian-x/en"):
        (tmp_path / "instruct" / name).parent.mkdir(parents=True)
        (tmp_path / "instruct" / f"{name}.jsonl").touch()
    grid = [TOY_STUDY["grid"][0] | {"datasets": ["self-instruct", "translate-respond"]}]
    project.study(grid=grid, data=str(tmp_path), languages=["deu_Latn", "swh_Latn", "yor_Latn"])
    jobs = project.jobs()
    # Three languages each of both and of the seeds; the English seeds and the English instructions once.
    assert jobs["synthesize"] == jobs["curate"] == 3 * 3 + 2
    assert jobs["mix"] == jobs["finetune"] == 2


def test_a_method_is_one_file(project):
    method = yaml.safe_load((project.folder / "config/methods/lora.yaml").read_text())
    method["adapter"]["use_rslora"] = True
    project.write("config/methods/rslora.yaml", method)
    methods = {"lora": {"rank": [2], "bits": [16]}, "rslora": {"rank": [2], "bits": [16]}}
    project.study(grid=[TOY_STUDY["grid"][0] | {"methods": methods}])
    assert project.jobs() == {"finetune": 1, "merge": 1, "generate": 1, **scored(runs=1)}


def test_a_run_that_never_merges_costs_no_merge(project):
    methods = {"lora": {"rank": [2], "bits": [16]}, "prefix-tuning": {"rank": [4], "bits": [16]}}
    project.study(grid=[TOY_STUDY["grid"][0] | {"methods": methods}])
    assert project.jobs() == {"finetune": 1, "generate": 1, **scored(runs=1)}


def test_an_adapter_that_stays_attached_trains_nothing_anew(project):
    project.study(generate=TOY_STUDY["generate"] | {"adapters": "attached"})
    assert project.jobs() == {"generate_attached": 1, "generate": 1, **scored(runs=1)}


def test_the_list_of_rules_reads_as_the_manual(project):
    listed = project.snakemake("--list")
    for rule in ("synthesize", "curate", "mix", "base", "finetune", "merge", "generate", "score", "report"):
        line = next(line for line in listed.splitlines() if line.split() and line.split()[0].rstrip(":") == rule)
        assert len(line.split()) > 4, line


BAD = [
    ({"lnaguages": []}, r"unknown key 'lnaguages' at top level"),
    ({"languages": ["xyz_Latn"]}, r"languages names 'xyz_Latn', which config/languages.tsv lacks"),
    ({"generate": {"engine": "tgi"}}, r"generate.engine: 'tgi' is unknown; write one of auto, vllm, transformers"),
    (
        {"answers": {"xquad": ["rank"]}},
        r"answers.xquad: config/tasks/xquad.yaml has no choices to rank; write generate",
    ),
    ({"generate": {"adapters": "folded"}}, r"generate.adapters: 'folded' is not one of ['merged', 'attached']"),
    ({"shots": {"xnil": 2}}, r"shots names 'xnil', which config/tasks/ lacks"),
    ({"prompt_language": "klingon"}, r"prompt_language: 'klingon' is not one of ['own', 'english']"),
    ({"tasks": ["xnil"]}, r"tasks names 'xnil', which config/tasks/ lacks"),
    (
        {"finetune": {"batch_tokens": 99, "max_length": 100}},
        r"config: finetune: batch_tokens: 99 holds no example of max_length: 100 tokens; raise it, or lower max_length",
    ),
    ({"items": None}, r"items: embedded tasks have no end; write a number"),
]


@pytest.mark.parametrize(("change", "says"), BAD, ids=[next(iter(change)) for change, _ in BAD])
def test_a_wrong_config_is_refused_before_any_job_with_one_message(tmp_path, change, says):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    project.study(**change)
    output = project.snakemake("-n", fails=True)
    assert says in output
    assert "Traceback" not in output


NOUNS = ["models/toy", "datasets/little", "methods/lora", "tasks/xnli"]


@pytest.mark.parametrize("noun", NOUNS)
def test_an_unknown_key_in_any_definition_is_refused_with_its_file(tmp_path, noun):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    path = f"config/{noun}.yaml"
    project.write(path, yaml.safe_load((project.folder / path).read_text()) | {"colour": "red"})
    output = project.snakemake("-n", fails=True)
    assert f"{path}: unknown key 'colour' at top level; known keys are" in output


def test_a_task_may_offer_a_language_that_has_no_row_and_is_asked_where_it_has_one(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    project.replace("config/tasks/xnli.yaml", "{languages: all}", "{languages: [eng_Latn, xyz_Latn]}")
    assert project.jobs()["render_prompts"] == 3


def test_a_task_without_the_source_asked_for_is_refused(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    project.replace("config/tasks/xnli.yaml", "  embedded: {languages: all}\n", "")
    assert "config/tasks/xnli.yaml: has no source 'embedded'" in project.snakemake("-n", fails=True)


def test_another_language_of_the_prompts_reruns_those_that_it_changes(project):
    project.study(prompt_language="english")
    assert project.jobs() == {"render_prompts": 2, "generate": 2, **scored()}  # Swahili's; English ones say the same


def test_demonstrations_and_rankings_cost_their_task_alone(project):
    project.study(shots={"xquad": 2})
    assert project.jobs() == {"render_prompts": 2, "generate": 2, **scored()}
    project.study(answers={"xnli": ["generate", "rank"]})
    assert project.jobs() == {"render_prompts": 2, "generate": 2, **scored()}  # the prompts of XQuAD alone


def test_the_embedded_default_plans(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    (project.folder / "study.yaml").write_text((ROOT / "config/config.yaml").read_text())
    jobs = project.jobs()
    assert jobs["finetune"] == jobs["merge"] == 12
    assert jobs["generate"] == 14
    assert jobs["score"] == 14


def stand_ins(project, *names):
    """Empty instruction files, for their languages as published."""
    for name in names:
        folder = project.folder / "rows/instruct" / name
        folder.mkdir(parents=True)
        published = yaml.safe_load((ROOT / f"config/datasets/{name}.yaml").read_text())["languages"]
        for code in published:
            (folder / f"{read_languages(ROOT / 'config/languages.tsv')[code].iso639_1}.jsonl").touch()


def test_the_paper_plans(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    (project.folder / "study.yaml").write_text((ROOT / "config/paper.yaml").read_text())
    stand_ins(project, "multialpaca", "bactrian-x")
    jobs = project.jobs("--config", "data=rows")
    assert jobs["finetune"] == jobs["merge"] == 68
    assert jobs["generate"] == 70
    assert jobs["synthesize"] == jobs["curate"] == jobs["guard"] == 11 + 32


def test_the_chat_baselines_of_the_paper_are_asked_and_not_finetuned(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    text = (ROOT / "config/paper.yaml").read_text()
    (project.folder / "study.yaml").write_text(
        text.replace("  # - {models: [llama-2-70b-chat", "  - {models: [llama-2-70b-chat")
    )
    stand_ins(project, "multialpaca", "bactrian-x")
    jobs = project.jobs("--config", "data=rows")
    assert (jobs["finetune"], jobs["base"], jobs["generate"]) == (68, 4, 72)


def test_every_model_that_is_asked_in_turns_can_be_a_baseline(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    paths = (ROOT / "config/models").glob("*.yaml")
    models = [path.stem for path in paths if yaml.safe_load(path.read_text()).get("frame") == "chat"]
    project.study(grid=[{"models": sorted(models), "datasets": [], "methods": {}, "seeds": []}])
    jobs = project.jobs()
    assert jobs["base"] == jobs["generate"] == len(models) > 5 and "finetune" not in jobs


def test_the_paper_without_its_rows_asks_for_their_folder_and_forecasts(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    (project.folder / "study.yaml").write_text((ROOT / "config/paper.yaml").read_text())
    said = project.snakemake("-n", fails=True)
    assert "43 files of rows cannot be read: the config has no `data`, the folder in which local rows lie" in said
    assert "dataset bactrian-x, deu_Latn: {data}/instruct/bactrian-x/de.jsonl" in said
    assert project.jobs("forecast") == {"forecast": 1}


def test_a_language_without_its_file_is_named_with_the_file(tmp_path):
    (tmp_path / "fresh").mkdir()
    project = Project.made_in(tmp_path / "fresh")
    (project.folder / "study.yaml").write_text((ROOT / "config/paper.yaml").read_text())
    stand_ins(project, "multialpaca", "bactrian-x")
    (project.folder / "rows/instruct/multialpaca/ko.jsonl").unlink()
    said = project.snakemake("-n", "--config", "data=rows", fails=True)
    assert "dataset multialpaca, kor_Hang: rows/instruct/multialpaca/ko.jsonl" in said
