import json

import pytest
from project import ROOT

from maple.data.row_files import SourceError
from maple.data.sources import LocalSource, RowFile, RowFolders, resolve
from maple.definitions.language import LanguageIdentity
from maple.definitions.reading import read_yaml
from maple.definitions.task import EmbeddedRows, HubRows, LocalRows, Repair, Splits
from maple.evaluation.benchmark_rows import RowPlaces, read_task, repair_rows, row_places, task_rows

IDENTITIES = {
    code: LanguageIdentity(code, code, iso, code[4:])
    for code, iso in (("tha_Thai", "th"), ("vie_Latn", "vi"), ("zho_Hans", "zh"), ("zho_Hant", "zh"))
}
REPAIR = Repair(**{"field": "question", "by": "idx", "from": ["vie_Latn", "zho_Hans"]})
NO_DATA = RowFolders(None, "hub")


def questions(*values):
    return [{"idx": number, "question": question} for number, question in enumerate(values)]


def test_a_wrong_field_takes_the_value_on_which_the_references_agree():
    repaired = repair_rows(
        questions("effect", "effect"), [questions("cause", "effect"), questions("cause", "effect")], REPAIR
    )
    assert repaired == [
        {"idx": 0, "question": "cause", "repaired": True},
        {"idx": 1, "question": "effect", "repaired": False},
    ]


def test_the_majority_decides_and_after_a_tie_a_row_keeps_its_value():
    three = [questions("cause"), questions("cause"), questions("effect")]
    assert repair_rows(questions("effect"), three, REPAIR)[0]["question"] == "cause"
    assert repair_rows(questions("effect"), three[1:], REPAIR) == [{"idx": 0, "question": "effect", "repaired": False}]


def test_an_item_that_no_reference_has_keeps_its_value():
    assert repair_rows([{"idx": 9, "question": "effect"}], [questions("cause")], REPAIR)[0]["question"] == "effect"


def write(folder, code, split, rows):
    path = folder / IDENTITIES[code].iso639_1 / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def files(places):
    return [source.path for source in places.sources()]


def test_rows_are_read_with_their_references_and_dev_rows(tmp_path):
    source = LocalRows(path="{data}/{iso639_1}/{split}.jsonl", languages=list(IDENTITIES))
    folders = RowFolders(str(tmp_path), "hub")
    paths = [
        write(tmp_path, code, split, questions("effect" if code == "tha_Thai" else "cause"))
        for split in ("test", "dev")
        for code in ("tha_Thai", "vie_Latn", "zho_Hans")
    ]
    places = row_places(source, IDENTITIES, "tha_Thai", folders, repair=REPAIR, dev=True)
    assert files(places) == paths and RowPlaces(**places.params()) == places
    assert str(tmp_path) not in str(places.params(lambda path: "digest"))
    rows = read_task("xcopa", places, repair=REPAIR, phrases=None, items=None)
    assert [split[0]["question"] for split in rows] == ["cause", "cause"]
    own = row_places(source, IDENTITIES, "vie_Latn", folders, repair=REPAIR, dev=False)
    assert files(own) == [paths[1], paths[2]]


def test_dev_rows_that_are_not_there_are_refused(tmp_path):
    source = LocalRows(path="{data}/{iso639_1}/{split}.jsonl", languages="all")
    folders = RowFolders(str(tmp_path), "hub")
    test = write(tmp_path, "vie_Latn", "test", questions("cause"))
    places = row_places(source, IDENTITIES, "vie_Latn", folders, repair=None, dev=True)
    assert files(places) == [test]
    with pytest.raises(SourceError, match=r"vi/dev\.jsonl: no such file"):
        read_task("xcopa", places, repair=None, phrases=None, items=None)


def test_a_path_without_a_split_has_no_dev_rows():
    source = LocalRows(path="{data}/{iso639_1}.jsonl", languages="all")
    places = row_places(source, IDENTITIES, "vie_Latn", RowFolders("rows", "hub"), repair=None, dev=True)
    assert places.params() == {
        "test": {"source": {"local": {"path": "rows/vi.jsonl"}}, "references": []},
        "dev": {"source": None, "references": []},
    }


def test_a_reference_without_the_field_has_no_vote():
    assert repair_rows(questions("cause"), [[{"idx": 0}], [{"idx": 0, "question": None}]], REPAIR)[0] == {
        "idx": 0,
        "question": "cause",
        "repaired": False,
    }


def published(files, languages="all", **splits):
    return HubRows(dataset="d", revision="a" * 40, files=files, languages=languages, splits=Splits(**splits))


