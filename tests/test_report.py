import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import polars as pl
import pytest

from maple.report import report
from maple.scoring import SCORE_SCHEMA
from maple.summary import item_scores, language_groups, summarize, summarize_groups

BASE = {"model": "toy", "dataset": "none", "method": "none", "seed": 0, "family": "none", "rank": None, "bits": None}
GRID = [
    BASE,
    *(
        {
            "model": "toy",
            "dataset": "little",
            "method": f"lora-r{rank}-{bits}bit",
            "seed": 1,
            "family": "lora",
            "rank": rank,
            "bits": bits,
        }
        for rank in (2, 4)
        for bits in (4, 16)
    ),
]
LANGUAGES = [
    {"code": "eng_Latn", "name": "English", "script": "Latn", "family": "Indo-European", "joshi_class": "5"},
    {"code": "arb_Arab", "name": "العربية", "script": "Arab", "family": "Afro-Asiatic", "joshi_class": "5"},
    {"code": "swh_Latn", "name": "Swahili", "script": "Latn", "family": "Atlantic-Congo", "joshi_class": "2"},
    {"code": "xxx_Latn", "name": "Unlisted", "script": "Latn", "family": "unknown", "joshi_class": "unknown"},
]
TASKS = {
    "xnli": {
        "metrics": ["accuracy"],
        "headline": "accuracy",
        "chance": 0.3333,
        "languages": ["eng_Latn", "arb_Arab", "swh_Latn", "xxx_Latn"],
    },
    "xquad": {"metrics": ["f1"], "headline": "f1", "chance": None, "languages": ["eng_Latn", "arb_Arab"]},
}
QUALITY = pl.DataFrame(
    [("xnli", "arb_Arab", 5, 2, 1, ["no label"]), ("xnli", "eng_Latn", 4, 0, 0, [])],
    schema=["task", "language", "rows", "repaired", "faulty", "reasons"],
    orient="row",
)
EVIL = "</script><b>evil</b><img src=x onerror=alert(1)>"
# What runs if it stands as markup anywhere: the title of the page would say so.
RUNS = "</script><script>document.title='ran'</script><img src=x onerror=document.title='ran'>"


def a_set(dataset="little", code="eng_Latn", name="English", lang="en-Latn", reason="refusal", **texts):
    """1,240 rows of a dataset in one language, of which one was cut off and five dropped for a reason."""
    row = {
        "reason": "",
        "id": f"{code}-0",
        "instruction": "Name it.",
        "input": "",
        "output": "A stone.",
        "completion": "",
    }
    row |= texts
    length = {"rows": 1234, "five": [1, 2, 3, 4, 50]}
    return {
        "dataset": dataset, "code": code, "name": name, "lang": lang, "recipe": "self_instruct", "teacher": "parrot",
        "made": 1240, "kept": 1234, "faults": {"cut off": 1}, "dropped": {reason: 5}, "overlapping": {},
        "lengths": {"instruction": length, "input": {"rows": 0, "five": None}, "output": length},
        "mixture": {"learnt": 1000, "words": 9000, "held_out": 100},
        "cost": {"answers": 70, "failures": 0, "prompt_tokens": 12345, "completion_tokens": 67890, "usd": 1.5},
        "kept_rows": [row], "dropped_rows": [{**row, "id": f"{code}-1", "reason": reason}],
    }  # fmt: skip


ARABIC = {"code": "arb_Arab", "name": "العربية", "lang": "ar-Arab", "output": "حجر 1."}
SETS = [a_set(), a_set(**ARABIC)]


def scores(runs):
    """Every run is right on its first items: a base on two of four, the others on three."""
    cells = [("xnli", language["code"], "accuracy") for language in LANGUAGES[:3]] + [("xquad", "eng_Latn", "f1")]
    rows = [
        (
            *(run[name] for name in ("model", "dataset", "method", "seed")), task, language, str(item), metric,
            float(item < (2 if run["method"] == "none" else 3)), True, "x", False, None, "stop", 10, 2, 1.5, 0, 0,
        )
        for run in runs for task, language, metric in cells for item in range(4)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=SCORE_SCHEMA, orient="row")


