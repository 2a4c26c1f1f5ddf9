import pytest
from project import ROOT

from maple.definitions.loading import DefinitionError, check, pick, read_definitions, read_yaml
from maple.definitions.run import run_path
from maple.definitions.tables import read_languages
from maple.study.datasets import stated_languages
from maple.study.grid import expand_grid, method_cells

LORA = {
    "peft": "LORA",
    "axes": {"rank": [8, 16], "bits": [4, 16]},
    "alpha_over_rank": 2,
    "adapter": {"target_modules": "all-linear"},
}


def test_a_method_is_spelt_over_its_axes():
    cells = method_cells("lora", LORA)
    assert list(cells) == ["lora-r8-4bit", "lora-r8-16bit", "lora-r16-4bit", "lora-r16-16bit"]
    assert cells["lora-r16-4bit"]["adapter"] == {"target_modules": "all-linear", "r": 16, "lora_alpha": 32}


def test_a_method_without_a_rank_is_named_by_its_bits_alone():
    cells = method_cells("ia3", {"peft": "IA3", "axes": {"bits": [4, 16]}, "adapter": {}})
    assert list(cells) == ["ia3-4bit", "ia3-16bit"]
    assert cells["ia3-4bit"]["rank"] is None and cells["ia3-4bit"]["adapter"] == {}
    with pytest.raises(DefinitionError, match=r"method ia3 has no axis \['rank'\]; its axes are \['bits'\]"):
        method_cells("ia3", {"peft": "IA3", "axes": {"bits": [16]}, "adapter": {}}, {"rank": [8]})


def test_a_rank_sets_the_keys_that_the_type_has_for_it():
    adalora = {"peft": "ADALORA", "axes": {"rank": [8], "bits": [16]}, "alpha_over_rank": 2, "adapter": {}}
    prompt = {"peft": "PROMPT_TUNING", "axes": {"rank": [20], "bits": [16]}, "adapter": {}}
    assert method_cells("a", adalora)["a-r8-16bit"]["adapter"] == {"target_r": 8, "init_r": 12, "lora_alpha": 16}
    assert method_cells("p", prompt)["p-r20-16bit"]["adapter"] == {"num_virtual_tokens": 20}


def test_a_run_tells_the_file_its_method_comes_from():
    part = {"models": ["m"], "datasets": ["d"], "methods": {"lora": {"rank": [8], "bits": [4]}}, "seeds": [1]}
    runs, _ = expand_grid([part], {"m": {}}, {"d": {}}, {"lora": LORA})
    assert [run["family"] for run in runs] == ["none", "lora"]


def test_the_paper_s_grid_is_sixty_runs_and_two_bases():
    lora = LORA | {"axes": {"rank": [8, 16, 32, 64, 128], "bits": [4, 8, 16]}}
    part = {"models": ["llama", "mistral"], "datasets": ["a", "b"], "methods": {"lora": None}, "seeds": [1]}
    runs, cells = expand_grid([part], {"llama": {}, "mistral": {}}, {"a": {}, "b": {}}, {"lora": lora})
    assert len(runs) == 62
    assert len(cells) == 15
    assert [run_path(run) for run in runs[:2]] == ["llama/none/none/seed0", "mistral/none/none/seed0"]


def test_runs_that_two_parts_of_a_grid_share_are_run_once():
    part = {"models": ["m"], "datasets": ["d"], "methods": {"lora": {"rank": [8], "bits": [4]}}, "seeds": [1]}
    runs, _ = expand_grid([part, part], {"m": {}}, {"d": {}}, {"lora": LORA})
    assert [run_path(run) for run in runs] == ["m/none/none/seed0", "m/d/lora-r8-4bit/seed1"]


def test_a_model_that_no_file_defines_is_named_with_those_there_are():
    part = {"models": ["lama"], "datasets": [], "methods": {}, "seeds": [1]}
    with pytest.raises(DefinitionError, match="names 'lama', which config/models/ lacks; it has llama"):
        expand_grid([part], {"llama": {}}, {}, {})


def test_an_unknown_key_is_named_with_file_and_place(tmp_path):
    schema = tmp_path / "schema.yaml"
    schema.write_text("type: object\nadditionalProperties: false\nproperties: {rank: {type: integer}}\n")
    with pytest.raises(DefinitionError, match=r"lora\.yaml: unknown key 'rnak' at top level; known keys are rank"):
        check({"rnak": 8}, schema, "lora.yaml")
    with pytest.raises(DefinitionError, match=r"lora\.yaml: rank: 'x' is not of type 'integer'"):
        check({"rank": "x"}, schema, "lora.yaml")


