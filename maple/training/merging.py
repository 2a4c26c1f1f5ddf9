"""Merging: an adapter folded into 16-bit weights, and whether the result is still the model that was trained."""

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from maple.definitions.local_model import LocalModel
from maple.definitions.method import PeftVariant
from maple.definitions.training import MergeSettings
from maple.methods.method import AdaptationMethod, adaptation
from maple.methods.model_folder import save_model
from maple.models.behaviour import ExampleEncoder, ModelKind, behaviour_of
from maple.models.example import MASKED, EncodedExample
from maple.models.precision import dequantized
from maple.runtime import devices
from maple.runtime.run_cards import timed
from maple.training.cards import Comparison, Divergence, MergeCard
from maple.training.held_out import examples_to_compare

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from transformers import PreTrainedModel


# What is kept of the trained model per example: logits [tokens, vocabulary] in float32, and the loss in nats.
Observations = list[tuple["Tensor", float]]


class MergeError(ValueError):
    """The merged model is not the model that was trained; the message gives the measured differences."""


def predictions(
    model: "PreTrainedModel | PeftModel", kind: ModelKind, examples: Sequence[EncodedExample]
) -> Iterator[tuple["Tensor", float]]:
    """Yield for each example the logits of its completion, [tokens, vocabulary] in float32, and its loss in nats."""
    import torch

    for example in examples:
        logits = kind.completion_logits(model, example)
        completion = torch.tensor(example.labels[example.labels != MASKED].tolist(), device=logits.device)
        with torch.inference_mode():
            loss = torch.nn.functional.cross_entropy(logits, completion, reduction="sum").item()
        yield logits, loss


def observe(
    model: "PreTrainedModel | PeftModel", kind: ModelKind, examples: Sequence[EncodedExample], tokens: int
) -> Observations:
    """Return `predictions` on the CPU, logits of the first `tokens` only: 4 bytes per token and vocabulary entry."""
    return [(logits[:tokens].to("cpu", copy=True), loss) for logits, loss in predictions(model, kind, examples)]


def compare(
    reference: Observations, model: "PreTrainedModel | PeftModel", kind: ModelKind, examples: Sequence[EncodedExample]
) -> Comparison:
    """Return how far `model` is from the model whose predictions are `reference`, a result of `observe`."""
    pairs = zip(examples, reference, predictions(model, kind, examples), strict=True)
    by_language = (
        pl.DataFrame([_differences(example, before, after) for example, before, after in pairs])
        .group_by("language", maintain_order=True)
        .agg(
            kl=pl.sum("kl") / pl.sum("tokens"),
            agreement=pl.sum("agreement") / pl.sum("tokens"),
            bits=pl.sum("bits") / pl.sum("units"),
            bits_change=pl.sum("change") / pl.sum("units"),
            largest_logit_difference=pl.max("largest_logit_difference"),
        )
    )
    largest = pl.max("largest_logit_difference")
    means = by_language.select(pl.mean("kl", "agreement", "bits", "bits_change"), largest)
    worst = by_language.sort("kl", descending=True).row(0, named=True)  # a kl that is NaN sorts first
    return Comparison(
        **means.row(0, named=True),
        worst_kl=worst["kl"],
        worst_language=worst["language"],
        languages={row.pop("language"): Divergence(**row) for row in by_language.iter_rows(named=True)},
    )


def _differences(
    example: EncodedExample, reference: tuple["Tensor", float], prediction: tuple["Tensor", float]
) -> dict:
    """Return one example's sums over tokens; losses and their change are in bits."""
    (logits, loss), (other, other_loss) = reference, prediction
    before, after = logits.to(other.device), other[: len(logits)]
    p, q = before.double().log_softmax(-1), after.double().log_softmax(-1)
    return {
        "language": example.language,
        "tokens": len(logits),
        "kl": (p.exp() * (p - q)).sum().item(),
        "agreement": (p.argmax(-1) == q.argmax(-1)).sum().item(),
        "bits": other_loss / math.log(2),
        "change": (other_loss - loss) / math.log(2),
        "units": example.units,
        "largest_logit_difference": (after - before).abs().max().item(),
    }


