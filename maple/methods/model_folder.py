"""A model of transformers, saved as a Hub-style folder."""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedModel

SHARD = "2GB"  # of a saved model; a shard is copied in memory while it is written
# Files of a base's folder that are not copied, weights aside: they describe the base alone.
DESCRIBING_THE_BASE = ("config.json", "build.json", "README.md", "head.json")


def save_model(model: "PreTrainedModel", base: str | Path, folder: Path) -> None:
    """Save a model as a Hub-style folder, in shards; tokenizer, chat template and such are those of the folder `base`.

    All weights have the dtype that they have in memory.
    """
    from transformers import GenerationConfig

    model.config.use_cache = True
    # The base's own file is copied below; transformers would refuse to save some of them.
    model.generation_config = GenerationConfig()
    model.save_pretrained(folder, max_shard_size=SHARD)
    for path in Path(base).iterdir():
        if (
            path.is_file()
            and path.name not in DESCRIBING_THE_BASE
            and path.name[0] != "."
            and ".safetensors" not in path.name
        ):
            shutil.copyfile(path, folder / path.name)
