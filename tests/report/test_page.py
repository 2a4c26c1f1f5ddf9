import json
import math
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser

import polars as pl
import pytest
from browser import BROWSER, SHIFT, Browser
from project import ROOT
from toy_pictures import painted
from toy_questions import QUESTIONS
from toy_scores import UNTRANSLATED, language

from maple.analysis.domain_scores import domain_scores, method_scores
from maple.analysis.item_scores import item_scores
from maple.analysis.language_groups import language_groups
from maple.analysis.leaderboard import leaderboard
from maple.analysis.questions.answer import answer_questions
from maple.analysis.questions.evidence import Evidence
from maple.analysis.summary import summarize, summarize_by_task, summarize_groups
from maple.definitions.report import ReportSettings
from maple.definitions.run import Run, RunKey
from maple.definitions.task import TaskMetrics
from maple.evaluation.label_tables import LabelTable, confusion_counts, reliability_bins
from maple.evaluation.scoring import SCORE_SCHEMA
from maple.evaluation.tokenizer_ceiling import CEILING_METRICS, CEILING_SCHEMA
from maple.metrics.calibration import ReliabilityBin
from maple.report.dataset_tables import DatasetSummary, Lengths, SampleRow
from maple.report.page import Results, StudyFacts, _embedded_json, report
from maple.report.picture_answers import GivenAnswer, ItemInLanguage, PicturedAnswers, PicturedItem, data_uri
from maple.report.sections.data_quality import RerunCommand
from maple.runtime.pictures import Picture

ASKED = ("xnli", "xquad")
BASE = Run.baseline("toy", ASKED)
GRID = [
    BASE,
    *(
        Run("toy", "little", f"lora-r{rank}-{bits}bit", 1, "lora", {"rank": rank, "bits": bits}, ASKED)
        for rank in (2, 4)
        for bits in (4, 16)
    ),
]
LANGUAGES = [
    language("eng_Latn", "5", "English", "en", "Indo-European"),
    language("arb_Arab", "5", "العربية", "ar", "Afro-Asiatic"),
    language("swh_Latn", "2", "Swahili", "sw", "Atlantic-Congo"),
    language("xxx_Latn", "unknown", "Unlisted"),
]
TASKS = {
    "xnli": TaskMetrics(
        metrics=["accuracy"], headline="accuracy", chance=0.3333, languages=[row.code for row in LANGUAGES]
    ),
    "xquad": TaskMetrics(metrics=["f1"], headline="f1", chance=None, languages=["eng_Latn", "arb_Arab"]),
}
QUALITY = pl.DataFrame(
    [("xnli", "arb_Arab", 5, 5010, 2, 1, ["no label"]), ("xnli", "eng_Latn", 4, 4, 0, 0, [])],
    schema=["task", "language", "rows", "available", "repaired", "faulty", "reasons"],
    orient="row",
)
BINS = (ReliabilityBin(7 / 15, 8 / 15, items=4, confidence=0.5, accuracy=0.25),)
LABELS = [
    LabelTable(
        RunKey("toy", "none", "none", 0), "xnli", "eng_Latn", "rank", ("yes", "no"), ((3, 1, 0), (2, 0, 2)), BINS
    )
]
EVIL = "</script><b>evil</b><img src=x onerror=alert(1)>"
# What runs if it stands as markup anywhere: the title of the page would say so.
RUNS = "</script><script>document.title='ran'</script><img src=x onerror=document.title='ran'>"


def a_dataset(dataset="little", code="eng_Latn", name="English", lang="en-Latn", reason="refusal", **texts):
    """1,240 rows of a dataset in one language, of which one was cut off and five dropped for a reason."""
    row = SampleRow(reason="", id=f"{code}-0", instruction="Name it.", input="", output="A stone.", completion="")
    row = replace(row, **texts)
    length = Lengths(rows=1234, five=[1, 2, 3, 4, 50])
    return DatasetSummary(
        dataset=dataset, code=code, name=name, lang=lang, recipe="self_instruct", teacher="parrot",
        rows=1240, kept=1234, faults={"cut off": 1}, dropped={reason: 5}, overlapping={},
        lengths={"instruction": length, "input": Lengths(rows=0, five=None), "output": length},
        mixture={"learnt": 1000, "words": 9000, "held_out": 100},
        cost={"answers": 70, "failures": 0, "prompt_tokens": 12345, "completion_tokens": 67890, "usd": 1.5},
        kept_rows=[row], dropped_rows=[replace(row, id=f"{code}-1", reason=reason)],
    )  # fmt: skip


ARABIC = {"code": "arb_Arab", "name": "العربية", "lang": "ar-Arab", "output": "حجر 1."}
DATASETS = [a_dataset(), a_dataset(**ARABIC)]


def better(run, language):
    """Items that a run gets right, of four: a base two, the others three."""
    return 2 if run.is_baseline else 3


def by_rank(run, language):
    """In Swahili the greater rank is better, elsewhere the smaller one."""
    if run.is_baseline:
        return 2
    return 4 if (run.axis("rank") == 4) == (language == "swh_Latn") else 1


def scores(runs, right=better):
    """Every run is right on its first items, in XNLI and of XQuAD in English."""
    cells = [("xnli", row.code, "accuracy") for row in LANGUAGES[:3]] + [("xquad", "eng_Latn", "f1")]
    rows = [
        (
            *run.key.params().values(), task, language, str(item), metric,
            float(item < right(run, language)), True, "x", False, None, False, False, None, "stop", 10, 2, 1.5, 0, 0,
            *UNTRANSLATED,
        )
        for run in runs for task, language, metric in cells if task in run.tasks for item in range(4)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCORE_SCHEMA, orient="row")


def cards(runs):
    found = []
    for run in runs:
        key = run.key.params()
        generated = {"engine": "transformers 5", "seconds": 3.5, "computed": 16, "compared_alone": 8, "flipped": 2}
        found.append({"stage": "generate", "run": key, **generated})
        if not run.is_baseline:
            loss = [{"step": step, "loss": 1 / step} for step in (1, 2, 3)]
            held_out = [
                {"step": step, "bits_per_byte": {"eng_Latn": bits, "arb_Arab": 2 * bits}}
                for step, bits in ((0, 2.0), (3, 0.5))
            ]
            took = {"trainable_share": 0.01, "seconds": 2.0, "peak_memory_gib": 1.5}
            found.append({"stage": "finetune", "run": key, "loss": loss, "held_out": held_out, **took})
            way = {"kl": 1e-5, "worst_kl": 2e-5, "worst_language": "arb_Arab", "agreement": 0.995}
            way |= {"bits_per_byte": 0.75, "bits_per_byte_change": -0.002, "largest_logit_difference": 0.06}
            ways = {"untouched": way | {"kl": 3.0}, "original": way}
            merged = {"into": "original", "bits": 16, "bound": 1e-3, "tokens": 436, "ways": ways}
            found.append({"stage": "merge", "run": key, **merged})
    return found