def cards(runs):
    found = []
    for run in runs:
        key = {name: run[name] for name in ("model", "dataset", "method", "seed")}
        found.append({"stage": "generate", "run": key, "engine": "transformers 5", "seconds": 3.5, "computed": 16})
        if run["method"] != "none":
            loss = [{"step": step, "loss": 1 / step} for step in (1, 2, 3)]
            found.append({"stage": "finetune", "run": key, "loss": loss, "trainable_share": 0.01, "seconds": 2.0})
            way = {"kl": 1e-5, "worst_kl": 2e-5, "worst_language": "arb_Arab", "agreement": 0.995}
            way |= {"bits_per_byte_change": -0.002, "largest_logit_difference": 0.06}
            ways = {"untouched": way | {"kl": 3.0}, "original": way}
            found.append({"stage": "merge", "run": key, "into": "original", "bound": 1e-3, "tokens": 436, "ways": ways})
    return found


LOW = [0, 1, 2]


def page_of(runs=GRID, languages=LANGUAGES, given=None, sets=SETS, note="A toy.", quality=QUALITY, scored=None):
    found = item_scores(scores(runs) if scored is None else scored, runs, TASKS)
    summary, groups = summarize(found), summarize_groups(found, language_groups(languages, LOW, {}))
    given = cards(runs) if given is None else given
    return report(summary, groups, languages, LOW, TASKS, runs, given, sets, quality, note)


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


def drawn_on(page):
    """The data of a page's charts, by name."""
    return json.loads([data for path, data in Page(page).texts if "script" in path and data.startswith("{")][-1])


@pytest.fixture(scope="module")
def page():
    return page_of()


def test_the_page_is_closed_html_with_every_section(page):
    parsed = Page(page)
    assert parsed.open == []
    ids = {attributes["id"] for _, attributes in parsed.elements if "id" in attributes}
    assert {"glance", "scores", "changes", "capacity", "coverage", "quirks", "data", "losses", "cards"} <= ids
    assert {f"chart-{name}" for name in ("rank", "bits", "languages", "shares", "losses")} <= ids
    targets = {attributes["href"].lstrip("#") for tag, attributes in parsed.elements if tag == "a"}
    assert targets <= ids


def test_the_page_loads_nothing(page):
    for tag, attributes in Page(page).elements:
        assert tag not in ("link", "img", "iframe", "object")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")
    assert "@import" not in page and "url(" not in re.sub(r"<script>.*?</script>", "", page, flags=re.S)
    assert "default-src 'none'" in page
    assert len(page.encode()) < 3e6


def test_the_note_and_the_best_run_are_told_first(page):
    text = " ".join(Page(page).text().split())
    assert text.index("A toy.") < text.index("At a glance") < text.index("Best run") < text.index("75.0")
    assert "+25.0" in text and "Of 4 runs" in text


def test_text_from_models_and_data_stays_text():
    model = BASE | {"model": EVIL}
    tuned = model | {"dataset": EVIL, "method": EVIL, "seed": 1, "family": "lora", "rank": 2, "bits": 4}
    languages = [{**LANGUAGES[0], "name": EVIL}, *LANGUAGES[1:]]
    sets = [a_set(dataset=EVIL, name=EVIL, reason=EVIL, instruction=EVIL, completion=EVIL) | {"teacher": EVIL}]
    given = [card | {"engine": EVIL, "versions": {"torch": EVIL}} for card in cards([model, tuned])]
    page = page_of([model, tuned], languages, given, sets, note=EVIL)
    parsed = Page(page)
    assert parsed.open == []
    assert not [attributes for tag, attributes in parsed.elements if tag == "img" or "onerror" in attributes]
    assert "</script><b>" not in page
    assert parsed.text().count("<b>evil</b>") > 10
    blocks = [data for path, data in parsed.texts if "script" in path and data.startswith("{")]
    assert len(blocks) == 2
    assert all(EVIL in json.dumps(json.loads(block), ensure_ascii=False) for block in blocks)


