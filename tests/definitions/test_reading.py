from typing import Annotated, Literal

import pytest
from project import ROOT
from pydantic import ConfigDict, Field, ValidationError

from maple.definitions.dataset import Dataset
from maple.definitions.errors import DefinitionError
from maple.definitions.extending import extended
from maple.definitions.hardware import read_hardware
from maple.definitions.language import Writing, read_languages
from maple.definitions.local_model import prepared, trained
from maple.definitions.method import Method
from maple.definitions.model import Model
from maple.definitions.reading import parse, pick, read_definitions, read_yaml
from maple.definitions.record import Number, Record, Seed
from maple.definitions.task import Task
from maple.definitions.teacher import EndpointSettings
from maple.study.datasets import stated_languages


class Ranked(Record):
    rank: int


class Bounded(Record):
    below: Number


class Seeded(Record):
    seed: Seed


HUB = {"hub": "a/b", "revision": "0" * 40}
REMOTE = {"base_url": "http://127.0.0.1/v1", "model": "m"}


def test_how_a_model_is_asked_decides_nothing_of_its_folder_and_its_room_for_thinking_no_training():
    keys = {"thinking_tokens": 512, "template_arguments": {"enable_thinking": False}}
    model = parse(Model, HUB | keys, "m.yaml")
    assert prepared(model.params()) == prepared(parse(Model, HUB, "m.yaml").params()) == HUB
    assert trained(model.params()) == HUB | {"template_arguments": {"enable_thinking": False}}
    assert (model.teaching, parse(Model, HUB, "m.yaml").teaching) == (keys, {})


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"template_arguments": {"enable_thinking": False}}, "the endpoint applies the chat template"),
        ({"thinking_tokens": 9, "openai": REMOTE | {"max_completion_tokens": 99}}, "is the whole limit of an answer"),
        ({"thinking_tokens": -1}, "thinking_tokens"),
    ],
)
def test_what_an_endpoint_cannot_be_told_of_thinking_is_refused(keys, says):
    with pytest.raises(DefinitionError, match=says):
        parse(Model, {"openai": REMOTE} | keys, "m.yaml")
    assert parse(Model, {"openai": REMOTE, "thinking_tokens": 9}, "m.yaml").teaching == {"thinking_tokens": 9}


def test_an_unknown_key_is_named_with_file_and_place():
    with pytest.raises(DefinitionError, match=r"lora\.yaml: unknown key 'rnak' at top level; known keys are rank"):
        parse(Ranked, {"rank": 8, "rnak": 8}, "lora.yaml")
    with pytest.raises(DefinitionError, match=r"lora\.yaml: rank: 'x' is not of type 'integer'"):
        parse(Ranked, {"rank": "x"}, "lora.yaml")


def test_a_key_that_is_said_twice_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.yaml").write_text("a: {b: 1}\nc:\n  d: 1\n  e: 2\n  d: 3\n")
    with pytest.raises(DefinitionError, match=r"a\.yaml: .*line 5: the key 'd' stands there twice; keep one"):
        read_yaml(tmp_path / "a.yaml")
    (tmp_path / "a.yaml").write_text("a: &a {b: 1}\nc: {<<: *a, b: 2}\n")
    assert read_yaml(tmp_path / "a.yaml")["c"] == {"b": 2}