LOW = [0, 1, 2]
SEEN = {"little": ["eng_Latn", "swh_Latn"]}
SETTINGS = ReportSettings(confidence=0.95, low_resource_classes=LOW, smallest_effect=0.5, english_bound=2.0)
RERUN = RerunCommand("snakemake --forcerun", "prompts/{task}/{language}.parquet", "answers/{run}/{language}.parquet")


def page_of(
    runs=GRID,
    languages=LANGUAGES,
    given=None,
    datasets=DATASETS,
    note="A toy.",
    scored=None,
    tasks=TASKS,
    labels=LABELS,
    ceilings=None,
    pictured=(),
):
    found = item_scores(scores(runs) if scored is None else scored, runs, tasks)
    grouped = language_groups(languages, LOW, SEEN)
    evidence = Evidence(found, languages, SETTINGS, {})
    results = Results(
        summary=summarize(found),
        groups=summarize_groups(found, grouped),
        groups_by_task=summarize_by_task(found, grouped),
        domains=domain_scores(evidence, "untouched"),
        methods=method_scores(evidence, "untouched"),
        board=leaderboard(found, grouped),
        answers=answer_questions(found, languages, SETTINGS, QUESTIONS, {}),
        cards=cards(runs) if given is None else given,
        datasets=datasets,
        quality=QUALITY,
        confusion=confusion_counts(labels),
        reliability=reliability_bins(labels),
        **({} if ceilings is None else {"ceilings": ceilings}),
        pictured=pictured,
    )
    return report(results, StudyFacts(runs, languages, tasks, SEEN, LOW, note), RERUN)


class Page(HTMLParser):
    """What a browser would see: elements with their attributes, text by the elements around it."""

    VOID = ("meta", "br", "img", "link", "input")

    def __init__(self, text):
        super().__init__()
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        self.texts.append((tuple(self.open), data))

    def text(self):
        return " ".join(data for path, data in self.texts if "script" not in path and "style" not in path)


def columns_of(page):
    """What the page's script reads."""
    return json.loads(next(data for path, data in Page(page).texts if "script" in path and data.startswith("{")))


