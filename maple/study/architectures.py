"""What is known of a study's models while it is planned, and what it rules out: it would fail after the training."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from maple.definitions.errors import DefinitionError
from maple.definitions.generation import GenerateBlock
from maple.definitions.local_model import BuiltModel, PathModel
from maple.definitions.method import MethodVariant, PeftVariant
from maple.definitions.model import EndpointModel, Model
from maple.definitions.run import Run
from maple.engines.vllm_architectures import reason_against_serving
from maple.methods.targets import adapted_embedding, reason_against_experts
from maple.models.architectures import architecture_of
from maple.models.kind import KINDS
from maple.models.limits import (
    DEFAULT_POSITIONS,
    NOT_QUANTIZED,
    model_type_of,
    quantization_key,
    reason_against_lengths,
    ties_embeddings,
)
from maple.models.vision_parts import ARCHITECTURES as SEEING
from maple.runtime.files import read_json
from maple.study.repositories import repository_of


def known_architecture(name: str, model: Model, results: Path = Path("results")) -> dict[str, Any]:
    """Return the keys of a model's config: of its recipe, of its folder, or those that its file states."""
    if isinstance(model, BuiltModel):
        architecture = model.build.architecture
        positions = DEFAULT_POSITIONS[architecture["model_type"]]
        return {"max_position_embeddings": positions, "tie_word_embeddings": False, **architecture}
    fetched = repository_of(model)
    folders = [results / "hub" / fetched.folder, results / "base" / name] if fetched else []
    for folder in [Path(model.path)] if isinstance(model, PathModel) else folders:
        if (folder / "config.json").is_file():
            return _read_config(folder / "config.json")
    return model.architecture


def _read_config(path: Path) -> dict[str, Any]:
    try:
        return read_json(path)
    except ValueError as error:
        raise DefinitionError(f"{path}: torn ({error}); remove its folder, it will be made again") from None


def lengths_of(
    runs: Sequence[Run], variants: Mapping[str, MethodVariant], models: Mapping[str, Model], max_length: int
) -> dict[str, dict[str, int]]:
    """Return the longest texts that each model of the grid must take, in tokens: {model: {key of the config: tokens}}.

    `max_length` is generate's. A model that classifies or translates leaves out texts longer than its positions.
    """
    lengths: dict[str, dict[str, int]] = {}
    for run in runs:
        kind = KINDS[models[run.model].kind]
        leaves_out = kind.translates or "classify" in kind.answer_modes
        of_model = lengths.setdefault(run.model, {} if leaves_out else {"generate.max_length": max_length})
        if not run.is_baseline:
            learnt = variants[run.method].training.max_length
            of_model["finetune.max_length"] = max(of_model.get("finetune.max_length", 0), learnt)
    return lengths


def check_architectures(
    runs: Sequence[Run],
    variants: Mapping[str, MethodVariant],
    models: Mapping[str, Model],
    generate: GenerateBlock,
    results: Path,
) -> None:
    """Refuse texts that are longer than a model has positions, adapters on an embedding that is the output layer,
    weights that are quantized already, an engine that does not serve a model, and what its architecture cannot do.

    What is not known yet, the rule `base` refuses once the model is fetched, and finetuning before it trains.
    """
    lengths = lengths_of(runs, variants, models, generate.max_length)
    known = {
        name: known_architecture(name, models[name], results)
        for name in lengths
        if not isinstance(models[name], EndpointModel)
    }
    for name, architecture in known.items():
        if reason := reason_against_lengths(architecture, lengths[name]):
            raise DefinitionError(f"config: {reason}, or leave {name} out of the grid")
        if key := quantization_key(architecture):
            raise DefinitionError(
                f"config/models/{name}.yaml: the weights are quantized already ({key}); {NOT_QUANTIZED}"
            )
        if "vllm" not in KINDS[models[name].kind].engines:  # generate.engine and its settings are for others
            continue
        heads = architecture.get("num_attention_heads")
        if isinstance(heads, int) and heads % generate.tensor_parallel:
            raise DefinitionError(
                f"config: generate.tensor_parallel: {generate.tensor_parallel} does not divide the {heads} attention "
                f"heads of {name}"
            )
        if generate.engine == "vllm" and (reason := reason_against_serving(architecture, generate.max_length)):
            raise DefinitionError(
                f"config: generate.engine: vllm: {name} is a {reason}; write transformers, or auto, which takes it for "
                "this model alone"
            )
    for run in runs:
        if run.is_baseline:
            continue
        variant, config = variants[run.method], known.get(run.model, {})
        _check_run(run, variant, config, generate)
        module = adapted_embedding(variant.adapter) if isinstance(variant, PeftVariant) else None
        if module and ties_embeddings(config):
            raise DefinitionError(
                f"config/methods/{run.family}.yaml: adapter.target_modules: {module} of {run.model} is input embedding "
                "and output layer at once, so that a fold would change both; leave it out"
            )


def _check_run(run: Run, variant: MethodVariant, config: Mapping[str, Any], generate: GenerateBlock) -> None:
    """Refuse bits, locations and adapters that an architecture does not have (maple.models.architectures)."""
    seeing = SEEING.get(str(config.get("model_type")))
    if seeing and isinstance(variant, PeftVariant) and (reason := seeing.fails.get(variant.peft)):
        raise DefinitionError(
            f"config: grid: {run.method}: {run.model} is a {config['model_type']}: {reason}; leave {run.family} out "
            "for this model, by a part of the grid of its own"
        )
    facts = architecture_of(config)
    if facts is None:
        return
    if reason := facts.fails.get(variant.bits):
        raise DefinitionError(
            f"config: grid: {run.model} in {variant.bits} bits: {reason}; give the model a part of the grid of its "
            f"own, without {variant.bits} in the bits of {run.family}"
        )
    if "location" in variant.axes and not facts.blocks:
        raise DefinitionError(
            f"config: grid: {run.method}: location: the layers of {run.model}, a {model_type_of(config)}, are not "
            "named self_attn and mlp; leave location out for this model, and name layers in the method's target_modules"
        )
    if not facts.experts or not isinstance(variant, PeftVariant):
        return
    if reason := reason_against_experts(variant.peft, variant.adapter):
        raise DefinitionError(f"config/methods/{run.family}.yaml: {reason} ({run.model})")
    all_linear = variant.adapter.get("target_modules") == "all-linear"
    if all_linear and generate.adapters == "attached" and generate.engine != "transformers":
        raise DefinitionError(
            f"config: generate.adapters: attached: {run.method} adapts the experts of {run.model}, which vLLM does not "
            "attach; write merged, or engine: transformers"
        )
