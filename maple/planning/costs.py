"""Formulas: operations of training, seconds of generation."""

from collections.abc import Iterable
from dataclasses import dataclass

from maple.definitions.hardware import Hardware
from maple.models.size import Size

GB, HOUR, KWH = 1e9, 3600.0, 3.6e6
MEMORY_SHARE = 0.9  # of a device's memory, for weights and cache: vLLM's default


@dataclass(frozen=True)
class Asked:
    """What a run is asked of one task in one language.

    items; mean tokens of a prompt without demonstrations, of the demonstrations before it, and of an answer (0: none is
    generated); choices that are ranked (0: none); mean bytes of a prompt.
    """

    items: int
    own: float
    shown: float
    written: float
    choices: int
    text: float


def training_operations(parameters: float, trained: float, tokens: float, *, recomputed: bool) -> float:
    """Return the floating-point operations of training `trained` parameters beside a frozen model.

    Two a parameter and token forward and four backward, half of which make the gradients of the weights (Kaplan et al.
    2020, arXiv 2001.08361, section 2.1): a frozen model needs none of that half, and where activations are recomputed
    it is run forward twice. Attention is left out: the examples are short.
    """
    return tokens * (parameters * (6 if recomputed else 4) + 6 * trained)


def generation_seconds(size: Size, row: Hardware, asked: Iterable[Asked], *, batch: int, cached: bool) -> float:
    """Return the seconds in which a run answers.

    Every token read or written takes two operations a parameter. Every step of a batch reads all weights once, and for
    each sequence the keys and values of all tokens before; a batch is as large as asked for, or as the memory that the
    weights leave can hold. The slower of the two decides, as an engine that mixes prompts into the steps of others
    lets arithmetic and memory work at once. With `cached` the demonstrations of a task are read once and kept once;
    choices are ranked without that.
    """
    operations = moved = 0.0
    weights, cache = size.parameters * row.weight_bytes, size.cache * row.weight_bytes / 2
    room = row.memory_gb * GB * MEMORY_SHARE - weights
    for each in asked:
        kept = each.own + each.written + (0 if cached else each.shown)
        at_once = max(1, min(batch, room / (cache * kept)))
        read = each.own * each.items + each.shown * (1 if cached else each.items)
        read += each.choices * (each.own + each.shown) * each.items
        written = each.written * each.items
        operations += 2 * size.parameters * (read + written)
        moved += written / at_once * weights + written * (each.own + each.shown + each.written / 2) * cache
    arithmetic = operations / (row.peak_tflops * 1e12 * row.prefill)
    return max(arithmetic, moved / (row.memory_gb_s * GB * row.decode))
