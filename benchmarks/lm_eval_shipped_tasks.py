"""Ask an untouched base what the tasks of lm-eval (EleutherAI's harness) ask: same prompts, same answers.

    python benchmarks/lm_eval_shipped_tasks.py --data FOLDER [--model FOLDER] [--items N]

Our side has the tasks NAME-lm-eval of config/tasks, with `layout: {frame: none}`; the other side has the YAML files of
lm-eval 0.4.13 itself, of which this script replaces the place of the rows alone. FOLDER holds
xcopa/{iso639_1}/test.jsonl, xnli/{iso639_1}/test.jsonl and belebele/{code}/test.jsonl; rows of XWinograd and MGSM are
those of lm_eval_rows.yaml, written in the form in which the sets are published. Both sides encode by themselves.

Compared are, for each item: the text of each prompt and of what is scored after it, to the byte; their tokens; the
choice with the highest log-likelihood, raw, per byte and per character; of MGSM the completion, up to lm-eval's stop
texts. Ends with 1 if anything differs that is no tie (lm_eval_agreement.py), with 2 if data or lm-eval are not there.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

import lm_eval_agreement as agreement

ROOT, HARNESS = agreement.ROOT, agreement.HARNESS
ROWS = Path(__file__).with_name("lm_eval_rows.yaml")
# Languages of the sets whose rows are in FOLDER; of the others, all.
LANGUAGES = {
    "xnli": ["eng_Latn", "swh_Latn", "zho_Hans", "arb_Arab", "tha_Thai", "fra_Latn"],
    "xcopa": ["tha_Thai", "swh_Latn", "zho_Hans", "tam_Taml", "quy_Latn", "tur_Latn"],
    "belebele": ["eng_Latn", "tha_Thai", "lao_Laoo", "zho_Hant", "tam_Taml"],
}
GENERATED = "mgsm"
LABELS = ["entailment", "neutral", "contradiction"]
# New tokens of a completion; lm-eval's default is 256, which a model that knows no answer would always take.
MAX_NEW_TOKENS = 48


def write_published(data: Path) -> None:
    """Write the rows of ROWS as XWinograd's and MGSM's publishers have them."""
    from maple.definitions.reading import read_yaml

    written = read_yaml(ROWS)
    (data / "xwinograd/test").mkdir(parents=True)
    (data / "mgsm").mkdir()
    for key, rows in written["xwinograd"].items():
        names = ("sentence", "option1", "option2", "answer")
        lines = (json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows)
        (data / f"xwinograd/test/{key}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for key, questions in written["mgsm"].items():
        lines = (f"{question}\t{answer}\n" for question, answer in zip(questions, written["answers"], strict=True))
        (data / f"mgsm/mgsm_{key}.tsv").write_text("".join(lines), encoding="utf-8")


def theirs_of(name: str, row: dict) -> dict:
    """Return a row in the form that lm-eval reads from the Hub."""
    if name == "xnli":
        label = row["label"]
        return {**{key: row[key] for key in ("premise", "hypothesis")}, "label": LABELS.index(label)}
    if name == "belebele":
        return {**row, "correct_answer_num": str(row["correct_answer_num"])}
    if name == GENERATED:
        return {"question": row["question"], "answer": None, "answer_number": int(row["answer"].replace(",", ""))}
    return row


def shipped(name: str, code: str, source, language) -> str:
    """Return the path of lm-eval's own file of a task in a language, within its folder of tasks."""
    key = source.languages[code] if isinstance(source.languages, dict) else language.iso639_1
    names = {
        "belebele": f"belebele/belebele_{code}.yaml",
        GENERATED: f"mgsm/direct/mgsm_direct_{key}.yaml",
        "xcopa": f"xcopa/{'default_et' if key == 'et' else f'default_{key}'}.yaml",
    }
    return names.get(name, f"{name}/{name}_{key}.yaml")