def test_a_name_written_from_right_to_left_is_isolated(page):
    around = [path for path, data in Page(page).texts if "العربية" in data and "script" not in path]
    assert around and all(path[-1] == "bdi" for path in around)


def test_a_missing_cell_says_why(page):
    text = " ".join(Page(page).text().split())
    assert "xquad is not offered in Swahili , Unlisted" in text
    assert "xquad is offered, but has no items here, in العربية" in text
    assert "xnli is offered, but has no items here, in Unlisted" in text


def test_every_table_has_a_caption_and_every_row_a_head(page):
    tables = re.findall(r"<table.*?</table>", page.split("<script")[0], flags=re.S)
    assert len(tables) >= 7
    for table in tables:
        assert "<caption>" in table
        for line in re.findall(r"<tr.*?</tr>", table.split("<tbody>")[1], flags=re.S):
            assert re.search(r'<th scope="row(group)?"', line), line


def test_repaired_and_faulty_rows_of_benchmarks_are_told(page):
    table = page[page.index("Faulty and repaired rows") :]
    line = re.sub(r"<[^>]+>", " ", table[table.index("<tbody>") : table.index("</tbody>")]).split()
    assert line == ["xnli", "العربية", "5", "2", "1", "no", "label"]


def test_quirks_say_what_cannot_be_said(page):
    table = page[page.index("Quirks by language") :]
    start = table.index("<tbody>")
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", table[start : table.index("</tr>", start)])
    # Neither two nor three right of four, of three choices, lie above chance for sure.
    assert cells == ["0.0", "0.0", "0.0", "–", "0.0", "0.0", "100.0", "0.0", "0.0", "10.0", "2.0", "1.5"]


def test_the_rows_of_a_dataset_are_counted_from_made_to_learnt_and_paid(page):
    table = page[page.index("Rows of little") :]
    heads, body = table.split("<tbody>")[:2]
    columns = re.findall(r'<th scope="col"[^>]*><bdi>([^<]*)</bdi>', heads)
    lines = [re.findall(r"<td>([^<]*)</td>", line) for line in body.split("</tbody>")[0].split("</tr>")]
    assert dict(zip(columns, lines[1], strict=True)) == {
        "made": "1,240", "kept": "1,234", "cut off": "1", "refusal": "5", "learnt": "1,000", "words learnt": "9,000",
        "held out": "100", "answered": "70", "failed": "–", "tokens in": "12,345", "tokens out": "67,890",
        "USD": "1.50",
    }  # fmt: skip
    assert dict(zip(columns, lines[0], strict=True))["USD"] == "3.00"
    assert re.search(r"</b>: 2,468 rows kept of 2,480 .*parrot.* 3.00 USD", page)


def test_lengths_are_told_in_numbers_and_drawn(page):
    table = page[page.index("Lengths in little") :]
    cells = re.findall(r"<td.*?</td>", table[table.index("<tbody>") : table.index("</tr>", table.index("<tbody>"))])
    assert re.search(r"--e:100\"></i>3 <small>2–4, 1–50</small>", cells[0]) and "–</td>" in cells[1]


def test_a_method_without_a_rank_stands_in_the_tables_and_in_no_curve():
    plain = {**GRID[1], "method": "ia3-4bit", "family": "ia3", "rank": None}
    page = page_of([*GRID, plain])
    assert "ia3-4bit" in Page(page).text()
    charts = drawn_on(page)
    assert "ia3" not in json.dumps(charts["rank"]) and "ia3" in json.dumps(charts["shares"])
    assert charts["losses"]["spec"]["encoding"]["color"]["scale"]["domain"] == [2, 4, "none"]


def test_methods_are_not_joined_by_a_line():
    other = [{**run, "method": f"dora-r{run['rank']}-4bit", "family": "dora"} for run in GRID if run["bits"] == 4]
    series = {row["series"] for row in drawn_on(page_of([*GRID, *other]))["rank"]["data"]["values"]}
    assert series == {"toy · little · lora", "toy · little · dora"}


