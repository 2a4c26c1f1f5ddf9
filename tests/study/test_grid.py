import pytest

from maple.definitions.config import GridPart
from maple.definitions.dataset import LoadedDataset, TaskDataset
from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import HubModel
from maple.definitions.method import GridAxes, PeftMethod, WeightsMethod
from maple.definitions.training import TrainingSettings
from maple.study.grid import expand_grid, method_variants, mixtures_of

TASKS = ["xnli", "xcopa"]
TRAINING = TrainingSettings(
    steps=1,
    batch_tokens=8,
    micro_batch_tokens=8,
    packing=True,
    learning_rate=0.1,
    warmup=0.1,
    max_length=8,
    weight_decay=0.0,
    max_grad_norm=1.0,
    held_out_rows=0,
    held_out_steps=1,
)
LORA = PeftMethod(
    peft="LORA",
    axes={"rank": [8, 16], "bits": [4, 16]},
    alpha_over_rank=2,
    adapter={"target_modules": "all-linear"},
)


def expand(parts, models, datasets, methods):
    models = dict.fromkeys(models, HubModel(hub="a/b", revision="0" * 40))
    return expand_grid([GridPart(**part) for part in parts], models, datasets, methods, TRAINING, TASKS)


def test_a_method_is_spelt_over_its_axes():
    variants = method_variants("lora", LORA, None, TRAINING)
    assert list(variants) == ["lora-r8-4bit", "lora-r8-16bit", "lora-r16-4bit", "lora-r16-16bit"]
    assert variants["lora-r16-4bit"].adapter == {"target_modules": "all-linear", "r": 16, "lora_alpha": 32}


def test_the_learning_rate_is_an_axis_of_any_method_where_the_grid_names_it():
    variants = method_variants("lora", LORA, GridAxes(rank=[8], learning_rate=[1e-5, 0.02], bits=[4]), TRAINING)
    assert {name: variant.training.learning_rate for name, variant in variants.items()} == {
        "lora-r8-lr1e-05-4bit": 1e-5,
        "lora-r8-lr0.02-4bit": 0.02,
    }
    assert variants["lora-r8-lr0.02-4bit"].axes == {"rank": 8, "learning_rate": 0.02, "bits": 4}


def test_places_are_axes_of_an_adapter_where_its_file_or_the_grid_names_them():
    variants = method_variants("lora", LORA, GridAxes(rank=[8], location=["attention", "both"], bits=[16]), TRAINING)
    assert list(variants) == ["lora-r8-attention-16bit", "lora-r8-both-16bit"]
    tuned = method_variants("lora", LORA, GridAxes(rank=[8], connector=["frozen", "tuned"], bits=[16]), TRAINING)
    assert list(tuned) == ["lora-r8-frozen-connector-16bit", "lora-r8-tuned-connector-16bit"]
    one = tuned["lora-r8-tuned-connector-16bit"]
    assert one.axes == {"rank": 8, "connector": "tuned", "bits": 16}
    assert one.adapter == {"target_modules": "all-linear", "r": 8, "lora_alpha": 16}, "what PEFT gets is the file's"
    assert one.adapted_by() == {"peft": "LORA", "adapter": one.adapter, "connector": "tuned"}
    both = LORA.changed(axes={"rank": [8], "location": ["both"], "connector": ["tuned"], "bits": [16]})
    assert list(method_variants("lora", both, None, TRAINING)) == ["lora-r8-both-tuned-connector-16bit"]


def test_a_location_is_no_axis_of_a_type_without_layers_nor_of_the_model_s_own_weights():
    prefix = PeftMethod(peft="PREFIX_TUNING", axes={"rank": [8], "bits": [16]}, adapter={})
    full = WeightsMethod(trains="all", axes={"bits": [16]})
    for method, axes in ((prefix, GridAxes(location=["mlp"])), (full, GridAxes(connector=["tuned"]))):
        with pytest.raises(DefinitionError, match=r"method m has no axis \['(location|connector)'\]"):
            method_variants("m", method, axes, TRAINING)


def test_what_a_method_changes_of_training_is_in_its_variants():
    slow = LORA.changed(training={"learning_rate": 0.01})
    trained = method_variants("lora", slow, None, TRAINING)["lora-r8-4bit"].training
    assert (trained.learning_rate, trained.steps) == (0.01, 1)


