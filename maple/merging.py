"""Merging: an adapter folded into the 16-bit weights of its base, and how far that moved the logits."""

from pathlib import Path

from maple.cards import timed


class MergeError(ValueError):
    """A merged model that is not the model that was trained; the message gives the measured difference."""


def probe(vocabulary: int, rows: int = 8, length: int = 64, seed: int = 0):
    """Return the fixed batch of token ids, [rows, length], on which models are compared."""
    import torch

    return torch.randint(vocabulary, (rows, length), generator=torch.Generator().manual_seed(seed))


def logits(model, batch):
    """Return the model's logits on `batch` in float32 on the CPU, [rows, length, vocabulary]."""
    import torch

    from maple.devices import compute_dtype

    # As in training: some of PEFT's layers on quantized weights mix dtypes where nothing casts them.
    casts = torch.autocast(model.device.type, torch.bfloat16, enabled=compute_dtype() == torch.bfloat16)
    with torch.inference_mode(), casts:
        return model(input_ids=batch.to(model.device)).logits.float().cpu()


def merge(
    base: str | Path,
    adapter: str | Path,
    merged: Path,
    *,
    bits: int,
    bound: float,
    model: dict,
    threads: int,
) -> dict:
    """Fold `adapter` into the stored 16-bit weights of `base`, save them to the folder `merged`, return the card.

    `model` is the base's definition. Never into a quantized base: some PEFT methods do that silently wrong. The card
    holds two figures on a fixed batch, both read from the saved files: `largest_logit_difference`, merged model against
    adapter attached to the 16-bit base (raises MergeError above `bound`, in logits); and
    `largest_logit_difference_trained`, merged model against adapter attached to the base in the `bits` it was trained
    on, which shows what quantization alone moves.
    """
    import torch
    from peft import PeftModel
    from transformers import AutoTokenizer

    from maple.devices import prepare
    from maple.quantization import load_base

    trust_remote_code = model.get("trust_remote_code", False)
    prepare(threads, seed=0)
    with timed({}) as card:

        def attached(base_bits: int):
            return PeftModel.from_pretrained(load_base(base, base_bits, trust_remote_code), adapter).eval()

        whole = attached(16)
        batch = probe(whole.config.vocab_size)
        before = logits(whole, batch)
        trained = before if bits == 16 else logits(attached(bits), batch)
        folded = whole.merge_and_unload(safe_merge=True)
        folded.config.use_cache = True
        folded.to(torch.bfloat16).save_pretrained(merged, safe_serialization=True)
        AutoTokenizer.from_pretrained(base, trust_remote_code=trust_remote_code).save_pretrained(merged)
        del whole, folded
        saved = load_base(merged, 16, trust_remote_code).eval()
        after = logits(saved, batch)
        card |= {
            "bits": bits,
            "into": "16-bit weights",
            "bound": bound,
            "largest_logit": round(before.abs().max().item(), 4),
            "largest_logit_difference": round((after - before).abs().max().item(), 5),
            "largest_logit_difference_trained": round((after - trained).abs().max().item(), 5),
        }
    if not card["largest_logit_difference"] <= bound:
        raise MergeError(
            f"the merged model's logits differ by {card['largest_logit_difference']} from adapter on base; "
            f"merge.bound allows {bound}"
        )
    return card
