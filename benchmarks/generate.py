"""Prompts per second on real rows: this project's generation against plain `generate` loops and against lm-eval.

    python benchmarks/generate.py --data FOLDER [--items N] [--threads N]

FOLDER holds {xcopa,xnli,xquad}/{iso639_1}/*.jsonl; all rows take about 20 minutes. The prompts are the project's own,
with eight demonstrations. The model is built here and has hardly been trained: its speed is that of any model of its
size, every answer goes to its limit of tokens, and the same weights are read by every side in float32. Every side is a
process of its own; starting (imports, weights, engine) is timed apart from answering, which goes from the prompts' text
to the completions' text, and in this project to files on disk. Stopping an engine is timed on no side.

- maple: `maple.evaluation.generation.generate` with vLLM, vLLM without prefix cache, transformers; and once more on its
  own finished files, which is a replay.
- generate: the loop of every tutorial, transformers' `generate` in the order of the rows, at several batch sizes.
- lm-eval 0.4.13 (`make .lm-eval/done`) on vLLM with its batch size "auto", which hands all prompts over at once.

Prints ratios to `generate` at batch 1 and at its best batch and to lm-eval, and how many completions are the same as
those of batch 1.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]
HARNESS = ROOT / ".lm-eval" / "lib" / "python3.11" / "site-packages"
LANGUAGES = {
    "xcopa": ["tha_Thai", "swh_Latn", "zho_Hans", "quy_Latn"],
    "xnli": ["eng_Latn", "swh_Latn", "zho_Hans", "arb_Arab"],
    "xquad": ["eng_Latn", "arb_Arab", "hin_Deva", "zho_Hans"],
}
SHOTS = 8
BATCHES = (1, 8, 32, 64)
OWN_BATCH = 16  # of this project with transformers: on a CPU more are slower, as the loops show
SIDES = [
    "maple, vLLM",
    "maple, vLLM without prefix cache",
    "maple, transformers",
    *(f"generate, batch {batch}" for batch in BATCHES),
    "lm-eval, vLLM",
]
ARCHITECTURE = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
}
TRAINING = {"steps": 2, "batch": 4, "length": 128, "learning_rate": 4e-3, "seed": 1}


def demonstrated(data: Path, items: int | None):
    """Return prompts of maple.evaluation.prompts.PROMPT_SCHEMA; the first rows of a set are its demonstrations."""
    import polars as pl

    from maple.data.sources import RowFolders
    from maple.definitions.language import ENGLISH, read_languages
    from maple.definitions.reading import read_yaml
    from maple.definitions.task import Task, TaskSettings
    from maple.evaluation.benchmark_rows import read_task, row_places
    from maple.evaluation.completions import asked
    from maple.evaluation.prompt_words import task_words
    from maple.evaluation.prompts import render

    table = read_languages(ROOT / "config/languages.tsv")
    frames, folders = [], RowFolders(data=str(data), fetched="")
    for name, codes in LANGUAGES.items():
        task = Task(**read_yaml(ROOT / f"config/tasks/{name}.yaml"))
        spec, settings = task.prompt_spec(), TaskSettings(shots=SHOTS)
        for code in codes:
            places = row_places(task.sources.local, table, code, folders, repair=None, dev=False)
            rows = read_task(name, places, repair=None, phrases=None, items=None).test
            words = task_words(task, table[code], table[ENGLISH], "own")
            sample = {"rows": rows[SHOTS : items and SHOTS + items], "words": words, "dev": rows[:SHOTS], "seed": 1}
            frames.append(render(spec, settings, task=name, language=code, **sample))
    return asked(pl.concat(frames), {name: ["generate"] for name in LANGUAGES}).filter(pl.col("fault").is_null())


def tiny_model(texts: list[str], folder: Path) -> None:
    """Build the model, its tokenizer trained on the prompts; it never ends an answer before its limit."""
    from safetensors.torch import load_file, save_file

    from maple.definitions.local_model import BuildSettings
    from maple.models.causal import build
    from maple.models.encoding import Encoder

    settings = BuildSettings(vocabulary=4096, architecture=ARCHITECTURE, documents=len(texts), training=TRAINING)
    build(settings, texts, folder, threads=1, progress=iter)
    weights = load_file(folder / "model.safetensors")
    weights["lm_head.weight"][Encoder.of(folder).eos] = 0  # of thousands of logits the largest is above 0
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def whole(row: dict) -> str:
    """Return a prompt in its frame, with its demonstrations."""
    from maple.models.frames import as_text

    return as_text("bactrian", row["prompt"], row["demonstrations"])


def maple_side(job: dict, engine: str, cache: bool = True) -> dict:
    """Answer by this project, then replay."""
    begin = time.perf_counter()
    import polars as pl
    from tqdm import tqdm

    from maple.definitions.generation import GenerateSettings
    from maple.engines.machine import Machine
    from maple.evaluation.asked_model import Weights
    from maple.evaluation.generation import RunOutputs, generate
    from maple.models.encoding import Encoder

    Encoder.of(job["model"])  # imports what reads tokenizers
    if not cache:
        os.environ["TORCH_COMPILE_DISABLE"] = "1"  # as the engine does before the import
        import vllm

        cached = vllm.LLM
        vllm.LLM = lambda **options: cached(**{**options, "enable_prefix_caching": False})
    imports = time.perf_counter() - begin
    batch = job["batch"] if engine == "vllm" else OWN_BATCH
    settings = GenerateSettings(
        engine=engine,
        batch=batch,
        max_length=job["max_length"],
        cpu_cache_gib=4,
        flip_sample=0,
        batch_invariant=False,
        tensor_parallel=1,
    )
    folder = Path(job["folder"])
    prompts = pl.read_parquet(job["prompts"])
    outputs = {code: folder / f"{code}.parquet" for code in prompts["language"].unique(maintain_order=True)}

    def run() -> dict:
        (card,) = generate(
            prompts,
            Weights(job["model"]),
            [RunOutputs(outputs, folder / "journal.jsonl")],
            settings=settings,
            machine=Machine(threads=job["threads"]),
            progress=tqdm,
        )
        return card.values()

    card = run()
    begin = time.perf_counter()
    assert run()["started"] is False
    answers = pl.concat(pl.read_parquet(path) for path in outputs.values())
    texts = prompts.join(answers, on=["task", "language", "item"], maintain_order="left")["completion"].to_list()
    cached = card["cached_prompt_tokens"]
    return {
        "start": imports + card["start_seconds"],
        "seconds": card["seconds"] - card["start_seconds"],
        "replay": time.perf_counter() - begin,
        "cached": None if cached is None else cached / answers["prompt_tokens"].sum(),
        "texts": texts,
    }


def loop_side(job: dict, batch: int) -> dict:
    """Answer by transformers' generate in a loop over the rows of each task, padded to the longest of a batch."""
    begin = time.perf_counter()
    import polars as pl
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.set_num_threads(job["threads"])
    tokenizer = AutoTokenizer.from_pretrained(job["model"], padding_side="left")
    model = AutoModelForCausalLM.from_pretrained(job["model"], dtype=torch.float32).eval()
    start, texts = time.perf_counter() - begin, []
    begin = time.perf_counter()
    for _, rows in pl.read_parquet(job["prompts"]).group_by("task", maintain_order=True):
        prompts = [whole(row) for row in rows.iter_rows(named=True)]
        for at in range(0, len(prompts), batch):
            inputs = tokenizer(
                [tokenizer.bos_token + text for text in prompts[at : at + batch]],
                return_tensors="pt",
                padding=True,
                add_special_tokens=False,
                return_token_type_ids=False,
            )
            with torch.inference_mode():
                output = model.generate(**inputs, do_sample=False, max_new_tokens=rows["max_new_tokens"][0])
            texts += tokenizer.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return {"start": start, "seconds": time.perf_counter() - begin, "texts": texts}