def test_a_method_without_a_rank_is_named_by_its_bits_alone():
    ia3 = PeftMethod(peft="IA3", axes={"bits": [4, 16]}, adapter={})
    variants = method_variants("ia3", ia3, None, TRAINING)
    assert list(variants) == ["ia3-4bit", "ia3-16bit"]
    assert variants["ia3-4bit"].axes == {"bits": 4} and variants["ia3-4bit"].adapter == {}
    with pytest.raises(DefinitionError, match=r"method ia3 has no axis \['rank'\]; its axes are \['bits'\]"):
        method_variants("ia3", ia3, GridAxes(rank=[8]), TRAINING)


def test_a_rank_sets_the_keys_that_the_type_has_for_it():
    adalora = PeftMethod(peft="ADALORA", axes={"rank": [8], "bits": [16]}, alpha_over_rank=2, adapter={})
    prompt = PeftMethod(peft="PROMPT_TUNING", axes={"rank": [20], "bits": [16]}, adapter={})
    of_adalora = method_variants("a", adalora, None, TRAINING)["a-r8-16bit"].adapter
    of_prompt = method_variants("p", prompt, None, TRAINING)["p-r20-16bit"].adapter
    assert of_adalora == {"target_r": 8, "init_r": 12, "lora_alpha": 16}
    assert of_prompt == {"num_virtual_tokens": 20}


def test_a_run_tells_the_file_its_method_comes_from():
    part = {"models": ["m"], "datasets": ["d"], "methods": {"lora": {"rank": [8], "bits": [4]}}, "seeds": [1]}
    runs, _ = expand([part], {"m": {}}, {"d": {}}, {"lora": LORA})
    assert [run.family for run in runs] == ["none", "lora"]


def test_the_paper_s_grid_is_sixty_runs_and_two_baselines():
    lora = LORA.changed(axes={"rank": [8, 16, 32, 64, 128], "bits": [4, 8, 16]})
    part = {"models": ["llama", "mistral"], "datasets": ["a", "b"], "methods": {"lora": None}, "seeds": [1]}
    runs, variants = expand([part], {"llama": {}, "mistral": {}}, {"a": {}, "b": {}}, {"lora": lora})
    assert len(runs) == 62
    assert len(variants) == 15
    assert [run.path for run in runs[:2]] == ["llama/none/none/seed0", "mistral/none/none/seed0"]
    assert [run.is_baseline for run in runs[:3]] == [True, True, False]


def test_runs_that_two_parts_of_a_grid_share_are_run_once():
    part = {"models": ["m"], "datasets": ["d"], "methods": {"lora": {"rank": [8], "bits": [4]}}, "seeds": [1]}
    runs, _ = expand([part, part], {"m": {}}, {"d": {}}, {"lora": LORA})
    assert [run.path for run in runs] == ["m/none/none/seed0", "m/d/lora-r8-4bit/seed1"]


def test_a_part_names_the_tasks_of_its_runs_and_a_run_of_two_parts_is_asked_those_of_both():
    part = {"models": ["m"], "datasets": ["d"], "methods": {"lora": {"rank": [8], "bits": [4]}}, "seeds": [1]}
    other = {**part, "models": ["n"], "tasks": ["xcopa"]}
    runs, _ = expand([part, other], {"m": {}, "n": {}}, {"d": {}}, {"lora": LORA})
    assert {run.model: run.tasks for run in runs} == {"m": ("xnli", "xcopa"), "n": ("xcopa",)}
    shared, _ = expand(
        [{**part, "tasks": ["xcopa"]}, {**part, "tasks": ["xnli"]}], {"m": {}}, {"d": {}}, {"lora": LORA}
    )
    assert [run.tasks for run in shared] == [("xnli", "xcopa")] * 2


def test_a_task_of_a_part_that_the_config_does_not_list_is_named():
    part = {"models": ["m"], "datasets": [], "methods": {}, "seeds": [], "tasks": ["mlqa"]}
    with pytest.raises(DefinitionError, match=r"config: grid: tasks names 'mlqa', which .* it has xnli, xcopa"):
        expand([part], {"m": {}}, {}, {})


