"""What a finished study gives to others: tables, lm-eval's files, model cards, Snakemake's own report."""

import re
import zipfile

import polars as pl
import pytest
from huggingface_hub import ModelCard
from project import ROOT

from maple.runtime.files import read_json

pytestmark = pytest.mark.heavy
RUN = "toy/little/lora-r2-16bit/seed1"
# One rank and one number of bits: no figure over an axis.
FIGURES = {"questions", "leaderboard", "languages", "english"}
CAPTIONS = FIGURES | {"study", "axis", "axis-scores", "languages-scores"}


@pytest.fixture
def results(finished):
    return finished.folder / "results"


@pytest.mark.parametrize("suffix", ["zip", "html"])
def test_snakemake_s_report_holds_the_figures_and_captions_and_fetches_nothing(finished, tmp_path, monkeypatch, suffix):
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody answers
    file = tmp_path / f"made.{suffix}"
    finished.copy_to(tmp_path / "project").snakemake("--report", str(file))
    if suffix == "zip":
        with zipfile.ZipFile(file) as archive:
            names = {name.rsplit("/", 1)[-1] for name in archive.namelist()}
            page = archive.read("made/report.html").decode()
        assert names == {"report.html", *(f"{name}.svg" for name in FIGURES)}
    else:
        page = file.read_text()
        assert all(f"results/figures/{name}.svg" in page for name in FIGURES)
    captions = {path.stem: path.read_text() for path in (ROOT / "workflow/report").glob("*.rst")}
    assert set(captions) == CAPTIONS
    for text in (captions[name] for name in (*FIGURES, "study")):
        said = re.split(r"\{\{.*?\}\}", text)[0].split("\n")[0].strip().split(":")[0]
        assert said in page, said
    assert "A toy." in page and "95 % interval" in page
    assert not re.search(r'<(script|link)[^>]+(src|href)="https?:', page)


def test_the_summary_is_a_csv_too(results):
    summary = pl.read_parquet(results / "summary.parquet")
    assert pl.read_csv(results / "summary.csv", schema=summary.schema).equals(summary)


def test_every_task_has_its_tables(results):
    files = {path.name for path in (results / "tables").iterdir()}
    assert files == {f"{name}.{suffix}" for name in ("xnli", "xquad", "all") for suffix in ("tex", "md")}
    assert "lora-r2-16bit" in (results / "tables/xnli.tex").read_text()


def test_every_run_has_its_results_in_lm_eval_s_form(results):
    for run in ("toy/none/none/seed0", RUN):
        found = read_json(results / "lm_eval" / run / "results_maple.json")
        assert found["model_name"] == run and found["results"]["xnli_swh_Latn"]["sample_len"] == 4
        assert found["n-samples"]["xnli_swh_Latn"] == {"original": 4, "effective": 4}


def test_the_merged_model_and_its_adapter_have_cards_beside_and_not_in_their_folders(results):
    cards = {
        kind: ModelCard.load(results / "model_cards" / kind / RUN / "README.md") for kind in ("merged", "adapters")
    }
    assert cards["merged"].data.library_name == "transformers" and cards["adapters"].data.library_name == "peft"
    assert cards["merged"].data.language == ["en", "sw"] and "base_model" not in cards["merged"].data.to_dict()
    assert len(cards["merged"].data.eval_results) == 4
    assert not (results / "merged" / RUN / "README.md").exists()
