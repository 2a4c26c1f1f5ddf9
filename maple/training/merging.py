"""Merging: a trained adapter folded into 16-bit weights, and whether the result is still the model that was trained."""

import gc
import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from maple.models.encoding import Encoder
from maple.runtime.run_cards import timed

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel


SHARD = "2GB"  # of a merged model; a shard is copied in memory while it is written
# Files of a base's folder that do not go along, weights aside: they speak of the base alone.
OWN = ("config.json", "build.json", "README.md")


class MergeError(ValueError):
    """A merged model that is not the model that was trained; the message gives the measured differences."""


@dataclass(frozen=True)
class Row:
    """A held-out example as models are asked it: `ids` end in the completion, whose tokens are `answer` in number.

    `size` is the length of the completion's text in bytes of UTF-8.
    """

    language: str
    ids: list[int]
    answer: int
    size: int


def rows_to_compare(held_out: pl.DataFrame, encoder: Encoder, rows: int, max_length: int) -> list[Row]:
    """Return the first `rows` examples of each language that fit `max_length` tokens, as those learnt from must.

    `held_out` has the columns of EXAMPLE_SCHEMA. Raises MergeError if there is none.
    """
    chosen: dict[str, list[Row]] = {}
    columns = held_out.filter(pl.col("output") != "").select("language", "instruction", "input", "output")
    for language, instruction, input, output in columns.iter_rows():
        ids, labels = encoder.example(instruction, input, output)
        group = chosen.setdefault(language, [])
        if len(ids) <= max_length and len(group) < rows:
            group.append(Row(language, ids, sum(label != -100 for label in labels), len(output.encode())))
    if not any(chosen.values()):
        raise MergeError(
            f"none of {held_out.height} held-out examples fits finetune.max_length={max_length} tokens, so that the "
            "merge cannot be checked; raise mix.held_out in the dataset's file (a tenth of a language at most is held)"
        )
    return [row for group in chosen.values() for row in group]


def answers(model: "PreTrainedModel", rows: Sequence[Row]) -> Iterator[tuple["torch.Tensor", float]]:
    """Yield of each row the logits on its completion, [tokens, vocabulary] in float32, and its loss in nats.

    Row by row: padding would change what LLM.int8 rounds.
    """
    import torch

    from maple.runtime.devices import compute_dtype, device

    # As in training: some of PEFT's layers on quantized weights mix dtypes where nothing casts them.
    casts = torch.autocast(device(), torch.bfloat16, enabled=compute_dtype() == torch.bfloat16)
    for row in rows:
        ids = torch.tensor([row.ids], device=model.device)
        with torch.inference_mode(), casts:
            logits = model(input_ids=ids, logits_to_keep=row.answer + 1).logits[0, :-1].float()
            loss = torch.nn.functional.cross_entropy(logits, ids[0, -row.answer :], reduction="sum").item()
        yield logits, loss


def observe(model: "PreTrainedModel", rows: Sequence[Row], tokens: int) -> list[tuple["torch.Tensor", float]]:
    """Return `answers`, of logits the first `tokens` a row, on the CPU: 4 bytes a token and entry of the vocabulary."""
    return [(logits[:tokens].to("cpu", copy=True), loss) for logits, loss in answers(model, rows)]


def compare(reference: list[tuple["torch.Tensor", float]], model: "PreTrainedModel", rows: Sequence[Row]) -> dict:
    """Return how far `model` is from the one of which `reference` was observed.

    kl: Kullback-Leibler divergence, reference || model, mean over completion tokens, nats. agreement: share of tokens
    with the same likeliest token. bits_per_byte: the model's loss on the completions, in bits a byte of UTF-8, and
    bits_per_byte_change from the reference's (positive: it finds them less likely). largest_logit_difference. All are
    given by language under `languages`, and over them: means, the largest difference, and the largest kl as worst_kl in
    worst_language.
    """
    measured = []
    for row, (logits, loss), (other, other_loss) in zip(rows, reference, answers(model, rows), strict=True):
        before, after = logits.to(other.device), other[: len(logits)]
        p, q = before.double().log_softmax(-1), after.double().log_softmax(-1)
        measured.append(
            {
                "language": row.language,
                "tokens": len(logits),
                "kl": (p.exp() * (p - q)).sum().item(),
                "agreement": (p.argmax(-1) == q.argmax(-1)).sum().item(),
                "bits": other_loss / math.log(2),
                "change": (other_loss - loss) / math.log(2),
                "size": row.size,
                "largest_logit_difference": (after - before).abs().max().item(),
            }
        )
    found = (
        pl.DataFrame(measured)
        .group_by("language", maintain_order=True)
        .agg(
            kl=pl.sum("kl") / pl.sum("tokens"),
            agreement=pl.sum("agreement") / pl.sum("tokens"),
            bits_per_byte=pl.sum("bits") / pl.sum("size"),
            bits_per_byte_change=pl.sum("change") / pl.sum("size"),
            largest_logit_difference=pl.max("largest_logit_difference"),
        )
    )
    largest = pl.max("largest_logit_difference")
    means = found.select(pl.mean("kl", "agreement", "bits_per_byte", "bits_per_byte_change"), largest)
    worst = found.sort("kl", descending=True).row(0, named=True)  # a kl that is no number sorts first
    return {
        **means.row(0, named=True),
        "worst_kl": worst["kl"],
        "worst_language": worst["language"],
        "languages": {row.pop("language"): row for row in found.iter_rows(named=True)},
    }


