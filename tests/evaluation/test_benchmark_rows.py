import json

from project import ROOT

from maple.data.sources import resolve
from maple.definitions.loading import read_yaml
from maple.evaluation.benchmark_rows import files, places, read_task, repair

IDENTITIES = {
    code: {"code": code, "name": code, "iso639_1": iso, "script": code[4:]}
    for code, iso in (("tha_Thai", "th"), ("vie_Latn", "vi"), ("zho_Hans", "zh"), ("zho_Hant", "zh"))
}
MEND = {"field": "question", "by": "idx", "from": ["vie_Latn", "zho_Hans"]}


def asked(*questions):
    return [{"idx": number, "question": question} for number, question in enumerate(questions)]


def test_a_wrong_field_takes_the_value_of_those_that_agree():
    mended = repair(asked("effect", "effect"), [asked("cause", "effect"), asked("cause", "effect")], "question", "idx")
    assert mended == [
        {"idx": 0, "question": "cause", "repaired": True},
        {"idx": 1, "question": "effect", "repaired": False},
    ]


def test_the_majority_decides_and_a_tie_leaves_the_row_its_own():
    three = [asked("cause"), asked("cause"), asked("effect")]
    assert repair(asked("effect"), three, "question", "idx")[0]["question"] == "cause"
    assert repair(asked("effect"), three[1:], "question", "idx") == [
        {"idx": 0, "question": "effect", "repaired": False}
    ]


def test_an_item_that_no_reference_has_keeps_its_own():
    assert repair([{"idx": 9, "question": "effect"}], [asked("cause")], "question", "idx")[0]["question"] == "effect"


def write(folder, code, split, rows):
    path = folder / IDENTITIES[code]["iso639_1"] / f"{split}.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


def test_rows_are_read_with_their_references_and_dev_rows(tmp_path):
    source = {"local": {"path": "{data}/{iso639_1}/{split}.jsonl", "languages": list(IDENTITIES)}}
    paths = [
        write(tmp_path, code, split, asked("effect" if code == "tha_Thai" else "cause"))
        for split in ("test", "dev")
        for code in ("tha_Thai", "vie_Latn", "zho_Hans")
    ]
    found = places(source, IDENTITIES, "tha_Thai", data=str(tmp_path), mend=MEND, dev=True)
    assert files(found) == paths
    rows = read_task("xcopa", places=found, mend=MEND, phrases=None, items=None)
    assert [rows[split][0]["question"] for split in ("test", "dev")] == ["cause", "cause"]
    own = places(source, IDENTITIES, "vie_Latn", data=str(tmp_path), mend=MEND, dev=False)
    assert files(own) == [paths[1], paths[2]]


def test_a_language_without_dev_rows_is_no_error(tmp_path):
    source = {"local": {"path": "{data}/{iso639_1}/{split}.jsonl", "languages": "all"}}
    test = write(tmp_path, "vie_Latn", "test", asked("cause"))
    found = places(source, IDENTITIES, "vie_Latn", data=str(tmp_path), mend=None, dev=True)
    assert files(found) == [test]
    assert read_task("xcopa", places=found, mend=None, phrases=None, items=None)["dev"] == []


def test_a_path_that_names_no_split_has_no_dev_rows():
    source = {"local": {"path": "{data}/{iso639_1}.jsonl", "languages": "all"}}
    found = places(source, IDENTITIES, "vie_Latn", data="rows", mend=None, dev=True)
    assert found["dev"]["source"] is None and found["test"]["source"] == {"local": {"path": "rows/vi.jsonl"}}


def test_a_reference_without_the_field_has_no_vote():
    assert repair(asked("cause"), [[{"idx": 0}], [{"idx": 0, "question": None}]], "question", "idx")[0] == {
        "idx": 0,
        "question": "cause",
        "repaired": False,
    }


def test_a_set_without_a_dev_split_has_no_source_for_it():
    place = {"dataset": "d", "revision": "r", "files": "{split}.jsonl", "languages": "all"}
    source = {"hub": place | {"splits": {"test": "validation"}}}
    assert resolve(source, IDENTITIES["vie_Latn"], None, "dev") is None
    assert resolve(source, IDENTITIES["vie_Latn"], None, "test") == {
        "hub": {"folder": "results/hub/datasets--d--r", "files": "validation.jsonl"}
    }


def test_a_set_s_own_name_of_a_language_fills_its_templates():
    names = {"zho_Hant": "chinese_traditional", "zho_Hans": "chinese_simplified"}
    place = {"dataset": "d", "revision": "r", "files": "{key}/{split}/*.parquet", "languages": names}
    source = {"hub": place | {"splits": {"test": "test", "dev": "validation"}}}
    assert (
        resolve(source, IDENTITIES["zho_Hant"], None, "dev")["hub"]["files"]
        == "chinese_traditional/validation/*.parquet"
    )


def test_the_embedded_world_has_dev_rows_that_are_no_test_rows():
    phrases = read_yaml(ROOT / "config/phrases.yaml")["swh_Latn"]
    swahili = {"code": "swh_Latn", "name": "Swahili", "iso639_1": "sw", "script": "Latn"}
    found = places({"embedded": {}}, {"swh_Latn": swahili}, "swh_Latn", data=None, mend=MEND, dev=True)
    rows = read_task("xquad", places=found, mend=MEND, phrases={**swahili, **phrases}, items=20)
    assert len(rows["test"]) == 20 and len(rows["dev"]) == 50
    asked_of = {split: {(row["context"], row["question"]) for row in rows[split]} for split in rows}
    assert len(asked_of["dev"] - asked_of["test"]) >= 30