def harness_side(job: dict) -> dict:
    """Answer by lm-eval on vLLM, on tasks that are written here."""
    from maple.engines.start import engine_version

    sys.path.append(str(HARNESS))  # vLLM is this environment's, the harness that one's
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "4", "VLLM_CPU_OMP_THREADS_BIND": "nobind", "HF_HUB_OFFLINE": "1"}
    os.environ |= {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "OMP_NUM_THREADS": str(job["threads"])}
    begin = time.perf_counter()
    import importlib.metadata

    import polars as pl
    import torch
    from vllm.platforms import current_platform

    assert current_platform.device_type  # found before its package gets another name
    installed = importlib.metadata.version
    # lm-eval asks for the version of a package "vllm"; on a CPU it is called vllm-cpu.
    importlib.metadata.version = lambda name: engine_version("vllm").split()[1] if name == "vllm" else installed(name)
    torch.set_num_threads(job["threads"])
    from lm_eval import simple_evaluate
    from lm_eval.models.vllm_causallms import VLLM
    from lm_eval.tasks import TaskManager

    folder, names = Path(job["folder"]), []
    for (task,), rows in pl.read_parquet(job["prompts"]).group_by("task", maintain_order=True):
        names.append(f"{task}_here")
        with open(folder / f"{names[-1]}.jsonl", "w", encoding="utf-8") as file:
            for row in rows.iter_rows(named=True):
                file.write(json.dumps({"prompt": whole(row), "gold": row["targets"][0]}, ensure_ascii=False) + "\n")
        definition = {
            "task": names[-1],
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": str(folder / f"{names[-1]}.jsonl")}},
            "test_split": "test",
            "output_type": "generate_until",
            "num_fewshot": 0,
            "doc_to_text": "prompt",
            "doc_to_target": "gold",
            "generation_kwargs": {"until": [], "do_sample": False, "max_gen_toks": rows["max_new_tokens"][0]},
            "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
        }
        (folder / f"{names[-1]}.yaml").write_text(json.dumps(definition), encoding="utf-8")  # JSON is YAML
    model = VLLM(
        pretrained=job["model"],
        dtype="float32",
        batch_size="auto",
        max_model_len=job["max_length"],
        max_num_seqs=job["batch"],
        block_size=32,
        enforce_eager=True,
        enable_prefix_caching=True,
        add_bos_token=True,
    )
    start = time.perf_counter() - begin
    begin = time.perf_counter()
    manager = TaskManager(include_path=str(folder), include_defaults=False)
    results = simple_evaluate(model, tasks=names, task_manager=manager, bootstrap_iters=0)
    seconds = time.perf_counter() - begin
    texts = [
        sample["resps"][0][0]
        for name in names
        for sample in sorted(results["samples"][name], key=lambda sample: sample["doc_id"])
    ]
    return {"start": start, "seconds": seconds, "texts": texts}


