"""The parts of vision-language models by transformers' `model_type`: language model, connector and vision tower.

The output layer is no part. Planning reads the table without torch; a network is held against it as it is loaded.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from maple.definitions.parts import CONNECTOR, HEAD, LANGUAGE_MODEL, PARTS, VISION_TOWER
from maple.models.tiny import BaseError

if TYPE_CHECKING:
    from torch.nn import Module, Parameter
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class TokenTypes:
    """An input that says what each token is, 0 or 1; some models attend or count positions by it."""

    name: str
    """The model's name for it."""
    ones: Literal["pictures", "answer"]
    """The tokens that are 1: those of pictures, or those of the answer."""


@dataclass(frozen=True)
class VisionArchitecture:
    """What one architecture has: its parts, as whole names of modules or parameters, and how it reads pictures."""

    language_model: tuple[str, ...]
    connector: tuple[str, ...]
    """The layers that turn what the tower sees into tokens of the language model."""
    vision_tower: tuple[str, ...]
    """The encoder of pictures; where the connector lies within it, the connector is no part of it."""
    token_types: TokenTypes | None = None
    around: tuple[str, str] = ("", "")
    """Tokens around a picture in a frame that is plain text; in turns, the chat template writes them."""
    pictures_first: bool = False
    """True if pictures stand before the BOS, which its prompts have whatever the tokenizer says."""
    fails: Mapping[str, str] = field(default_factory=dict)
    """Types of adapters that are wrong on it, though they work on others: {type: reason}. Measured (transformers 5.19,
    peft 0.21)."""

    def part_of(self, name: str) -> str | None:
        """Return the part in which a module or tensor lies, by its whole name; None for the output layer."""
        # The connector first: Qwen's is a module of its tower.
        for part in (CONNECTOR, VISION_TOWER, LANGUAGE_MODEL):
            if any(name == one or name.startswith(f"{one}.") for one in getattr(self, part)):
                return part
        return None

    @property
    def unquantized(self) -> tuple[str, ...]:
        """The modules that stay as they are in 4 and 8 bits, by whole names.

        transformers matches names from their beginning, so that `vision_tower` names nothing, and a list that is given
        replaces its own, which has the output layer.
        """
        return (*self.vision_tower, *self.connector, HEAD)


PREFIX, SOFT_PROMPTS = ("PREFIX_TUNING",), ("PROMPT_TUNING", "P_TUNING")
POSITIONS = "its positions have three parts, which PEFT gives no virtual tokens, so that the first step fails"
BIDIRECTIONAL = (
    "it attends to virtual tokens otherwise in generating than in scoring, so that an answer has two likelihoods"
)

LLAVA = VisionArchitecture(("model.language_model",), ("model.multi_modal_projector",), ("model.vision_tower",))
LLAVA_NEXT = VisionArchitecture(
    LLAVA.language_model, (*LLAVA.connector, "model.image_newline"), LLAVA.vision_tower
)  # image_newline: a learnt token after each row of a picture
IDEFICS = VisionArchitecture(("model.text_model",), ("model.connector",), ("model.vision_model",))
PALIGEMMA = VisionArchitecture(
    LLAVA.language_model,
    LLAVA.connector,
    LLAVA.vision_tower,
    token_types=TokenTypes("token_type_ids", "answer"),
    pictures_first=True,
    fails=dict.fromkeys(SOFT_PROMPTS, BIDIRECTIONAL),
)
GEMMA = VisionArchitecture(
    LLAVA.language_model, LLAVA.connector, LLAVA.vision_tower, token_types=TokenTypes("token_type_ids", "pictures")
)


def _qwen(*mergers: str) -> VisionArchitecture:
    return VisionArchitecture(
        LLAVA.language_model,
        tuple(f"model.visual.{merger}" for merger in mergers),
        ("model.visual",),
        token_types=TokenTypes("mm_token_type_ids", "pictures"),
        around=("<|vision_start|>", "<|vision_end|>"),
        fails=dict.fromkeys((*PREFIX, *SOFT_PROMPTS), POSITIONS),
    )


# Names as transformers 5.19 has them. tests/models/test_vision_parts.py builds a tiny network of each and counts.
ARCHITECTURES = {
    "gemma3": GEMMA,
    "idefics3": IDEFICS,
    "llava": LLAVA,
    "llava_next": LLAVA_NEXT,
    "paligemma": PALIGEMMA,
    "qwen2_5_vl": _qwen("merger"),
    "qwen2_vl": _qwen("merger"),
    "qwen3_vl": _qwen("merger", "deepstack_merger_list"),
    "smolvlm": IDEFICS,
}


# Language models that have their own name within such a model, and the name of the same model alone.
ALONE = {"qwen2_5_vl_text": "qwen2", "qwen2_vl_text": "qwen2", "qwen3_vl_text": "qwen3"}


class PartError(ValueError):
    """A module outside of the allowed parts would be adapted or trained; the message names it and what to write."""


def architecture_named(model_type: str) -> VisionArchitecture:
    """Return what is known of an architecture by transformers' name; raises BaseError for one that is not known."""
    if model_type not in ARCHITECTURES:
        raise BaseError(
            f"kind: vision: a {model_type or 'model without model_type'} has no parts that are known here, which are "
            f"{', '.join(sorted(ARCHITECTURES))}; write another kind in the model's file if it reads text alone, or "
            "add a line to maple/models/vision_parts.py"
        )
    return ARCHITECTURES[model_type]


