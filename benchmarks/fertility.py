"""How many tokens does the same text take in each language, relative to English, by the tokenizers of real models?

    python benchmarks/fertility.py --data FOLDER [NAME=PLACE ...]

FOLDER holds texts that say the same in every language, one file each: flores200/CODE.devtest.txt (sentences of
FLORES-200, line by line) and corpus/udhr/KEY.txt (the Universal Declaration of Human Rights, whole). PLACE is a folder
with a tokenizer.json, as results/base/MODEL, or `mistral-common`: the sentencepiece model of Mistral 7B in that
package. Special tokens are not counted. Prints Markdown.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Sets of texts: the files of each, the English one, and whether the lines of its files are parallel.
SETS = {
    "flores200": ("flores200/*.devtest.txt", "eng_Latn", True),
    "udhr": ("corpus/udhr/*.txt", "eng", False),
}
Counter = Callable[[list[str]], int]


def counter_of(place: str) -> Counter:
    """Return a function that counts the tokens of texts."""
    if place == "mistral-common":
        import mistral_common
        from sentencepiece import SentencePieceProcessor

        pieces = SentencePieceProcessor(str(Path(mistral_common.__file__).parent / "data/tokenizer.model.v1"))
        return lambda texts: sum(map(len, pieces.EncodeAsIds(texts)))
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(place) / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return lambda texts: sum(len(each.ids) for each in tokenizer.encode_batch(texts, add_special_tokens=False))


def texts_of(data: Path, name: str) -> dict[str, list[str]]:
    """Return the lines of each file of a set, by the file's name without its endings; empty lines are left out."""
    files, english, parallel = SETS[name]
    texts = {
        path.name.split(".")[0]: [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        for path in sorted(data.glob(files))
    }
    if parallel and (odd := [key for key, lines in texts.items() if len(lines) != len(texts[english])]):
        raise SystemExit(f"{data / files}: {', '.join(odd)}: another number of lines than {english}")
    return texts


def names() -> dict[str, str]:
    """Return the names of languages by code, and by its first three letters, which UDHR's keys begin with."""
    from maple.definitions.language import read_languages

    rows = read_languages(ROOT / "config/languages.tsv")
    by_code = {code: row.name for code, row in rows.items()}
    return {code[:3]: name for code, name in reversed(by_code.items())} | by_code


def main() -> None:
    """Print a table per set: languages by rows, tokenizers by columns, tokens relative to English."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("tokenizers", nargs="+", metavar="NAME=PLACE")
    arguments = parser.parse_args()
    counters = {name: counter_of(place) for name, _, place in (each.partition("=") for each in arguments.tokenizers)}
    sys.path.insert(0, str(ROOT))
    known = names()
    for name, (_, english, _) in SETS.items():
        texts = texts_of(arguments.data, name)
        if not texts:
            print(f"{name}: not in {arguments.data}\n")
            continue
        tokens = {label: {key: count(lines) for key, lines in texts.items()} for label, count in counters.items()}
        words = sum(len(line.split()) for line in texts[english])
        of_english = ", ".join(f"{label} {counts[english] / words:.2f}" for label, counts in tokens.items())
        print(f"{name}: {len(texts[english])} lines; tokens per English word: {of_english}\n")
        print(f"| language | {' | '.join(counters)} |\n|---|{'---:|' * len(counters)}")
        for key in sorted(texts, key=lambda key: sum(counts[key] / counts[english] for counts in tokens.values())):
            cells = [f"{counts[key] / counts[english]:.2f}" for counts in tokens.values()]
            language = known.get(key) or known.get(key[:3], "")
            print(f"| {language} `{key}` | {' | '.join(cells)} |".replace("|  ", "| "))
        print()


if __name__ == "__main__":
    main()