def rendered(data: Path, ours: Path, items: int | None):
    """Return the prompts (ASKED_SCHEMA) without faults, and by task and language lm-eval's file and its rows."""
    import polars as pl

    from maple.data.sources import RowFolders
    from maple.definitions.language import ENGLISH, read_languages
    from maple.definitions.reading import read_definitions
    from maple.definitions.task import Task, TaskSettings
    from maple.evaluation.benchmark_rows import read_task, row_places
    from maple.evaluation.completions import asked
    from maple.evaluation.prompt_words import task_words
    from maple.evaluation.prompts import render

    table, tasks = read_languages(ROOT / "config/languages.tsv"), read_definitions(ROOT / "config/tasks", Task)
    frames, jobs, modes = [], {}, {}
    for name in ("xnli", "xcopa", "belebele", "xwinograd", GENERATED):
        task = tasks[f"{name}-lm-eval"]
        codes, place = (LANGUAGES[name], data) if name in LANGUAGES else (list(task.sources.local.languages), ours)
        spec, settings = task.prompt_spec(MAX_NEW_TOKENS if name == GENERATED else None), TaskSettings(shots=0)
        modes[name] = ["generate" if name == GENERATED else "rank"]
        for code in codes:
            folders = RowFolders(data=str(place), fetched="")
            places = row_places(task.sources.local, table, code, folders, repair=None, dev=False)
            rows = read_task(name, places, repair=None, phrases=None, items=None).test[:items]
            words = task_words(task, table[code], table[ENGLISH], "own")
            prompts = render(spec, settings, task=name, language=code, rows=rows, words=words)
            kept = [row for row, fault in zip(rows, prompts["fault"], strict=True) if fault is None]
            file = shipped(name, code, task.sources.local, table[code])
            jobs[f"{name}_{code}"] = {"file": file, "rows": [theirs_of(name, row) for row in kept]}
            frames.append(prompts)
    return asked(pl.concat(frames, how="diagonal"), modes).filter(pl.col("fault").is_null()), jobs


def fitting(prompts, jobs: dict, model: Path, max_length: int, folder: Path):
    """Return the prompts with room for their answer, which lm-eval would cut, and the jobs with their rows in files."""
    import polars as pl

    from maple.evaluation.completions import rows_by_answer
    from maple.evaluation.prompt_requests import prompt_requests
    from maple.models.encoding import Encoder

    rows = rows_by_answer(prompts)
    fits = pl.Series([bool(each.key) for each in prompt_requests(rows, Encoder.of(model), "", "", max_length)])
    written = {}
    for name, job in jobs.items():
        task, code = name.split("_", 1)
        kept = fits.filter((prompts["task"] == task) & (prompts["language"] == code))
        lines = [json.dumps(row, ensure_ascii=False) for row, fit in zip(job["rows"], kept, strict=True) if fit]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
        written[name] = {**job, "rows": str(folder / f"{name}.jsonl")}
    return prompts.filter(fits), written


def harness_side(job: dict) -> dict:
    """Answer lm-eval's own tasks; runs in lm-eval's environment."""
    import lm_eval
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM
    from lm_eval.tasks._yaml_loader import load_yaml

    class Watched(HFLM):
        """HFLM, its tokens written down."""

        def _loglikelihood_tokens(self, requests, **kwargs):
            self.tokens |= {tuple(asked): [before, after] for asked, before, after in requests}
            return super()._loglikelihood_tokens(requests, **kwargs)

    model = Watched(
        pretrained=job["model"],
        device=job["device"],
        dtype=job["dtype"],
        softmax_dtype="float32",
        batch_size=job["batch"],
    )
    model.tokens, tasks = {}, {}
    folder = Path(lm_eval.__file__).parent / "tasks"
    for name, task in job["tasks"].items():
        config = load_yaml(folder / task["file"], resolve_func=True)
        rows = {"dataset_path": "json", "dataset_name": None, "dataset_kwargs": {"data_files": {"test": task["rows"]}}}
        splits = {"test_split": "test", "training_split": None, "validation_split": None, "fewshot_split": None}
        limited = {"max_gen_toks": MAX_NEW_TOKENS}
        limits = {"generation_kwargs": {**config["generation_kwargs"], **limited}} if name.startswith(GENERATED) else {}
        tasks[name] = ConfigurableTask(config={**config, "task": name, **rows, **splits, **limits})
    results = lm_eval.simple_evaluate(model, tasks=list(tasks.values()), bootstrap_iters=0)
    items = {}
    for name, task in tasks.items():
        samples = sorted(results["samples"][name], key=lambda sample: sample["doc_id"])
        items[name] = [_item(model, task, sample) for sample in samples if sample["filter"] == samples[0]["filter"]]
    return {"items": items}


def _item(model, task, sample: dict) -> dict:
    """Return what lm-eval asked and answered for one item."""
    if task.OUTPUT_TYPE == "generate_until":
        ((context, _),), ((text,),) = sample["arguments"], sample["resps"]
        return {"asked": [[context, ""]], "tokens": [[model.tok_encode(context), []]], "text": text}
    scores = [score for ((score, _),) in sample["resps"]]
    asked = [list(each) for each in sample["arguments"]]
    return {
        "asked": asked,
        "tokens": [model.tokens[tuple(each)] for each in asked],
        "scores": scores,
        "acc": sample["acc"],
        "delimiter": task.config.target_delimiter,
        "norm": sample.get("acc_norm"),
    }