def test_a_slip_in_yaml_is_named_with_its_line(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\nb: [1\n")
    with pytest.raises(DefinitionError, match=r"(?s)a\.yaml.*line 3"):
        read_yaml(tmp_path / "a.yaml")


def test_yaml_tags_build_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(DefinitionError, match="not readable as YAML"):
        read_yaml(tmp_path / "a.yaml")


def test_a_file_defines_what_it_is_called(tmp_path):
    (tmp_path / "tiny.yaml").write_text("rank: 8\n")
    assert read_definitions(tmp_path, Ranked) == {"tiny": Ranked(rank=8)}


KINDS = {"model": Model, "dataset": Dataset, "method": Method, "task": Task}
HEAD = "code\tname\tiso639_1\tscript\tfamily\tjoshi_class\ttrue\tneither\tfalse\n"
ROW = "swh_Latn\tSwahili\tsw\tLatn\tAtlantic-Congo\t2\tKweli\tHaijulikani\tUongo\n"


@pytest.mark.parametrize("joshi_class", ["0", "5", "unknown"])
def test_a_language_has_a_class_or_none_that_is_known(tmp_path, joshi_class):
    (tmp_path / "languages.tsv").write_text(HEAD + ROW.replace("\t2\t", f"\t{joshi_class}\t") + "\n")
    assert read_languages(tmp_path / "languages.tsv")["swh_Latn"].joshi_class == joshi_class


def test_a_row_of_a_language_may_end_behind_its_class(tmp_path):
    (tmp_path / "languages.tsv").write_text(f"{HEAD}wol_Latn\tWolof\two\tLatn\tAtlantic-Congo\tunknown\n{ROW}")
    languages = read_languages(tmp_path / "languages.tsv")
    assert languages["wol_Latn"].words == {"true": "", "neither": "", "false": ""}
    assert languages["swh_Latn"].words["true"] == "Kweli"


def test_a_language_may_lack_a_word(tmp_path):
    (tmp_path / "languages.tsv").write_text(HEAD + ROW.replace("Uongo", ""))
    assert read_languages(tmp_path / "languages.tsv")["swh_Latn"].words["false"] == ""


def test_a_language_table_of_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "languages.tsv").write_bytes((HEAD + ROW).replace("\n", "\r\n").encode("utf-8-sig"))
    (language,) = read_languages(tmp_path / "languages.tsv").values()
    assert (language.code, language.words["false"]) == ("swh_Latn", "Uongo")


def test_a_language_says_how_answers_are_written_or_nothing(tmp_path):
    (tmp_path / "languages.tsv").write_text(HEAD + ROW)
    assert read_languages(tmp_path / "languages.tsv")["swh_Latn"].writing == Writing()
    head = HEAD.replace("\n", "\tnegations\tparticles\tunaccented\n")
    (tmp_path / "languages.tsv").write_text(head + ROW.replace("\n", "\tsi, hapana\t\tcapitals\n"))
    language = read_languages(tmp_path / "languages.tsv")["swh_Latn"]
    assert language.writing == Writing(negations=("si", "hapana"), unaccented="capitals")
    assert Writing.of(language.writing.params()) == language.writing
    assert list(language.words) == ["true", "neither", "false"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (HEAD + ROW.replace("Swahili", ""), r"line 2 \(swh_Latn\): fill the column\(s\) name"),
        (HEAD + ROW + "\n" + ROW, r"line 4 \(swh_Latn\) stands there twice"),
        ("", "line 1, the head, lacks code, name, iso639_1, script, family, joshi_class; cells are parted by tabs"),
        (HEAD.replace("\tfalse", "\ttrue") + ROW, "line 1, the head, has true twice; keep one column"),
        (ROW + ROW, "line 1, the head, lacks code, name"),
        (HEAD.replace("joshi", "josh") + ROW, "line 1, the head, lacks joshi_class;"),
        ((HEAD + ROW).replace("\t", " "), "line 1, the head, lacks code, .*; cells are parted by tabs"),
        (HEAD + ROW.replace("\t", "  "), r"line 2 \(swh_Latn\) has 1 cells, the head 9; cells are parted by tabs"),
        (HEAD + ROW.replace("\tsw\t", "\t"), r"line 2 \(swh_Latn\) has 8 cells, the head 9; cells are parted by tabs"),
        (HEAD + ROW.replace("\n", "\tx\n"), r"line 2 \(swh_Latn\) has 10 cells, the head 9"),
        (HEAD + ROW.replace("swh_Latn", "swh-Latn"), "code is 'swh-Latn'; write it as FLORES-200 does, as in swh_Latn"),
        (
            HEAD + ROW.replace("\t2\t", "\tlow\t"),
            r"line 2 \(swh_Latn\): joshi_class is 'low'; write 0 to 5, or unk",
        ),
        (HEAD + ROW.replace("\t2\t", "\t9\t"), "joshi_class is '9'; write 0 to 5"),
        (HEAD + ROW.replace("Uongo", "kweli"), "two of true, neither, false are one word"),
        (
            HEAD.replace("false", "unaccented") + ROW.replace("Uongo", "yes"),
            "unaccented is 'yes'; write capitals, always, or nothing",
        ),
    ],
)
def test_a_broken_row_of_the_language_table_is_named(tmp_path, table, says):
    (tmp_path / "languages.tsv").write_text(table)
    with pytest.raises(DefinitionError, match=r"languages\.tsv: .*" + says):
        read_languages(tmp_path / "languages.tsv")