def test_a_run_has_the_values_of_its_axes():
    part = {"models": ["m"], "datasets": ["d"], "methods": {"lora": {"rank": [8], "bits": [4]}}, "seeds": [1]}
    (_, run), _ = expand([part], {"m": {}}, {"d": {}}, {"lora": LORA})
    assert run.axes == {"rank": 8, "bits": 4} and run.axis("rows") is None and run.bits == 4


def test_a_model_that_no_file_defines_is_named_with_those_there_are():
    part = {"models": ["lama"], "datasets": [], "methods": {}, "seeds": [1]}
    with pytest.raises(DefinitionError, match="names 'lama', which config/models/ lacks; it has llama"):
        expand([part], {"llama": {}}, {}, {})


def test_two_methods_whose_variants_have_one_name_are_told_apart_by_their_files():
    methods = {"lora": LORA, "lora-r16": PeftMethod(peft="IA3", axes={"bits": [4]}, adapter={})}
    part = {"models": ["m"], "datasets": ["d"], "methods": {"lora": None, "lora-r16": None}, "seeds": [1]}
    with pytest.raises(DefinitionError, match="lora-r16 and lora both have a variant lora-r16-4bit; rename one"):
        expand([part], {"m": 1}, {"d": 1}, methods)
    split = [{**part, "methods": {name: None}} for name in methods]
    with pytest.raises(DefinitionError, match="rename one"):
        expand(split, {"m": 1}, {"d": 1}, methods)


TASK_ROWS = TaskDataset(
    recipe="task",
    task={"name": "mahasent"},
    mix={"rows": None, "alpha": 1.0, "seed": 1, "held_out": 1},
    axes={"rows": [250, None]},
)


def sizes(datasets, definitions=None):
    """Return the runs of a grid of one method over datasets, baselines left out."""
    part = {"models": ["m"], "datasets": datasets, "methods": {"lora": {"rank": [8], "bits": [4]}}, "seeds": [1]}
    runs, _ = expand([part], {"m": {}}, definitions or {"mahasent": TASK_ROWS}, {"lora": LORA})
    return [run for run in runs if not run.is_baseline]


def test_a_dataset_of_a_task_is_spelt_over_its_sizes_and_all_rows_are_no_value_of_the_axis():
    runs = sizes(["mahasent"])
    assert [run.dataset for run in runs] == ["mahasent-250rows", "mahasent"]
    assert [dict(run.axes) for run in runs] == [{"rank": 8, "bits": 4, "rows": 250}, {"rank": 8, "bits": 4}]


def test_a_grid_names_other_sizes_of_a_dataset():
    assert [run.axis("rows") for run in sizes({"mahasent": {"rows": [10, 20]}})] == [10, 20]
    assert [run.axis("rows") for run in sizes({"mahasent": None})] == [250, None]


def test_sizes_of_one_dataset_are_mixed_from_the_same_examples():
    mixtures = mixtures_of(
        [GridPart(models=["m"], datasets=["mahasent"], methods={}, seeds=[])], {"mahasent": TASK_ROWS}
    )
    assert {name: mixture.dataset for name, mixture in mixtures.items()} == {
        "mahasent-250rows": "mahasent",
        "mahasent": "mahasent",
    }
    assert mixtures["mahasent-250rows"].settings(TASK_ROWS) == TASK_ROWS.mix.changed(rows=250)


def test_a_size_that_is_named_as_another_dataset_is_refused():
    with pytest.raises(DefinitionError, match=r"a size of mahasent is named as config/datasets/mahasent-250rows\.yaml"):
        sizes(["mahasent"], {"mahasent": TASK_ROWS, "mahasent-250rows": TASK_ROWS})


def test_an_instruction_set_has_no_sizes():
    loaded = LoadedDataset(recipe="load", load={}, curate={}, mix=TASK_ROWS.mix.params())
    refusal = "datasets: alpaca: rows: only datasets of recipe task or parallel or pictures have these axes"
    with pytest.raises(DefinitionError, match=refusal):
        sizes({"alpaca": {"rows": [10]}}, {"alpaca": loaded})
