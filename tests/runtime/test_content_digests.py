"""Digests of content: read once, and again whenever a file could be another."""

import os
import time
from pathlib import Path

import pytest

from maple.runtime import content_digests
from maple.runtime.content_digests import ContentDigests


@pytest.fixture
def reads(monkeypatch):
    """The files that were read."""
    paths = []
    monkeypatch.setattr(content_digests, "SETTLED", 0)
    monkeypatch.setattr(
        content_digests, "open", lambda path, mode: paths.append(path) or open(path, mode), raising=False
    )
    return paths


def settled(path, text):
    path.write_text(text)
    time.sleep(0.05)
    return str(path)


def test_a_file_is_read_once_also_through_a_link_and_by_the_next_process(tmp_path, reads):
    rows, link = settled(tmp_path / "rows.jsonl", "{}"), tmp_path / "link"
    link.symlink_to(rows)
    first = ContentDigests(tmp_path / "memory.json")
    assert first(rows) == first(str(link)) == ContentDigests(tmp_path / "memory.json")(rows)
    assert len(reads) == 1


def test_another_content_of_the_same_size_and_date_is_read(tmp_path, reads):
    rows = settled(tmp_path / "rows.jsonl", "yes")
    digests = ContentDigests(tmp_path / "memory.json")
    before, dates = digests(rows), Path(rows).stat()
    settled(tmp_path / "rows.jsonl", "nay")
    os.utime(rows, ns=(dates.st_atime_ns, dates.st_mtime_ns))
    assert digests(rows) != before
    settled(tmp_path / "rows.jsonl", "yes")
    assert digests(rows) == before


def test_a_file_that_changed_a_moment_ago_is_not_remembered(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(content_digests, "SETTLED", 60)
    rows, digests = settled(tmp_path / "rows.jsonl", "{}"), ContentDigests(tmp_path / "memory.json")
    assert digests(rows) == digests(rows) and len(reads) == 2


def test_an_absent_file_has_no_digest_and_a_torn_memory_is_made_anew(tmp_path, reads):
    (tmp_path / "memory.json").write_text('{"/a": [1, 2')
    digests = ContentDigests(tmp_path / "memory.json")
    assert digests(str(tmp_path / "nothing.jsonl")) == ""
    rows = settled(tmp_path / "rows.jsonl", "{}")
    assert digests(rows) == ContentDigests(tmp_path / "memory.json")(rows) and len(reads) == 1


def test_a_folder_is_the_names_and_the_bytes_of_its_files_and_read_once(tmp_path, reads):
    (tmp_path / "a/b").mkdir(parents=True)
    settled(tmp_path / "a/one", "1")
    settled(tmp_path / "a/b/two", "2")
    digests = ContentDigests(tmp_path / "memory.json")
    before = digests(str(tmp_path / "a"))
    assert digests(str(tmp_path / "a")) == before and len(reads) == 2
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    settled(tmp_path / "elsewhere/.hidden", "3")
    assert digests(str(tmp_path / "elsewhere")) == before
    settled(tmp_path / "elsewhere/b/two", "3")
    other = digests(str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere/b/two").rename(tmp_path / "elsewhere/b/three")
    assert len({before, other, digests(str(tmp_path / "elsewhere"))}) == 3
