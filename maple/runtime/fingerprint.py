"""The digest of a model's files, which its answers depend on."""

from hashlib import blake2b
from pathlib import Path

from maple.runtime.files import check_folder


def weights_digest(model: str | Path) -> str:
    """Return a digest of the files in a model's or adapter's folder that decide its answers.

    These are its weights, its Python code if it has any, and its configs, one of which names the end-of-text tokens.
    Raises DamagedFileError if the folder is not as it was written.
    """
    digest = blake2b(digest_size=16)
    names = ("config", "generation_config", "tokenizer", "tokenizer_config", "adapter_config")
    names += ("processor_config", "preprocessor_config")  # how pictures are prepared
    for path, of_file in ((Path(name), of_file) for name, of_file in sorted(check_folder(model).items())):
        decides = path.suffix in (".safetensors", ".py") or (path.suffix == ".json" and path.stem in names)
        if decides and len(path.parts) == 1:
            digest.update(path.name.encode() + bytes.fromhex(of_file))
    return digest.hexdigest()
