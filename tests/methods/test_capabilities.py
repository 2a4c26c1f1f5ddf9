import shutil
import subprocess
import sys

import pytest
import yaml
from project import ROOT
from toy_pictured import placed
from toy_training import lora, variant

from maple.definitions.errors import DefinitionError
from maple.definitions.method import Method, PeftMethod
from maple.definitions.reading import read_definitions, read_yaml
from maple.methods.capabilities import PEFT_TYPES, reason_against_training, reason_against_vllm
from maple.methods.peft_config_keys import config_keys
from maple.study.reading import read_study

CONFIG = read_yaml(ROOT / "config/config.yaml")
SHIPPED = read_definitions(ROOT / "config/methods", Method)
LORA = {"peft": "LORA", "axes": {"rank": [8], "bits": [16]}, "alpha_over_rank": 2, "adapter": {}}


@pytest.fixture
def folder(tmp_path):
    """The project's config folder, with methods of its own beside the shipped ones."""
    for path in (ROOT / "config").iterdir():
        if path.name != "methods":
            (tmp_path / path.name).symlink_to(path)
    (tmp_path / "methods").mkdir()
    for path in (ROOT / "config/methods").iterdir():
        (tmp_path / "methods" / path.name).symlink_to(path)
    return tmp_path


MODEL = "tiny-llama"


def study(folder, *methods, model="tiny-llama", **generate):
    grid = [{"models": [model], "datasets": ["generated"], "methods": dict.fromkeys(methods), "seeds": [1]}]
    changes = {"grid": grid, "generate": CONFIG["generate"] | generate}
    return read_study(CONFIG | changes, folder)


def with_method(folder, definition):
    (folder / "methods" / "mine.yaml").write_text(yaml.safe_dump(definition))


def for_translators(method):
    """Return True if translators alone are adapted so."""
    if not isinstance(method, PeftMethod):
        return False
    return "causal" not in PEFT_TYPES[method.peft].kinds or bool(method.adapter.get("inversion"))


def for_pictures(method):
    """Return True if a method is about the connector of a vision-language model."""
    return bool(method.axes.connector) if isinstance(method, PeftMethod) else method.trains == "connector"


def test_methods_about_a_connector_are_refused_for_a_llama_and_fit_a_vision_language_model(folder):
    (folder / "models").unlink()
    shutil.copytree(ROOT / "config/models", folder / "models")
    seeing = {"hub": "a/b", "revision": "0" * 40, "kind": "vision"}
    architecture = {"model_type": "llava", "text_config": {"model_type": "llama", "max_position_embeddings": 4096}}
    (folder / "models/llava.yaml").write_text(yaml.safe_dump(seeing | {"architecture": architecture}))
    named = [name for name, method in SHIPPED.items() if for_pictures(method)]
    assert len(named) == 5
    for name in named:
        with pytest.raises(
            DefinitionError, match=r"connector: (tiny-llama is of the kind causal|models of kind causal)"
        ):
            study(folder, name)
        methods = study(folder, name, model="llava").methods
        for name, method in methods.items():
            if "tuned-connector" in name:
                assert method.settings.engine == "transformers" or not method.attached
    attached = study(folder, "lora-zhou", model="llava", adapters="attached").methods
    assert {name: method.settings.engine for name, method in attached.items()} == {
        "lora-zhou-r128-both-frozen-connector-16bit": "auto",
        "lora-zhou-r128-both-tuned-connector-16bit": "transformers",
    }
    reason = attached["lora-zhou-r128-both-tuned-connector-16bit"].settings.engine_reason
    assert reason == "vLLM attaches no connector that was trained whole"


def test_a_tuned_connector_is_not_saved_beside_a_start_that_moves_the_base():
    moved = placed("LORA", 16, {"r": 4, "init_lora_weights": "olora"}, connector="tuned")
    assert reason_against_training(moved, "vision").startswith("axes.connector: tuned: PEFT does not save it rightly")
    assert reason_against_training(placed("LORA", 16, {"r": 4}, connector="tuned"), "vision") is None


def test_a_location_is_refused_for_a_type_without_one(folder):
    with_method(
        folder, {"peft": "PREFIX_TUNING", "axes": {"rank": [8], "bits": [16], "location": ["mlp"]}, "adapter": {}}
    )
    with pytest.raises(
        DefinitionError, match=r"mine\.yaml: axes\.location: PEFT's PREFIX_TUNING has no location; leave"
    ):
        study(folder, "mine")


