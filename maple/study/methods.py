"""The method variants of a study: whether adapters are merged or stay attached, and the engine that generates."""

from collections.abc import Mapping
from dataclasses import dataclass

from maple.definitions.errors import DefinitionError
from maple.definitions.frame import Frame
from maple.definitions.generation import GenerateBlock, GenerateSettings
from maple.definitions.method import Method, MethodVariant, PeftMethod, PeftVariant
from maple.definitions.reading import parse
from maple.definitions.training import TrainingSettings
from maple.methods.capabilities import KEYS_SET_BY_US, PEFT_TYPES, merges, reason_against_vllm
from maple.methods.peft_config_keys import config_keys


@dataclass(frozen=True)
class StudyMethod:
    """A method variant, and how its runs generate."""

    variant: MethodVariant
    """What is trained, precision, and training."""
    attached: bool
    """True if runs generate with the adapter attached to the base."""
    served: bool
    """True if vLLM can attach the adapter."""
    own_frame: bool
    """True if the method's file gives its runs a frame."""
    settings: GenerateSettings
    """The engine settings of its runs."""

    @property
    def merged(self) -> bool:
        """True if what was trained is folded into the base; a method that saves a whole model has nothing to fold."""
        return not self.attached and not self.variant.saves_model

    def shares_engine(self, translates: bool) -> bool:
        """Return True if one engine generates for all runs of a base, their adapters attached in turn.

        vLLM does for what it serves, in one frame. A model that `translates` is computed by transformers, which
        attaches every adapter, and has no frame.
        """
        return self.attached and (translates or (self.served and not self.own_frame))

    @property
    def comparable(self) -> bool:
        """True if a merged run's completions can be compared with those of its attached adapter."""
        return self.served and not self.attached


def study_method(name: str, variant: MethodVariant, block: GenerateBlock, frame: Frame | None = None) -> StudyMethod:
    """Return a variant with the engine of its runs: transformers for an attached adapter that vLLM cannot serve.

    `frame` is that of the config's finetune block.

    Raises DefinitionError if the config asks for vLLM although the adapter, which could be merged, stays attached.
    """
    adapts = isinstance(variant, PeftVariant)  # what trains the model's own weights has nothing to attach
    attached = adapts and (block.adapters == "attached" or not merges(variant))
    reason = reason_against_vllm(variant)
    settings = block.settings
    if attached and reason is not None and settings.engine != "transformers":
        if settings.engine == "vllm" and merges(variant):
            raise DefinitionError(
                f"config: generate.adapters: attached: {name}: {reason}; write merged, or engine: transformers"
            )
        if settings.batch_invariant:
            raise DefinitionError(
                f"config: generate.batch_invariant: {name} generates with transformers, which has no such kernels "
                f"({reason}); write false, or leave the method out of the grid"
            )
        settings = settings.changed(engine="transformers", engine_reason=reason)
    return StudyMethod(variant, attached, reason is None, variant.training.frame != frame, settings)


def check_method(name: str, method: Method) -> None:
    """Refuse a method with axes or arguments that its type in PEFT does not have."""
    if not isinstance(method, PeftMethod):
        return
    file, arguments = f"config/methods/{name}.yaml", set(method.adapter)
    if method.peft not in PEFT_TYPES:
        raise DefinitionError(
            f"{file}: peft: {method.peft!r} has no line in maple/methods/capabilities.py; "
            f"it has {', '.join(PEFT_TYPES)}"
        )
    kind, axes = PEFT_TYPES[method.peft], method.axes.model_fields_set - {"bits"}
    if unknown := axes - kind.axes.keys() - {"connector"}:
        axis = min(unknown)
        raise DefinitionError(f"{file}: axes.{axis}: PEFT's {method.peft} has no {axis}; leave it out")
    _check_alpha(file, method, "rank" in axes)
    scaled = bool(method.alpha_over_rank)
    taken = KEYS_SET_BY_US | {key for axis in axes & kind.axes.keys() for key in kind.axes[axis]}
    taken |= {kind.alpha} if scaled and kind.alpha else set()
    if double := taken & arguments:
        raise DefinitionError(f"{file}: adapter: {', '.join(sorted(double))} is set by the workflow; leave it out")
    _check_tokens(file, method.adapter.get("trainable_token_indices"))
    known = config_keys(method.peft)
    if known is not None and (unknown := arguments - known):
        raise DefinitionError(
            f"{file}: adapter: PEFT's {method.peft} has no key {', '.join(map(repr, sorted(unknown)))}; "
            f"it has {', '.join(sorted(known - taken))}"
        )


def _check_tokens(file: str, tokens: object) -> None:
    """Refuse ids of tokens: each model has others, and a method is for all of them."""
    if tokens is not None and not (
        isinstance(tokens, list) and tokens and all(isinstance(each, str) for each in tokens)
    ):
        raise DefinitionError(
            f"{file}: adapter.trainable_token_indices: write a list of tokens as text, [<|im_end|>]; their ids are "
            "looked up in each model's tokenizer"
        )


def _check_alpha(file: str, method: PeftMethod, ranked: bool) -> None:
    kind, scaled = PEFT_TYPES[method.peft], bool(method.alpha_over_rank)
    if scaled and not (ranked and kind.alpha):
        raise DefinitionError(
            f"{file}: alpha_over_rank: there is no axes.rank, or no alpha in PEFT's {method.peft}; leave it out"
        )
    if ranked and kind.alpha and not scaled and kind.alpha not in method.adapter:
        raise DefinitionError(f"{file}: alpha_over_rank: write it, or adapter.{kind.alpha} for one alpha at every rank")


def check_training(methods: Mapping[str, Method], settings: TrainingSettings) -> None:
    """Refuse unknown training keys of methods, and batches that are too small for an example of full length."""
    _check_lengths("config: finetune", settings)
    for name, method in methods.items():
        if unknown := set(method.training) - set(TrainingSettings.model_fields):
            raise DefinitionError(
                f"config/methods/{name}.yaml: training: unknown key {sorted(unknown)}; "
                f"known keys are those of the config's finetune: {', '.join(TrainingSettings.model_fields)}"
            )
        file = f"config/methods/{name}.yaml: training"
        _check_lengths(file, parse(TrainingSettings, settings.params() | method.training, file))


def _check_lengths(where: str, settings: TrainingSettings) -> None:
    for key in ("batch_tokens", "micro_batch_tokens"):
        tokens = getattr(settings, key)
        if tokens < settings.max_length:
            raise DefinitionError(
                f"{where}: {key}: {tokens} holds no example of max_length: {settings.max_length} tokens; "
                "raise it, or lower max_length"
            )
