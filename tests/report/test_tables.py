import re
from dataclasses import replace

import polars as pl
import pytest
from toy_domains import BASE as BASE_OF_DOMAINS
from toy_domains import TASKS as DOMAIN_TASKS
from toy_domains import gains, learnt
from toy_questions import SETTINGS, scores_of
from toy_scores import BASE, LORA, TASKS, language, scored, summary_of

from maple.analysis.domain_scores import domain_scores
from maple.analysis.item_scores import item_scores
from maple.analysis.questions.evidence import Evidence
from maple.analysis.summary import summarize
from maple.definitions.language import read_languages
from maple.definitions.question import Reference
from maple.report.tables import domain_table, latex, markdown, markdown_table, short_names, tables, write_tables

LANGUAGES = [
    language("eng_Latn", "5", iso639_1="en"),
    language("swh_Latn", "2", iso639_1="sw"),
    language("yor_Latn", "2", iso639_1="yo"),
]
OTHER = replace(BASE, model="a_b&c")
# The base has 25 in English and 50 in Swahili; the finetuned run 75 and 25, and 100 in Yoruba, which the base lacks.
SUMMARY = summary_of(
    scored(BASE, [1, 0, 0, 0]),
    scored(BASE, [1, 1, 0, 0], language="swh_Latn"),
    scored(LORA, [1, 1, 1, 0]),
    scored(LORA, [1, 0, 0, 0], language="swh_Latn"),
    scored(LORA, [1, 1, 1, 1], language="yor_Latn"),
)


def of(summary, runs=(BASE, LORA)):
    return tables(summary, runs, TASKS, LANGUAGES, (0, 1, 2))


def test_a_row_is_a_run_and_a_column_a_language_in_points():
    table = of(SUMMARY)["xnli"]
    assert table.heads[:3] == ["en", "sw", "yo"]
    assert table.rows[0] == (["toy", "–", "untouched"], ["25.0", "50.0", "–", "50.0", "25.0", "37.5"])
    assert table.rows[1] == (["toy", "little", "lora-r2-4bit"], ["75.0", "25.0", "100.0", "25.0", "75.0", "50.0"])


def test_means_are_over_languages_that_every_run_has():
    table = of(SUMMARY)["xnli"]
    assert table.heads[3:] == ["low", "high", "mean"]
    assert "low of 1, high of 1, mean of 2" in table.caption
    own = SUMMARY.filter(task="xnli", language="all")["mean"].to_list()
    assert [cells[-1] for _, cells in table.rows] == [f"{100 * mean:.1f}" for mean in own]


def test_the_best_of_a_column_is_bold_and_of_equals_none():
    text = markdown(of(SUMMARY)["xnli"])
    assert re.findall(r"\*\*([\d.]+)\*\*", text) == ["50.0", "50.0", "75.0", "75.0", "50.0"]
    alike = summary_of(scored(BASE, [1, 0]), scored(LORA, [0, 1]))
    assert "**" not in markdown(of(alike)["xnli"])


def test_the_columns_of_markdown_stand_under_one_another():
    _, table = markdown(of(SUMMARY)["xnli"]).split("\n\n")
    bars = [[at for at, letter in enumerate(line) if letter == "|"] for line in table.splitlines()]
    assert len(bars) == 4 and all(line == bars[0] for line in bars)
    assert markdown_table(["a", "b"], [["x", "1.5"]], left=1) == "| a   |   b |\n| --- | --: |\n| x   | 1.5 |\n"


def test_latex_is_escaped_and_every_line_has_a_cell_per_column():
    found = summarize(item_scores(scored(OTHER, [1, 0]), [OTHER], TASKS))
    text = latex(of(found, [OTHER])["xnli"])
    assert r"a\_b\&c & -- & untouched & 50.0" in text and r"95 \% intervals" in text
    body = [line for line in text.splitlines() if line.endswith(r"\\")]
    bare = [line.replace(r"\&", "") for line in body]
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
    assert len(body) == 2 and all(line.count("&") == len(columns) - 1 for line in bare)


def test_latex_opens_and_closes_the_same_environments_and_braces():
    for table in of(SUMMARY).values():
        text = latex(table)
        opened, closed = (re.findall(rf"\\{word}\{{(\w+\*?)\}}", text) for word in ("begin", "end"))
        assert opened == closed[::-1] == ["table*", "tabular"]
        bare = re.sub(r"\\[{}]", "", text)
        assert bare.count("{") == bare.count("}")


def test_base_models_are_parted_by_a_line():
    runs = (BASE, OTHER, LORA)
    found = summarize(item_scores(pl.concat(scored(run, [1, 0]) for run in runs), runs, TASKS))
    table = of(found, runs)["xnli"]
    assert [names[0] for names, _ in table.rows] == ["toy", "toy", "a_b&c"] and table.groups == [2, 1]
    assert latex(table).count(r"\midrule") == 2