@dataclass(frozen=True)
class VisionParts:
    """The parts of a loaded vision-language model (maple.definitions.parts.NetworkParts)."""

    network: "PreTrainedModel"

    @cached_property
    def _architecture(self) -> VisionArchitecture:
        return architecture_named(self.network.config.model_type)

    @property
    def text_type(self) -> str:
        """The architecture of the language model, by the `model_type` of a model that is this language model alone."""
        named = self.network.config.get_text_config().model_type
        return ALONE.get(named, named)

    @property
    def language_model(self) -> tuple[str, ...]:
        """The whole names of the modules that are the language model."""
        return self._architecture.language_model

    def part_of(self, name: str) -> str | None:
        """Return the part in which a module or tensor lies, by its whole name; None for the output layer."""
        return self._architecture.part_of(name)

    def whole_modules(self, part: str) -> list[str]:
        """Return the whole names of the modules of a part, as `whole_modules` does."""
        return whole_modules(self.network, part)

    def check_adapted(self, network: "Module", parts: Collection[str]) -> None:
        """Refuse a network in which anything outside of `parts` is adapted or trained, as `check_adapted` does."""
        check_adapted(network, parts)

    def trained(self, network: "Module") -> dict[str, int]:
        """Count the trained parameters of the network by part, as `parameters_by_part` does."""
        return parameters_by_part(network, trained=True)


def parameters_by_part(network: "Module", *, trained: bool = False) -> dict[str, int]:
    """Count the parameters of a network, adapted or not: {part or "lm_head": number}; `trained`: those alone.

    A layer in 4 bits counts as many as it stands for, and an output layer that is the input embedding counts with the
    language model, as does what an adapter keeps outside of the base: tokens or prefixes that the language model reads.
    Raises BaseError for a parameter in no part, from which one knows that the table is wrong.
    """
    base, architecture = _described(network)
    counts: dict[str, int] = dict.fromkeys((*PARTS, HEAD), 0)
    for name, parameter in base.named_parameters():
        part = architecture.part_of(name) or name.split(".")[0]
        if part not in counts:
            raise BaseError(f"{name} is in no part of a {base.config.model_type}; correct maple/models/vision_parts.py")
        counts[part] += _size(parameter) if parameter.requires_grad or not trained else 0
    of_base = set(map(id, base.parameters()))
    beside = (parameter for parameter in network.parameters() if id(parameter) not in of_base)
    counts[LANGUAGE_MODEL] += sum(_size(each) for each in beside if each.requires_grad or not trained)
    return counts


def whole_modules(network: "PreTrainedModel", part: str) -> list[str]:
    """Return the whole names of the modules of a part, which PEFT can train as they are (modules_to_save).

    A list of modules is none: its own are named. Nor is a single parameter, as image_newline of LLaVA-NeXT, which stays
    frozen.
    """
    from torch.nn import ModuleList

    base, architecture = _described(network)
    modules = dict(base.named_modules())
    named = [name for name in getattr(architecture, part) if name in modules]
    return [
        whole
        for name in named
        for whole in (
            [f"{name}.{child}" for child, _ in modules[name].named_children()]
            if isinstance(modules[name], ModuleList)
            else [name]
        )
    ]


def check_adapted(network: "Module", parts: Collection[str]) -> None:
    """Refuse a network in which anything outside of `parts` is adapted or trained, the output layer included.

    Raises PartError, which names the first module or tensor.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer
    from peft.utils.other import ModulesToSaveWrapper

    base, architecture = _described(network)
    changed = (BaseTunerLayer, ModulesToSaveWrapper)
    adapted = (name for name, module in base.named_modules() if isinstance(module, changed))
    trained = (name for name, parameter in base.named_parameters() if parameter.requires_grad)
    for name in (*adapted, *trained):
        if (part := architecture.part_of(name)) not in parts:
            raise PartError(
                f"{name} would be adapted or trained, a layer of {part or 'no part, the output layer'}, where "
                f"{' and '.join(sorted(parts))} alone may be: adapters are for the language model, and a connector is "
                "trained whole, by axes.connector: [tuned] or by trains: connector of the method's file"
            )


def check_unquantized(network: "Module") -> None:
    """Refuse a network in 4 or 8 bits of which a layer outside of the language model is quantized."""
    from bitsandbytes.nn.modules import Linear4bit, Linear8bitLt

    base, architecture = _described(network)
    for name, module in base.named_modules():
        if isinstance(module, Linear4bit | Linear8bitLt) and architecture.part_of(name) != LANGUAGE_MODEL:
            raise BaseError(
                f"{name} of a {base.config.model_type} is quantized, and is no layer of the language model; correct "
                "its names in maple/models/vision_parts.py"
            )


def _described(network: Any) -> tuple[Any, VisionArchitecture]:
    """Return the network without what PEFT has around it, by whose names its parts are known, and its architecture."""
    base = network.get_base_model() if hasattr(network, "get_base_model") else network
    return base, architecture_named(base.config.model_type)


def _size(parameter: "Parameter") -> int:
    state: Any = getattr(parameter, "quant_state", None)  # of a packed 4-bit weight
    return parameter.numel() if state is None else state.shape.numel()
