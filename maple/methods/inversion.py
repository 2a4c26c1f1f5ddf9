"""An invertible adapter behind the embeddings of the encoder, beside the bottlenecks of a type that has them.

Additive coupling (NICE, Dinh et al. 2015, arXiv 1410.8516) as MAD-X has it for languages (Pfeiffer et al. 2020, arXiv
2005.00052), with AdapterHub's places and initial values (adapters 1.3.0). With a and b the halves of an embedding, F
and G bottlenecks of half the width:

    a' = a + F(b),  b' = b + G(a')

Its inverse, which MAD-X applies in front of the output layer, is not: with transformers' own head AdapterHub does not
apply it either.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from transformers.activations import ACT2FN

from maple.methods.tuner import LIKE_T5, AdapterLayer, Place, Site, bottleneck_size, projections, unknown_place

# M2M100 and T5 have no normalization behind their embeddings: there it is right behind them, in front of the positions.
# Our choice.
BEHIND_EMBEDDINGS = {
    "mbart": r".*\bencoder\.layernorm_embedding",
    "m2m_100": r".*\bencoder\.embed_tokens",
    **dict.fromkeys(LIKE_T5, r".*\bencoder\.embed_tokens"),
}


@dataclass
class InversionKeys:
    """The keys of a type that may have an invertible adapter."""

    inversion: bool = field(default=False, metadata={"help": "an invertible adapter behind the encoder's embeddings"})
    inversion_factor: int = field(default=2, metadata={"help": "half the hidden size of the model / size of F and G"})


class InversionLayer(AdapterLayer):
    """A module whose output is an embedding, and the coupling behind it."""

    module_dicts = ("inversion_f_down", "inversion_f_up", "inversion_g_down", "inversion_g_up")

    def weights(self, config: Any, site: Site) -> Mapping[str, nn.Module]:
        """Return the projections of F and G."""
        half = self.width // 2
        size = bottleneck_size(half, config.inversion_factor)
        both = [*projections(half, size), *projections(half, size)]
        return dict(zip(self.module_dicts, both, strict=True))

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """Compute the module, and the coupling of its output's halves."""
        output = self.base_layer(*args, **kwargs)
        for name in self.acting():
            a, b = output.to(self.inversion_f_down[name].weight.dtype).chunk(2, -1)
            a = a + self._bottleneck(name, self.inversion_f_down, self.inversion_f_up, b)
            b = b + self._bottleneck(name, self.inversion_g_down, self.inversion_g_up, a)
            output = torch.cat([a, b], -1).to(output.dtype)
        return output

    def _bottleneck(self, name: str, down: nn.ModuleDict, up: nn.ModuleDict, states: Tensor) -> Tensor:
        return up[name](ACT2FN[self.configs[name].non_linearity](down[name](states)))


def inversion_places(config: Any, model_type: str) -> list[Place]:
    """Return where the invertible adapter is, if `config` asks for it."""
    if not config.inversion:
        return []
    if model_type not in BEHIND_EMBEDDINGS:
        raise unknown_place("adapter.inversion", model_type, list(BEHIND_EMBEDDINGS))
    return [Place(BEHIND_EMBEDDINGS[model_type], InversionLayer)]
