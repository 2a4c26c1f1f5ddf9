"""Compare our `rank` way of answering with lm-eval's (EleutherAI's harness): same prompts, choices, weights, device.

    python benchmarks/lm_eval_agreement.py --data FOLDER [--model FOLDER] [--items N]

FOLDER holds xcopa/{iso639_1}/test.jsonl and xnli/{iso639_1}/test.jsonl. lm-eval runs offline in an environment of its
own, .lm-eval (`make .lm-eval/done`), on a task that this script writes: `multiple_choice`, our framed prompt as its
text, the first verbalizers as its choices, no demonstrations. Both sides are processes of their own.

Three comparisons, because text becomes tokens in two ways. We encode prompt and choice one by one, as finetuning does,
so that every choice follows the very tokens of the prompt. lm-eval moves the white space that ends a prompt into the
continuation and encodes both together: our prompts end with a newline, which is then scored with every choice, and
"\\n1" has no token " 1". No option of a task undoes that (`target_delimiter: ""` keeps lm-eval from adding a space of
its own, `add_bos_token` gives it our BOS). Hence:

1. Our tokens on both sides: lm-eval's HFLM with `_encode_pair` replaced by "BOS and prompt, then choice", encoded by
   transformers' tokenizer. The rest, from batches to metrics, is lm-eval's. Compares
   `maple.evaluation.generation.complete`.
2. lm-eval's tokens on both sides: lm-eval untouched; our engine scores the tokens that it made.
3. Each side its own tokens: what somebody sees who holds our scores against a plain run of lm-eval. Not a check: the
   sides ask the model about different tokens. Where white space ends a prompt, lm-eval's normalised metrics also divide
   the newline's log-likelihood by the length of the choice, which tells for long choices.

lm-eval's `acc` is held against our raw ranking, `acc_bytes` against ours per UTF-8 byte, and `acc_norm`, which divides
by characters, against our log-likelihoods divided by characters. A disagreement is a tie where on both sides the two
chosen labels are closer than arithmetic in the dtype can tell. The largest difference is that of the nats between two
choices of an item. Ends with 1 if 1 or 2 show tokens that are not the same or a disagreement that is no tie, with 2 if
data or lm-eval are not there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HARNESS = ROOT / ".lm-eval" / "bin" / "python"
LANGUAGES = {
    "xcopa": ["tha_Thai", "swh_Latn", "zho_Hans", "tam_Taml"],
    "xnli": ["eng_Latn", "swh_Latn", "zho_Hans", "arb_Arab"],
}
# lm-eval's metrics, and what each divides the log-likelihood of a choice by.
METRICS = {"acc": lambda form: 1, "acc_bytes": lambda form: len(form.encode()), "acc_norm": len}
# Nats that two labels must be apart for their order to mean something.
TIES = {"float32": 1e-4, "bfloat16": 0.25}
# Tokens by which encoding together may be longer than encoding one by one.
SLACK = 8
# Items of comparison 3 that are listed.
SHOWN = 10
# The model that is built where none is named: its weights are drawn so wide that its answers differ from item to item.
ARCHITECTURE = {
    "model_type": "llama",
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": False,
    "initializer_range": 0.3,
}
TRAINING = {"steps": 30, "batch": 8, "length": 128, "learning_rate": 4e-3, "seed": 1}


def rendered(data: Path, languages: dict[str, list[str]], items: int | None):
    """Return the prompts of maple.evaluation.prompts.ASKED_SCHEMA in each task and language, faulty rows left out."""
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
    for name, codes in languages.items():
        task = Task(**read_yaml(ROOT / f"config/tasks/{name}.yaml"))
        spec, settings = task.prompt_spec(), TaskSettings(shots=0, items=items)
        for code in codes:
            places = row_places(task.sources.local, table, code, folders, repair=task.repair, dev=False)
            rows = read_task(name, places, repair=task.repair, phrases=None, items=None).test
            words = task_words(task, table[code], table[ENGLISH], "own")
            frames.append(render(spec, settings, task=name, language=code, rows=rows, words=words))
    return asked(pl.concat(frames), {name: ["rank"] for name in languages}).filter(pl.col("fault").is_null())


def tiny_model(prompts, folder: Path) -> None:
    """Build a small model that has read some prompts, each with one of its choices in turn: it knows no answer."""
    from maple.definitions.local_model import BuildSettings
    from maple.models.causal import build
    from maple.models.frames import framed

    shuffled = prompts.sample(fraction=1, shuffle=True, seed=1)
    texts = [
        framed("bactrian", row["prompt"]) + row["verbalizers"][number % len(row["labels"])][0]
        for number, row in enumerate(shuffled.iter_rows(named=True))
    ]
    settings = BuildSettings(vocabulary=1024, architecture=ARCHITECTURE, documents=len(texts), training=TRAINING)
    build(settings, texts, folder, threads=1, progress=iter)


def fitting(prompts, model: Path, max_length: int):
    """Return the prompts that have room for their longest choice; lm-eval would cut the others."""
    from maple.models.encoding import Encoder

    encoder = Encoder.of(model)
    used = [
        len(encoder.prompt(row["prompt"])) + max(map(len, encoder.pieces([forms[0] for forms in row["verbalizers"]])))
        for row in prompts.iter_rows(named=True)
    ]
    return prompts.filter([tokens + SLACK <= max_length for tokens in used])


def write_task(folder: Path, name: str, rows: list[dict]) -> None:
    """Write rows as a task of lm-eval: NAME.yaml and NAME.jsonl."""
    with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    definition = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / f"{name}.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "num_fewshot": 0,
        # Columns, not templates: no template engine touches a prompt's last newline.
        "doc_to_text": "prompt",
        "doc_to_choice": "choices",
        "doc_to_target": "gold",
        "target_delimiter": "",
        "metric_list": [{"metric": metric, "aggregation": "mean", "higher_is_better": True} for metric in METRICS],
    }
    (folder / f"{name}.yaml").write_text(json.dumps(definition, indent=2), encoding="utf-8")  # JSON is YAML


def harness_side(job: dict) -> dict:
    """Rank with lm-eval, on our tokens and on its own; runs in lm-eval's environment."""
    start = time.perf_counter()
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks import TaskManager

    class Watched(HFLM):
        """HFLM, its tokens and seconds written down; `apart` encodes prompt and choice one by one, as we do."""

        apart = True

        def _encode_pair(self, context, continuation):
            pair = super()._encode_pair(context, continuation)
            if self.apart:
                bos = [] if self.tokenizer.bos_token_id is None else [self.tokenizer.bos_token_id]
                prompt, choice = (self.tok_encode(text, add_special_tokens=False) for text in (context, continuation))
                pair = bos + prompt, choice
            self.tokens[context, continuation] = pair
            return pair

        def loglikelihood(self, requests, disable_tqdm=False):
            self.tokens = {}
            begun = time.perf_counter()
            scores = super().loglikelihood(requests, disable_tqdm)
            self.seconds = time.perf_counter() - begun
            return scores

    model = Watched(
        pretrained=job["model"],
        device=job["device"],
        dtype=job["dtype"],
        softmax_dtype="float32",  # as ours is
        batch_size=job["batch"],
        add_bos_token=job["bos"],
    )
    answered = {"start": time.perf_counter() - start, "runs": {}}
    manager = TaskManager(include_path=job["folder"], include_defaults=False)
    for run in ("our tokens", "lm-eval's tokens"):
        model.apart = run == "our tokens"
        results = simple_evaluate(model, tasks=job["tasks"], task_manager=manager, bootstrap_iters=0)
        items = {
            name: [
                {
                    "scores": [score for ((score, _),) in sample["resps"]],
                    "asked": sample["arguments"],
                    "tokens": [model.tokens[tuple(asked)] for asked in sample["arguments"]],
                    **{metric: sample[metric] for metric in METRICS},
                }
                for sample in sorted(results["samples"][name], key=lambda sample: sample["doc_id"])
            ]
            for name in job["tasks"]
        }
        answered["runs"][run] = {"seconds": model.seconds, "items": items}
    return answered