class Toy(Record):
    model_config = ConfigDict(title="a toy", json_schema_extra={"dependentRequired": {"name": ["revision"]}})

    seeds: list[int]
    rate: Number | None = None
    keep: bool = True
    bits: Literal[4, 8] = 4
    name: str = ""
    revision: Annotated[str, Field(pattern="^[0-9a-f]{4}$", description="a commit, 4 hex digits")] = "0000"
    languages: Annotated[Literal["all"] | list[str], Field(description="all or a list")] = "all"

    def model_post_init(self, _):
        if "name" in self.model_fields_set and "revision" not in self.model_fields_set:
            raise ValueError("both")


@pytest.mark.parametrize(
    ("toy", "says"),
    [
        ({"seeds": ["1"]}, r"seeds\.0: '1' is not of type 'integer'; write 1 without quotes$"),
        ({"seeds": ["1e3"]}, "write 1000 without quotes"),
        ({"seeds": ["one"]}, "'one' is not of type 'integer'$"),
        ({"seeds": 16}, r"seeds: 16 is not of type 'array'; write \[16\]$"),
        ({"seeds": "a"}, r"write \[a\]$"),
        ({}, "'seeds' is a required property of a toy$"),
        ({"seeds": [], "rate": "5e-3"}, "rate: '5e-3' is not of type 'number', 'null'; write 0.005 without quotes$"),
        ({"seeds": [], "rate": "5e-6"}, r"write 5\.0e-06 without quotes$"),
        ({"seeds": [], "rate": "null"}, "write null without quotes$"),
        ({"seeds": [], "rate": ": ["}, "not of type 'number', 'null'$"),
        ({"seeds": [], "keep": "true"}, "write true without quotes$"),
        ({"seeds": [], "bits": "8"}, r"bits: '8' is not one of \[4, 8\]; write 8 without quotes$"),
        ({"seeds": [], "bits": 9}, r"bits: 9 is not one of \[4, 8\]$"),
        (
            {"seeds": [], "name": False, "revision": "0000"},
            "False is not of type 'string'; put quotes around it$",
        ),
        ({"seeds": [], "name": None, "revision": "0000"}, "name: None is not of type 'string'$"),
        ({"seeds": [], "name": "a"}, "'revision' is a dependency of 'name'; write both$"),
        ({"seeds": [], "revision": "main"}, "revision: write a commit, 4 hex digits$"),
        ({"seeds": [], "languages": "a"}, "languages: what stands there is not valid; write all or a list$"),
        ({"seeds": [], "languages": ["a", 1]}, r"languages\.1: 1 is not of type 'string'; put quotes around it$"),
    ],
)
def test_what_breaks_a_schema_is_told_with_what_to_write(toy, says):
    with pytest.raises(DefinitionError, match=r"^toy\.yaml: .*" + says):
        parse(Toy, toy, "toy.yaml")


def test_numbers_that_the_command_line_made_text_go_to_a_file():
    with pytest.raises(
        DefinitionError, match=r"0: '1' .* become text: write it in a file and give that with --configfile$"
    ):
        parse(Toy, {"seeds": ["1"]}, "config")


SHIPPED = [(path, kind) for kind in KINDS for path in sorted((ROOT / "config" / f"{kind}s").glob("*.yaml"))]


@pytest.mark.parametrize(("path", "kind"), SHIPPED, ids=[f"{kind}-{path.stem}" for path, kind in SHIPPED])
def test_every_definition_here_is_valid(path, kind):
    content = extended({each.stem: read_yaml(each) for each in path.parent.glob("*.yaml")}, path)
    assert parse(KINDS[kind], content, path).model_dump(exclude_unset=True, by_alias=True) == content


