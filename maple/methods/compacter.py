"""Bottleneck adapters whose projections are sums of Kronecker products (Karimi Mahabadi et al. 2021, arXiv 2106.04647).

A projection is W = sum over i of A_i (x) (s_i t_i), with n matrices A_i of n x n that all adapters of a model have in
common and, for each projection, n factors s_i and t_i of a low rank; then states @ W + b. Compacter has an adapter
where Houlsby has one, Compacter++ where Pfeiffer has one. Places, formulas and initial values are those of AdapterHub's
`compacter` and `compacter++` (adapters 1.3.0).

Imported by name (maple.methods.own_types).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from maple.methods.bottleneck import BEHIND_BLOCKS, BEHIND_LAYERS, BottleneckConfig, BottleneckLayer
from maple.methods.tuner import Site, Tuner, bottleneck_size, register_types

RULE_STD = 1e-4  # AdapterHub's phm_init_range


@dataclass
class CompacterConfig(BottleneckConfig):
    """Adapters behind attention and feed-forward blocks."""

    reduction_factor: int = field(default=32, metadata={"help": "hidden size of the model / size of the bottleneck"})
    phm_dim: int = field(default=4, metadata={"help": "n, how many products are summed"})
    phm_rank: int = field(default=1, metadata={"help": "rank of the factors"})

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "COMPACTER"
        self.non_linearity = self.non_linearity or "gelu"


@dataclass
class CompacterPlusConfig(CompacterConfig):
    """Adapters behind layers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.peft_type: Any = "COMPACTER_PLUS"


class Hypercomplex(nn.Module):
    """A projection by a sum of Kronecker products."""

    def __init__(self, width: int, size: int, config: CompacterConfig):
        super().__init__()
        n, rank = config.phm_dim, config.phm_rank
        if width % n or size % n:
            raise ValueError(
                f"adapter.phm_dim: {n} divides not both the hidden size of the model and that of the bottleneck, "
                f"{max(width, size)} and {min(width, size)}; write another, or another reduction"
            )
        self.left = nn.Parameter(torch.empty(n, width // n, rank))
        self.right = nn.Parameter(torch.empty(n, rank, size // n))
        self.bias = nn.Parameter(torch.zeros(size))
        for factor in (*self.left.data, *self.right.data):
            nn.init.xavier_normal_(factor)

    def forward(self, states: Tensor, rule: Tensor) -> Tensor:
        """Return the projected states [..., size]; `rule` [n, n, n] is what all projections have in common."""
        weight = torch.einsum("nab,nij->aibj", rule, self.left @ self.right)
        return states.to(weight.dtype) @ weight.reshape(-1, len(self.bias)) + self.bias


class CompacterLayer(BottleneckLayer):
    """A module of the base, and the bottleneck behind it; the first one of a model holds the rule."""

    parameter_dicts = ("bottleneck_rule",)

    @staticmethod
    def group(name: str) -> str:
        """Return one group: the rule is the same for all."""
        return ""

    def weights(self, config: Any, site: Site) -> Mapping[str, nn.Module | nn.Parameter]:
        """Return both projections, and the rule in the first layer."""
        size, n = bottleneck_size(self.width, config.reduction_factor), config.phm_dim
        shared = {} if site.first else {"bottleneck_rule": nn.Parameter(torch.randn(n, n, n) * RULE_STD)}
        down, up = Hypercomplex(self.width, size, config), Hypercomplex(size, self.width, config)
        return {"bottleneck_down": down, "bottleneck_up": up, **shared}

    def bottleneck(self, name: str, states: Tensor) -> Tensor:
        """Return B(states) of one adapter, in the dtype of its weights."""
        holder: Any = self.sites[name].first or self
        rule = holder.bottleneck_rule[name].to(states.device)
        activation = ACT2FN[self.configs[name].non_linearity]
        return self.bottleneck_up[name](activation(self.bottleneck_down[name](states, rule)), rule)


class CompacterModel(Tuner):
    """A model with such adapters behind its attention and feed-forward blocks."""

    layer = CompacterLayer
    target_module_mapping: Any = BEHIND_BLOCKS


class CompacterPlusModel(CompacterModel):
    """A model with such adapters behind its layers."""

    target_module_mapping: Any = BEHIND_LAYERS


def register() -> None:
    """Make PEFT know these types."""
    register_types(
        {"COMPACTER": (CompacterConfig, CompacterModel), "COMPACTER_PLUS": (CompacterPlusConfig, CompacterPlusModel)}
    )