def answer(side: str, job: dict) -> dict:
    """Answer all prompts by one side, in this process."""
    if side.startswith("maple"):
        return maple_side(job, "transformers" if side.endswith("transformers") else "vllm", "without" not in side)
    return loop_side(job, int(side.split()[-1])) if side.startswith("generate") else harness_side(job)


def main() -> None:
    """Run every side, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--items", type=int, help="of each task and language, at most")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=256, help="sequences at once, of vLLM")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--job", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        Path(options.job["folder"], "answer.json").write_text(json.dumps(answer(options.side, options.job)))
        return
    from maple.models.encoding import Encoder

    with tempfile.TemporaryDirectory() as place:
        prompts = demonstrated(options.data, options.items)
        prompts.write_parquet(Path(place, "prompts.parquet"))
        texts = [whole(row) for row in prompts.iter_rows(named=True)]
        tiny_model(texts, Path(place, "model"))
        lengths = list(map(len, Encoder.of(Path(place, "model")).pieces(texts)))
        print(f"{len(texts)} prompts, {sum(lengths) / len(texts):,.0f} tokens each, the longest {max(lengths):,}")
        answers = {}
        for number, side in enumerate(SIDES):
            if side.startswith("lm-eval") and not HARNESS.is_dir():
                print("lm-eval is left out: make .lm-eval/done installs it")
                continue
            folder = Path(place, str(number))
            folder.mkdir()
            job = {
                "prompts": f"{place}/prompts.parquet",
                "model": f"{place}/model",
                "folder": str(folder),
                "max_length": max(lengths) + 512,
                "batch": options.batch,
                "threads": options.threads,
            }
            command = [sys.executable, __file__, "--side", side, "--job", json.dumps(job)]
            environment = os.environ | {"OMP_NUM_THREADS": str(options.threads), "TOKENIZERS_PARALLELISM": "false"}
            done = subprocess.run(command, env=environment, text=True, capture_output=True)
            if done.returncode:
                sys.exit(f"{side} failed:\n{done.stderr[-4000:]}")
            answers[side] = json.loads((folder / "answer.json").read_text())
            print(f"  {side}: {answers[side]['seconds']:.1f} s", flush=True)
    report(answers, len(texts))


def report(answers: dict[str, dict], count: int) -> None:
    """Print one line per side."""
    loops = {side: answered for side, answered in answers.items() if side.startswith("generate")}
    best = min(loops, key=lambda side: loops[side]["seconds"])
    against = {"batch 1": SIDES[3], "best batch": best, "lm-eval": SIDES[-1]}
    print(f"\n{'':34}{'start s':>8}{'prompts/s':>11}" + "".join(f"{'x ' + name:>13}" for name in against), end="")
    print(f"{'same':>7}{'cached':>8}{'replay s':>10}")
    for side, answered in answers.items():
        ratios = [
            f"{answers[other]['seconds'] / answered['seconds']:13.2f}" if other in answers else f"{'–':>13}"
            for other in against.values()
        ]
        texts, alone = answered["texts"], answers[SIDES[3]]["texts"]
        same = sum(ours.strip() == theirs.strip() for ours, theirs in zip(texts, alone, strict=True)) / count
        cached = f"{answered['cached']:.0%}" if answered.get("cached") is not None else "–"
        replay = f"{answered['replay']:.2f}" if "replay" in answered else "–"
        print(f"{side:34}{answered['start']:8.1f}{count / answered['seconds']:11.2f}{''.join(ratios)}", end="")
        print(f"{same:7.1%}{cached:>8}{replay:>10}")
    print(f"best batch: {best}")


if __name__ == "__main__":
    main()