MIX = {"rows": None, "alpha": 1.0, "seed": 1, "held_out": 0}
LOADED = {"recipe": "load", "load": {}, "curate": {}, "mix": MIX}
MADE = {"teacher": "embedded", "seed": 1, "seed_tasks": "embedded", "self_instruct": {}, "curate": {}, "mix": MIX}
PINNED = {"hub": "a/b", "revision": "0" * 40}


@pytest.mark.parametrize(
    ("kind", "definition", "says"),
    [
        ("dataset", MADE | {"recipe": "self-instruct"}, r"recipe: 'self-instruct' is not one of \['self_instruct', "),
        ("dataset", MADE | {"recipe": "load"}, "'load' is a required property of recipe: load"),
        (
            "dataset",
            LOADED | {"recipe": "self_instruct"},
            "'self_instruct' is a required property of recipe: self",
        ),
        ("dataset", MADE, "'recipe' is a required property of a dataset"),
        (
            "dataset",
            MADE | {"recipe": "self_instruct", "teacher": "vllm"},
            "'vllm' is a required .* of teacher: vllm",
        ),
        (
            "dataset",
            LOADED | {"languages": "eng_Latn"},
            r"languages: .* write all, or a list of codes as in \[",
        ),
        ("model", {"hub": "a/b"}, "'revision' is a dependency of 'hub'; write both"),
        ("model", {"revision": "0" * 40}, "'hub' is a dependency of 'revision'; write both"),
        ("model", {}, r"write one of hub \(with its revision\), path, package, build and openai"),
        ("model", PINNED | {"openai": {"base_url": "http://h/v1", "model": "m"}}, "write one of hub"),
        (
            "model",
            PINNED | {"revision": "main"},
            "revision: write the commit of the Hub's repository",
        ),
        ("model", PINNED | {"revision": 10**39}, "revision: 10* is not of type 'string'; put quotes around it"),
    ],
)
def test_a_slip_in_a_definition_is_singled_out(kind, definition, says):
    with pytest.raises(DefinitionError, match=says):
        parse(KINDS[kind], definition, "mine.yaml")


def test_a_name_that_is_not_there_is_told_with_the_place_that_names_it():
    with pytest.raises(DefinitionError, match=r"^mine\.yaml: key names 'b', which config/tasks/ lacks; it has a$"):
        pick(["b"], {"a": {}}, "mine.yaml: key", "config/tasks/")


def test_languages_are_those_stated_or_the_study_s():
    table = {"a": {}, "b": {}, "c": {}}

    def stated(**languages):
        definition = parse(Dataset, LOADED | languages, "x.yaml")
        return stated_languages(definition, ["a", "b"], table, "x.yaml")

    assert stated(languages=["b", "c"]) == ["b", "c"]
    assert stated(languages="all") == ["a", "b"]
    assert stated() == ["a", "b"]
    with pytest.raises(DefinitionError, match=r"x\.yaml: languages names 'd', which config/languages\.tsv lacks"):
        stated(languages=["d"])


def test_numbers_stay_as_they_are_written():
    assert repr(parse(Toy, {"seeds": [], "rate": 2}, "toy.yaml").params()) == "{'seeds': [], 'rate': 2}"


def test_a_record_does_not_change_and_gives_what_decides_apart():
    settings = EndpointSettings(base_url="http://h/v1", model="m", temperature=0.7, timeout=9)
    with pytest.raises(ValidationError):
        settings.model = "other"
    assert settings.deciding() == {"base_url": "http://h/v1", "model": "m", "temperature": 0.7}
    assert settings.not_deciding() == {"timeout": 9}


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", ".NaN", "+.INF", "1.0e+400"])
def test_what_cannot_be_calculated_with_is_no_number_wherever_it_stands(tmp_path, number):
    (tmp_path / "a.yaml").write_text(f"a: 1.5\nb: [{{c: {number}}}]\n")
    with pytest.raises(DefinitionError, match=r"a\.yaml: .*line 2: .* write a number"):
        read_yaml(tmp_path / "a.yaml")


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_nor_is_it_one_on_the_command_line(number):
    with pytest.raises(DefinitionError, match=r"config: below"):
        parse(Bounded, {"below": number}, "config")


