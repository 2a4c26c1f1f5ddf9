"""How fast is finetuning, against a plain transformers Trainer that pads, and against TRL's SFTTrainer as it comes?

    python benchmarks/finetune.py [--results FOLDER] [--data FOLDER] [--bits 16] [--steps 120] [--threads 1]

All sides start from the same tiny-llama (of `--results`, where `make run` has put it) with the same LoRA, and learn for
as many steps from as many tokens of the same examples: those of the embedded default, or with `--data` the real ones
in FOLDER/instruct/ (Alpaca, Dolly, MultiAlpaca). Each runs in a process of its own. What is timed is training alone;
this project's side also measures held-out loss, writes checkpoints and logs meanwhile, and the last line says what
that costs.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
SIDES = ("maple", "Trainer, padded", "SFTTrainer")
SEED = 1
# Languages of the real sets, and what each calls an answer.
REAL = {
    "alpaca/en": ("eng_Latn", "output"),
    "dolly/en": ("eng_Latn", "response"),
    "multialpaca/es": ("spa_Latn", "output"),
    "multialpaca/pt": ("por_Latn", "output"),
    "multialpaca/ja": ("jpn_Jpan", "output"),
}


def data(asked: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the examples to learn, and those held out."""
    from maple.data.examples import raw_rows
    from maple.data.mixing import mix

    if not asked.data:
        return mix([pl.read_parquet(asked.results / "mixtures/generated.parquet")], None, 1.0, SEED, held_out=20)
    frames = []
    for name, (language, answer) in REAL.items():
        with open(asked.data / f"instruct/{name}.jsonl", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        told = [
            {"instruction": row["instruction"], "input": row.get("input") or "", "output": row[answer]} for row in rows
        ]
        frames.append(
            raw_rows([row | {"id": f"{name} {at}"} for at, row in enumerate(told)], language=language, recipe="load")
        )
    return mix(frames, None, 1.0, SEED, held_out=100)


def cell_of(asked: argparse.Namespace) -> dict:
    """Return the method cell of all sides: the embedded default's, with longer rows and larger steps for real data."""
    from maple.definitions.loading import read_yaml

    training = read_yaml(ROOT / "config/config.yaml")["finetune"]
    training |= {"steps": asked.steps, "held_out_steps": asked.steps // 2}
    if asked.data:
        tokens = {"max_length": 512, "batch_tokens": 2048, "micro_batch_tokens": 2048}
        training |= {**tokens, "learning_rate": 2e-3, "held_out_rows": 5}
    adapter = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
    return {"peft": "LORA", "bits": asked.bits, "adapter": adapter, "training": training}


class Stopwatch:
    """Seconds spent in functions, by name: of the processor where it computes with one thread, else of the clock.

    What else runs on a machine takes more of the clock than of the processor.
    """

    def __init__(self, threads: int):
        from maple.runtime.devices import device

        self.now = time.process_time if device() == "cpu" and threads == 1 else time.perf_counter
        self.seconds = {}

    def on(self, owner: object, name: str) -> None:
        """Put the stopwatch on a function of a module or class."""
        function = getattr(owner, name)

        def timed(*args, **kwargs):
            start = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0) + self.now() - start

        setattr(owner, name, timed)


def ours(asked: argparse.Namespace, folder: Path) -> dict:
    """Train as the workflow does."""
    from transformers import Trainer

    import maple.training.finetuning

    watch = Stopwatch(asked.threads)
    for owner, name in (
        (Trainer, "train"),
        (Trainer, "log"),
        (Trainer, "_save_checkpoint"),
        (maple.training.finetuning, "seal"),
        (maple.training.finetuning, "bits_per_byte"),
    ):
        watch.on(owner, name)
    files = folder / "examples.parquet", folder / "held_out.parquet"
    for frame, file in zip(data(asked), files, strict=True):
        frame.write_parquet(file)
    card = maple.training.finetuning.finetune(
        asked.results / "base/tiny-llama",
        *files,
        folder,
        cell=cell_of(asked),
        model={},
        seed=SEED,
        threads=asked.threads,
        checkpoints={"folder": str(folder / "checkpoints"), "steps": asked.steps // 2},
        code="",
    )
    seconds = watch.seconds.pop("train")
    return {"seconds": seconds, "tokens": card["tokens"]["all"], "recording": watch.seconds}


def padded(asked: argparse.Namespace, folder: Path, *, trl: bool) -> dict:
    """Train on batches of whole examples, padded to the longest: by transformers' Trainer, or by TRL's."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments
    from trl import SFTConfig, SFTTrainer

    from maple.models.encoding import Encoder
    from maple.models.precision import load_base
    from maple.runtime.devices import compute_dtype, device, prepare
    from maple.training.batches import draw, encode

    base, cell = asked.results / "base/tiny-llama", cell_of(asked)
    training = cell["training"]
    prepare(asked.threads, SEED)
    encoded, _ = encode(data(asked)[0], Encoder.of(base), training["max_length"])
    drawn = draw(list(map(len, encoded)), steps=training["steps"], tokens=training["batch_tokens"], seed=SEED)
    # The same examples in the same order, cut into steps of equal number: these trainers count no tokens.
    chosen = [encoded[number] for step in drawn for number in step]
    batch = round(len(chosen) / training["steps"])
    network = load_base(base, asked.bits)
    if asked.bits < 16:
        network = prepare_model_for_kbit_training(network, use_gradient_checkpointing=False)
    network = get_peft_model(network, LoraConfig(task_type="CAUSAL_LM", **cell["adapter"]))
    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="right")
    rows = [{"input_ids": one.input_ids.tolist(), "labels": one.labels.tolist()} for one in chosen]
    arguments = {
        "output_dir": str(folder),
        "max_steps": training["steps"],
        "per_device_train_batch_size": batch,
        "learning_rate": training["learning_rate"],
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(training["warmup"] * training["steps"]),
        "max_grad_norm": training["max_grad_norm"],
        "train_sampling_strategy": "sequential",
        "bf16": compute_dtype() == torch.bfloat16,
        "gradient_checkpointing": device() == "cuda",
        "use_cpu": device() == "cpu",
        "save_strategy": "no",
        "report_to": "none",
        "seed": SEED,
    }
    if trl:
        config = SFTConfig(**arguments, max_length=None)
        trainer = SFTTrainer(network, config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    else:
        trainer = Trainer(
            network,
            TrainingArguments(**arguments),
            DataCollatorForSeq2Seq(tokenizer),
            train_dataset=Dataset.from_list(rows),
        )
    watch = Stopwatch(asked.threads)
    watch.on(trainer, "train")
    trainer.train()
    network.save_pretrained(folder)
    seen = (chosen * 2)[: batch * training["steps"]]
    return {"seconds": watch.seconds["train"], "tokens": sum(map(len, seen))}


def side(name: str, asked: argparse.Namespace, folder: Path) -> dict:
    """Train one side; return its figures and the bits per byte of its adapter, measured in 16 bits for all alike."""
    from peft import PeftModel

    from maple.models.encoding import Encoder
    from maple.models.precision import load_base
    from maple.runtime.devices import peak_memory_gib
    from maple.training.held_out import bits_per_byte, encode_held_out

    found = ours(asked, folder) if name == SIDES[0] else padded(asked, folder, trl=name == SIDES[2])
    found["peak_memory_gib"] = peak_memory_gib()
    base = asked.results / "base/tiny-llama"
    encoder = Encoder.of(base)
    held_out = encode_held_out(data(asked)[1], encoder, rows=100, max_length=cell_of(asked)["training"]["max_length"])
    network = PeftModel.from_pretrained(load_base(base, 16), folder)
    measured = bits_per_byte(network, held_out, pad=encoder.pad, batch_tokens=4096)
    return found | {"bits_per_byte": sum(measured.values()) / len(measured)}


def main() -> None:
    """Print each side's figures, and how many times as fast as the padded Trainer it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--bits", type=int, default=16)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", choices=SIDES, help="one side, in this process; its figures are the last line")
    asked = parser.parse_args()
    if asked.side:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(side(asked.side, asked, Path(folder))))
        return
    found = {}
    for name in SIDES:
        told = [sys.executable, __file__, *sys.argv[1:], "--side", name]
        done = subprocess.run(told, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        found[name] = json.loads(done.stdout.splitlines()[-1])
    print(f"{'':18}{'tokens':>9}{'seconds':>9}{'tokens/s':>10}{'times as fast':>15}{'GiB':>7}{'bits per byte':>15}")
    speeds = {name: one["tokens"] / one["seconds"] for name, one in found.items()}
    for name, one in found.items():
        print(f"{name:18}{one['tokens']:9}{one['seconds']:9.1f}{speeds[name]:10.0f}", end="")
        print(f"{speeds[name] / speeds[SIDES[1]]:15.2f}{one['peak_memory_gib']:7.2f}{one['bits_per_byte']:15.3f}")
    shares = {name: seconds / found[SIDES[0]]["seconds"] for name, seconds in found[SIDES[0]]["recording"].items()}
    told = ", ".join(f"{name} {share:.2%}" for name, share in shares.items())
    print(f"recording takes {sum(shares.values()):.2%} of this project's training: {told}")


if __name__ == "__main__":
    main()