def test_a_set_without_a_dev_split_has_no_source_for_it():
    source = published("{split}.jsonl", test="validation")
    assert resolve(source, IDENTITIES["vie_Latn"], NO_DATA, "dev") is None
    assert resolve(source, IDENTITIES["vie_Latn"], NO_DATA, "test").params() == {
        "hub": {"folder": f"hub/datasets--d--{'a' * 40}", "files": "validation.jsonl"}
    }


def test_a_set_s_own_name_of_a_language_fills_its_templates():
    names = {"zho_Hant": "chinese_traditional", "zho_Hans": "chinese_simplified"}
    source = published("{key}/{split}/*.parquet", names, test="test", dev="validation")
    resolved = resolve(source, IDENTITIES["zho_Hant"], NO_DATA, "dev")
    assert resolved.hub.files == "chinese_traditional/validation/*.parquet"


def test_the_embedded_world_has_dev_rows_that_are_no_test_rows():
    phrases = read_yaml(ROOT / "config/phrases.yaml")["swh_Latn"]
    swahili = LanguageIdentity("swh_Latn", "Swahili", "sw", "Latn")
    source = EmbeddedRows(languages="all")
    places = row_places(source, {"swh_Latn": swahili}, "swh_Latn", NO_DATA, repair=REPAIR, dev=True)
    rows = read_task("xquad", places, repair=REPAIR, phrases={**swahili.params(), **phrases}, items=20)
    assert len(rows.test) == 20 and len(rows.dev) == 50
    test, dev = ({(row["context"], row["question"]) for row in split} for split in rows)
    assert len(dev - test) >= 30


def test_a_reference_votes_on_the_item_whose_id_is_the_same_text():
    references = [[{"idx": id, "question": "cause"}] for id in ("0", "0 ", 0)]
    assert repair_rows(questions("effect"), references, REPAIR)[0]["question"] == "cause"


def test_rows_without_an_id_have_no_votes_for_each_other():
    reference = [{"idx": None, "question": "cause"}, {"idx": "", "question": "cause"}, {"question": "cause"}]
    rows = [{"idx": id, "question": "effect"} for id in (None, "", " ")]
    assert [row["question"] for row in repair_rows(rows, [reference], REPAIR)] == ["effect"] * 3


def repaired(folder, test, reference):
    source = LocalRows(path="{data}/{iso639_1}/{split}.jsonl", languages=list(IDENTITIES))
    repair = Repair(**{"field": "question", "by": "idx", "from": ["vie_Latn"]})
    write(folder, "tha_Thai", "test", test)
    write(folder, "vie_Latn", "test", reference)
    places = row_places(source, IDENTITIES, "tha_Thai", RowFolders(str(folder), "hub"), repair=repair, dev=False)
    return read_task("xcopa", places, repair=repair, phrases=None, items=None).test


@pytest.mark.parametrize(
    ("reference", "says"),
    [
        ([{"idx": 0, "question": "cause"}, {"idx": "0", "question": "effect"}], "2 rows have the idx '0': 1, 2"),
        ([{"idx": 5, "question": "cause"}] * 3, "3 rows have the idx '5': 1, 2, 3"),
        ([{"idx": None, "question": "cause"}], "1 rows have no idx: 1"),
        ([{"idx": 0, "question": ["cause"]}], "row 1: question is a list"),
    ],
)
def test_a_reference_whose_ids_do_not_tell_rows_apart_is_refused(tmp_path, reference, says):
    with pytest.raises(SourceError, match=rf"vi/test\.jsonl: {says}"):
        repaired(tmp_path, questions("effect"), reference)


def test_a_structure_in_the_field_to_repair_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"th/test\.jsonl: row 1: question is a list"):
        repaired(tmp_path, questions(["effect"]), questions("cause"))


def test_a_set_s_column_repaired_is_not_ours(tmp_path):
    path = write(tmp_path, "vie_Latn", "test", [{"idx": 0, "repaired": True}])
    assert task_rows("toy", LocalSource(local=RowFile(path=path)), phrases=None, items=None) == [{"idx": 0}]


@pytest.mark.parametrize("split", ["test", "dev"])
def test_an_empty_file_of_rows_is_refused(tmp_path, split):
    source = LocalRows(path="{data}/{iso639_1}/{split}.jsonl", languages="all")
    for name in ("test", "dev"):
        write(tmp_path, "vie_Latn", name, [] if name == split else questions("cause"))
    places = row_places(source, IDENTITIES, "vie_Latn", RowFolders(str(tmp_path), "hub"), repair=None, dev=True)
    with pytest.raises(SourceError, match=rf"vi/{split}\.jsonl: has no rows"):
        read_task("toy", places, repair=None, phrases=None, items=None)