def our_side(job: dict) -> dict:
    """Rank with our code, and score the tokens that lm-eval made of the same prompts with our engine."""
    start = time.perf_counter()
    import polars as pl
    from tqdm import tqdm

    from maple.definitions.generation import GenerateSettings
    from maple.engines.engine import EngineOptions
    from maple.engines.start import engine_version
    from maple.engines.start import start as start_engine
    from maple.evaluation.asked_model import ModelFolder, Weights
    from maple.evaluation.completions import COMPLETION_SCHEMA
    from maple.evaluation.generation import complete
    from maple.models.encoding import Encoder
    from maple.runtime.fingerprint import weights_digest
    from maple.runtime.journal import Journal

    encoder = Encoder.of(job["model"])
    sizes = {"batch": job["batch"], "max_length": job["max_length"], "cpu_cache_gib": 1}
    settings = GenerateSettings(engine="transformers", flip_sample=0, batch_invariant=False, tensor_parallel=1, **sizes)
    options = EngineOptions(job["model"], eos=encoder.eos, pad=encoder.pad, threads=job["threads"], **sizes)
    engine = start_engine("transformers", options)
    loaded = time.perf_counter()
    answers, _ = complete(
        pl.read_parquet(job["prompts"]),
        ModelFolder(Weights(job["model"]), weights_digest(job["model"])),
        engine=engine_version("transformers"),
        settings=settings,
        previous=pl.DataFrame(schema=COMPLETION_SCHEMA),
        journal=Journal(Path(job["folder"]) / "journal.jsonl"),
        start_engine=lambda encoder: engine,
        progress=tqdm,
    )
    answered = time.perf_counter()
    ranked = {name: [] for name in job["tasks"]}
    for row in answers.iter_rows(named=True):
        tokens = [
            [encoder.prompt(row["prompt"]), piece]
            for piece in encoder.pieces([forms[0] for forms in row["verbalizers"]])
        ]
        ranked[f"{row['task']}_{row['language']}"].append({"scores": row["log_likelihoods"], "tokens": tokens})

    theirs = json.loads(Path(job["harness"]).read_text(encoding="utf-8"))["runs"]["lm-eval's tokens"]["items"]
    pairs = [pair for name in job["tasks"] for item in theirs[name] for pair in item["tokens"]]
    begun = time.perf_counter()
    scores = iter(engine.log_likelihoods([prompt for prompt, _ in pairs], [choice for _, choice in pairs]))
    seconds = time.perf_counter() - begun
    scored = {
        name: [{"scores": [next(scores) for _ in item["tokens"]], "tokens": item["tokens"]} for item in theirs[name]]
        for name in job["tasks"]
    }
    return {
        "start": loaded - start,
        "runs": {
            "our tokens": {"seconds": answered - loaded, "items": ranked},
            "lm-eval's tokens": {"seconds": seconds, "items": scored},
        },
    }