def test_a_slip_in_yaml_is_named_with_its_line(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\nb: [1\n")
    with pytest.raises(DefinitionError, match=r"(?s)a\.yaml.*line 3"):
        read_yaml(tmp_path / "a.yaml")


def test_yaml_tags_build_nothing(tmp_path):
    (tmp_path / "a.yaml").write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(DefinitionError, match="not readable as YAML"):
        read_yaml(tmp_path / "a.yaml")


def test_a_file_defines_what_it_is_called(tmp_path):
    (tmp_path / "schema").write_text("type: object\n")
    (tmp_path / "tiny.yaml").write_text("hub: x\n")
    assert read_definitions(tmp_path, tmp_path / "schema") == {"tiny": {"hub": "x"}}


KINDS = ("model", "dataset", "method", "task")
HEAD = "code\tname\tiso639_1\tscript\tfamily\tjoshi_class\ttrue\tneither\tfalse\n"
ROW = "swh_Latn\tSwahili\tsw\tLatn\tAtlantic-Congo\t2\tKweli\tHaijulikani\tUongo\n"


@pytest.mark.parametrize("joshi_class", ["0", "5", "unknown"])
def test_a_language_has_a_class_or_none_that_is_known(tmp_path, joshi_class):
    (tmp_path / "languages.tsv").write_text(HEAD + ROW.replace("\t2\t", f"\t{joshi_class}\t") + "\n")
    assert read_languages(tmp_path / "languages.tsv")["swh_Latn"]["joshi_class"] == joshi_class


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (HEAD + ROW.replace("Swahili", ""), r"line 2 \(swh_Latn\): fill the column\(s\) name"),
        (HEAD + ROW + "\n" + ROW, r"line 4 \(swh_Latn\) stands there twice"),
        ("", "line 1, the head, lacks code, name, iso639_1, script, family, joshi_class; cells are parted by tabs"),
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
    ],
)
def test_a_broken_row_of_the_language_table_is_named(tmp_path, table, says):
    (tmp_path / "languages.tsv").write_text(table)
    with pytest.raises(DefinitionError, match=r"languages\.tsv: .*" + says):
        read_languages(tmp_path / "languages.tsv")


TOY = """
title: a toy
required: [seeds]
properties:
  seeds: {type: array, items: {type: integer}}
  rate: {type: [number, "null"]}
  keep: {type: boolean}
  bits: {enum: [4, 8]}
  name: {type: string}
  revision: {type: string, pattern: "^[0-9a-f]{4}$", description: "a commit, 4 hex digits"}
  languages: {description: all or a list, oneOf: [{const: all}, {type: array, items: {type: string}}]}
dependentRequired: {name: [revision]}
"""


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
def test_what_breaks_a_schema_is_told_with_what_to_write(tmp_path, toy, says):
    (tmp_path / "schema.yaml").write_text(TOY)
    with pytest.raises(DefinitionError, match=r"^toy\.yaml: .*" + says):
        check(toy, tmp_path / "schema.yaml", "toy.yaml")


def test_numbers_that_the_command_line_made_text_go_to_a_file(tmp_path):
    (tmp_path / "schema.yaml").write_text(TOY)
    with pytest.raises(
        DefinitionError, match=r"0: '1' .* become text: write it in a file and give that with --configfile$"
    ):
        check({"seeds": ["1"]}, tmp_path / "schema.yaml", "config")


SHIPPED = [(path, kind) for kind in KINDS for path in sorted((ROOT / "config" / f"{kind}s").glob("*.yaml"))]


@pytest.mark.parametrize(("path", "kind"), SHIPPED, ids=[f"{kind}-{path.stem}" for path, kind in SHIPPED])
def test_every_definition_here_is_valid(path, kind):
    check(read_yaml(path), ROOT / f"workflow/schemas/{kind}.schema.yaml", path)


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
        ("dataset", MADE, "'recipe' is a required property of an instruction set"),
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
        ("model", {}, r"write one of hub \(with its revision\), build and openai"),
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
        check(definition, ROOT / f"workflow/schemas/{kind}.schema.yaml", "mine.yaml")


def test_a_name_that_is_not_there_is_told_with_the_place_that_names_it():
    with pytest.raises(DefinitionError, match=r"^mine\.yaml: key names 'b', which config/tasks/ lacks; it has a$"):
        pick(["b"], {"a": {}}, "mine.yaml: key", "config/tasks/")


def test_languages_are_those_stated_or_the_grid_s():
    table = {"a": {}, "b": {}, "c": {}}
    assert stated_languages({"languages": ["b", "c"]}, ["a", "b"], table, "x.yaml") == ["b", "c"]
    assert stated_languages({"languages": "all"}, ["a", "b"], table, "x.yaml") == ["a", "b"]
    assert stated_languages({}, ["a", "b"], table, "x.yaml") == ["a", "b"]
    with pytest.raises(DefinitionError, match=r"x\.yaml: languages names 'd', which config/languages\.tsv lacks"):
        stated_languages({"languages": ["d"]}, ["a"], table, "x.yaml")