def test_methods_for_translators_are_refused_for_a_llama(folder):
    for name, method in SHIPPED.items():
        if for_translators(method):
            with pytest.raises(DefinitionError, match=rf"{name}\.yaml: .*; give tiny-llama a part of the grid without"):
                study(folder, name)


def test_every_shipped_method_can_be_run_as_it_stands(folder):
    fitting = set(SHIPPED) - {"linear-probe", "bitfit"}  # a llama has neither a new head nor biases
    fitting -= {name for name, method in SHIPPED.items() if for_translators(method) or for_pictures(method)}
    runs = study(folder, *fitting).runs
    assert {run.family for run in runs} == {"none", *fitting}
    assert {run.bits for run in runs if run.family == "dora"} == {4, 16}


def on(bits, **changes):
    return {"axes": {"rank": [8], "bits": [bits]}, **changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"peft": "LORRA"},
            r"mine\.yaml: peft: 'LORRA' has no line in maple/methods/capabilities\.py; it has LORA, ADALORA",
        ),
        (
            on(16, adapter={"use_dorra": True}),
            r"mine\.yaml: adapter: PEFT's LORA has no key 'use_dorra'; it has .*use_do",
        ),
        (on(16, adapter={"r": 8}), r"mine\.yaml: adapter: r is set by the workflow; leave it out"),
        (on(16, adapter={"task_type": "SEQ_CLS"}), r"mine\.yaml: adapter: task_type is set by the workflow"),
        ({"peft": "IA3"}, r"mine\.yaml: axes\.rank: PEFT's IA3 has no rank; leave it out"),
        ({"peft": "VERA"}, r"mine\.yaml: alpha_over_rank: .*no alpha in PEFT's VERA; leave it out"),
        (on(8, adapter={"use_dora": True}), r"mine\.yaml: adapter\.use_dora: True on 8 bits: .*; leave 8 out"),
        (on(4, adapter={"init_lora_weights": "pissa_niter_4"}), r"init_lora_weights: pissa_niter_4 on 4 bits"),
        (on(16, adapter={"init_lora_weights": "loftq"}), r"init_lora_weights: loftq on 16 bits: LoftQ quantizes by it"),
        (on(4, peft="LOHA"), r"mine\.yaml: peft: LOHA on 4 bits: .*; leave 4 out of its bits, and of the grid's"),
        (on(16, adapter={"bias": "all"}), r"mine\.yaml: adapter\.bias: all: model tiny-llama has no biases; leave it"),
        (on(16, adapter={"lora_bias": True}), r"mine\.yaml: adapter\.lora_bias: true: model tiny-llama has no biases"),
        (
            on(16, adapter={"trainable_token_indices": [2]}),
            r"mine\.yaml: adapter\.trainable_token_indices: write a list of tokens as text",
        ),
        (
            {**on(16, training={"keep": "best"}), "peft": "ADALORA"},
            r"mine\.yaml: peft: ADALORA settles its ranks by a schedule over all steps; write training: ",
        ),
        (
            on(16, training={"keep": "best", "held_out_rows": 0}),
            r"mine\.yaml: training: .*keep: best needs held-out text; write 1 or more for held_out_rows",
        ),
        (on(16, training={"steeps": 1}), r"mine\.yaml: training: unknown key \['steeps'\]"),
    ],
)
def test_an_impossible_method_is_refused_with_file_key_and_reason(folder, changes, message):
    with_method(folder, LORA | changes)
    with pytest.raises(DefinitionError, match=message):
        study(folder, "mine")


def test_an_alpha_of_peft_s_own_at_every_rank_is_not_taken_silently(folder):
    with_method(folder, {key: LORA[key] for key in ("peft", "axes", "adapter")})
    with pytest.raises(DefinitionError, match=r"alpha_over_rank: write it, or adapter\.lora_alpha for one alpha"):
        study(folder, "mine")


def test_a_model_from_the_hub_may_have_biases(folder):
    with_method(folder, LORA | {"adapter": {"bias": "all"}})
    assert study(folder, "mine", model="llama-2-7b").methods["mine-r8-16bit"].variant.adapter["bias"] == "all"


