"""Formulas: operations of training, seconds of generation."""

from collections.abc import Iterable
from dataclasses import dataclass

from maple.definitions.hardware import Hardware
from maple.models.size import Size

GB, HOUR, KWH = 1e9, 3600.0, 3.6e6
TERA = 1e12
OWN_TOKENS = 16  # that a ranked choice does not share: its own, and what of its prompt fills no block of 16: assumed
MEMORY_SHARE = 0.92  # of a device's memory, for weights and cache: vLLM's default (0.32)


@dataclass(frozen=True)
class TaskLoad:
    """The prompts and answers of a run in one task and language; tokens are means."""

    items: int
    prompt: float
    """Tokens of a prompt without demonstrations."""
    demonstrations: float
    """Tokens of the demonstrations before it."""
    answer: float
    """Tokens of an answer; 0 if none is generated."""
    choices: int
    """Choices that are ranked; 0 if none are."""
    bytes: float
    """UTF-8, of a prompt."""
    beams: int = 1
    """Hypotheses that are computed for an answer."""
    at_once: float | None = None
    """Prompts in a batch; None for the engine's own number."""


def training_operations(active: float, trained: float, tokens: float, *, recomputed: bool) -> float:
    """Return the floating-point operations of training `trained` parameters beside a frozen model.

    `active` are the parameters of the model that compute for one token.

    Per parameter and token, two forward and four backward, half of which compute the gradients of the weights (Kaplan
    et al. 2020, arXiv 2001.08361, section 2.1). A frozen model needs none of that half; with gradient checkpointing
    (`recomputed`) it runs forward twice. Attention is left out: the examples are short.

    >>> training_operations(1000, 5, 10, recomputed=False)
    40300
    """
    return tokens * (active * (6 if recomputed else 4) + 6 * trained)


def generation_seconds(
    size: Size,
    hardware: Hardware,
    loads: Iterable[TaskLoad],
    *,
    batch: int,
    cached: bool,
    memory_share: float = MEMORY_SHARE,
) -> float:
    """Return the seconds that the generation of a run takes.

    Each token that is read or written takes two operations per active parameter. Each decoding step of a batch reads
    all weights once, and for each sequence the keys and values of the earlier tokens that its layers keep. A batch has
    `batch` sequences, or as many as fit into the memory that the weights leave of `memory_share` of the device's. The
    larger of arithmetic and memory traffic counts, since an engine that mixes prompts into decoding steps overlaps
    them. With `cached`, a task's demonstrations are read and kept once. Choices are ranked in a pass of their own, in
    which they share their prompt. The beams of an answer are sequences of one batch, each with a cache of its own.
    """
    operations = traffic = 0.0
    weights = size.parameters * hardware.weight_bytes

    def cache(tokens: float) -> float:
        return size.cached(tokens) * hardware.weight_bytes / 2

    room = hardware.memory_gb * GB * memory_share - weights
    for load in loads:
        in_cache = load.prompt + load.answer + (0 if cached else load.demonstrations)
        held, limit = cache(in_cache) * load.beams, load.at_once or batch
        at_once = max(1, min(limit, room / held)) if held else limit
        passes = max(1, bool(load.answer) + bool(load.choices))
        read = passes * (load.prompt * load.items + load.demonstrations * (1 if cached else load.items))
        read += load.choices * OWN_TOKENS * load.items
        written = load.answer * load.items
        operations += 2 * size.active * (read + written * load.beams)
        context = load.prompt + load.demonstrations + load.answer / 2
        traffic += written / at_once * weights + written * load.beams * cache(context)
    arithmetic = operations / (hardware.peak_tflops * TERA * hardware.prefill)
    return max(arithmetic, traffic / (hardware.memory_gb_s * GB * hardware.decode))