def fold(attached: "PeftModel") -> "PreTrainedModel":
    """Fold the adapter into the weights of the 16-bit base it is attached to, and round them to bfloat16.

    PEFT's own fold, in the dtype of the arithmetic: on a CPU float32, rounded once; on a GPU bfloat16, where it rounds
    the adapter's part as well (docs/merging.md: within a third of one rounding's error).
    """
    import torch

    return attached.merge_and_unload(safe_merge=True).to(torch.bfloat16)


def save(folded: "PreTrainedModel", base: str | Path, merged: Path) -> None:
    """Save a merged model as a Hub-style folder, shard by shard; tokenizer, chat template and such are the base's."""
    from transformers import GenerationConfig

    folded.config.use_cache = True
    # The base's own file is copied below; transformers would refuse to save some of them.
    folded.generation_config = GenerationConfig()
    folded.save_pretrained(merged, max_shard_size=SHARD)
    for path in Path(base).iterdir():
        if path.is_file() and path.name not in OWN and path.name[0] != "." and ".safetensors" not in path.name:
            shutil.copyfile(path, merged / path.name)


def merge(
    base: str | Path,
    adapter: str | Path,
    held_out: pl.DataFrame,
    merged: Path,
    *,
    bits: int,
    max_length: int,
    settings: dict,
    model: dict,
    threads: int,
) -> dict:
    """Fold `adapter` into 16-bit weights of `base`, save the result to the folder `merged`, return the card.

    The reference is the model that was trained: the adapter on the base in `bits`. `settings` is the `merge:` block of
    the config: into, the weights to fold into (`original`: those stored; `dequantized`: what training made of them in 4
    or 8 bits, written out); rows (of `held_out`, a language) and tokens (of each completion) to compare on; bound, nats
    a token. `max_length` is that of training in tokens, `model` the base's definition.
    Never into a quantized base: that rounds the adapter away, and some PEFT methods do it silently wrong.

    The card's `ways` hold `compare`'s figures of both folds (the one that is saved read back from its files), of the
    adapter attached to either base, and of the base alone (`untouched`), which tells what training did. In 16 bits the
    two bases are one. Models are in memory one after the other. Raises MergeError when a language's kl is above bound.
    """
    from peft import PeftModel

    from maple.models.precision import load_base
    from maple.runtime.devices import compute_dtype, prepare

    trust_remote_code = model.get("trust_remote_code", False)
    into = settings["into"] if bits < 16 else "original"
    prepare(threads, seed=0)
    with timed({}) as card:
        rows = rows_to_compare(held_out, Encoder.of(base), settings["rows"], max_length)

        def loaded(folder: str | Path, bits: int) -> "PreTrainedModel":
            gc.collect()  # the model before this one: quantized ones hold references to themselves
            return load_base(folder, bits, trust_remote_code)

        def attached(network: "PreTrainedModel") -> "PeftModel":
            return PeftModel.from_pretrained(network, adapter).eval()

        trained = observe(attached(loaded(base, bits)), rows, settings["tokens"])
        ways = {}
        for weights in ("original", "dequantized") if bits < 16 else ("original",):
            network = loaded(base, 16 if weights == "original" else bits)
            if weights == "original":
                ways["untouched"] = compare(trained, network, rows)
            else:
                network = network.dequantize()
                # transformers leaves these as they were, and PEFT's IA3 folds into no model that says so.
                network.is_loaded_in_4bit = network.is_loaded_in_8bit = False
            network = attached(network)
            if bits < 16:
                ways[f"attached_{weights}"] = compare(trained, network, rows)
            network = fold(network)
            if weights == into:
                save(network, base, merged)
                del network
                network = loaded(merged, 16)
            ways[weights] = compare(trained, network.to(compute_dtype()), rows)
            del network
        card |= {
            "bits": bits,
            "into": into,
            "bound": settings["bound"],
            "rows": len(rows),
            "tokens": sum(len(logits) for logits, _ in trained),
            "dtype": "bfloat16",
            "ways": ways,
        }
    check(card)
    return card


def check(card: dict) -> None:
    """Raise MergeError if the kl of the saved model is above the card's bound in any language."""
    into, bound = card["into"], card["bound"]
    way = card["ways"][into]
    if way["worst_kl"] <= bound:
        return
    others = ", ".join(f"{name} {other['worst_kl']:.2g}" for name, other in card["ways"].items() if name != into)
    raise MergeError(
        f"the adapter folded into the {into} weights of its base is not the model that was trained in {card['bits']} "
        f"bits: its answers differ by {way['worst_kl']:.2g} nats a token in {way['worst_language']}, and merge.bound "
        f"allows {bound:g} (mean of {len(way['languages'])} languages {way['kl']:.2g}, same first choice on "
        f"{way['agreement']:.1%} of the tokens, {way['bits_per_byte_change']:+.2g} bits a byte, logits within "
        f"{way['largest_logit_difference']:.2g}; other ways, worst language: {others}). See that base and adapter "
        "belong together; choose other weights with merge.into; or raise merge.bound, if that is close enough"
    )