def merge(  # noqa: PLR0913 (a stage's entry: each argument is an input or a param of the rule)
    base: str | Path,
    adapter: str | Path,
    held_out: pl.DataFrame,
    merged: Path,
    *,
    bits: int,
    max_length: int,
    settings: MergeSettings,
    model: LocalModel,
    threads: int,
    module: str = PeftVariant.MODULE,
) -> MergeCard:
    """Fold `adapter` into 16-bit weights of `base`, save the result to the folder `merged`, return the card.

    The reference is the model that was trained: the adapter on the base in `bits`. The weights to fold into are
    `original`, those stored, or `dequantized`, what training in 4 or 8 bits made of them, written out. Never into a
    quantized base: that rounds the adapter away, and some PEFT methods do it silently wrong. `max_length` is that of
    training, in tokens; `module` is that of maple.methods which adapted the base.

    In 16 bits the two bases are one. Models are in memory one after the other. Raises MergeError if a language's kl is
    above the bound.
    """
    devices.prepare(threads, seed=0)
    with timed({}) as resources:
        job = _MergeJob(base, adapter, bits, model, adaptation(module))
        examples = examples_to_compare(held_out, job.kind, job.encoder(), settings.rows, max_length)
        trained = observe(job.attach(job.load(base, bits)), job.kind, examples, settings.tokens)
        into = settings.into if bits < 16 else "original"
        ways = {}
        for weights in ("original", "dequantized") if bits < 16 else ("original",):
            folder = merged if weights == into else None
            ways |= job.ways(weights, lambda network: compare(trained, network, job.kind, examples), folder)
    card = MergeCard(
        bits=bits,
        into=into,
        measure=job.kind.MEASURE,
        bound=settings.bound,
        rows=len(examples),
        tokens=sum(len(logits) for logits, _ in trained),
        dtype="bfloat16",
        ways=ways,
        **resources,
    )
    check(card)
    return card


@dataclass(frozen=True)
class _MergeJob:
    """A base, an adapter, and the ways to put them together."""

    base: str | Path
    adapter: str | Path
    bits: int
    model: LocalModel
    adaptation: AdaptationMethod

    @property
    def kind(self) -> ModelKind:
        return behaviour_of(self.model.kind)

    def encoder(self) -> ExampleEncoder:
        return self.kind.encoder_of(self.base, self.model)

    def load(self, folder: str | Path, bits: int) -> "PreTrainedModel":
        gc.collect()  # the model before this one: quantized ones hold references to themselves
        return self.kind.load(folder, bits, trust_remote_code=self.model.trust_remote_code)

    def attach(self, network: "PreTrainedModel") -> "PeftModel | PreTrainedModel":
        return self.adaptation.load(network, self.adapter)

    def ways(
        self, weights: str, measure: Callable[["PreTrainedModel | PeftModel"], Comparison], merged: Path | None
    ) -> dict[str, Comparison]:
        """Compare each way to use the adapter with these weights; save the merged model to `merged`, if given."""
        ways = {}
        network = self.load(self.base, 16 if weights == "original" else self.bits)
        if weights == "original":
            ways["untouched"] = measure(network)
        else:
            network = dequantized(network)
        network = self.attach(network)
        if self.bits < 16:
            ways[f"attached_{weights}"] = measure(network)
        network: Any = self.adaptation.merge(network)
        if merged is not None:
            save_model(network, self.base, merged)
            del network
            network = self.load(merged, 16)
        ways[weights] = measure(network.to(devices.compute_dtype()))
        return ways


def check(card: MergeCard) -> None:
    """Raise MergeError if the kl of the saved model is above the card's bound in any language."""
    way = card.ways[card.into]
    if way.worst_kl <= card.bound:
        return
    others = ", ".join(f"{name} {other.worst_kl:.2g}" for name, other in card.ways.items() if name != card.into)
    raise MergeError(
        f"the adapter folded into the {card.into} weights of its base is not the model that was trained in {card.bits} "
        f"bits: its answers differ by {way.worst_kl:.2g} nats a token in {way.worst_language}, and merge.bound "
        f"allows {card.bound:g} (mean of {len(way.languages)} languages {way.kl:.2g}, same first choice on "
        f"{way.agreement:.1%} of the tokens, {way.bits_change:+.2g} {card.measure.replace('_', ' ')}, logits within "
        f"{way.largest_logit_difference:.2g}; other ways, worst language: {others}). See that base and adapter "
        "belong together; choose other weights with merge.into; or raise merge.bound, if that is close enough"
    )
