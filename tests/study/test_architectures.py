"""What would fail only after the training is refused while a study is planned."""

import json
import shutil

import pytest
from project import ROOT
from studies import CONFIG, study

from maple.data.repository_folders import repository_folder
from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import BUILT
from maple.definitions.reading import read_yaml
from maple.methods.targets import adapted_embedding
from maple.models.limits import DEFAULT_POSITIONS, positions_of, reason_against_lengths
from maple.study.reading import read_study

PART = CONFIG["grid"][1]  # tiny-mistral, which takes 512 tokens


def generate(**changes):
    return {"generate": CONFIG["generate"] | changes}


@pytest.fixture
def folder(tmp_path):
    """The project's definitions, to change."""
    import yaml

    shutil.copytree(ROOT / "config", tmp_path / "config")

    def read(results="none", method=None, model=None, dataset=None, **changes):
        for path, change in {"methods/lora": method, "models/toy": model, "datasets/generated": dataset}.items():
            if change:
                file = tmp_path / f"config/{path}.yaml"
                before = read_yaml(file) if file.is_file() else {}
                file.write_text(yaml.safe_dump(before | change))
        return read_study(CONFIG | changes, tmp_path / "config", tmp_path / results)

    return read


def refused(read, **changes) -> str:
    with pytest.raises(DefinitionError) as error:
        read(**changes)
    assert "\n" not in str(error.value)
    return str(error.value)


def mix(held_out):
    return {"mix": {"rows": 100, "alpha": 0.0, "seed": 1, "held_out": held_out}}


def lora(**adapter):
    return {"adapter": {"target_modules": "all-linear", **adapter}}


def test_a_merge_needs_held_out_rows_to_be_checked_on(folder):
    told = refused(folder, dataset=mix(0))
    assert told.startswith("config/datasets/generated.yaml: mix.held_out: 0 leaves nothing to check a merge on (lora-r")
    assert "generate.adapters: attached" in told
    assert folder(dataset=mix(1)).runs
    assert folder(dataset=mix(0), **generate(adapters="attached")).runs


def test_so_do_early_stopping_and_the_best_adapter(folder):
    attached = generate(adapters="attached")
    for keys in ({"keep": "best"}, {"early_stopping": {"patience": 2}}):
        told = refused(folder, dataset=mix(0), finetune=CONFIG["finetune"] | keys, **attached)
        assert told.startswith("config/datasets/generated.yaml: mix.held_out: 0 leaves nothing for early_stopping and")
        assert folder(dataset=mix(1), finetune=CONFIG["finetune"] | keys).runs


@pytest.mark.parametrize("length", [513, 4096])
def test_texts_to_generate_that_are_longer_than_a_built_model_takes_are_refused(length):
    told = refused(study, **generate(max_length=length))
    assert f"config: generate.max_length: {length} tokens are above the 512 positions of the model" in told
    assert "or leave tiny-llama out of the grid" in told
    assert study(**generate(max_length=512)).runs


def test_so_are_texts_to_learn_from():
    long = CONFIG["finetune"] | {"max_length": 600, "batch_tokens": 5000, "micro_batch_tokens": 5000}
    assert "config: finetune.max_length: 600 tokens are above the 512 positions" in refused(study, finetune=long)


def test_a_built_model_that_states_no_positions_has_transformers_own(folder):
    recipe = read_yaml(ROOT / "config/models/tiny-llama.yaml")["build"]
    del recipe["architecture"]["max_position_embeddings"]
    grid = [PART | {"models": ["toy"]}]
    assert folder(model={"build": recipe}, grid=grid, **generate(max_length=2048)).runs
    assert "above the 2048 positions" in refused(folder, grid=grid, **generate(max_length=2049))


@pytest.mark.parametrize("place", ["hub", "base"])
def test_a_fetched_model_is_known_by_its_own_config(folder, tmp_path, place):
    model = {"hub": "org/toy", "revision": "0" * 40}
    home = tmp_path / "results" / place
    home /= repository_folder("model", "org/toy", "0" * 40) if place == "hub" else "toy"
    home.mkdir(parents=True)
    (home / "config.json").write_text(json.dumps({"max_position_embeddings": 256}))
    grid = [PART | {"models": ["toy"]}]
    assert "above the 256 positions" in refused(folder, results="results", model=model, grid=grid)
    unknown = folder(results="elsewhere", grid=grid)
    assert unknown.lengths("toy") == {"generate.max_length": 512, "finetune.max_length": 384}, "the rule base looks"


def test_a_model_of_the_hub_may_state_what_it_takes():
    grid = [PART | {"models": ["llama-2-7b"]}]
    assert "above the 4096 positions" in refused(study, grid=grid, **generate(max_length=4097))