@pytest.mark.parametrize("content", [b"? [a, b]\n: 1\n", b"? {a: 1}\n: 1\n", b"a: \xff\n", b"a: \x00\n", b"[" * 10_000])
def test_a_file_that_is_no_yaml_of_ours_is_named(tmp_path, content):
    (tmp_path / "a.yaml").write_bytes(content)
    with pytest.raises(DefinitionError, match=r"a\.yaml: not readable as YAML: [^\n]*$"):
        read_yaml(tmp_path / "a.yaml")


def test_a_folder_and_a_dangling_link_are_no_definitions(tmp_path):
    (tmp_path / "a.yaml").mkdir()
    (tmp_path / "b.yaml").symlink_to(tmp_path / "nothing")
    for name in "ab":
        with pytest.raises(DefinitionError, match=rf"{name}\.yaml: .*; a definition is a file of text"):
            read_yaml(tmp_path / f"{name}.yaml")


@pytest.mark.parametrize("name", ["lora", "tiny-llama", "gpt-4.1", "_x", "2b", "xl.sum", "all-of-it", "nonetheless"])
def test_a_name_of_letters_digits_dots_and_dashes_is_one(tmp_path, name):
    (tmp_path / f"{name}.yaml").write_text("rank: 8\n")
    assert list(read_definitions(tmp_path, Ranked)) == [name]


@pytest.mark.parametrize(
    "name", ["all", "none", "All", "NONE", ".hidden", "-rf", "a b", "a\tb", "=1+1", "@x", "a{b}", "größe", "a,b",
             "a\x1b[31m", "*", "a'b", "$x", "a\nb", ""],
)  # fmt: skip
def test_any_other_name_is_refused_for_models_methods_datasets_and_tasks(tmp_path, name):
    (tmp_path / f"{name}.yaml").write_text("rank: 8\n")
    with pytest.raises(DefinitionError, match=r"is no name; rename the file") as error:
        read_definitions(tmp_path, Ranked)
    assert str(error.value).isprintable()


@pytest.mark.parametrize("seed", [-1, 2**31, 2**32, 2**64])
def test_a_seed_that_a_receiver_does_not_take_is_refused(seed):
    with pytest.raises(DefinitionError, match=r"config: seed: .*(minimum|maximum)"):
        parse(Seeded, {"seed": seed}, "config")
    assert parse(Seeded, {"seed": 2**31 - 1}, "config").seed


@pytest.mark.parametrize("odd", ["Swa\x07hili", "Swa\x1b[31mhili", "Swa\u202ehili", "Swa\ufffehili", "Swa\u2028hili"])
def test_a_character_in_the_language_table_that_no_one_sees_is_refused(tmp_path, odd):
    head, *rows = (ROOT / "config/languages.tsv").read_text(encoding="utf-8").split("\n")
    table = "\n".join([head, *(row.replace("\tSwahili\t", f"\t{odd}\t") for row in rows)])
    (tmp_path / "languages.tsv").write_text(table, encoding="utf-8")
    with pytest.raises(DefinitionError, match=r"swh_Latn.*: retype the column\(s\) name"):
        read_languages(tmp_path / "languages.tsv")


@pytest.mark.parametrize("cell", ["inf", "nan", "fast", "", "-inf", "1e999"])
def test_a_figure_of_the_hardware_that_is_no_number_is_named(tmp_path, cell):
    head, first, *_ = (ROOT / "config/hardware.tsv").read_text(encoding="utf-8").splitlines()
    cells = dict(zip(head.split("\t"), first.split("\t"), strict=True)) | {"disk_gb_s": cell}
    (tmp_path / "hardware.tsv").write_text("\n".join([head, "\t".join(cells.values())]), encoding="utf-8")
    with pytest.raises(DefinitionError, match=rf"hardware\.tsv: {cells['device']}: disk_gb_s: .* is no number"):
        read_hardware(tmp_path / "hardware.tsv")
