"""What all types of adapters of our own share: a layer around a module of the base, and the tuner that puts it there.

A type says where its layers are (`Place`), what each of them learns (`AdapterLayer.weights`) and computes (`forward`).
PEFT does the rest: it freezes the base, saves, loads, switches adapters on and off. None of these types folds into the
weights of a base.

Imported by name, as the modules of the types are (maple.methods.own_types).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from peft import PeftConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING, PEFT_TYPE_TO_PREFIX_MAPPING, PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner, BaseTunerLayer
from torch import Tensor, nn

from maple.methods.adapter_files import AdapterError

INIT_STD = 0.02  # AdapterHub's: weights from a normal distribution, biases at zero

# transformers' `model_type`s whose modules have the same names.
LIKE_MBART = ("m2m_100", "mbart")
LIKE_T5 = ("mt5", "t5")


@dataclass
class OwnConfig(PeftConfig):
    """What the configs of all types of our own have."""

    target_modules: Any = field(default=None, metadata={"help": "modules that are adapted; None: by the type"})
    exclude_modules: Any = field(default=None, metadata={"help": "modules that are not"})
    modules_to_save: list[str] | None = field(default=None, metadata={"help": "modules that are trained whole"})


@dataclass(frozen=True)
class Site:
    """Where a layer is among the layers of its group, which have weights in common."""

    number: int = 0
    """Its number within the group, from zero."""
    count: int = 1
    """How many the group has."""
    first: "AdapterLayer | None" = None
    """The layer number zero, which holds what they have in common; None for itself."""


class AdapterLayer(nn.Module, BaseTunerLayer):
    """A module of the base, and what adapters compute beside it.

    Weights stand in a dict for each part, by the adapter's name, which PEFT leaves out of a saved file: a name further
    inside would stay there, and the weights would load under no other name.
    """

    module_dicts: tuple[str, ...] = ()
    """Names of the dicts of modules."""
    parameter_dicts: tuple[str, ...] = ()
    """Names of the dicts of parameters."""
    other_param_names = ("configs", "sites")
    folds = "a layer of it is not linear"
    """Why no weight of the base can hold what it computes."""

    def __init__(self, base_layer: nn.Module, width: int):
        super().__init__()
        self.base_layer = base_layer
        self.width = width
        self.configs: dict[str, Any] = {}
        self.sites: dict[str, Site] = {}
        for name in self.module_dicts:
            setattr(self, name, nn.ModuleDict())
        for name in self.parameter_dicts:
            setattr(self, name, nn.ParameterDict())

    def __init_subclass__(cls) -> None:
        """Tell PEFT the names of all dicts."""
        super().__init_subclass__()
        cls.adapter_layer_names = (*cls.module_dicts, *cls.parameter_dicts)

    def __getattr__(self, name: str) -> Any:
        """Return what the module has: some models read attributes of their layers, as ModernBERT does."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "base_layer":
                raise
            return getattr(self.base_layer, name)

    @staticmethod
    def group(name: str) -> str:
        """Return the group of the module `name`; modules with the same one have weights in common."""
        return name

    def weights(self, config: Any, site: Site) -> "Mapping[str, nn.Module | nn.Parameter]":
        """Return new weights with their initial values, by the names of the dicts that they go to."""
        raise NotImplementedError

    def add(self, adapter_name: str, config: Any, site: Site) -> None:
        """Add a new adapter."""
        device = next(self.base_layer.parameters()).device
        for name, new in self.weights(config, site).items():
            getattr(self, name)[adapter_name] = new.to(device)
        self.configs[adapter_name], self.sites[adapter_name] = config, site
        self.set_adapter(self.active_adapters, inference_mode=config.inference_mode)

    def attach(self, parent: nn.Module) -> None:
        """Do what is to be done once the layer has taken its place within `parent`."""

    def detach(self) -> None:
        """Undo what `attach` has done."""

    def acting(self) -> list[str]:
        """Return the names of the adapters that act on this layer now."""
        return [] if self.disable_adapters else [name for name in self.active_adapters if name in self.configs]

    def merge(self, safe_merge: bool = False, adapter_names: list[str] | None = None) -> None:
        """Refuse: no weight of the base can hold these adapters."""
        raise ValueError(f"{' and '.join(self._types())} folds into no weights, for {self.folds}")

    def _types(self) -> list[str]:
        return sorted({config.peft_type for config in self.configs.values()})


@dataclass(frozen=True)
class Place:
    """Modules of an architecture, by a pattern of their whole names, and the layer that goes around each of them."""

    modules: str
    layer: type[AdapterLayer]


