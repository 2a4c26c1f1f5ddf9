import gzip
import json

import polars as pl
import pyarrow as pa
import pytest
import yaml
from project import ROOT

from maple.data.row_files import SourceError, read_file
from maple.data.sources import RowFolders, read_rows, resolve
from maple.definitions.language import LanguageIdentity
from maple.definitions.reading import parse
from maple.definitions.rows import RowForm
from maple.definitions.task import LocalRows
from maple.study.checks import check_places

SWAHILI = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
HAUSA = LanguageIdentity("hau_Latn", "Hausa", "ha", "Latn")


def written(folder, name, content):
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return folder / name


def rows_of(folder, language=SWAHILI, split="test", limit=None, **source):
    local = LocalRows.model_validate({"path": "{data}/rows.jsonl", "languages": "all", **source})
    return read_rows(resolve(local, language, RowFolders(str(folder), "hub"), split), limit=limit)


@pytest.mark.parametrize("ending", ["ZST", "zst"])
def test_zstandard_reads_as_gzip_does(tmp_path, ending):
    packed = pa.compress(b'{"text": "Jua."}\n', codec="zstd", asbytes=True)
    assert read_file(written(tmp_path, f"rows.jsonl.{ending}", packed)) == [{"text": "Jua."}]
    with pytest.raises(SourceError, match=r"could not be read .Truncated"):
        read_file(written(tmp_path, "cut.jsonl.zst", packed[:-6]))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.json", '[["Jua.", 1], ["Mvua.", 2]]'),
        ("rows.jsonl", '["Jua.", 1]\n["Mvua.", 2]\n'),
        ("rows.JSON", '\ufeff[["Jua.", 1],\n["Mvua.", 2]]'),
    ],
)
def test_rows_that_are_arrays_have_names_by_head_or_by_place(tmp_path, name, content):
    path = written(tmp_path, name, content)
    assert read_file(path) == [{"0": "Jua.", "1": 1}, {"0": "Mvua.", "1": 2}]
    assert read_file(path, form=RowForm(head=["text", "label"]))[1] == {"text": "Mvua.", "label": 2}
    with pytest.raises(SourceError, match="has 2 values, and `head` of the source 1 names"):
        read_file(path, form=RowForm(head=["text"]))


SQUAD = {
    "version": "1.1",
    "data": [
        {"id": "a", "title": "Nile", "paragraphs": [{"context": "It flows.", "qas": [{"id": "1"}, {"id": "2"}]}]},
        {"id": "b", "title": "Niger", "paragraphs": [{"context": "It bends.", "qas": [{"id": "3"}]}]},
    ],
}


def test_the_rows_within_a_document_have_the_fields_around_them(tmp_path):
    written(tmp_path, "rows.json", json.dumps(SQUAD, indent=1))
    path = {"path": "{data}/rows.json", "rows": "data.*.paragraphs.*.qas.*"}
    rows = rows_of(tmp_path, **path, columns={"article": "data.id"})
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    assert [row["article"] for row in rows] == ["a", "a", "b"]
    assert rows[2]["context"] == "It bends." and rows[2]["title"] == "Niger" and rows[2]["version"] == "1.1"
    assert [row["id"] for row in rows_of(tmp_path, **path, limit=2)] == ["1", "2"]


def test_a_document_per_line_and_an_object_of_rows_are_walked_too(tmp_path):
    lines = "".join(json.dumps({"text": text, "qas": [{"q": text * 2}]}) + "\n" for text in "ab")
    assert [row["q"] for row in read_file(written(tmp_path, "a.jsonl", lines), form=RowForm(rows="qas.*"))] == [
        "aa",
        "bb",
    ]
    problems = written(tmp_path, "problems.json", '{"7": {"q": "a"}, "9": {"q": "b"}}')
    assert read_file(problems, form=RowForm(rows="*")) == [{"key": "7", "q": "a"}, {"key": "9", "q": "b"}]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (
            "data.*.parts.*",
            "there is no 'parts' at data, which `rows` of the source names; found id, title",
        ),
        ("version.*", "version is a str, of which `\\*`"),
        ("data.*.title", "must be a JSON object or an array of values, found str"),
    ],
)
def test_a_path_that_leads_to_no_rows_is_refused_with_what_is_there(tmp_path, rows, says):
    with pytest.raises(SourceError, match=says):
        read_file(written(tmp_path, "rows.json", json.dumps(SQUAD)), form=RowForm(rows=rows))


def test_a_table_may_have_no_head_and_quotation_marks_that_are_text(tmp_path):
    path = written(tmp_path, "mgsm.TSV", '"Two" and two?\t4\n5" of rain\t5\n')
    form = RowForm(head=["question", "answer"], quotes=False)
    assert read_file(path, form=form) == [
        {"question": '"Two" and two?', "answer": "4"},
        {"question": '5" of rain', "answer": "5"},
    ]
    with pytest.raises(SourceError, match="write `quotes: false` in its source"):
        read_file(path)


def test_the_format_of_a_file_without_such_an_ending_is_named(tmp_path):
    path = written(tmp_path, "labels.txt", "text;label".replace(";", "\t") + "\nJua.\tnews\n")
    assert read_file(path, form=RowForm(format="tsv")) == [{"text": "Jua.", "label": "news"}]
    assert read_file(written(tmp_path, "u.csv", "text\nJua.\n".encode("utf-16"))) == [{"text": "Jua."}]


CONLL = "-DOCSTART- O\n\nMusa B-PER\nya O\ntafi O\n# O\n\n\nKano B-LOC\n"