def our_side(job: dict) -> dict:
    """Answer the tasks NAME-lm-eval with our code."""
    import polars as pl
    from tqdm import tqdm

    from maple.definitions.generation import GenerateSettings
    from maple.engines.engine import EngineOptions
    from maple.engines.start import engine_version
    from maple.engines.start import start as start_engine
    from maple.evaluation.asked_model import ModelFolder, Weights
    from maple.evaluation.completions import COMPLETION_SCHEMA, rows_by_answer
    from maple.evaluation.generation import complete
    from maple.evaluation.prompt_layout import CHOICE_PROMPTS, layout_of
    from maple.evaluation.prompt_requests import prompt_requests
    from maple.models.encoding import Encoder
    from maple.models.plain_frame import plain_text
    from maple.runtime.journal import Journal

    encoder, version = Encoder.of(job["model"]), engine_version("transformers")
    sizes = {"batch": job["batch"], "max_length": job["max_length"], "cpu_cache_gib": 1}
    settings = GenerateSettings(engine="transformers", flip_sample=0, batch_invariant=False, tensor_parallel=1, **sizes)
    options = EngineOptions(job["model"], eos=encoder.eos, pad=encoder.pad, threads=job["threads"], **sizes)
    engine = start_engine("transformers", options)
    prompts = pl.read_parquet(job["prompts"])
    answers, _ = complete(
        prompts,
        ModelFolder(Weights(job["model"]), "base"),
        engine=version,
        settings=settings,
        previous=pl.DataFrame(schema=COMPLETION_SCHEMA),
        journal=Journal(Path(job["folder"]) / "journal.jsonl"),
        start_engine=lambda encoder: engine,
        progress=tqdm,
    )
    rows = rows_by_answer(prompts)
    requests = prompt_requests(rows, encoder, "base", version, job["max_length"])
    items = {name: [] for name in job["tasks"]}
    for row, request, answer in zip(rows.to_dicts(), requests, answers.to_dicts(), strict=True):
        layout, forms = layout_of(row), [forms[0] for forms in row["verbalizers"]]
        texts = [plain_text(layout, text, []) for text in row[CHOICE_PROMPTS] or [row["prompt"]]]
        texts = texts if row[CHOICE_PROMPTS] else texts * max(len(forms), 1)
        items[f"{row['task']}_{row['language']}"].append(
            {
                "asked": [[text, layout.delimiter + form] for text, form in zip(texts, forms or [""], strict=True)],
                "tokens": [list(pair) for pair in request.continued] or [[request.tokens, []]],
                "scores": answer["log_likelihoods"],
                "text": answer["completion"],
            }
        )
    return {"items": items}


SIDES = {"ours": our_side, "lm-eval": harness_side}


def ranked_rows(rows: list[dict], theirs: list[dict]) -> tuple[list[dict], list[dict]]:
    """Return rows and lm-eval's items as lm_eval_agreement.compared takes them.

    Per byte and per character of the answer, lm-eval's choices are those of its own log-likelihoods: its tasks report
    raw accuracy alone, but for Belebele's acc_norm, which is compared with them.
    """
    compared, items = [], []
    for row, item in zip(rows, theirs, strict=True):
        choices = [forms[0] for forms in row["verbalizers"]]
        gold = row["labels"].index(row["targets"][0])
        chosen = {}
        for metric, weight in agreement.METRICS.items():
            scores = [score / weight(choice) for score, choice in zip(item["scores"], choices, strict=True)]
            chosen[metric] = float(scores.index(max(scores)) == gold)
        if item["norm"] is not None and item["norm"] != chosen["acc_norm"]:
            raise ValueError(f"{row['item']}: lm-eval's acc_norm is not that of its log-likelihoods")
        compared.append({"item": row["item"], "labels": row["labels"], "choices": choices, "gold": gold})
        items.append({**item, **chosen, "acc": item["acc"]})
    return compared, items


def check(rows: list[dict], ours: list[dict], theirs: list[dict], name: str, tie: float) -> tuple[dict, int]:
    """Compare one task in one language; return its line of the table, and the number of items that differ."""
    texts = sum(own["asked"] == item["asked"] for own, item in zip(ours, theirs, strict=True))
    tokens = sum(own["tokens"] == item["tokens"] for own, item in zip(ours, theirs, strict=True))
    counts = {"items": len(rows), "texts": texts, "tokens": tokens}
    if name.startswith(GENERATED):
        same = sum(own["text"] == item["text"] for own, item in zip(ours, theirs, strict=True))
        return {**counts, "answers": same}, 3 * len(rows) - texts - tokens - same
    compared, items = ranked_rows(rows, theirs)
    line, differing = agreement.compared(compared, ours, items, tie)
    real = [item for item in differing if not item["tie"]]
    agree = {metric: line[metric]["agree"] for metric in agreement.METRICS}
    return {**counts, **agree, "difference": line["difference"], "chosen": line["chosen"]}, 2 * len(
        rows
    ) - texts - tokens + len(real)