class Tuner(BaseTuner):
    """A model with adapters of one of our own types."""

    prefix = "bottleneck_"  # PEFT's mark of names of weights; it finds ours by their layers
    tuner_layer_cls = AdapterLayer
    layer: type[AdapterLayer]
    """The layer around the modules that `target_modules` names."""

    @cached_property
    def groups(self) -> dict[tuple[str, str], list[str]]:
        """Names of the modules of each group, by adapter and group, as far as they were asked for."""
        return {}

    def places(self, config: Any, model_type: str) -> Sequence[Place]:
        """Return the places beside `target_modules`. Raises AdapterError where they are not known."""
        return ()

    def _place(self, config: Any, name: str) -> Place | None:
        places = self.places(config, self.model.config.model_type)
        return next((each for each in places if re.fullmatch(each.modules, name)), None)

    def _check_target_module_exists(  # pyright: ignore[reportIncompatibleMethodOverride] (PEFT calls it of an object)
        self, peft_config: Any, key: str
    ) -> Any:
        found = super()._check_target_module_exists(peft_config, key)
        excluded = not isinstance(found, bool | re.Match | None)  # PEFT's own mark
        return found if found or excluded else self._place(peft_config, key) is not None

    def _create_and_replace(
        self,
        peft_config: Any,
        adapter_name: str,
        target: nn.Module,
        target_name: str,
        parent: nn.Module,
        current_key: str,
        parameter_name: str | None = None,
    ) -> None:
        place = self._place(peft_config, current_key)
        kind = place.layer if place else self.layer
        site = self._site(peft_config, adapter_name, kind, current_key)
        if isinstance(target, AdapterLayer):
            target.add(adapter_name, peft_config, site)
            return
        while isinstance(parent, AdapterLayer):
            parent = parent.base_layer
        layer = kind(target, self.model.config.get_text_config().hidden_size)
        layer.add(adapter_name, peft_config, site)
        if adapter_name not in self.active_adapters:
            layer.requires_grad_(False)
        setattr(parent, target_name, layer)
        layer.attach(parent)

    def _site(self, config: Any, adapter_name: str, kind: type[AdapterLayer], key: str) -> Site:
        """Return where the module `key` is in its group: in the order of the modules."""
        if (group := kind.group(key)) == key:
            return Site()
        groups = self.groups
        if (adapter_name, group) not in groups:
            names = dict.fromkeys(_plain(name) for name, _ in self.model.named_modules())
            fitting = [name for name in names if kind.group(name) == group and self._is_of(config, name, kind)]
            groups[adapter_name, group] = fitting
        members = groups[adapter_name, group]
        first: Any = None if members[0] == key else self.model.get_submodule(members[0])
        return Site(members.index(key), len(members), first)

    def _is_of(self, config: Any, name: str, kind: type[AdapterLayer]) -> bool:
        place = self._place(config, name)
        return bool(self._check_target_module_exists(config, name)) and (place.layer if place else self.layer) is kind

    def _replace_module(self, parent: nn.Module, child_name: str, new_module: nn.Module, child: nn.Module) -> None:
        """Put the base's own module back; PEFT would look for a weight of its own, which a layer has not."""
        setattr(parent, child_name, new_module)

    def _unload_and_optionally_merge(self, merge: bool = True, *args: Any, **kwargs: Any) -> Any:
        """Put back what lies within another layer first, which PEFT does not reach."""
        if not merge:
            layers = [name for name, module in self.model.named_modules() if isinstance(module, AdapterLayer)]
            for name in reversed(layers):
                layer: Any = self.model.get_submodule(name)
                layer.detach()
                self.model.set_submodule(name, layer.base_layer)
        return super()._unload_and_optionally_merge(merge, *args, **kwargs)

    def _prepare_adapter_config(self, peft_config: Any, model_config: dict) -> Any:
        known = ", ".join(self.target_module_mapping)
        if peft_config.target_modules is None and model_config["model_type"] not in self.target_module_mapping:
            raise ValueError(
                f"adapter.target_modules: where the adapters of a {model_config['model_type']} model are is not known; "
                f"write a pattern of the modules behind which to put them (known: {known})"
            )
        return super()._prepare_adapter_config(peft_config, model_config)


def unknown_place(key: str, model_type: str, known: Sequence[str]) -> AdapterError:
    """Return the error for a part of an adapter whose place in an architecture is not known."""
    return AdapterError(f"{key}: where it is in a {model_type} model is not known; known are {', '.join(known)}")


def starred(name: str) -> str:
    """Return the name of a module with stars for numbers: the group of what differs in the number of its layer."""
    return re.sub(r"\b\d+\b", "*", name)


def _plain(name: str) -> str:
    return ".".join(part for part in name.split(".") if part != "base_layer")


def projections(width: int, size: int) -> tuple[nn.Linear, nn.Linear]:
    """Return a new projection down to `size` and one up again, with AdapterHub's initial values."""
    down, up = nn.Linear(width, size), nn.Linear(size, width)
    for projection in (down, up):
        nn.init.normal_(projection.weight, std=INIT_STD)
        nn.init.zeros_(projection.bias)
    return down, up


def bottleneck_size(width: int, factor: int) -> int:
    """Return the size of a bottleneck; raises ValueError if nothing is left of it."""
    if (size := width // factor) < 1:
        raise ValueError(f"reduction_factor: {factor} is above the hidden size of the model, {width}")
    return size


def gate(layer: Any, states: Tensor, mode: str) -> Tensor:
    """Return how open a gate is for `states` [batch, tokens, width], between 0 and 1, in their dtype.

    By token [batch, tokens, 1]; or by sequence [batch, 1, 1], the mean over all its tokens, later ones and padding too.
    """
    opened = layer(states.to(layer.weight.dtype)).sigmoid()
    return (opened.mean(1, keepdim=True) if mode == "sequence" else opened).to(states.dtype)


def register_types(types: Mapping[str, tuple[type[PeftConfig], type[Tuner]]]) -> None:
    """Make PEFT know types. They have no place in its enum of types, and need none: it looks them up by name."""
    for name, (config, model) in types.items():
        key: Any = name
        PEFT_TYPE_TO_CONFIG_MAPPING[key], PEFT_TYPE_TO_TUNER_MAPPING[key] = config, model
        PEFT_TYPE_TO_PREFIX_MAPPING[key] = model.prefix
