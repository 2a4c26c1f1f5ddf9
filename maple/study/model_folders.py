"""Models in folders of this machine, looked at while a study is planned."""

from collections.abc import Mapping
from pathlib import Path

from maple.definitions.errors import DefinitionError
from maple.definitions.local_model import PathModel
from maple.definitions.model import Model
from maple.models.model_files import has_vocabulary
from maple.models.stored_weights import check_files
from maple.models.tiny import BaseError


def check_model_folders(models: Mapping[str, Model]) -> None:
    """Refuse a folder that is not there or holds no model in safetensors, an adapter, or quantized weights.

    Raises DefinitionError with file and key.
    """
    for name, model in models.items():
        if isinstance(model, PathModel) and (reason := _reason_against(Path(model.path), model.trust_remote_code)):
            raise DefinitionError(f"config/models/{name}.yaml: path: {reason}")


def _reason_against(folder: Path, trust_remote_code: bool) -> str | None:
    if not folder.is_dir():
        return (
            f"{folder} is {'no folder' if folder.exists() else 'not there'}; write a model's folder, with config.json"
        )
    try:
        check_files(folder, trust_remote_code=trust_remote_code)
    except BaseError as error:
        return str(error)
    except OSError as error:
        return f"{error.filename or folder}: {error.strerror}"
    if not has_vocabulary(folder):
        return f"{folder}: has no tokenizer; put its files there, as tokenizer.json and tokenizer_config.json"
    return None
