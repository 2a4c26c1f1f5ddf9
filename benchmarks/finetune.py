"""How fast is finetuning, compared with a plain transformers Trainer that pads, and with TRL's SFTTrainer as it comes?

    python benchmarks/finetune.py [--results FOLDER] [--data FOLDER] [--bits 16] [--steps 120] [--threads 1]

All sides start from the same tiny-llama (of `--results`, where `make run` has put it) with the same LoRA, and learn for
the same number of steps from about as many tokens of the same examples: those of the embedded default, or with `--data`
the real ones in FOLDER/instruct/ (Alpaca, Dolly, MultiAlpaca). Each runs in a process of its own. Only training is
timed; this project's side also measures held-out loss, writes checkpoints and logs meanwhile, and the last line says
what that costs.
"""

# ruff: noqa: E402 (modules of the project are found once its folder is in the path)

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

import maple.training.callbacks
import maple.training.trainer
from maple.data.examples import raw_rows
from maple.data.mixing import mix
from maple.definitions.local_model import HubModel
from maple.definitions.method import PeftVariant
from maple.definitions.reading import read_yaml
from maple.definitions.training import TrainingSettings
from maple.methods import peft_method
from maple.models import causal
from maple.models.encoding import Encoder
from maple.runtime import devices
from maple.runtime.files import write_parquet
from maple.training.batches import encode, sample_steps
from maple.training.checkpoints import CheckpointPlan
from maple.training.finetuning import finetune
from maple.training.held_out import encode_held_out, held_out_bits

SIDES = ("maple", "Trainer, padded", "SFTTrainer")
SEED = 1
MODEL = HubModel(hub="none/tiny-llama", revision="0" * 40)  # only its defaults count here
# Languages of the real sets, and the key under which each has an answer.
REAL = {
    "alpaca/en": ("eng_Latn", "output"),
    "dolly/en": ("eng_Latn", "response"),
    "multialpaca/es": ("spa_Latn", "output"),
    "multialpaca/pt": ("por_Latn", "output"),
    "multialpaca/ja": ("jpn_Jpan", "output"),
}


def data(arguments: argparse.Namespace) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the examples to learn, and those held out."""
    from maple.definitions.dataset import MixSettings

    if not arguments.data:
        return mix(
            [pl.read_parquet(arguments.results / "mixtures/generated.parquet")],
            MixSettings(rows=None, alpha=1.0, seed=SEED, held_out=20),
        )
    frames = []
    for name, (language, answer) in REAL.items():
        with open(arguments.data / f"instruct/{name}.jsonl", encoding="utf-8") as lines:
            rows = [json.loads(line) for line in lines]
        examples = [
            {"instruction": row["instruction"], "input": row.get("input") or "", "output": row[answer]} for row in rows
        ]
        identified = [example | {"id": f"{name} {number}"} for number, example in enumerate(examples)]
        frames.append(raw_rows(identified, language=language, recipe="load"))
    return mix(frames, MixSettings(rows=None, alpha=1.0, seed=SEED, held_out=100))


def variant(arguments: argparse.Namespace) -> PeftVariant:
    """Return the method of all sides: the embedded default's, with longer rows and larger steps for real data."""
    training = read_yaml(ROOT / "config/config.yaml")["finetune"]
    training |= {"steps": arguments.steps, "held_out_steps": arguments.steps // 2}
    if arguments.data:
        tokens = {"max_length": 512, "batch_tokens": 2048, "micro_batch_tokens": 2048}
        training |= {**tokens, "learning_rate": 2e-3, "held_out_rows": 5}
    adapter = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.05, "target_modules": "all-linear"}
    axes = {"rank": 16, "bits": arguments.bits}
    return PeftVariant(peft="LORA", axes=axes, adapter=adapter, training=TrainingSettings(**training))


class Stopwatch:
    """Seconds spent in functions, by name: processor time if one thread computes on the CPU, else wall-clock time.

    Other programs on the machine change the wall-clock time more than the processor time.
    """

    def __init__(self, threads: int):
        self.now = time.process_time if devices.device() == "cpu" and threads == 1 else time.perf_counter
        self.seconds = {}

    def on(self, owner: object, name: str) -> None:
        """Time a function of a module or class from now on."""
        function = getattr(owner, name)

        def timed(*args, **kwargs):
            start = self.now()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[name] = self.seconds.get(name, 0) + self.now() - start

        setattr(owner, name, timed)


