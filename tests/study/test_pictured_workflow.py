"""What Snakemake would run for tasks about pictures, asked of the real rules in a copy of the project."""

import json

import pytest
import yaml
from project import Project
from toy_pictures import painted

pytestmark = pytest.mark.heavy
ASKED = {"models": ["toy"], "datasets": [], "methods": {}, "seeds": []}
PROMPTS = "results/prompts/xgqa/deu_Latn.parquet"


@pytest.fixture
def project(tmp_path):
    """A toy study whose causal models see."""
    (tmp_path / "project").mkdir()
    project = Project.made_in(tmp_path / "project")
    project.replace("maple/models/kind.py", 'inputs=frozenset({"text"})', 'inputs=frozenset({"text", "image"})')
    return project


@pytest.fixture
def real(project, tmp_path):
    """The same, asked two German questions about two pictures in a folder of data."""
    rows = [{"question_id": n, "imageId": n, "question": "Was?", "answer": "bat"} for n in "12"]
    (tmp_path / "data/xgqa/de").mkdir(parents=True)
    (tmp_path / "data/xgqa/de/test.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for number, colour in {"1": "red", "2": "blue"}.items():
        painted(tmp_path / f"data/gqa/images/{number}.jpg", colour)
    source = {"task_source": "local", "data": str(tmp_path / "data"), "items": None}
    project.study(**source, tasks=["xgqa"], languages=["deu_Latn"], grid=[ASKED])
    return project


def test_a_study_about_pictures_draws_those_that_are_asked_and_those_that_are_learnt(project):
    pictures = yaml.safe_load((project.folder / "config/datasets/pictures.yaml").read_text())
    pictures |= {"axes": {"rows": [50]}, "pictures": {"tasks": ["name-thing", "count-things"], "max_rows": 20}}
    project.write("config/datasets/pictures.yaml", pictures)
    learning = {"datasets": ["pictures"], "methods": {"lora": {"rank": [2], "bits": [16]}}, "seeds": [1]}
    project.study(tasks=["name-thing", "name-pair", "xnli"], grid=[ASKED | learning])
    jobs = project.jobs()
    assert {rule: jobs[rule] for rule in ("pictures", "label", "curate_pictures", "mix", "render_prompts")} == {
        "pictures": 4,  # of two tasks that are asked, and of two that are learnt
        "label": 2,
        "curate_pictures": 2,
        "mix": 1,
        "render_prompts": 6,
    }
    assert jobs["sample_answers"] == 1, "for the report"
    assert not {"curate", "curate_labelled", "synthesize"} & set(jobs)
    project.study(tasks=["xnli", "xquad"], grid=[ASKED])
    assert not {"pictures", "label", "curate_pictures", "sample_answers"} & set(project.jobs())


def test_a_model_that_sees_nothing_is_refused_before_any_job(project):
    project.replace("maple/models/kind.py", 'inputs=frozenset({"text", "image"})', 'inputs=frozenset({"text"})')
    project.study(tasks=["name-thing"], grid=[ASKED])
    output = project.snakemake("-n", fails=True)
    assert "toy is of the kind causal, which sees no pictures, and config/tasks/name-thing.yaml asks" in output


def test_pictures_count_by_their_content_and_not_by_where_they_lie(real, tmp_path):
    real.snakemake(PROMPTS)
    assert real.jobs(PROMPTS) == {}
    (tmp_path / "data").rename(tmp_path / "moved")
    real.study(data=str(tmp_path / "moved"))
    assert real.jobs(PROMPTS) == {}
    painted(tmp_path / "moved/gqa/images/2.jpg", "green")
    assert real.jobs(PROMPTS) == {"pictures": 1, "render_prompts": 1}


def test_a_broken_picture_ends_its_job_with_row_and_path_and_a_missing_folder_the_planning(real, tmp_path):
    picture = tmp_path / "data/gqa/images/2.jpg"
    picture.write_bytes(picture.read_bytes()[:100])
    output = real.snakemake(PROMPTS, fails=True)
    says = f"{tmp_path}/data/xgqa/de/test.jsonl: row 2: picture 2.jpg is cut or damaged"
    assert says in output or says in (real.folder / "logs/pictures/xgqa/asked.log").read_text()
    assert not (real.folder / "results/pictures/xgqa/asked").exists()
    (tmp_path / "data/gqa/images").rename(tmp_path / "data/elsewhere")
    output = real.snakemake("-n", PROMPTS, fails=True)
    assert f"task xgqa, deu_Latn: {tmp_path}/data/gqa/images" in output
