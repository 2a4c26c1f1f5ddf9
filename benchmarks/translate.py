"""Translations per second of this project, against transformers' `generate` sentence by sentence.

    python benchmarks/translate.py [--model FOLDER] [--steps N] [--rows N] [--beams N] [--threads N] [--engine NAME]

Both sides translate the same sentences of the embedded world out of English, by the same weights in float32 and the
same beam search, from text to text, one after the other in this process. Loading is timed on no side. Without
`--model`, tiny-nllb is built first, with `--steps` steps of its pretraining: enough for translations to end.

- maple: `maple.evaluation.generation.generate`, the job of a run, with its journal and files, without comparing
  completions alone (`flip_sample`).
- generate: the loop of every tutorial, one sentence at a time, after one sentence to warm up.

Prints translations per second, their ratio, and how many translations are the same.
"""

# ruff: noqa: E402 (modules of the project are found once its folder is in the path)

import argparse
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import polars as pl
from pydantic import TypeAdapter
from tqdm import tqdm

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from maple.definitions.generation import BeamSearch, GenerateSettings
from maple.definitions.local_model import BuiltModel
from maple.definitions.reading import read_yaml
from maple.embedded.translations import Translation, documents
from maple.engines.machine import Machine
from maple.evaluation.asked_model import Weights
from maple.evaluation.completions import RunOutputs
from maple.evaluation.generation import generate
from maple.evaluation.prompts import ASKED_SCHEMA
from maple.models.base_folder import prepare_base
from maple.models.seq2seq import load
from maple.models.translation_text import Seq2SeqEncoder
from maple.runtime.devices import prepare
from maple.runtime.files import folder_written_aside, read_parquet
from maple.study.languages import read_study_languages

LIMIT = 64  # new tokens, five times a mean sentence
QUIET = partial(tqdm, disable=True)


def phrases(codes: list[str]) -> dict[str, dict[str, str]]:
    """Return the phrases of languages, as the rule `base` reads them."""
    known = read_study_languages(ROOT / "config", codes).phrases
    return {code: known[code] for code in codes}


def built(folder: Path, steps: int, threads: int) -> Path:
    """Build tiny-nllb with so many steps of its pretraining."""
    content = read_yaml(ROOT / "config/models/tiny-nllb.yaml")
    content["build"]["training"]["steps"] = steps
    model = TypeAdapter(BuiltModel).validate_python(content)
    with folder_written_aside(folder) as unfinished:
        prepare_base(
            model,
            unfinished,
            fetched=None,
            lengths={},
            phrases=phrases(content["build"]["languages"]),
            threads=threads,
            progress=tqdm,
        )
    return folder


def sentences(codes: list[str], rows: int) -> list[Translation]:
    """Return distinct sentences of test rows, from English into each of the languages."""
    texts = documents(phrases(codes), 4 * rows, seed=1, split="test")
    into = (text if text.source_language == "eng_Latn" else text.turned for text in texts)
    distinct = {(text.source, text.target_language): text for text in into}
    return list(distinct.values())[:rows]


def ours(
    model: Path, texts: list[Translation], search: BeamSearch, engine: str, threads: int
) -> tuple[list[str], float]:
    """Translate as the workflow does; return the translations and the seconds without those of loading."""
    rows = [
        {
            "task": "translation", "language": text.target_language, "item": str(number), "prompt": "",
            "texts": [text.source], "source_language": text.source_language, "target_language": text.target_language,
            "words": 0, "text_words": 0, "targets": [text.target], "labels": [], "verbalizers": [],
            "demonstrations": [], "answers": ["generate"], "max_new_tokens": LIMIT,
        }
        for number, text in enumerate(texts)
    ]  # fmt: skip
    settings = GenerateSettings(
        engine=engine, batch=1, max_length=512, cpu_cache_gib=1, flip_sample=0, batch_invariant=False,
        tensor_parallel=1, dtype="float32", beam_search=search,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        files = {text.target_language: Path(folder) / f"{text.target_language}.parquet" for text in texts}
        run = RunOutputs(files, Path(folder) / "journal.jsonl")
        begin = time.perf_counter()
        (card,) = generate(
            pl.DataFrame(rows, schema=ASKED_SCHEMA),
            Weights(model, kind="seq2seq"),
            [run],
            settings=settings,
            machine=Machine(threads=threads),
            progress=QUIET,
        )
        seconds = time.perf_counter() - begin - card.values()["start_seconds"]
        completions = pl.concat(map(read_parquet, files.values())).sort(pl.col("item").cast(pl.Int64))
    length, cut = completions["completion_tokens"].mean(), (completions["finish_reason"] == "length").sum()
    print(f"{length:.1f} tokens per translation, {cut} of {len(texts)} end at {LIMIT}")
    return completions["completion"].to_list(), seconds


def theirs(model: Path, texts: list[Translation], search: BeamSearch, threads: int) -> tuple[list[str], float]:
    """Translate sentence by sentence; return the translations and the seconds."""
    import torch
    from transformers import GenerationConfig

    prepare(threads, seed=0)
    network, encoder = load(model, 16, dtype="float32").eval(), Seq2SeqEncoder.of(model)
    network.generation_config = GenerationConfig()  # mBART-50's forces EOS at the limit
    translations, begin = [], 0.0
    for text in [texts[0], *texts]:  # the first one to warm up
        source = encoder.source(text.source, text.source_language, text.target_language)
        with torch.inference_mode():
            output = network.generate(  # pyright: ignore[reportCallIssue]
                input_ids=torch.tensor([source], device=network.device),
                forced_bos_token_id=encoder.tag(text.target_language),
                decoder_start_token_id=encoder.decoder_start,
                eos_token_id=encoder.eos,
                pad_token_id=encoder.pad,
                max_new_tokens=LIMIT + 1,  # with the tag
                num_beams=search.beams,
                length_penalty=float(search.length_penalty),
                early_stopping=search.early_stopping,
                do_sample=False,
            )
        translations.append(encoder.text(output[0, 2:].tolist()))
        begin = begin or time.perf_counter()
    return translations[1:], time.perf_counter() - begin


def main() -> None:
    """Run both sides and print their speeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a translator's folder that the rule `base` has made")
    parser.add_argument("--steps", type=int, default=900)
    parser.add_argument("--rows", type=int, default=600)
    parser.add_argument("--beams", type=int, default=5)
    parser.add_argument("--batch-tokens", type=int, default=8192)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--engine", choices=["transformers", "ctranslate2"], default="transformers")
    arguments = parser.parse_args()
    search = BeamSearch(beams=arguments.beams, batch_tokens=arguments.batch_tokens)
    codes = read_yaml(ROOT / "config/models/tiny-nllb.yaml")["build"]["languages"]
    with tempfile.TemporaryDirectory() as folder:
        model = arguments.model or built(Path(folder) / "model", arguments.steps, arguments.threads)
        texts = sentences(codes, arguments.rows)
        mine, seconds = ours(model, texts, search, arguments.engine, arguments.threads)
        one_by_one, their_seconds = theirs(model, texts, search, arguments.threads)
    same = sum(one == other for one, other in zip(mine, one_by_one, strict=True))
    print(f"maple, {arguments.engine}: {len(texts) / seconds:.1f} translations per second")
    print(f"generate, one by one: {len(texts) / their_seconds:.1f} translations per second")
    print(f"ratio {their_seconds / seconds:.1f}; {same} of {len(texts)} translations are the same")


if __name__ == "__main__":
    main()