def test_conll_has_a_sentence_per_row_with_a_list_per_column(tmp_path):
    rows = [
        {"tokens": ["Musa", "ya", "tafi", "#"], "tags": ["B-PER", "O", "O", "O"]},
        {"tokens": ["Kano"], "tags": ["B-LOC"]},
    ]
    assert read_file(written(tmp_path, "test.conll", CONLL)) == rows
    packed = gzip.compress(CONLL.replace(" ", "\t").replace("\n", "\r\n").encode(), mtime=0)
    assert read_file(written(tmp_path, "test.txt", packed), form=RowForm(format="conll")) == rows
    comments = "# sent_id = 1\n1\tMusa\tPROPN\n2\tya\tAUX\n"
    form = RowForm(format="conll", head=["id", "form", "upos"])
    assert read_file(written(tmp_path, "a.conllu", comments), form=form) == [
        {"id": ["1", "2"], "form": ["Musa", "ya"], "upos": ["PROPN", "AUX"]}
    ]
    with pytest.raises(SourceError, match="line 2 has 3 columns, and the first line has 2"):
        read_file(written(tmp_path, "bad.conll", "Musa B-PER\nya x O\n"))


TWO_LANGUAGES = [{"lang": lang, "n": n} for n in range(8) for lang in ("sw", "ha")]


def test_where_takes_the_rows_of_one_language_also_of_the_first_ones(tmp_path):
    pl.DataFrame(TWO_LANGUAGES).write_parquet(tmp_path / "rows.parquet")
    source = {
        "path": "{data}/rows.parquet",
        "where": "lang == '{key}' and n % 2 == 1",
        "languages": {"swh_Latn": "sw", "hau_Latn": "ha"},
    }
    assert [row["n"] for row in rows_of(tmp_path, **source)] == [1, 3, 5, 7]
    assert rows_of(tmp_path, HAUSA, limit=1, **source) == [{"lang": "ha", "n": 1}]
    with pytest.raises(SourceError, match="row 1: `where` of its source fails: 'language' is undefined; the row has l"):
        rows_of(tmp_path, **source | {"where": "language == 'sw'"})
    with pytest.raises(SourceError, match="of none of its 16 rows is `where` of its source true: lang == 'xx'"):
        rows_of(tmp_path, **source | {"where": "lang == 'xx'"})


def test_a_second_file_joins_by_line_or_by_a_key(tmp_path):
    written(tmp_path, "rows.jsonl", '{"id": 1, "text": "Jua."}\n{"id": 2, "text": "Mvua."}\n')
    written(tmp_path, "labels.csv", "nr,label\n2,rain\n1,sun\n3,snow\n")
    by_key = {"join": {"file": "{data}/labels.csv", "by": "id", "columns": {"id": "nr"}}}
    assert [row["label"] for row in rows_of(tmp_path, **by_key)] == ["sun", "rain"]
    assert rows_of(tmp_path, limit=1, **by_key) == [{"id": 1, "text": "Jua.", "label": "sun"}]
    written(tmp_path, "more.jsonl", '{"label": "sun"}\n{"label": "rain"}\n')
    by_line = {"join": {"file": "{data}/more.jsonl"}}
    assert [row["label"] for row in rows_of(tmp_path, **by_line)] == ["sun", "rain"]
    assert [row["text"] for row in rows_of(tmp_path, **by_line, where="label == 'rain'")] == ["Mvua."]
    written(tmp_path, "more.jsonl", '{"label": "sun"}\n')
    with pytest.raises(SourceError, match=r"has 2 rows and .*more\.jsonl 1; `join` without `by`"):
        rows_of(tmp_path, **by_line)
    written(tmp_path, "more.jsonl", '{"text": "Jua."}\n{"text": "Jua."}\n')
    with pytest.raises(SourceError, match=r"both have a column text, with 'Mvua\.' and 'Jua\.'"):
        rows_of(tmp_path, **by_line)


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ("nr,label\n1,sun\n1,rain\n", "two rows have the id '1'"),
        ("nr,label\n8,sun\n", "no two rows have the same id"),
        ("no,label\n1,sun\n", "which `columns` of its source names for id"),
    ],
)
def test_files_that_cannot_be_joined_are_refused(tmp_path, labels, says):
    written(tmp_path, "rows.jsonl", '{"id": 1, "text": "Jua."}\n')
    written(tmp_path, "labels.csv", labels)
    with pytest.raises(SourceError, match=says):
        rows_of(tmp_path, join={"file": "{data}/labels.csv", "by": "id", "columns": {"id": "nr"}})


def test_a_language_may_have_a_source_of_its_own(tmp_path):
    written(tmp_path, "rows.jsonl", '{"text": "Jua."}\n')
    written(tmp_path, "hausa.csv", "matn\nRana.\n")
    source = {"by_language": {"hau_Latn": {"path": "{data}/hausa.csv", "columns": {"text": "matn"}}}}
    assert rows_of(tmp_path, **source) == [{"text": "Jua."}]
    assert rows_of(tmp_path, HAUSA, **source) == [{"text": "Rana."}]


def test_the_examples_of_the_document_are_sources(tmp_path):
    part = (ROOT / "docs/extending.md").read_text().split("## Files of rows")[1].split("```yaml\n")[1].split("```")[0]
    blocks = part.split("local:")[1:]
    sources = [parse(LocalRows, yaml.safe_load(f"local:{block}")["local"], "docs") for block in blocks]
    assert len(sources) == 6
    for source in sources:
        check_places("docs", {"local": source.params()}, "split")
        assert resolve(source, SWAHILI, RowFolders(str(tmp_path), "hub"), "test")