def ours(arguments: argparse.Namespace, folder: Path) -> dict:
    """Train as the workflow does."""
    from transformers import Trainer

    watch = Stopwatch(arguments.threads)
    for owner, name in (
        (Trainer, "train"),
        (Trainer, "log"),
        (Trainer, "_save_checkpoint"),
        (maple.training.trainer, "seal"),
        (maple.training.callbacks, "held_out_bits"),
    ):
        watch.on(owner, name)
    files = folder / "examples.parquet", folder / "held_out.parquet"
    for frame, file in zip(data(arguments), files, strict=True):
        write_parquet(frame, file)
    card = finetune(
        arguments.results / "base/tiny-llama",
        *files,
        folder,
        method=variant(arguments),
        model=MODEL,
        seed=SEED,
        threads=arguments.threads,
        checkpoints=CheckpointPlan(folder / "checkpoints", arguments.steps // 2),
        code=[],
    )
    seconds = watch.seconds.pop("train")
    return {"seconds": seconds, "tokens": card.tokens["all"], "recording": watch.seconds}


def padded(arguments: argparse.Namespace, folder: Path, *, trl: bool) -> dict:
    """Train on batches of whole examples, padded to the longest: by transformers' Trainer, or by TRL's."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model, prepare_model_for_kbit_training
    from transformers import AutoTokenizer, DataCollatorForSeq2Seq, Trainer, TrainingArguments
    from trl.trainer.sft_config import SFTConfig
    from trl.trainer.sft_trainer import SFTTrainer

    base, method = arguments.results / "base/tiny-llama", variant(arguments)
    training = method.training
    devices.prepare(arguments.threads, SEED)
    encoded, _ = encode(data(arguments)[0], causal, Encoder.of(base), training.max_length)
    steps = sample_steps(list(map(len, encoded)), steps=training.steps, tokens=training.batch_tokens, seed=SEED)
    # The same examples in the same order, cut into steps of equal number: these trainers count no tokens.
    examples = [encoded[number] for step in steps for number in step]
    batch = round(len(examples) / training.steps)
    network = causal.load(base, arguments.bits)
    if arguments.bits < 16:
        network = prepare_model_for_kbit_training(network, use_gradient_checkpointing=False)
    network = get_peft_model(network, LoraConfig(task_type=causal.PEFT_TASK, **method.adapter))
    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="right")
    rows = [{"input_ids": one.input_ids.tolist(), "labels": one.labels.tolist()} for one in examples]
    settings = {
        "output_dir": str(folder),
        "max_steps": training.steps,
        "per_device_train_batch_size": batch,
        "learning_rate": training.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": round(training.warmup * training.steps),
        "max_grad_norm": training.max_grad_norm,
        "train_sampling_strategy": "sequential",
        "bf16": devices.compute_dtype() == torch.bfloat16,
        "gradient_checkpointing": devices.device() == "cuda",
        "use_cpu": devices.device() == "cpu",
        "save_strategy": "no",
        "report_to": "none",
        "seed": SEED,
    }
    if trl:
        config = SFTConfig(**settings, max_length=None)
        trainer = SFTTrainer(network, config, train_dataset=Dataset.from_list(rows), processing_class=tokenizer)
    else:
        trainer = Trainer(
            network,
            TrainingArguments(**settings),
            DataCollatorForSeq2Seq(tokenizer),
            train_dataset=Dataset.from_list(rows),
        )
    watch = Stopwatch(arguments.threads)
    watch.on(trainer, "train")
    trainer.train()
    network.save_pretrained(str(folder))
    seen = (examples * 2)[: batch * training.steps]
    return {"seconds": watch.seconds["train"], "tokens": sum(map(len, seen))}


def side(name: str, arguments: argparse.Namespace, folder: Path) -> dict:
    """Train one side; return its figures and the bits per byte of its adapter, measured in 16 bits for all alike."""
    figures = ours(arguments, folder) if name == SIDES[0] else padded(arguments, folder, trl=name == SIDES[2])
    figures["peak_memory_gib"] = devices.peak_memory_gib()
    base = arguments.results / "base/tiny-llama"
    encoder, max_length = Encoder.of(base), variant(arguments).training.max_length
    held_out = encode_held_out(data(arguments)[1], causal, encoder, rows=100, max_length=max_length)
    network = peft_method.load(causal.load(base, 16), folder)
    measured = held_out_bits(network, causal, held_out, pad=encoder.pad, batch_tokens=4096)
    return figures | {"bits_per_byte": sum(measured.values()) / len(measured)}


def side_in_process(name: str) -> dict:
    """Train one side in a process of its own; if it fails, exit with its error."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{name} failed with exit status {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Print each side's figures, and how many times as fast as the padded Trainer it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--bits", type=int, default=16)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", choices=SIDES, help="one side, in this process; its figures are the last line")
    arguments = parser.parse_args()
    if arguments.side:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(side(arguments.side, arguments, Path(folder))))
        return
    figures = {name: side_in_process(name) for name in SIDES}
    print(f"{'':18}{'tokens':>9}{'seconds':>9}{'tokens/s':>10}{'times as fast':>15}{'GiB':>7}{'bits per byte':>15}")
    speeds = {name: one["tokens"] / one["seconds"] for name, one in figures.items()}
    for name, one in figures.items():
        print(f"{name:18}{one['tokens']:9}{one['seconds']:9.1f}{speeds[name]:10.0f}", end="")
        print(f"{speeds[name] / speeds[SIDES[1]]:15.2f}{one['peak_memory_gib']:7.2f}{one['bits_per_byte']:15.3f}")
    shares = {name: seconds / figures[SIDES[0]]["seconds"] for name, seconds in figures[SIDES[0]]["recording"].items()}
    recording = ", ".join(f"{name} {share:.2%}" for name, share in shares.items())
    print(f"recording takes {sum(shares.values()):.2%} of this project's training: {recording}")


if __name__ == "__main__":
    main()
