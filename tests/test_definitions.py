import pytest

from maple.definitions import (
    DefinitionError,
    check,
    expand_grid,
    method_cells,
    read_definitions,
    read_languages,
    read_yaml,
    run_path,
    stated_languages,
)

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


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("code\tname\neng_Latn\t\n", r"line 2 \(eng_Latn\): fill the column\(s\) \['name'\]"),
        ("code\tname\na\tA\na\tA\n", "line 3: a stands there twice"),
    ],
)
def test_a_broken_row_of_the_language_table_is_named(tmp_path, table, says):
    (tmp_path / "languages.tsv").write_text(table)
    with pytest.raises(DefinitionError, match=says):
        read_languages(tmp_path / "languages.tsv")


def test_languages_are_those_stated_or_the_grid_s():
    table = {"a": {}, "b": {}, "c": {}}
    assert stated_languages({"languages": ["b", "c"]}, ["a", "b"], table, "x.yaml") == ["b", "c"]
    assert stated_languages({"languages": "all"}, ["a", "b"], table, "x.yaml") == ["a", "b"]
    assert stated_languages({}, ["a", "b"], table, "x.yaml") == ["a", "b"]
    with pytest.raises(DefinitionError, match=r"x\.yaml: languages names 'd', which config/languages\.tsv lacks"):
        stated_languages({"languages": ["d"]}, ["a"], table, "x.yaml")
