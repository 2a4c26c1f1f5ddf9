import bz2
import gzip
import json
import lzma

import polars as pl
import pytest

from maple.data.row_files import SourceError, read_file

ROWS = [{"text": "Jua linatoka."}, {"text": "Mvua\u2028inanyesha\u0085 leo.\n"}]
LINES = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", LINES),
        ("rows.JSONL", LINES),
        ("rows.ndjson", LINES.rstrip()),
        ("rows.jsonl", b"\xef\xbb\xbf" + LINES),
        ("rows.jsonl", LINES.replace(b"\n", b"\r\n")),
        ("rows.jsonl", LINES.replace(b"\n", b"\r")),
        ("rows.jsonl", LINES.decode().encode("utf-16")),
        ("rows.jsonl", LINES.decode().encode("utf-16-le")),
        ("rows.jsonl", b"\n \n".join(b"\xef\xbb\xbf" + line for line in LINES.split(b"\n"))),
        ("rows.json", json.dumps(ROWS).encode()),
        ("rows.jsonl", json.dumps(ROWS, indent=2).encode()),
        ("rows.Json", b"\xef\xbb\xbf \r\n" + json.dumps(ROWS).encode()),
        ("rows.jsonl.gz", gzip.compress(LINES, mtime=0)),
        ("rows.JSON.GZ", gzip.compress(json.dumps(ROWS).encode(), mtime=0)),
        ("rows.jsonl.bz2", bz2.compress(LINES)),
        ("rows.jsonl.xz", lzma.compress(LINES)),
        ("packed under a plain name.jsonl", gzip.compress(LINES, mtime=0)),
        ("unpacked under its old name.jsonl.gz", LINES),
        ("[a] *.parquet", None),
        ("rows.Parquet", None),
    ],
)
def test_a_file_reads_the_same_in_every_form(tmp_path, name, content):
    path = tmp_path / name
    if content is None:
        pl.DataFrame(ROWS).write_parquet(path)
    else:
        path.write_bytes(content)
    assert read_file(path) == ROWS


@pytest.mark.parametrize("name", ["rows.xlsx", "rows.csv.zip", "rows.txt", "rows.zip", "rows", "rows.parquet.gz"])
def test_a_file_of_another_kind_is_refused_with_the_kinds_that_are_read(tmp_path, name):
    with pytest.raises(SourceError, match=r"unpack or convert it, so that its name ends in \.jsonl, .*\.parquet"):
        read_file(written(tmp_path, name, LINES))


def parquet(folder, rows=ROWS):
    path = folder / "source.parquet"
    pl.DataFrame(rows, schema={"text": pl.String}).write_parquet(path)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.jsonl", b""),
        ("rows.jsonl", b"\n \r\n"),
        ("rows.jsonl", b"\xef\xbb\xbf"),
        ("rows.json", b"[]"),
        ("rows.jsonl.gz", gzip.compress(b"", mtime=0)),
        ("rows.jsonl.xz", b""),
    ],
)
def test_a_file_without_rows_is_refused(tmp_path, name, content):
    path = written(tmp_path, name, content)
    with pytest.raises(SourceError, match="has no rows") as error:
        read_file(path)
    assert str(path) in str(error.value)


def test_parquet_without_rows_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"rows\.parquet: has no rows"):
        read_file(written(tmp_path, "rows.parquet", parquet(tmp_path, [])))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("kind", ["jsonl", "json", "jsonl.gz", "jsonl.bz2", "jsonl.xz", "parquet"])
def test_half_a_file_is_refused_with_what_to_do(tmp_path, kind, share):
    lines = "".join(json.dumps({"text": f"{'neno ' * 20}{number}"}) + "\n" for number in range(50)).encode()
    array = b"[" + lines.rstrip().replace(b"\n", b",") + b"]"
    pack = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}.get(kind.split(".")[-1], bytes)
    whole = parquet(tmp_path) if kind == "parquet" else pack(array if kind == "json" else lines)
    path = written(tmp_path, f"rows.{kind}", whole[: int(len(whole) * share)])
    with pytest.raises(SourceError, match="copy or download the file again") as error:
        read_file(path)
    assert str(path) in str(error.value) and "remove" not in str(error.value)