def table(page, label):
    """The body of the table with a label, a list of cells for each row."""
    body = page[page.index(f'aria-label="{label}') :].split("<tbody>")[1].split("</tbody>")[0]
    lines = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, flags=re.S) for line in body.split("</tr>")]
    return [[" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in line] for line in lines if line]


@pytest.fixture(scope="module")
def page():
    return page_of()


FIGURES = (
    "question-rank", "question-bits", "question-english", "question-exchange", "axis-rank", "axis-bits", "languages",
    "shares", "labels-xnli", "merges", "held-out", "losses",
)  # fmt: skip


def test_the_page_is_closed_html_with_every_section(page):
    parsed = Page(page)
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    sections = {"summary", "questions", "leaderboard", "scores", "capacity", "merging", "data", "coverage", "issues"}
    assert len(ids) == len(set(ids)) and sections | {"cards"} <= set(ids)
    assert {f"chart-{name}" for name in FIGURES} <= set(ids)
    targets = {attributes["href"].lstrip("#") for tag, attributes in parsed.elements if tag == "a"}
    assert targets <= set(ids)


def test_the_page_loads_nothing(page):
    for tag, attributes in Page(page).elements:
        assert tag not in ("link", "img", "iframe", "object")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in page and "url(" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "default-src 'none'" in page
    assert len(page.encode()) < 3e6


@pytest.mark.parametrize("whole", [True, False])
def test_only_the_scripts_of_the_page_itself_may_run(page, whole):
    html = page if whole else page_of([BASE], given=[], datasets=[], labels=[])
    (policy,) = [attributes["content"] for _, attributes in Page(html).elements if attributes.get("http-equiv")]
    (allowed,) = re.findall(r"script-src ([^;]*);", policy)
    assert "unsafe" not in allowed
    scripts = re.findall(r"<script>(.*?)</script>", html, flags=re.S)
    digests = [b64encode(sha256(script.encode()).digest()).decode() for script in scripts]
    assert allowed.split() == [f"'sha256-{digest}'" for digest in digests]
    assert len(digests) == (3 if whole else 1)


def test_the_page_tells_whose_scripts_it_carries_and_under_which_licences(page):
    text = Page(page).text()
    for name in (
        "vega-lite",
        "Mike Bostock",
        "University of Washington",
        "Redistributions in binary form",
        "fast-json-patch",
    ):
        assert name in text
    assert "Mike Bostock" not in page_of([BASE], given=[], datasets=[], labels=[])


def test_the_summary_tells_what_was_run_what_came_out_and_what_english_pays(page):
    text = " ".join(Page(page).text().split())
    first = text[text.index("A toy.") : text.index("Five questions")]
    assert "4 finetuned runs" in first and "1 base model" in first
    assert "Does English drop? undetermined +25.0 −28.9 to +78.9 points that English gains" in first
    assert "English gained 25.0 points on average" in first and "No run lost more than 2 points, of 4." in first
    best = page[page.index('<table class="best">') :]
    cells = re.findall(r"<td[^>]*>(.*?)</td>", best[best.index("All languages") : best.index("High-resource")])
    assert [re.sub(r"<.*?>", "", cell) for cell in cells[:4]] == ["little", "2", "4", "75.0"]
    assert cells[-1] == "3 of 3"


def test_each_question_tells_effect_interval_verdict_and_minimum_detectable_effect(page):
    text = " ".join(Page(page).text().split())
    english = text[text.index("Does English drop? undetermined effect, points") :].split("Do low-resource")[0]
    assert "+25.00 95 % interval −28.95 to +78.95 p, corrected 1 minimum detectable effect" in english
    assert (
        "Undetermined: the interval is not wholly beyond the smallest effect of interest. It compares 5 runs" in english
    )
    assert "not asked on this grid" in text and "No two runs differ in model alone" in text


def test_a_run_that_lost_more_english_than_the_bound_is_named():
    text = Page(page_of(scored=scores(GRID, by_rank))).text()
    text = " ".join(text.split())
    named = text[text.index("2 of 4 runs lost more than 2 points") : text.index("A score is the mean")]
    assert "toy/little/lora-r4-4bit/seed1" in named and "lora-r2" not in named


def test_text_from_models_and_data_stays_text():
    model = Run.baseline(EVIL, ASKED)
    tuned = Run(EVIL, EVIL, EVIL, 1, "lora", {"rank": 2, "bits": 4}, ASKED)
    languages = [replace(LANGUAGES[0], name=EVIL), *LANGUAGES[1:]]
    evil = a_dataset(dataset=EVIL, name=EVIL, reason=EVIL, instruction=EVIL, completion=EVIL)
    datasets = [replace(evil, teacher=EVIL)]
    given = [card | {"engine": EVIL, "versions": {"torch": EVIL}} for card in cards([model, tuned])]
    page = page_of([model, tuned], languages, given, datasets, note=EVIL)
    parsed = Page(page)
    assert parsed.open == []
    assert not [attributes for tag, attributes in parsed.elements if tag == "img" or "onerror" in attributes]
    assert "</script><b>" not in page
    assert parsed.text().count("<b>evil</b>") > 10
    blocks = [data for path, data in parsed.texts if "script" in path and data.startswith("{")]
    assert len(blocks) == 1 and EVIL in json.dumps(json.loads(blocks[0]), ensure_ascii=False)


def test_methods_and_domains_have_a_section_in_which_names_stay_text():
    runs = [BASE, *(Run("toy", "pairs", name, 1, name, {"domain": EVIL}, ASKED) for name in ("full", EVIL))]
    domains = {"xnli": EVIL, "xquad": "elsewhere"}
    tasks = {name: task.model_copy(update={"domain": domains[name]}) for name, task in TASKS.items()}
    html = page_of(runs, tasks=tasks, datasets=[], labels=[])
    parsed = Page(html)
    assert parsed.open == [] and "</script><b>" not in html
    assert not [attributes for tag, attributes in parsed.elements if tag == "img" or "onerror" in attributes]
    lines = table(html, "Quality, time and memory of each method")
    assert [line[0] for line in lines] == [
        "toy · full",
        "toy · &lt;/script&gt;&lt;b&gt;evil&lt;/b&gt;&lt;img src=x onerror=alert(1)&gt;",
    ]
    # Of four items a run gets three right and the base two, in every domain.
    assert [cell.split()[0] for cell in lines[0][1:5]] == ["75.0", "+25.0", "75.0", "+25.0"]
    shown = table(html, "Domains of training and of test")
    assert len(shown) == 3 * 2 and shown[0][-2].startswith("50.0")


def test_what_is_no_number_is_null_to_the_page_s_script():
    assert _embedded_json({"kl": [math.nan, math.inf, 0.5]}) == '{"kl":[null,null,0.5]}'


def test_a_name_written_from_right_to_left_is_isolated(page):
    around = [path for path, data in Page(page).texts if "العربية" in data and "script" not in path]
    assert around and all(path[-1] == "bdi" for path in around)


def test_a_missing_cell_tells_the_command_that_fills_it(page):
    text = " ".join(Page(page).text().split())
    assert "xquad is not offered in Swahili , Unlisted" in text
    xnli, xquad = table(page, "Missing cells")
    assert xnli[:2] == ["xnli", "Unlisted"] and xquad[:2] == ["xquad", "العربية"]
    assert xquad[-1] == "snakemake --forcerun prompts/xquad/arb_Arab.parquet"
    lacking = scores(GRID).filter((pl.col("method") != "lora-r2-4bit") | (pl.col("language") != "swh_Latn"))
    (swahili,) = [row for row in table(page_of(scored=lacking), "Missing cells") if row[1] == "Swahili"]
    path = "answers/toy/little/lora-r2-4bit/seed1/swh_Latn.parquet"
    assert swahili[2:] == ["1 of 5 runs", f"snakemake --forcerun {path}"]


def test_every_table_has_a_caption_and_every_row_a_head(page):
    tables = re.findall(r"<table.*?</table>", page.split("<script")[0], flags=re.S)
    assert len(tables) >= 12
    for table in tables:
        assert "<caption" in table
        for line in re.findall(r"<tr.*?</tr>", table.split("<tbody>")[1], flags=re.S):
            assert re.search(r'<th scope="row(group)?"', line), line


def test_repaired_and_faulty_rows_of_benchmarks_are_told(page):
    assert table(page, "Faulty and repaired rows") == [["xnli", "العربية", "5", "2", "1", "no label"]]


def test_a_sample_of_the_items_is_told_as_one(page):
    assert "9 of 5,014 rows are asked" in page


def test_answer_issues_that_are_undefined_are_a_dash(page):
    # Neither two nor three right of four, of three choices, lie above chance for sure.
    assert table(page, "Answer issues by language")[0][1:] == [
        "0.0", "0.0", "0.0", "–", "0.0", "0.0", "100.0", "0.0", "–", "0.0", "0.0", "10.0", "2.0", "1.5",
    ]  # fmt: skip
    text = " ".join(Page(page).text().split())
    assert "Of 80 answers 0 could not be parsed" in text
    assert "Of 15 cells with a chance level, 15 have an interval that contains it, and 0 one that lies below it" in text


def test_the_summary_says_first_how_much_was_parsed_and_how_many_seeds_there_are(page):
    text = " ".join(Page(page).text().split())
    assert "0.0 % of the answers could not be parsed, and scored 0 (untouched base models: 0.0 % ). 1 seed" in text


def test_a_score_at_chance_stands_beside_its_interval_and_chance(page):
    for run, task, score, interval, chance in table(page, "Scores at or below chance"):
        low, high = map(float, interval.split(" to "))
        assert run and task == "xnli" and chance == "33.3" and low <= float(score) <= high and low <= 33.3 <= high


def test_flip_rates_stand_beside_the_runs(page):
    heads = re.findall(
        r"<th scope=\"col\"[^>]*>([^<]*)", page[page.index("Answer issues by run") :].split("</thead>")[0]
    )
    assert {row[heads.index("flipped, %")] for row in table(page, "Answer issues by run")} == {"25.0"}


def test_the_rows_of_a_dataset_are_counted_from_made_to_trained_on_and_paid(page):
    heads, body = page[page.index("Rows of little") :].split("<tbody>")[:2]
    columns = re.findall(r'<th scope="col"[^>]*><bdi>([^<]*)</bdi>', heads)
    lines = [re.findall(r"<td>([^<]*)</td>", line) for line in body.split("</tbody>")[0].split("</tr>")]
    assert dict(zip(columns, lines[1], strict=True)) == {
        "made": "1,240", "kept": "1,234", "cut off": "1", "refusal": "5", "trained on": "1,000",
        "words trained on": "9,000",
        "held out": "100", "answered": "70", "failed": "–", "tokens in": "12,345", "tokens out": "67,890",
        "USD": "1.50",
    }  # fmt: skip
    assert dict(zip(columns, lines[0], strict=True))["USD"] == "3.00"
    assert re.search(r"</b>: 2,468 rows kept of 2,480 .*parrot.* 3.00 USD", page)


def test_lengths_are_told_in_numbers_and_drawn(page):
    body = page[page.index("Lengths in little") :].split("<tbody>")[1]
    cells = re.findall(r"<td.*?</td>", body.split("</tr>")[0])
    assert re.search(r"--e:100\"></i>3 <small>2–4, 1–50</small>", cells[0]) and "–</td>" in cells[1]


def test_a_method_without_a_rank_stands_in_the_tables_and_in_no_curve():
    plain = replace(GRID[1], method="ia3-4bit", family="ia3", axes={"bits": 4})
    page = page_of([*GRID, plain])
    assert "ia3-4bit" in Page(page).text()
    charts = columns_of(page)["charts"]
    assert "ia3" not in json.dumps(charts["axis-rank"]) and "ia3" in json.dumps(charts["shares"])
    assert charts["losses"]["spec"]["encoding"]["color"]["scale"]["domain"] == [2, 4, "none"]


def test_methods_are_not_joined_by_a_line():
    other = [replace(run, method=f"dora-r{run.axis('rank')}-4bit", family="dora") for run in GRID if run.bits == 4]
    series = {row["series"] for row in columns_of(page_of([*GRID, *other]))["charts"]["axis-rank"]["data"]["values"]}
    assert series == {"toy · little · lora", "toy · little · dora"}


def test_each_run_tells_the_divergence_of_every_way_to_merge(page):
    assert "merged within 2e-05 of 0.001 nats per token" in page
    as_merged = ["16", "folded into original", "1e-05", "2e-05 العربية", "99.5", "0.750", "-0.002", "0.06"]
    assert [row[1:] for row in table(page, "Merged as evaluated")] == 4 * [[*as_merged, "–"]]
    ways = table(page, "Ways to merge")
    assert [row[2:4] for row in ways[:2]] == [["folded into original", "1e-05"], ["left out", "3"]]
    assert "<b>folded into original</b>" in page


def test_completions_that_differ_when_attached_are_counted():
    key = GRID[1].key.params()
    compared = {"stage": "compare_attached", "run": key, "attached_differ": {"compared": 32, "different": 3}}
    page = page_of(given=[*cards(GRID), compared])
    assert [row[-1] for row in table(page, "Merged as evaluated")] == ["3 of 32", "–", "–", "–"]
    assert "3 of 32 completions differ when the adapter is attached" in page


def test_held_out_text_is_told_before_and_after_finetuning(page):
    found = columns_of(page)
    assert found["heldOut"]["runs"] == [1, 2, 3, 4]
    languages = [language["code"] for language in found["languages"]]
    before, after = (dict(zip(languages, found["heldOut"][when][0], strict=True)) for when in ("before", "after"))
    assert (before["eng_Latn"], after["eng_Latn"], after["arb_Arab"], after["swh_Latn"]) == (
        2_000_000,
        500_000,
        1_000_000,
        None,
    )


def test_costs_add_up_time_and_a_missing_meter_is_said(page):
    base, tuned, *_ = table(page, "Cost of each run")
    assert base[1:] == ["–", "–", "–", "–", "4", "4", "–", "–", "–"]
    assert tuned[1:] == ["1", "–", "2", "–", "4", "6", "1.5", "–", "–"]
    given = [card | {"energy_joules": 7200} if card["stage"] == "finetune" else card for card in cards(GRID)]
    assert table(page_of(given=given), "Cost of each run")[1][8] == "2.0"
    assert "No energy meter could be read." in page


def test_seeds_have_a_mean_of_their_own_among_the_groups():
    again = [replace(run, seed=2) for run in GRID[1:]]
    found = columns_of(page_of([*GRID, *again]))
    means = [run for run in found["runs"] if run["seed"] is None]
    assert len(means) == 4 and {run["seeds"] for run in means} == {2}


def test_the_page_stands_without_cards_data_and_finetuned_runs():
    page = page_of([BASE], given=[], datasets=[], labels=[])
    parsed = Page(page)
    assert parsed.open == [] and "vegaEmbed" not in page and 'id="reader"' not in page
    ids = {attributes["id"] for _, attributes in parsed.elements if "id" in attributes}
    assert {"summary", "coverage"} <= ids and not {"cards", "data", "labels", "merging"} & ids


def test_the_page_stands_without_a_cell_that_all_runs_have():
    runs = GRID[:2]
    scored = scores(runs).filter((pl.col("method") == "none") == (pl.col("task") == "xnli"))
    page = page_of(runs, given=[], scored=scored)
    assert "the runs cannot be compared" in page and Page(page).open == []


def contrast(one, other):
    """The contrast of two colours #rrggbb, as WCAG 2.2 defines it."""

    def luminance(colour):
        shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
        return sum(weight * share for weight, share in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_text_stands_out_in_light_and_dark_and_on_paper():
    style = (ROOT / "maple/report/page.css.jinja").read_text()
    schemes = re.findall(r":root \{(.*?)\}", style, flags=re.S)
    assert len(schemes) == 3
    for scheme in schemes:
        colours = dict(re.findall(r"--([\w-]+): (#\w{6})", scheme + " "))
        page = colours.get("page", "#ffffff")
        for name in ("ink", "muted", "warn", "series-1"):
            assert contrast(colours.get(name, "#000000"), page) >= 4.5, (name, page)
        for name in (f"series-{number}" for number in range(1, 7)):
            assert contrast(colours[name], page) >= 3, (name, page)  # what WCAG asks of graphics


@pytest.fixture
def browser(tmp_path):
    """A browser without network."""
    if BROWSER is None:
        pytest.skip("no Chromium or Chrome is installed, so that the page was not opened")
    pytest.importorskip("websockets", reason="without websockets no browser can be driven")
    with Browser(tmp_path) as opened:
        yield opened


def shown(browser, page):
    """Open a page and wait until its charts are drawn: before that what stands below them moves."""
    browser.open(page)
    browser.wait(lambda: browser.tell("document.documentElement.dataset.drawn") == "all")


def rows_of(browser, table):
    return browser.tell(f"[...document.querySelectorAll('#{table} tbody tr')].map((row) => row.cells[0].textContent)")


def sorted_by(browser, table):
    return browser.tell(
        f"[...document.querySelectorAll('#{table} [aria-sort]')].map((h) => [h.textContent, h.ariaSort])"
    )


def told(browser, name):
    return browser.tell(f"document.getElementById('{name}').textContent")


def test_a_browser_draws_every_chart(page, browser):
    shown(browser, page)
    for name in FIGURES:
        assert browser.tell(f"document.querySelectorAll('#chart-{name} svg [class^=mark-]').length"), name
    assert "could not be drawn" not in browser.tell("document.querySelector('main').textContent")
    assert browser.messages == []


def test_a_phone_shows_score_and_change_without_scrolling(page, browser):
    browser.send("Emulation.setDeviceMetricsOverride", width=390, height=800, deviceScaleFactor=1, mobile=True)
    browser.open(page)
    heads = "[...document.querySelectorAll('#leaders thead th')].filter((h) => h.offsetWidth).map((h) => h.textContent)"
    assert browser.tell(heads) == ["run", "score", "change"]
    assert browser.tell(
        "((table) => table.scrollWidth <= table.parentElement.clientWidth)(document.querySelector('#leaders'))"
    )
    assert browser.tell("document.documentElement.scrollWidth") <= 390


def test_a_script_that_came_into_the_page_does_not_run(page, browser):
    evil = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
    shown(browser, page.replace("<main>", f"<main>{evil}", 1))
    assert browser.tell("document.title").startswith("MAPLE")
    assert any("Content Security Policy" in message for message in browser.messages)


def test_a_click_on_a_head_sorts_the_leaderboard_and_the_next_one_turns_it(browser):
    shown(browser, page_of(scored=scores(GRID, by_rank)))
    assert sorted_by(browser, "leaders") == [["score", "descending"]]
    small = ["little · lora-r2-4bit", "little · lora-r2-16bit"]
    assert sorted(rows_of(browser, "leaders")[:2]) == sorted(small)
    browser.click("#leaders th:nth-child(3) button")
    assert sorted_by(browser, "leaders") == [["rank", "descending"]]
    assert all("r4" in name for name in rows_of(browser, "leaders")[:2])
    browser.click("#leaders th:nth-child(3) button")
    assert sorted_by(browser, "leaders") == [["rank", "ascending"]]
    names = rows_of(browser, "leaders")
    assert all("r2" in name for name in names[:2]) and names[-1] == "untouched base"


def test_by_keyboard_alone_a_language_and_a_task_are_chosen_and_a_column_sorted(browser):
    shown(browser, page_of(scored=scores(GRID, by_rank)))
    assert all("r2" in name for name in rows_of(browser, "leaders")[:2])
    browser.tab_to("#leaders-task")
    browser.type("xnli")
    browser.press("Tab")
    browser.type("Swahili")
    assert told(browser, "leaders-status").startswith("5 runs: accuracy of xnli, Swahili, 4 item scores per run")
    assert all("r4" in name for name in rows_of(browser, "leaders")[:2])
    browser.press("Tab")
    assert browser.tell("document.activeElement.id") == "leaders-search"
    browser.type("16bit")
    assert rows_of(browser, "leaders") == ["little · lora-r4-16bit", "little · lora-r2-16bit"]
    browser.tab_to("#leaders th:nth-child(1) button")
    browser.press("Enter")
    assert sorted_by(browser, "leaders") == [["run", "ascending"]]
    assert rows_of(browser, "leaders") == ["little · lora-r2-16bit", "little · lora-r4-16bit"]
    browser.press("Tab", modifiers=SHIFT, times=2)
    assert browser.tell("document.activeElement.id") == "leaders-search"


def test_a_group_has_its_interval_in_a_task_and_a_plain_mean_in_another_metric(browser):
    found = scores(GRID, by_rank)
    other = found.filter(task="xnli").with_columns(metric=pl.lit("rank_accuracy"))
    shown(browser, page_of(scored=pl.concat([found, other])))
    first = "document.querySelector('#leaders tbody tr').textContent"
    browser.tab_to("#leaders-scope")
    browser.type("High")
    assert "100.0" in browser.tell(first) and "no interval" not in browser.tell(first)
    browser.press("Tab", modifiers=SHIFT)
    browser.type("xnli: a")
    assert told(browser, "leaders-status").startswith("5 runs: accuracy of xnli, High-resource, 8 item scores per run")
    assert "+50.0" in browser.tell(first) and "no interval" not in browser.tell(first)
    browser.press("ArrowDown", times=2)
    assert "+50.0" in browser.tell(first) and "no interval" in browser.tell(first)
    assert "intervals only in headline metrics" in told(browser, "leaders-status")
    browser.press("Tab")
    browser.type("unseen")
    assert told(browser, "leaders-status").startswith("4 runs: rank_accuracy of xnli, unseen in finetuning, 4 item")


def test_a_press_on_a_group_hides_its_languages_in_the_heat_map(page, browser):
    def heads():
        return browser.tell("[...document.querySelectorAll('#heat thead tr:last-child th')].map((h) => h.textContent)")

    shown(browser, page)
    assert {"English", "العربية", "Swahili"} <= set(heads())
    browser.click("#scores .toggles button:nth-child(2)")
    assert "Swahili" not in heads() and "English" in heads()
    assert browser.tell("document.querySelector('#scores .toggles button:nth-child(2)').ariaPressed") == "false"
    browser.press(" ")
    assert "Swahili" in heads()


def test_arrow_keys_walk_the_heat_map_and_it_tells_each_cell(page, browser):
    shown(browser, page)
    browser.tab_to("#heat td")
    assert "toy · untouched base, All: 50.0 (" in told(browser, "heat-status")
    browser.press("ArrowDown")
    browser.press("ArrowRight")
    assert re.match(
        r"toy · little · lora-r2-4bit, English: 75.0 \(.* to .*\), change \+25.0 \(.*\), 8 item scores",
        told(browser, "heat-status"),
    )
    browser.tab_to("#held td")
    assert "2.000 before, 0.500 bits per byte after" in told(browser, "held-status")


def test_the_page_follows_the_colours_of_the_reader_and_prints_without_its_controls(page, browser):
    shown(browser, page)
    shade = "getComputedStyle(document.body).backgroundColor"
    contents = "getComputedStyle(document.querySelector('nav')).display !== 'none'"
    light = browser.tell(shade)
    browser.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    assert browser.tell(shade) != light and browser.tell(contents)
    browser.send("Emulation.setEmulatedMedia", media="print")
    assert browser.tell(shade) == "rgb(255, 255, 255)" and not browser.tell(contents)


def test_a_browser_shows_rows_of_the_chosen_dataset_and_language(browser):
    datasets = [a_dataset(output="One."), a_dataset("second", output="Two."), a_dataset("second", **ARABIC)]
    shown(browser, page_of(datasets=datasets))
    first = browser.tell("document.querySelector('#reader .sides').innerHTML")
    assert "Kept: 1 of 1,234" in first and "Dropped: 1 of 6" in first
    assert '<dd dir="auto" lang="en-Latn">One.</dd>' in first and "<b>refusal</b>" in first
    browser.tab_to("#reader-dataset")
    browser.type("second")
    browser.press("Tab")
    browser.press("ArrowDown")
    then = browser.tell("document.querySelector('#reader .sides').innerHTML")
    assert '<dd dir="auto" lang="ar-Arab">حجر 1.</dd>' in then and "One." not in then and "Two." not in then
    said = "document.querySelector('#reader dd[lang=ar-Arab]:last-of-type')"
    assert browser.tell(f"getComputedStyle({said}).direction") == "rtl"


def test_rows_that_hold_markup_run_nothing_in_a_browser(browser):
    browser.open(f"<title>MAPLE</title><script>{RUNS}")
    browser.wait(lambda: browser.tell("document.title") == "ran")
    evil = a_dataset(dataset=RUNS, name=RUNS, reason=RUNS, id=RUNS, instruction=RUNS, output=RUNS, completion=RUNS)
    model, tuned = Run.baseline(RUNS, ASKED), Run(RUNS, RUNS, RUNS, 1, "lora", {"rank": 2, "bits": 4}, ASKED)
    languages = [replace(LANGUAGES[0], name=RUNS), *LANGUAGES[1:]]
    shown(browser, page_of([model, tuned], languages, datasets=[evil]))
    assert browser.tell("document.title").startswith("MAPLE")
    assert browser.tell("document.images.length") == 0 and "<img" in browser.tell("document.body.textContent")


def test_a_change_is_significant_only_after_the_correction_over_all_runs_and_languages(browser):
    # Of a hundred items a base has 40 right, rank 2 has 46, rank 4 has 80: six more are beyond zero, but uncorrected.
    right = {run.method: {None: 40, 2: 46, 4: 80}[run.axis("rank")] for run in GRID}
    hundred = pl.DataFrame({"number": range(100)})
    found = scores(GRID).filter(item="0").join(hundred, how="cross")
    found = found.with_columns(
        item=pl.col("number").cast(pl.String),
        value=(pl.col("number") < pl.col("method").replace_strict(right)).cast(pl.Float64),
    )
    shown(browser, page_of(scored=found.select(SCORE_SCHEMA.keys())))
    browser.tab_to("#leaders-scope")
    browser.type("Swahili")
    lines = "[...document.querySelectorAll('#leaders tbody tr')].map((row) => [7, 8].map((at) => row.cells[at]))"
    cells = browser.tell(
        f"{lines}.map(([change, interval]) => [change.className, change.textContent, interval.dataset.v])"
    )
    assert [cell[:2] for cell in cells] == 2 * [["sure", "+40.0"]] + 2 * [["", "+6.0"]] + [["", "–"]]
    assert all(float(low) > 0 for _, _, low in cells[:4])


def test_a_study_without_thinking_has_no_columns_of_it(page):
    assert "thinking" not in page[page.index('id="issues"') :].split("</section>")[0]


def test_thinking_is_counted_and_what_is_unfinished_names_the_key_to_raise():
    thought = scores(GRID).with_columns(
        thinking=pl.lit(True),
        thinking_tokens=pl.lit(7, pl.Int32),
        unfinished_thinking=(pl.col("method") == "none") & (pl.col("item") == "0"),
    )
    page = page_of(scored=thought)
    assert "80 answers begin with a model's thinking, which is cut before they are read." in page
    # The baseline's first item in each of four cells.
    assert "<bdi>toy</bdi>, 4 are unfinished thinking without an answer and score 0" in page
    assert "raise <code>thinking_tokens</code> in <code>config/models/toy.yaml</code>" in page
    first = table(page, "Answer issues by task")[0]
    assert {"100.0", "7.0"} < set(first)


# Models without an untouched base, finetuned on one task and asked that task alone.
ENCODERS = [
    Run("bert", f"{task}-{rows}rows", f"pfeiffer-{factor}", 1, "pfeiffer", {"reduction": factor, "rows": rows}, (task,))
    for task in ASKED
    for rows in (250, 1000)
    for factor in (2, 16)
]


def by_rows(run, language):
    """More rows are better, and in Swahili a smaller reduction; a base has one right of four."""
    if run.is_baseline:
        return 1
    return (run.axis("rows") or 1000) // 1000 + (run.axis("reduction") == 2) + 1


@pytest.fixture(scope="module")
def encoders():
    return page_of(ENCODERS, scored=scores(ENCODERS, by_rows))


def test_runs_without_a_base_show_scores_and_no_changes(encoders):
    charts = columns_of(encoders)["charts"]
    assert {"axis-reduction-scores", "axis-rows-scores", "languages-scores", "shares-scores"} <= set(charts)
    assert not {"axis-reduction", "axis-rows", "languages", "shares"} & set(charts)
    assert Page(encoders).open == []
    heads = re.findall(r"<th [^>]*>([^<]*)", encoders[encoders.index('id="leaders"') :].split("</thead>")[0])
    assert heads == [
        "run",
        "model",
        "reduction",
        "rows",
        "rank set",
        "score",
        "95&nbsp;% interval",
        "corrected for chance",
    ]
    assert "· untouched base" not in Page(encoders).text() and '<option value="change">' not in encoders


def test_every_axis_of_the_grid_has_a_column_and_a_curve_over_its_numbers(encoders):
    found = columns_of(encoders)
    assert found["axes"] == ["reduction", "rows"] and found["runs"][1]["axes"] == [16, 250]
    curves = found["charts"]["axis-rows-scores"]["data"]["values"]
    # One series per task: the sizes of a dataset are points of one curve.
    assert {row["series"] for row in curves} == {"bert · xnli", "bert · xquad"}
    assert {(row["at"], row["line"], row["score"]) for row in curves if row.get("group") == "All languages"} == {
        (250, 2, 50.0), (250, 16, 25.0), (1000, 2, 75.0), (1000, 16, 50.0),
    }  # fmt: skip
    assert "Reduction, rows and trained share" in encoders and "Best dataset, reduction and rows" in encoders
    first = table(encoders, "Scores by run")[0]
    assert first[:4] == ["bert · xnli-250rows · pfeiffer-2", "2", "250", "50.0 0.0 to 100.0"]


def test_every_panel_of_a_curve_has_a_row_so_that_none_takes_the_place_of_another(encoders):
    # XQuAD has no low-resource language: its panel stays empty.
    rows = columns_of(encoders)["charts"]["axis-rows-scores"]["data"]["values"]
    assert {(row["series"], row["group"]) for row in rows} == {
        (series, group) for series in ("bert · xnli", "bert · xquad")
        for group in ("All languages", "High-resource", "Low-resource")
    }  # fmt: skip
    assert {"series": "bert · xquad", "group": "Low-resource"} in rows


def test_a_task_that_a_run_is_not_asked_is_not_missing_in_it(encoders):
    cells = table(encoders, "Missing cells")
    assert all(row[2].startswith("every run") for row in cells)
    lacking = scores(ENCODERS, by_rows).filter(
        (pl.col("dataset") != "xnli-250rows") | (pl.col("method") != "pfeiffer-2") | (pl.col("language") != "swh_Latn")
    )
    cells = table(page_of(ENCODERS, scored=lacking), "Missing cells")
    assert [row[2] for row in cells if row[1] == "Swahili"] == ["1 of 4 runs"]


def test_the_best_run_is_one_among_those_that_are_asked_the_same(encoders):
    best = encoders[encoders.index('<table class="best">') :].split("</table>")[0]
    text = " ".join(re.sub(r"<[^>]+>", " ", best).split())
    assert "bert asked xnli All languages xnli-1000rows 2 1000 75.0 3 of 3" in text
    assert "bert asked xquad All languages xquad-1000rows 2 1000 75.0 3 of 3" in text


def test_models_with_and_without_a_base_stand_in_charts_of_their_own():
    runs = [*GRID, *ENCODERS]
    page = page_of(runs, scored=scores(runs, by_rows))
    charts = columns_of(page)["charts"]
    assert {"axis-rank", "axis-bits", "axis-reduction-scores", "languages", "languages-scores"} <= set(charts)
    assert {row["series"] for row in charts["languages"]["data"]["values"]} == {"toy · little"}
    assert "among those that are asked the same tasks" in page


def test_an_axis_of_words_is_a_column_and_no_curve():
    runs = [replace(GRID[1], method=where, axes={"location": where}) for where in ("mlp", "attention")]
    page = page_of([BASE, *runs], given=[])
    assert not [name for name in columns_of(page)["charts"] if name.startswith("axis-")]
    assert table(page, "Changes by run")[0][1] == "mlp" and "so there is no curve to draw" in page


def test_an_axis_with_a_zero_has_a_plain_scale_and_one_without_other_axes_one_colour():
    runs = [replace(GRID[1], method=f"d{value}", axes={"dropout": value}) for value in (0, 0.5)]
    chart = columns_of(page_of([BASE, *runs]))["charts"]["axis-dropout"]
    x = chart["spec"]["layer"][1]["encoding"]["x"]
    assert x["scale"]["domain"] == [-0.03, 0.53] and "type" not in x["scale"]
    assert chart["spec"]["layer"][1]["encoding"]["color"] == {"value": "var(--series-1)"}


def test_the_leaderboard_sorts_each_set_of_tasks_by_itself(encoders, browser):
    shown(browser, encoders)
    heads = "[...document.querySelectorAll('#leaders tbody.asked')].map((body) => body.textContent)"
    bodies = (
        "[...document.querySelectorAll('#leaders tbody:not(.asked)')]"
        ".map((body) => [...body.rows].map((row) => row.cells[5].textContent))"
    )
    assert browser.tell(heads) == ["Asked xnli", "Asked xquad"]
    assert browser.tell(bodies) == 2 * [["75.0", "50.0", "50.0", "25.0"]]
    browser.click("#leaders th:nth-child(6) button")
    assert browser.tell(bodies) == 2 * [["25.0", "50.0", "50.0", "75.0"]]
    browser.tab_to("#leaders-task")
    browser.type("xnli")
    assert browser.tell(heads) == ["Asked xnli"]
    assert told(browser, "leaders-status").startswith("4 runs: accuracy of xnli") and browser.messages == []


def test_the_heat_map_walks_past_the_heads_of_the_sets(encoders, browser):
    shown(browser, encoders)
    assert browser.tell("[...document.querySelectorAll('#heat tbody.asked')].map((body) => body.textContent)") == [
        "Asked xnli", "Asked xquad",
    ]  # fmt: skip
    browser.tab_to("#heat td")
    browser.press("ArrowDown", times=4)
    assert told(browser, "heat-status").startswith("bert · xquad-250rows · pfeiffer-2, All: 50.0")


def test_of_a_metric_that_is_better_when_lower_the_lowest_score_leads_and_a_fall_is_a_gain(browser):
    # The finetuned runs are right on three of four items, the base on two: its error is the larger one.
    found = scores(GRID)
    error = found.filter(task="xnli").with_columns(metric=pl.lit("brier"), value=1 - pl.col("value"))
    tasks = TASKS | {"xnli": TASKS["xnli"].changed(metrics=["accuracy", "brier"], lower_is_better=["brier"])}
    shown(browser, page_of(scored=pl.concat([found, error]), tasks=tasks))
    names = rows_of(browser, "leaders")
    assert names[-1] == "untouched base"
    browser.tab_to("#leaders-task")
    browser.press("ArrowDown", times=3)
    assert "brier of xnli" in told(browser, "leaders-status") and "lower is better" in told(browser, "leaders-status")
    assert sorted_by(browser, "leaders") == [["score", "ascending"]]
    assert rows_of(browser, "leaders")[-1] == "untouched base"
    for control, place in (("heat-mode", 1), ("heat-task", 3)):
        browser.tell(
            f"(() => {{const one = document.getElementById('{control}'); one.selectedIndex = {place};"
            " one.dispatchEvent(new Event('change'));})()"
        )
    assert "lower is better" in told(browser, "heat-scale")
    cells = "[...document.querySelectorAll('#heat tbody tr:last-child td')].map((cell) => cell.className.split(' ')[0])"
    assert "down" not in browser.tell(cells)


def test_a_rise_of_a_share_is_no_gain_on_the_page(browser):
    found = scores(GRID)
    share = found.filter(task="xnli").with_columns(metric=pl.lit("yes_rate"))
    tasks = TASKS | {"xnli": TASKS["xnli"].changed(metrics=["accuracy", "yes_rate"])}
    shown(browser, page_of(scored=pl.concat([found, share]), tasks=tasks))
    for control, place in (("heat-mode", 1), ("heat-task", 3)):
        browser.tell(
            f"(() => {{const one = document.getElementById('{control}'); one.selectedIndex = {place};"
            " one.dispatchEvent(new Event('change'));})()"
        )
    said = told(browser, "heat-scale")
    assert said.startswith("Blue is a rise, orange a fall") and "neither more nor less is better" in said


def test_rates_signatures_and_ceilings_of_translations_are_shown_only_if_there_are_some():
    assert "off target" not in page_of() and "The most that a tokenizer allows" not in page_of()
    counted = {"signature": "nrefs:1|tok:13a|version:2.6.0", "copied": True, "off_target": False, "repeated": False}
    lengths = {"characters": 30, "reference_characters": 20.0}
    translated = scores(GRID).with_columns(
        pl.lit(value).cast(SCORE_SCHEMA[name]).alias(name) for name, value in (counted | lengths).items()
    )
    rows = [("toy", "xnli", "arb_Arab", "arb_Arab", 4, 0.25, metric, 0.765, "") for metric in CEILING_METRICS]
    page = page_of(scored=translated, ceilings=pl.DataFrame(rows, CEILING_SCHEMA, orient="row"))
    for text in ("copied, %", "off target, %", "repeated, %", "length ratio", "1.50", "nrefs:1|tok:13a|version:2.6.0"):
        assert text in page
    assert "76.5" in page.partition("The most that a tokenizer allows")[2].partition("</table>")[0]


@pytest.fixture(scope="module")
def grey(tmp_path_factory):
    """A grey picture as the page has it."""
    file = tmp_path_factory.mktemp("album") / "grey.png"
    return data_uri(Picture(str(file), sha256(painted(file, "grey")).hexdigest()), "here")


def an_item(picture, language="eng_Latn", question="What is it?", **answers):
    given = [GivenAnswer(text=text, mark=mark) for text, mark in answers.items()]
    row = ItemInLanguage(language=language, question=question, gold=["grey"], answers=[*given, None][:2])
    return PicturedItem(item="1", pictures=[picture], languages=[row])


def pictured_page(*items, left_out=0):
    runs = [BASE.path, GRID[1].path]
    task = PicturedAnswers(task="looks", headline="accuracy", runs=runs, items=list(items), left_out=left_out)
    return page_of(pictured=[task])


def test_an_item_stands_beside_its_picture_with_words_for_right_and_wrong(grey):
    html = pictured_page(an_item(grey, grey="right", red="wrong"), left_out=2)
    parsed = Page(html)
    assert parsed.open == [] and '<a href="#pictures">' in html
    (picture,) = [attributes for tag, attributes in parsed.elements if tag == "img"]
    assert picture == {"src": grey, "alt": "What is it?"}
    text = " ".join(parsed.text().split())
    assert "looks 1 item" in text and "English What is it? grey grey right red wrong" in text
    assert "toy · untouched base toy · little · lora-r2-4bit" in text
    assert "2 more sampled items are left out, since the pictures of this page would have more than 3 MB." in text


def test_questions_and_answers_about_pictures_stay_text(grey):
    html = pictured_page(an_item(grey, question=EVIL, **{EVIL: "wrong"}))
    parsed = Page(html)
    assert parsed.open == [] and "</script><b>" not in html
    assert [attributes["alt"] for tag, attributes in parsed.elements if tag == "img"] == [EVIL]
    assert not [attributes for _, attributes in parsed.elements if "onerror" in attributes]


def test_a_question_in_arabic_has_its_language_and_runs_from_right_to_left(grey, browser):
    shown(browser, pictured_page(an_item(grey, "arb_Arab", "ما هذا؟", رمادي="right")))
    asked = "document.querySelector('table.pictured td.asked div')"
    assert browser.tell(f"{asked}.lang") == "ar-Arab" and browser.tell(f"{asked}.dir") == "auto"
    assert browser.tell(f"getComputedStyle({asked}).direction") == "rtl"
    image = "document.querySelector('table.pictured img')"
    assert browser.tell(f"{image}.naturalWidth") == 16 and browser.messages == []


def test_a_study_without_pictures_has_no_section_of_them_and_no_style(page):
    assert "pictured" not in page and 'id="pictures"' not in page


def test_seeds_are_one_row_of_the_leaderboard_and_stand_by_themselves_if_asked_for(browser):
    runs = [run if run.is_baseline else replace(run, seed=seed) for run in GRID[:2] for seed in (1, 2)][1:]
    shown(browser, page_of(runs))
    (name,) = {f"{run.dataset} · {run.method}" for run in runs if not run.is_baseline}
    assert sorted(rows_of(browser, "leaders")) == sorted([name, "untouched base"])
    browser.click("#leaders-single")
    assert sorted(rows_of(browser, "leaders")) == sorted([name, f"{name}, seed 1", f"{name}, seed 2", "untouched base"])
    # In one language of one task the mean has no interval of its own.
    browser.tab_to("#leaders-task")
    browser.type("xnli")
    assert sorted(rows_of(browser, "leaders"))[0] == name and browser.messages == []
