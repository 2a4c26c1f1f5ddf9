"""What a job reads is what was written, or it says which file is not."""

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from maple.runtime.files import (
    DamagedFileError,
    check_folder,
    folder_written_aside,
    read_json,
    read_parquet,
    scan_parquet,
    write_json,
    write_parquet,
)
from maple.runtime.journal import Journal

FRAME = pl.DataFrame({"item": ["a", "b", "c"], "value": [0.0, 1.0, None]})
CARD = {"language": "Kiswahili", "n": 3, "share": 0.5, "none": None, "list": ["a", 1]}


@pytest.fixture
def parquet(tmp_path):
    write_parquet(FRAME, tmp_path / "scores.parquet", made_from="x")
    return tmp_path / "scores.parquet"


@pytest.fixture
def card(tmp_path):
    write_json(CARD, tmp_path / "card.json")
    return tmp_path / "card.json"


def test_what_is_whole_comes_back(parquet, card):
    assert_frame_equal(read_parquet(parquet), FRAME)
    assert_frame_equal(scan_parquet([parquet, parquet]).collect(), pl.concat([FRAME, FRAME]))
    assert read_parquet(parquet, ["value"]).columns == ["value"]
    assert read_json(card) == CARD


def test_same_rows_are_same_bytes(parquet):
    before = parquet.read_bytes()
    write_parquet(FRAME, parquet, made_from="x")
    assert parquet.read_bytes() == before


def test_no_byte_of_a_parquet_file_changes_unseen(parquet):
    content = parquet.read_bytes()
    for at in range(len(content)):
        parquet.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(DamagedFileError, match=r"scores\.parquet is damaged"):
            read_parquet(parquet)


@pytest.mark.parametrize("read", [read_parquet, lambda path: scan_parquet([path])], ids=["read", "scan"])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.9, 0.999])
def test_a_part_of_a_parquet_file_is_refused_with_name_and_command(parquet, share, read):
    content = parquet.read_bytes()
    parquet.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DamagedFileError, match=f"make it again with `snakemake --cores all --forcerun {parquet}`"):
        read(parquet)


def test_half_of_the_rows_written_by_another_program_are_refused(parquet):
    FRAME.head(1).write_parquet(parquet)
    with pytest.raises(DamagedFileError, match="it has no checksum, so another program wrote it"):
        read_parquet(parquet)
    assert read_parquet(parquet, foreign=True).height == 1


def test_no_byte_of_a_card_changes_what_is_read_unseen(card):
    content = card.read_bytes()
    for at in range(len(content)):
        card.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        try:
            # Another key than `checksum` hides nothing: the rest is as it was.
            assert CARD.items() <= {**CARD, **read_json(card)}.items() and read_json(card).items() >= CARD.items()
        except DamagedFileError as error:
            assert "card.json is damaged" in str(error)


@pytest.mark.parametrize("content", ["", "{", '{"n": ', "[1]", "3", "null"])
def test_what_is_no_json_object_is_refused_by_name(card, content):
    card.write_text(content)
    with pytest.raises(DamagedFileError, match=r"card\.json is damaged"):
        read_json(card)


def test_json_of_others_has_no_checksum(card):
    card.write_text(json.dumps({"vocab_size": 3}))
    assert read_json(card) == {"vocab_size": 3}


@pytest.fixture
def folder(tmp_path):
    with folder_written_aside(tmp_path / "model") as aside:
        (aside / "config.json").write_text("{}")
        (aside / "parts").mkdir()
        (aside / "parts/model.safetensors").write_bytes(b"weights")
    return tmp_path / "model"


def test_a_folder_is_whole_with_what_was_added_to_it(folder):
    (folder / "README.md").write_text("mine")
    (folder / ".snakemake_timestamp").touch()
    assert sorted(check_folder(folder)) == ["README.md", "config.json", "parts/model.safetensors"]


@pytest.mark.parametrize("content", [b"", b"weight", b"wfights", None], ids=["zero", "torn", "flipped", "missing"])
def test_a_folder_of_which_a_file_has_changed_is_refused_with_the_command_that_makes_it(folder, content):
    path = folder / "parts/model.safetensors"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DamagedFileError, match=rf"model is damaged: parts/model.safetensors .*--forcerun {folder}`"):
        check_folder(folder)


def test_a_file_of_a_folder_names_the_folder_as_what_is_made(folder):
    (folder / "config.json").write_text("{")
    with pytest.raises(DamagedFileError, match=rf"config.json is damaged: .*--forcerun {folder}`"):
        read_json(folder / "config.json")


def test_a_line_of_a_journal_that_has_changed_is_computed_again(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append([{"key": "a", "completion": "Nairobi"}, {"key": "b", "completion": "Mombasa"}])
    journal.path.write_text(journal.path.read_text().replace("Nairobi", "Nairoby"))
    assert journal.read() == [{"key": "b", "completion": "Mombasa"}]
