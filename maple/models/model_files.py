"""The files of a model's folder that this project reads, and the digest of those that decide its answers."""

from collections.abc import Callable, Iterable
from fnmatch import fnmatch
from hashlib import blake2b
from pathlib import Path

# Safetensors, since pickled weights could run code when they are loaded; configs; and the files of all tokenizers of
# transformers, which a test compares with its sources.
WEIGHTS = ["*.safetensors"]
VOCABULARIES = [
    *("tokenizer.json", "tekken.json", "*vocab*", "*.model", "tokenizer.model*", "sentencepiece.*", "spiece.*"),
    *("*.spm", "*.tiktoken", "*.codes", "*.tokenizer", "dict.txt"),
]
TOKENIZERS = [*VOCABULARIES, "merges.txt", "*.json", "*.jinja"]
DOCUMENTS = ["LICENSE*", "NOTICE*", "README.md"]
MODEL_FILES = [*WEIGHTS, *TOKENIZERS, *DOCUMENTS]
# Of a model with trust_remote_code, besides: its own Python code, which the same revision pins.
CODE_FILES = ["*.py"]
# Copies for other programs, in subfolders (onnx/, original/, openvino/) or beside the weights: Mistral's second format,
# which vLLM would prefer, weights in another precision, and the indexes of weights that are not read.
UNWANTED = [
    *("*/*", "consolidated*", "params.json", "*.fp16.*", "*.fp16-*", "*.fp32.*", "*.fp32-*", "*.bf16.*", "*.bf16-*"),
    *("*.bin.index.json", "*.h5.index.json", "*.msgpack.index.json", "openvino_*"),
]


def wanted_files(trust_remote_code: bool) -> list[str]:
    """Return the globs of a model's files; with `trust_remote_code`, of its Python code, too."""
    return [*MODEL_FILES, *(CODE_FILES if trust_remote_code else [])]


def model_files(folder: Path, *, trust_remote_code: bool) -> list[Path]:
    """Return the files of a model in its folder, sorted by name; the folder may hold others."""
    return _matching(folder, wanted_files(trust_remote_code))


def has_vocabulary(folder: Path) -> bool:
    """Return True if a model's folder has the vocabulary of a tokenizer, in whatever form."""
    return bool(_matching(folder, VOCABULARIES))


def folder_digest(folder: Path, digest: Callable[[str], str], *, trust_remote_code: bool) -> str:
    """Return a digest of the files in a model's folder that decide its answers: names and content, not where it lies.

    `digest` returns that of a file by its path. A README or a licence decides nothing.
    """
    files = _matching(folder, [*WEIGHTS, *TOKENIZERS, *(CODE_FILES if trust_remote_code else [])])
    lines = "".join(f"{path.name} {digest(str(path))}\n" for path in files)
    return blake2b(lines.encode(), digest_size=16).hexdigest()


def _matching(folder: Path, globs: Iterable[str]) -> list[Path]:
    def matches(name: str, globs: Iterable[str]) -> bool:
        return any(fnmatch(name, glob) for glob in globs)

    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    return [folder / name for name in names if matches(name, globs) and not matches(name, UNWANTED)]