def test_the_table_over_all_has_a_column_per_task():
    both = summary_of(
        *(scored(run, [1, 0]) for run in (BASE, LORA)),
        scored(BASE, [1, 1], "xquad", metric="f1"),
        scored(LORA, [0, 0], "xquad", metric="f1"),
    )
    table = of(both)["all"]
    assert table.heads == ["xnli", "xquad", "mean"]
    assert [cells for _, cells in table.rows] == [["50.0", "100.0", "75.0"], ["50.0", "0.0", "25.0"]]


def test_a_seed_has_a_column_where_runs_differ_by_it():
    other = replace(LORA, seed=2)
    runs = (BASE, LORA, other)
    found = summarize(item_scores(pl.concat(scored(run, [1, 0]) for run in runs), runs, TASKS))
    assert of(found, runs)["xnli"].names == ["model", "dataset", "method", "seed"]
    assert of(SUMMARY)["xnli"].names == ["model", "dataset", "method"]


def test_an_axis_has_a_column_where_runs_differ_by_it():
    runs = (BASE, LORA, replace(LORA, method="lora-r4-4bit", axes={"rank": 4, "bits": 4}))
    found = summarize(item_scores(pl.concat(scored(run, [1, 0]) for run in runs), runs, TASKS))
    table = of(found, runs)["xnli"]
    assert table.names == ["model", "dataset", "method", "rank"]
    assert [names[-1] for names, _ in table.rows] == ["–", "2", "4"]


def test_only_runs_that_are_asked_the_same_tasks_have_a_best_in_common():
    # The runs on XNLI alone have 75 and 50; the base, which is asked XQuAD too, has 100 and is compared with none.
    one, other = (replace(LORA, method=name, tasks=("xnli",)) for name in ("lora-r2-4bit", "lora-r4-4bit"))
    runs, right = (BASE, one, other), ([1, 1, 1, 1], [1, 1, 1, 0], [1, 1, 0, 0])
    frames = [scored(run, values) for run, values in zip(runs, right, strict=True)]
    frames.append(scored(BASE, [1, 0], "xquad", metric="f1"))
    found = of(summarize(item_scores(pl.concat(frames), runs, TASKS)), runs)
    table = found["all"]
    assert table.names[0] == "asked" and [names[0] for names, _ in table.rows] == ["xnli, xquad", "xnli", "xnli"]
    assert [cells for _, cells in table.rows] == [
        ["100.0", "50.0", "75.0"],
        ["75.0", "–", "75.0"],
        ["50.0", "–", "50.0"],
    ]
    assert re.findall(r"\*\*([\d.]+)\*\*", markdown(table)) == ["75.0", "75.0"] and table.groups == [1, 2]
    assert len(found["xnli"].rows) == 3 and len(found["xquad"].rows) == 1


def test_two_languages_that_share_a_short_name_are_called_by_their_codes():
    names = short_names(read_languages("config/languages.tsv").values())
    assert (names["swh_Latn"], names["zho_Hans"], names["zho_Hant"]) == ("sw", "zho_Hans", "zho_Hant")


@pytest.mark.parametrize("suffix", [".tex", ".md"])
def test_a_table_is_written_in_the_format_that_its_file_names(tmp_path, suffix):
    write_tables(of(SUMMARY), [tmp_path / f"xnli{suffix}"])
    assert ("tabular" in (tmp_path / f"xnli{suffix}").read_text()) == (suffix == ".tex")


def test_the_best_of_a_column_of_correlations_below_zero_is_the_largest():
    tasks = {"xnli": TASKS["xnli"].changed(metrics=["mcc"], headline="mcc")}
    frames = [scored(run, [value] * 2, metric="mcc") for run, value in ((BASE, -0.2), (LORA, -0.1))]
    summary = summarize(item_scores(pl.concat(frames), [BASE, LORA], tasks))
    table = tables(summary, [BASE, LORA], tasks, LANGUAGES, (0, 1, 2))["xnli"]
    assert table.best[0][0] == "−10.0"


def test_the_table_of_domains_has_a_row_per_run_and_domain_and_a_column_per_domain_of_test():
    runs = [
        BASE_OF_DOMAINS,
        *(learnt(method, domain) for domain in ("news", "bible") for method in ("full", "houlsby")),
    ]
    cells = [(task, "swh_Latn") for task in DOMAIN_TASKS]
    scores = scores_of(runs, cells, gains(inside=10, outside=-2), tasks=DOMAIN_TASKS)
    table = domain_table(domain_scores(Evidence(scores, LANGUAGES, SETTINGS, {}), Reference(method="full")))
    assert table.names == ["model", "method", "learnt"] and sorted(table.heads) == ["bible", "health", "news"]
    shown = {tuple(names): dict(zip(table.heads, cells, strict=True)) for names, cells in table.rows}
    assert shown["toy", "houlsby", "news"] == {"news": "60.0", "bible": "48.0", "health": "48.0"}
    assert shown["toy", "untouched", "–"] == {"news": "50.0", "bible": "50.0", "health": "50.0"}
    assert "**60.0**" in markdown(table) and "48.0" in latex(table)