def test_adapters_are_merged_unless_they_never_do(folder):
    both = study(folder, "lora", "prefix-tuning")
    attached = {name for name, method in both.methods.items() if method.attached}
    assert attached == {f"prefix-tuning-r20-{bits}bit" for bits in (4, 8, 16)}
    assert both.settings("lora-r8-4bit", MODEL) == both.settings("none", MODEL)
    assert "adapters" not in both.settings("none", MODEL)
    prefix = both.settings("prefix-tuning-r20-4bit", MODEL)
    assert prefix["engine"] == "transformers" and "not PREFIX_TUNING" in prefix["engine_reason"]


def test_lora_that_trains_tokens_merges_and_is_not_attached_by_vllm(folder):
    of_study = study(folder, "lora-tokens", adapters="attached")
    settings = of_study.settings("lora-tokens-r8-16bit", MODEL)
    assert settings["engine"] == "transformers" and "LoRA with trainable_token_indices" in settings["engine_reason"]
    assert not study(folder, "lora-tokens").methods["lora-tokens-r8-16bit"].attached


def test_what_vllm_does_not_attach_is_refused_where_it_could_be_merged(folder):
    with pytest.raises(
        DefinitionError, match=r"generate\.adapters: attached: dora-r8-4bit: vLLM .* not LoRA with use_dora"
    ):
        study(folder, "dora", adapters="attached", engine="vllm")
    with pytest.raises(DefinitionError, match="attached: ia3-4bit: vLLM attaches LoRA and rsLoRA alone, not IA3"):
        study(folder, "ia3", adapters="attached", engine="vllm")
    served = study(folder, "lora", "rslora", "olora", "prefix-tuning", adapters="attached", engine="vllm").methods
    assert {name.split("-")[0] for name, one in served.items() if one.settings.engine == "transformers"} == {"prefix"}
    engines = study(folder, "dora", "lora", adapters="attached").settings
    assert engines("dora-r8-4bit", MODEL)["engine"] == "transformers"
    assert engines("lora-r8-4bit", MODEL)["engine"] == "auto"


@pytest.mark.parametrize(
    "adapter", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}, {"bias": "all"}, {"layer_replication": [[0, 2]]}]
)
def test_vllm_attaches_plain_lora_alone(adapter):
    assert reason_against_vllm(variant("LORA", 16, adapter))
    rslora = {"r": 8, "use_rslora": True, "bias": "none", "use_dora": False}
    assert reason_against_vllm(variant("LORA", 16, rslora)) is None


def test_axes_and_an_alpha_set_keys_of_their_type():
    for peft, facts in PEFT_TYPES.items():
        taken = {key for keys in facts.axes.values() for key in keys} | ({facts.alpha} if facts.alpha else set())
        assert taken <= config_keys(peft), peft


def test_peft_is_read_and_not_imported():
    code = (
        "import sys\nfrom maple.methods.peft_config_keys import config_keys\nprint(sorted(config_keys('ADALORA')))\n"
        "print(sorted(set(sys.modules) & {'peft', 'torch', 'transformers'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, text=True, capture_output=True, check=True)
    keys, loaded = done.stdout.splitlines()
    assert "'target_r'" in keys and "'lora_alpha'" in keys and "'task_type'" in keys and loaded == "[]"


def test_where_peft_is_not_installed_its_keys_are_left_to_the_job(monkeypatch):
    monkeypatch.setattr("maple.methods.peft_config_keys.find_spec", lambda name: None)
    assert config_keys("LORA") is None


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"use_dora": True}, "use_dora"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"use_rslora": True, "rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"use_rslora": True, "bias": "none"}, None),
    ],
)
def test_what_a_start_that_moves_the_base_is_not_saved_with_is_refused(more, key):
    olora = {"r": 4, "init_lora_weights": "olora", **more}
    reason = reason_against_training(variant("LORA", 16, olora), "causal")
    assert reason is None if key is None else reason.startswith(f"adapter.{key}: PEFT does not save it rightly")
    assert reason_against_training(variant("LORA", 16, {"r": 4, **more}), "causal") is None


def test_a_method_that_was_not_measured_on_a_kind_of_model_is_refused():
    assert "PVERA was not measured on models of kind vision" in reason_against_training(
        variant("PVERA", 16, {}), "vision"
    )
    assert reason_against_training(lora(), "vision") is None
    assert "MAM was not measured on models of kind causal" in reason_against_training(variant("MAM", 16, {}), "causal")