SIDES = {"ours": our_side, "lm-eval": harness_side}


def answers_of(side: str, python: Path, job: dict, script: str = __file__) -> dict:
    """Run one side in a process of its own, offline; return what it answered."""
    folder = Path(job["folder"])
    (folder / f"{side}.job").write_text(json.dumps(job), encoding="utf-8")
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_HOME": str(folder / "hub")}
    done = subprocess.run(
        [python, script, "--side", side, str(folder / f"{side}.job")],
        env={**os.environ, **offline, "OMP_NUM_THREADS": str(job["threads"])},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        sys.exit(f"{side} failed:\n{done.stderr[-4000:]}")
    return json.loads((folder / f"{side}.answers").read_text(encoding="utf-8"))


def compared(rows: list[dict], ours: list[dict], theirs: list[dict], tie: float) -> tuple[dict, list[dict]]:
    """Compare one task in one language: its line of the table, and the items that the sides answer differently.

    `rows` have item, labels, choices and gold; `ours` and `theirs` scores and tokens, `theirs` lm-eval's metrics too.
    """
    from maple.evaluation.scoring import RANK_METRICS, likeliest_label

    weights = {"acc": RANK_METRICS["rank_accuracy"], "acc_bytes": RANK_METRICS["rank_accuracy_per_byte"]}
    line = {"items": len(rows), "same": 0, "difference": 0.0, "chosen": Counter()}
    line |= {metric: Counter() for metric in METRICS}
    differing = []
    for row, own, other in zip(rows, ours, theirs, strict=True):
        gaps = [mine - its for mine, its in zip(own["scores"], other["scores"], strict=True)]
        line["difference"] = max(line["difference"], max(gaps) - min(gaps))
        line["same"] += own["tokens"] == other["tokens"]
        forms = [[choice] for choice in row["choices"]]
        ranked = {"labels": row["labels"], "verbalizers": forms, "log_likelihoods": own["scores"]}
        found = []
        for metric, weight in METRICS.items():
            scores = [
                [score / weight(choice) for score, choice in zip(side["scores"], row["choices"], strict=True)]
                for side in (own, other)
            ]
            mine = row["labels"].index(likeliest_label(ranked, weights.get(metric, weight)))
            its = scores[1].index(max(scores[1]))  # of equals the first, as numpy's argmax
            if (its == row["gold"]) != bool(other[metric]):
                raise ValueError(f"{row['item']}: lm-eval says {metric} {other[metric]}, against its log-likelihoods")
            line[metric].update(ours=mine == row["gold"], theirs=its == row["gold"], agree=mine == its)
            if metric == "acc":
                line["chosen"][mine] += 1
            if mine != its:
                apart = max(abs(of_side[mine] - of_side[its]) for of_side in scores)
                found.append(
                    {"metric": metric, "ours": row["labels"][mine], "theirs": row["labels"][its], "apart": apart}
                )
        if found:
            differing.append({"item": row["item"], "tie": all(one["apart"] < tie for one in found), "found": found})
    return line, differing


def table(lines: dict[str, dict]) -> str:
    """Return the lines, by task and language, as a table with their total."""
    total = {name: sum(line[name] for line in lines.values()) for name in ("items", "same")}
    total |= {metric: sum((line[metric] for line in lines.values()), Counter()) for metric in METRICS}
    total |= {"difference": max(line["difference"] for line in lines.values()), "chosen": {}}
    head = f"{'':15}{'':>6}{'same':>7}  {'raw':^24}  {'per byte':^24}  {'per character':^24}{'largest':>11}  we chose\n"
    head += f"{'task, language':15}{'items':>6}{'tokens':>7}"
    head += "".join(f"  {'ours':>6}{metric:>10}{'agree':>8}" for metric in METRICS) + f"{'difference':>11}  (raw)"
    text = [head]
    for name, line in {**lines, "all": total}.items():
        cells = f"{name:15}{line['items']:6}{line['same']:7}"
        for metric in METRICS:
            ours, theirs, agree = (100 * line[metric][key] / line["items"] for key in ("ours", "theirs", "agree"))
            cells += f"  {ours:6.1f}{theirs:10.1f}{agree:7.2f}%"
        chosen = "/".join(str(line["chosen"][place]) for place in sorted(line["chosen"]))
        text.append(f"{cells}{line['difference']:11.1e}  {chosen}".rstrip())
    return "\n".join(text)


def seconds_table(ours: dict, theirs: dict) -> str:
    """Return the seconds both sides took, and ours in lm-eval's: from prompts to log-likelihoods, encoding included."""
    sides = (ours, theirs)
    rows = {
        "imports and model": [side["start"] for side in sides],
        "answering, our tokens": [side["runs"]["our tokens"]["seconds"] for side in sides],
        "both": [side["start"] + side["runs"]["our tokens"]["seconds"] for side in sides],
        "answering, lm-eval's tokens": [side["runs"]["lm-eval's tokens"]["seconds"] for side in sides],
    }
    text = [f"{'seconds':30}{'ours':>9}{'lm-eval':>9}{'ours/lm-eval':>14}"]
    text += [f"{name:30}{mine:9.2f}{its:9.2f}{mine / its:14.2f}" for name, (mine, its) in rows.items()]
    return "\n".join(text)


def compare(prompts, model: Path, folder: Path, *, threads: int, batch: int) -> int:
    """Run both sides on the prompts, print the tables; return how many items failed a check."""
    from maple.models.encoding import Encoder
    from maple.models.frames import framed
    from maple.runtime.devices import compute_dtype, device
    from maple.runtime.files import write_parquet

    max_length = json.loads((model / "config.json").read_text(encoding="utf-8"))["max_position_embeddings"]
    fit = fitting(prompts, model, max_length)
    if fit.height < prompts.height:
        print(f"{prompts.height - fit.height} of {prompts.height} prompts are too long for the model and left out")
    write_parquet(fit, folder / "prompts.parquet")
    tasks = {}
    for row in fit.iter_rows(named=True):
        tasks.setdefault(f"{row['task']}_{row['language']}", []).append(
            {
                "item": row["item"],
                "prompt": framed("bactrian", row["prompt"]),
                "labels": row["labels"],
                "choices": [forms[0] for forms in row["verbalizers"]],
                "gold": row["labels"].index(row["targets"][0]),
            }
        )
    for name, rows in tasks.items():
        write_task(folder, name, rows)
    dtype = str(compute_dtype()).removeprefix("torch.")
    job = {
        "model": str(model),
        "device": device(),
        "dtype": dtype,
        "bos": bool(Encoder.of(model).start),
        "max_length": max_length,
        "batch": batch,
        "threads": threads,
        "tasks": list(tasks),
        "folder": str(folder),
        "prompts": str(folder / "prompts.parquet"),
        "harness": str(folder / "lm-eval.answers"),
    }
    theirs = answers_of("lm-eval", HARNESS, job)
    ours = answers_of("ours", Path(sys.executable), job)
    for name, rows in tasks.items():
        for run in theirs["runs"].values():
            asked = [[[row["prompt"], choice] for choice in row["choices"]] for row in rows]
            if asked != [item["asked"] for item in run["items"][name]]:
                raise ValueError(f"{name}: lm-eval asked something else than our prompts and choices")

    print(f"{fit.height} items, {job['device']}, {dtype}, batches of {batch}, {threads} thread(s); accuracies in %")
    comparisons = {
        "1. our tokens on both sides": ("our tokens", "our tokens", True),
        "2. lm-eval's tokens on both sides": ("lm-eval's tokens", "lm-eval's tokens", True),
        "3. each side its own tokens (no check)": ("our tokens", "lm-eval's tokens", False),
    }
    failed = 0
    for title, (mine, its, check) in comparisons.items():
        lines, differing = {}, []
        for name, rows in tasks.items():
            lines[name], found = compared(
                rows, ours["runs"][mine]["items"][name], theirs["runs"][its]["items"][name], TIES[dtype]
            )
            differing += [{"task": name, **item} for item in found]
        print(f"\n{title}\n{table(lines)}")
        real = [item for item in differing if not item["tie"]]
        print(f"items answered differently: {len(differing)}, of which ties: {len(differing) - len(real)}")
        for item in differing[: None if check else SHOWN]:
            found = "; ".join(
                f"{one['metric']} ours {one['ours']}, lm-eval {one['theirs']}, {one['apart']:.1e} apart"
                for one in item["found"]
            )
            print(f"  {item['task']} item {item['item']}{' (a tie)' if item['tie'] else ''}: {found}")
        if not check and len(differing) > SHOWN:
            print(f"  and {len(differing) - SHOWN} more")
        unlike = sum(line["items"] - line["same"] for line in lines.values())
        failed += len(real) + unlike if check else 0
    print(f"\n{seconds_table(ours, theirs)}")
    return failed


def main() -> int:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that holds xcopa/ and xnli/")
    parser.add_argument("--model", type=Path, help="a Hub-style folder; a tiny model is built if there is none")
    parser.add_argument("--items", type=int, help="the first N rows of each task and language; all if not given")
    parser.add_argument("--batch", type=int, default=16, help="sequences at once")
    parser.add_argument("--threads", type=int, default=1)
    for task, codes in LANGUAGES.items():
        parser.add_argument(f"--{task}", nargs="*", default=codes, metavar="CODE", help=f"default: {' '.join(codes)}")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.side:
        side, job = wanted.side
        answers = SIDES[side](json.loads(Path(job).read_text(encoding="utf-8")))
        Path(job).with_suffix(".answers").write_text(json.dumps(answers), encoding="utf-8")
        return 0
    if wanted.data is None or not wanted.data.is_dir():
        print(f"--data {wanted.data}: no such folder; name the one that holds xcopa/ and xnli/", file=sys.stderr)
        return 2
    if not HARNESS.is_file():
        print("lm-eval is not installed: make .lm-eval/done", file=sys.stderr)
        return 2
    from maple.data.sources import SourceError

    try:
        prompts = rendered(wanted.data.resolve(), {task: getattr(wanted, task) for task in LANGUAGES}, wanted.items)
    except SourceError as error:
        print(error, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="lm-eval-agreement-") as name:
        folder = Path(name)
        if wanted.model is None:
            tiny_model(prompts, folder / "model")
        model = folder / "model" if wanted.model is None else wanted.model.resolve()
        return 1 if compare(prompts, model, folder, threads=wanted.threads, batch=wanted.batch) else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