@pytest.mark.parametrize("content", [b"version https://git-lfs.github.com/spec/v1\n", b"<html>", b"PAR1"])
def test_a_page_or_a_pointer_is_no_parquet_file(tmp_path, content):
    with pytest.raises(SourceError, match="is no whole Parquet file"):
        read_file(written(tmp_path, "rows.parquet", content))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ('{\n  "text": "a"\n}\n', "line 1 is not JSON .* every line must be a whole JSON object"),
        ('{"text": "a"}\n{"text": "b",}\n', "line 2 is not JSON .* mend it"),
        ('{"text": "a"}\n"b"\n', "line 2 must be a JSON object or an array of values, found str"),
        ('[{"text": "a"}, "b"]', "row 2 must be a JSON object or an array of values, found str"),
        ('["a", 1]\n["b", 2\n', "line 2 is not JSON"),
        ('{"text": "a", "n": 1, "text": "b"}\n', "line 1 .*'text' stands there twice"),
        ('{"answers": {"text": "a", "text": "b"}}\n', "'text' stands there twice"),
        ('{"n": Infinity}\n', "line 1 .*Infinity is no number"),
        ('{"n": -Infinity}\n', "-Infinity is no number"),
        ('{"n": 1e400}\n', "1e400 is too large a number"),
    ],
)
def test_an_error_names_its_line_and_never_advises_to_remove_a_row(tmp_path, content, says):
    with pytest.raises(SourceError, match=says) as error:
        read_file(written(tmp_path, "rows.jsonl", content.encode()))
    assert "remove" not in str(error.value)


def test_nan_is_none(tmp_path):
    assert read_file(written(tmp_path, "rows.jsonl", b'{"a": NaN, "b": [NaN, 1]}')) == [{"a": None, "b": [None, 1]}]


@pytest.mark.parametrize(("name", "pack"), [("rows.jsonl", bytes), ("rows.jsonl.gz", gzip.compress)])
def test_the_first_rows_are_read_without_the_rest(tmp_path, name, pack):
    path = written(tmp_path, name, pack(LINES + b'{"text": '))
    assert read_file(path, limit=2) == ROWS
    with pytest.raises(SourceError, match="line 3 is not JSON"):
        read_file(path)


@pytest.mark.parametrize("line", [1, 2, 5000])
def test_the_line_that_is_no_utf_8_is_named(tmp_path, line):
    lines = [b'{"text": "jua"}'] * 5000
    lines[line - 1] = '{"text": "\u00e9"}'.encode("latin-1")
    with pytest.raises(SourceError, match=f"is not UTF-8 in line {line};"):
        read_file(written(tmp_path, "rows.jsonl", b"\n".join(lines)))


TABLE = [{"text": "Jua, linatoka.", "label": "-1"}, {"text": 'Mvua "inanyesha"\nleo', "label": ""}]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", b'text,label\n"Jua, linatoka.",-1\n"Mvua ""inanyesha""\nleo",\n'),
        ("rows.CSV", b'\xef\xbb\xbftext,label\r\n"Jua, linatoka.",-1\r\n"Mvua ""inanyesha""\nleo",\r\n\r\n'),
        ("rows.tsv", b'text\tlabel\nJua, linatoka.\t-1\n"Mvua ""inanyesha""\nleo"\t\n'),
        ("rows.csv.gz", gzip.compress(b'text,label\n"Jua, linatoka.",-1\n"Mvua ""inanyesha""\nleo",\n', mtime=0)),
    ],
)
def test_a_table_is_read_under_its_head_and_all_cells_are_texts(tmp_path, name, content):
    assert read_file(written(tmp_path, name, content)) == TABLE


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"text,label\nJua, linatoka.,-1\n", "line 2 has 3 cells, the head 2; quote a cell"),
        (b"text,label\nJua\n", "line 2 has 1 cells"),
        (b"text,text\nJua,Mvua\n", "line 1, the head, has 'text' twice"),
        (b'text,label\n"Jua"x,-1\n', "line 2 is no row of a table"),
        (b'text,label\nJua,"-1\n', "line 2 is no row of a table"),
        (b"text,label\n\xff,-1\n", "is not UTF-8"),
        (b"text,label\n", "has no rows"),
        (b"", "has no rows"),
    ],
)
def test_a_table_that_is_damaged_is_refused_with_its_line(tmp_path, content, says):
    with pytest.raises(SourceError, match=rf"rows\.csv: {says}"):
        read_file(written(tmp_path, "rows.csv", content))
