"""Finetuning: an adapter on a base in 4, 8 or 16 bits, by TRL's SFTTrainer and PEFT."""

import math
from pathlib import Path

import polars as pl

from maple.cards import timed
from maple.prompts import Encoder


class FinetuningError(ValueError):
    """A run that cannot be trained; the message names the cause and what to change."""


def encode(examples: pl.DataFrame, encoder: Encoder, max_length: int) -> tuple[list[dict], int]:
    """Encode examples (columns instruction, input, output) to {"input_ids", "labels"}; count those too long to keep.

    An example longer than `max_length` tokens is left out whole: a cut one would teach not to end.
    """
    encoded, too_long = [], 0
    for instruction, input, output in examples.select("instruction", "input", "output").iter_rows():
        input_ids, labels = encoder.example(instruction, input, output)
        if len(input_ids) > max_length:
            too_long += 1
        else:
            encoded.append({"input_ids": input_ids, "labels": labels})
    return encoded, too_long


def finetune(
    base: str | Path,
    examples: pl.DataFrame,
    adapter: Path,
    *,
    cell: dict,
    model: dict,
    seed: int,
    threads: int,
) -> dict:
    """Train an adapter and save it to the folder `adapter` (safetensors); return the run card.

    `cell` has peft (PEFT's type), bits, adapter (what its config class is called with) and training: steps, batch
    (examples a step), micro_batch (examples a pass), learning_rate, warmup (share of the steps), max_length (tokens),
    weight_decay, max_grad_norm; `model` is the base's definition. The loss is on the completion only, as in
    Bactrian-X's recipe (arXiv 2305.15011); the schedule is cosine. The card holds the loss curve in nats a token.
    Raises FinetuningError for an empty dataset or a loss that is not finite.
    """
    import torch
    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    from maple.adapters import attach, callbacks, checkpoints, in_float32, save
    from maple.devices import compute_dtype, device, prepare
    from maple.quantization import load_base

    bits, training = cell["bits"], cell["training"]
    trust_remote_code = model.get("trust_remote_code", False)
    prepare(threads, seed)
    with timed({}) as card:
        encoder = Encoder.of(base)
        encoded, too_long = encode(examples, encoder, training["max_length"])
        if not encoded:
            raise FinetuningError(
                f"no example of {examples.height} fits finetune.max_length={training['max_length']} tokens; "
                "raise it, or look at what curate dropped"
            )
        network = attach(load_base(base, bits, trust_remote_code), cell, adapter)
        tokenizer = AutoTokenizer.from_pretrained(base, trust_remote_code=trust_remote_code)
        tokenizer.pad_token = tokenizer.convert_ids_to_tokens(encoder.pad)
        arguments = SFTConfig(
            output_dir=str(adapter / "trainer"),
            max_steps=training["steps"],
            per_device_train_batch_size=training["micro_batch"],
            gradient_accumulation_steps=math.ceil(training["batch"] / training["micro_batch"]),
            learning_rate=training["learning_rate"],
            lr_scheduler_type="cosine",
            warmup_steps=math.ceil(training["warmup"] * training["steps"]),
            weight_decay=training["weight_decay"],
            max_grad_norm=training["max_grad_norm"],
            max_length=None,
            bf16=compute_dtype() == torch.bfloat16,
            gradient_checkpointing=checkpoints(cell),
            use_cpu=device() == "cpu",
            logging_steps=max(1, training["steps"] // 50),
            save_strategy="no",
            report_to="none",
            seed=seed,
            data_seed=seed,
            dataloader_num_workers=0,
        )
        trainer = SFTTrainer(
            model=network,
            args=arguments,
            train_dataset=Dataset.from_list(encoded),
            processing_class=tokenizer,
            callbacks=callbacks(network),
        )
        in_float32(network)
        trained, total = network.get_nb_trainable_parameters()
        trainer.train()
        curve = [
            {"step": entry["step"], "loss": entry["loss"]} for entry in trainer.state.log_history if "loss" in entry
        ]
        if not all(math.isfinite(point["loss"]) for point in curve):
            raise FinetuningError("the loss is not finite; lower finetune.learning_rate")
        save(network, adapter)
        tokens = sum(len(example["input_ids"]) for example in encoded)
        card |= {
            "base": model,
            "bits": bits,
            "peft": cell["peft"],
            "adapter": cell["adapter"],
            "training": training,
            "examples": len(encoded),
            "too_long": too_long,
            "epochs": round(training["steps"] * training["batch"] / len(encoded), 2),
            "mean_tokens": round(tokens / len(encoded), 1),
            "trainable_parameters": trained,
            "all_parameters": total,
            "trainable_share": trained / total,
            "loss": curve,
        }
    return card