def test_each_run_tells_how_far_every_way_to_merge_is_from_what_was_trained(page):
    assert "merged within 2e-05 of 0.001 nats a token" in page
    table = page[page.index("Ways to merge") :]
    body = re.sub(r"<[^>]+>", " ", table[table.index("<tbody>") : table.index("</tbody>")])
    lines = [line.split() for line in body.splitlines() if line.strip()]
    assert [line[-6:] for line in lines] == [
        ["1e-05", "2e-05", "العربية", "99.5", "-0.002", "0.06"],
        ["3", "2e-05", "العربية", "99.5", "-0.002", "0.06"],
    ]
    assert table.index("<b>folded into the original weights</b>") < table.index("left out")


def test_the_page_stands_without_cards_data_and_finetuned_runs():
    page = page_of([BASE], given=[], sets=[])
    parsed = Page(page)
    assert parsed.open == [] and "vegaEmbed" not in page and "reader" not in page
    ids = {attributes["id"] for _, attributes in parsed.elements if "id" in attributes}
    assert {"glance", "coverage"} <= ids and not {"cards", "data", "losses"} & ids


def test_the_page_stands_without_a_cell_that_all_runs_have():
    runs = GRID[:2]
    scored = scores(runs).filter((pl.col("method") == "none") == (pl.col("task") == "xnli"))
    page = page_of(runs, given=[], scored=scored)
    assert "the runs cannot be compared" in page and Page(page).open == []


@pytest.fixture
def drawn(tmp_path):
    """What a browser without network makes of a page: its document after scripts ran."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no Chromium or Chrome is installed, so that the page was not drawn")

    def document(page):
        (tmp_path / "report.html").write_text(page, encoding="utf-8")
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000", "--dump-dom",
            (tmp_path / "report.html").as_uri(),
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    return document


def test_a_browser_without_network_draws_every_chart(page, drawn):
    dom = drawn(page)
    assert "could not be drawn" not in dom.split('<script type="application/json"')[0]
    for name in ("rank", "bits", "languages", "shares", "losses"):
        figure = re.search(rf'id="chart-{name}".*?</figure>', dom, flags=re.S).group(0)
        assert "<svg" in figure and 'class="mark-' in figure, name


def reader(dom):
    return dom[dom.index('<div id="reader"') : dom.index("</section>", dom.index('<div id="reader"'))]


def test_a_browser_shows_rows_of_the_chosen_dataset_and_language(drawn):
    sets = [a_set(output="One."), a_set("second", output="Two."), a_set("second", **ARABIC)]
    choose = """<script>for (const [name, value] of [["dataset", "second"], ["language", "arb_Arab"]]) {
      const list = document.getElementById(`reader-${name}`);
      list.value = value;
      list.dispatchEvent(new Event("change"));
    }</script>"""
    page = page_of(sets=sets)
    first = reader(drawn(page))
    assert "hidden" not in first.split(">")[0] and "Kept: 1 of 1,234" in first and "Dropped: 1 of 6" in first
    assert '<dd dir="auto" lang="en-Latn">One.</dd>' in first and "<b>refusal</b>" in first
    then = reader(drawn(choose.join(page.rsplit("</body>", 1))))
    assert '<dd dir="auto" lang="ar-Arab">حجر 1.</dd>' in then and "One." not in then and "Two." not in then


def test_rows_that_hold_markup_run_nothing_in_a_browser(drawn):
    assert "<title>ran" in drawn(f"<title>MAPLE</title><script>{RUNS}")
    evil = a_set(dataset=RUNS, name=RUNS, reason=RUNS, id=RUNS, instruction=RUNS, output=RUNS, completion=RUNS)
    dom = drawn(page_of(sets=[evil]))
    assert "<title>MAPLE" in dom and "<title>ran" not in dom
    assert "<img" not in reader(dom) and reader(dom).count("&lt;img") > 2 * 4