@pytest.mark.parametrize(
    ("config", "positions"),
    [
        ({"max_position_embeddings": 512}, 512),
        ({"n_positions": 1024, "n_ctx": 9}, 1024),
        ({"text_config": {"max_position_embeddings": 77}}, 77),
        ({"max_position_embeddings": 512, "rope_scaling": {"type": "linear", "factor": 4.0}}, 2048),
        ({"max_position_embeddings": 512, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, 512),
        ({"max_position_embeddings": 512, "rope_parameters": {"rope_type": "default", "rope_theta": 1e4}}, 512),
        (
            {
                "max_position_embeddings": 2048,
                "rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 512},
            },
            2048,
        ),
        ({}, None),
    ],
)
def test_positions_are_read_as_models_state_them(config, positions):
    assert positions_of(config) == positions
    assert (reason_against_lengths(config, {"generate.max_length": 10**6}) is None) == (positions is None)


@pytest.mark.heavy
@pytest.mark.parametrize("model_type", DEFAULT_POSITIONS)
def test_the_default_positions_are_transformers_own(model_type):
    from transformers import AutoConfig

    config = AutoConfig.for_model(model_type).get_text_config()
    assert config.max_position_embeddings == DEFAULT_POSITIONS[model_type]
    assert BUILT[model_type] != "causal" or not config.tie_word_embeddings


@pytest.mark.parametrize(
    ("targets", "module"),
    [
        (["embed_tokens"], "model.embed_tokens"),
        (["q_proj", "model.embed_tokens"], "model.embed_tokens"),
        (["q_proj", "lm_head"], "lm_head"),
        (r".*embed_tokens", "model.embed_tokens"),
        (r".*", "model.embed_tokens"),
        (r"model\..*", "model.embed_tokens"),
        (r".*(q_proj|head)", "lm_head"),
        ("lm_head", "lm_head"),
    ],
)
def test_an_embedding_that_is_the_output_layer_is_no_target(folder, targets, module):
    told = refused(folder, method=lora(target_modules=targets))
    assert told.startswith(
        f"config/methods/lora.yaml: adapter.target_modules: {module} of tiny-llama is input embedding"
    )


@pytest.mark.parametrize(
    "adapter",
    [
        {"target_modules": "all-linear"},
        {"target_modules": ["q_proj", "o_proj", "head"]},
        {"target_modules": r".*\.(q|v)_proj"},
        {"target_modules": r".*", "exclude_modules": r".*embed.*|.*head|transformer.*"},
        {"target_modules": ["lm_head", "q_proj"], "exclude_modules": ["lm_head"]},
        {},
    ],
)
def test_other_targets_are_none(adapter):
    assert adapted_embedding(adapter) is None


def test_an_embedding_of_its_own_may_be_adapted(folder):
    recipe = read_yaml(ROOT / "config/models/tiny-llama.yaml")["build"]
    recipe["architecture"]["tie_word_embeddings"] = False
    method = lora(target_modules=["embed_tokens"])
    assert folder(model={"build": recipe}, method=method, grid=[PART | {"models": ["toy"]}]).runs


@pytest.mark.parametrize(("rank", "start", "largest"), [(513, True, 513), (300, "olora", 600)])
def test_a_rank_that_vllm_does_not_attach_goes_to_transformers_or_is_refused(folder, rank, start, largest):
    grid = [PART | {"methods": {"lora": {"rank": [rank], "bits": [16]}}}]
    method = lora(init_lora_weights=start)
    told = refused(folder, method=method, grid=grid, **generate(adapters="attached", engine="vllm"))
    assert f"vLLM attaches ranks up to 512, not {largest}; write merged, or engine: transformers" in told
    (variant,) = folder(grid=grid, **generate(adapters="attached")).methods.values()
    assert variant.settings.engine == "transformers" and not variant.served


@pytest.mark.heavy
def test_the_largest_rank_is_vllm_s_own():
    from typing import get_args

    lora_config = pytest.importorskip("vllm.config.lora")
    from maple.methods.capabilities import VLLM_LARGEST_RANK

    assert max(get_args(lora_config.MaxLoRARanks)) == VLLM_LARGEST_RANK


def test_kernels_that_do_not_depend_on_the_batch_are_vllm_s_alone():
    assert "generate.batch_invariant: transformers has no such kernels" in refused(
        study, **generate(batch_invariant=True, engine="transformers")
    )
    grid = [PART | {"methods": {"prefix-tuning": {"rank": [20], "bits": [16]}}}]
    told = refused(study, grid=grid, **generate(batch_invariant=True))
    assert "generate.batch_invariant: prefix-tuning-r20-16bit generates with transformers" in told
    assert study(**generate(batch_invariant=True)).runs


def test_a_limit_of_new_tokens_leaves_room_for_a_prompt():
    told = refused(study, max_new_tokens={"xquad": 512})
    assert "generate.max_length: 512 tokens leave no prompt of xquad room beside its limit of 512 new tokens" in told


def test_thinking_leaves_room_for_a_prompt_and_the_message_names_the_model(tmp_path):
    shutil.copytree(ROOT / "config", tmp_path / "config")
    file = tmp_path / "config/models/tiny-llama.yaml"
    written = file.read_text()
    file.write_text(f"{written}\nthinking_tokens: 100\n")
    assert read_study(CONFIG, tmp_path / "config").models["tiny-llama"].teaching == {"thinking_tokens": 100}
    file.write_text(f"{written}\nthinking_tokens: 500\n")
    with pytest.raises(
        DefinitionError, match=r"config/models/tiny-llama\.yaml: thinking_tokens: 500 .*max_length: 512"
    ):
        read_study(CONFIG, tmp_path / "config")


def test_the_parts_of_a_model_have_equally_many_attention_heads():
    assert "generate.tensor_parallel: 3 does not divide the 4 attention heads of tiny-llama" in refused(
        study, **generate(tensor_parallel=3)
    )


SIZES = {
    "vocab_size": 100,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": 4096,
}


def of_hub(model_type, **keys):
    return {"hub": "org/toy", "revision": "0" * 40, "architecture": {"model_type": model_type, **SIZES, **keys}}


def toy_grid(bits):
    return [PART | {"models": ["toy"], "methods": {"lora": {"rank": [8], "bits": [bits]}}}]


@pytest.mark.parametrize(("model_type", "reason"), [("falcon", "of a type of its own"), ("mixtral", "its experts")])
def test_bits_that_an_architecture_does_not_have_are_refused(folder, model_type, reason):
    plain = lora(lora_dropout=0.0)
    told = refused(folder, model=of_hub(model_type), method=plain, grid=toy_grid(4))
    assert told.startswith("config: grid: toy in 4 bits: bitsandbytes quantizes") and reason in told
    assert "without 4 in the bits of lora" in told
    assert folder(model=of_hub(model_type), method=plain, grid=toy_grid(16)).runs
    assert folder(model=of_hub("of-tomorrow"), method=plain, grid=toy_grid(4)).runs, "the job decides"


def test_a_location_is_refused_where_layers_have_other_names(folder):
    grid = [PART | {"models": ["toy"], "methods": {"lora": {"rank": [8], "location": ["mlp"], "bits": [16]}}}]
    told = refused(folder, model=of_hub("bloom"), grid=grid)
    assert told.startswith(
        "config: grid: lora-r8-mlp-16bit: location: the layers of toy, a bloom, are not named self_att"
    )
    assert folder(model=of_hub("qwen3"), grid=grid).methods.keys() >= {"lora-r8-mlp-16bit"}
    assert folder(model=of_hub("of-tomorrow"), grid=grid).runs, "the job decides"


def test_experts_are_adapted_without_dropout_and_not_attached_by_vllm(folder):
    mixtral = {"model": of_hub("mixtral"), "grid": toy_grid(16)}
    told = refused(folder, method=lora(lora_dropout=0.05), **mixtral)
    assert "config/methods/lora.yaml: adapter.lora_dropout: PEFT does not have it for experts" in told
    attached = generate(adapters="attached", engine="vllm")
    told = refused(folder, method=lora(lora_dropout=0.0), **mixtral, **attached)
    assert "lora-r8-16bit adapts the experts of toy, which vLLM does not attach" in told
    named = {"adapter": {"target_modules": ["q_proj"], "lora_dropout": 0.05}}
    assert folder(method=named, **mixtral, **attached).runs


@pytest.mark.parametrize("model_type", ["cohere2", "xglm"])
def test_an_engine_that_does_not_serve_an_architecture_is_refused(folder, model_type):
    study = {"model": of_hub(model_type, sliding_window=8), "method": lora(lora_dropout=0.0), "grid": toy_grid(16)}
    told = refused(folder, **study, **generate(engine="vllm", max_length=512))
    assert told.startswith(f"config: generate.engine: vllm: toy is a {model_type} model: vLLM 0.32")
    assert "write transformers, or auto" in told
    for engine in ("auto", "transformers"):
        assert folder(**study, **generate(engine=engine, max_length=512)).runs


def test_a_window_that_vllm_takes_longer_matters_to_longer_texts_alone(folder):
    study = {"model": of_hub("cohere2", sliding_window=511), "method": lora(lora_dropout=0.0), "grid": toy_grid(16)}
    assert "texts above 511 tokens" in refused(folder, **study, **generate(engine="vllm", max_length=512))
    assert folder(**study, **generate(engine="vllm", max_length=511)).runs


@pytest.mark.parametrize("keys", [{"quantization_config": {"quant_method": "mxfp4"}}, {"compression_config": {"a": 1}}])
def test_a_model_that_is_quantized_already_is_refused(folder, keys):
    told = refused(folder, model=of_hub("llama", **keys), grid=toy_grid(16))
    assert told.startswith(f"config/models/toy.yaml: the weights are quantized already ({next(iter(keys))})")


def test_a_soft_prompt_is_refused_where_positions_have_three_parts(folder):
    grid = [PART | {"models": ["qwen2.5-vl-7b-instruct"], "methods": {"prefix-tuning": {"bits": [16]}}}]
    assert refused(folder, grid=grid).startswith(
        "config: grid: prefix-tuning-r20-16bit: qwen2.5-vl-7b-instruct is a qwen2_5_vl: its positions have three parts"
    )