def print_table(lines: dict[str, dict]) -> None:
    """Print the lines, and one of sums per task; last comes how often we chose each choice, raw."""
    names = {"items": "items", "texts": "same text", "tokens": "same tokens", "acc": "raw", "acc_bytes": "per byte"}
    names |= {"acc_norm": "per character", "answers": "same completion"}
    print(f"{'':22}" + "".join(f"{name:>16}" for name in names.values()) + f"{'difference':>12}  we chose (raw)")
    of_tasks: dict[str, dict] = {}
    for name, line in lines.items():
        total = of_tasks.setdefault(name.split("_")[0], {key: type(value)() for key, value in line.items()})
        for key, value in line.items():
            total[key] = max(total[key], value) if key == "difference" else total[key] + value
    for name, line in {**lines, **of_tasks}.items():
        cells = "".join(f"{line.get(key, ''):>16}" for key in names)
        chosen = "/".join(str(line["chosen"][place]) for place in sorted(line["chosen"])) if "chosen" in line else ""
        print(f"{name:22}{cells}" + (f"{line['difference']:12.1e}  {chosen}" if chosen else ""))


def compare(prompts, jobs: dict, model: Path, folder: Path, *, threads: int, batch: int) -> int:
    """Run both sides, print the table; return how many items differ."""
    from maple.runtime.devices import compute_dtype, device
    from maple.runtime.files import write_parquet

    max_length = json.loads((model / "config.json").read_text(encoding="utf-8"))["max_position_embeddings"]
    fit, jobs = fitting(prompts, jobs, model, max_length, folder)
    if fit.height < prompts.height:
        print(f"{prompts.height - fit.height} of {prompts.height} prompts are too long for the model and left out")
    prompts = fit
    write_parquet(prompts, folder / "prompts.parquet")
    dtype = str(compute_dtype()).removeprefix("torch.")
    job = {
        "model": str(model),
        "device": device(),
        "dtype": dtype,
        "max_length": max_length,
        "batch": batch,
        "threads": threads,
        "tasks": jobs,
        "folder": str(folder),
        "prompts": str(folder / "prompts.parquet"),
    }
    theirs = agreement.answers_of("lm-eval", HARNESS, job, __file__)["items"]
    ours = agreement.answers_of("ours", Path(sys.executable), job, __file__)["items"]
    lines, failed = {}, 0
    for name in jobs:
        task, code = name.split("_", 1)
        rows = prompts.filter(task=task, language=code).to_dicts()
        lines[name], differing = check(rows, ours[name], theirs[name], name, agreement.TIES[dtype])
        failed += differing
    print(f"{prompts.height} items, {job['device']}, {dtype}, batches of {batch}, {threads} thread(s)")
    print_table(lines)
    print(f"texts, tokens or answers that differ: {failed}")
    return failed


def main() -> int:
    """Read the command line and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the folder that holds xcopa/, xnli/ and belebele/")
    parser.add_argument("--model", type=Path, help="a Hub-style folder; a tiny model is built if there is none")
    parser.add_argument("--items", type=int, help="the first N rows of each task and language; all if not given")
    parser.add_argument("--batch", type=int, default=16, help="sequences at once")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.side:
        side, job = wanted.side
        answers = SIDES[side](json.loads(Path(job).read_text(encoding="utf-8")))
        Path(job).with_suffix(".answers").write_text(json.dumps(answers), encoding="utf-8")
        return 0
    if wanted.data is None or not wanted.data.is_dir():
        print(f"--data {wanted.data}: no such folder; name the one with xcopa/, xnli/, belebele/", file=sys.stderr)
        return 2
    if not HARNESS.is_file():
        print("lm-eval is not installed: make .lm-eval/done", file=sys.stderr)
        return 2
    from maple.data.sources import SourceError

    with tempfile.TemporaryDirectory(prefix="lm-eval-shipped-") as name:
        folder = Path(name)
        write_published(folder / "data")
        try:
            prompts, jobs = rendered(wanted.data.resolve(), folder / "data", wanted.items)
        except SourceError as error:
            print(error, file=sys.stderr)
            return 2
        if wanted.model is None:
            agreement.tiny_model(prompts.filter(prompts["labels"].list.len() > 0), folder / "model")
        model = folder / "model" if wanted.model is None else wanted.model.resolve()
        return 1 if compare(prompts, jobs, model, folder, threads=wanted.threads, batch=wanted.batch) else 0


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
