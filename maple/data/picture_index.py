"""The pictures of a task's rows: which file each row names, and what it looks like."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import polars as pl

from maple.runtime.files import read_parquet
from maple.runtime.pictures import Picture

INDEX = "index.parquet"
# task; language ("" for a drawn picture, which is the same in all languages) and split of the rows; name, as the rows
# name the picture; the SHA-256 of its bytes and its file beside the index; pixels; and the perceptual hash
# (maple.data.picture_overlaps). Digest and all after it are null where a row's column of pictures is empty.
INDEX_SCHEMA = {
    "task": pl.String,
    "language": pl.String,
    "split": pl.String,
    "name": pl.String,
    "digest": pl.String,
    "file": pl.String,
    "width": pl.Int32,
    "height": pl.Int32,
    "hash": pl.Binary,
}


@dataclass(frozen=True)
class PictureIndex:
    """The pictures of some tasks."""

    pictures: pl.DataFrame
    """The columns of INDEX_SCHEMA, the path of a file with its folder."""

    @classmethod
    def read(cls, folders: Iterable[str | Path]) -> Self:
        """Read the indexes in folders that the rule `pictures` wrote."""
        frames = [
            read_parquet(Path(folder, INDEX)).with_columns(file=pl.concat_str(pl.lit(f"{folder}/"), "file"))
            for folder in folders
        ]
        return cls(pl.concat([pl.DataFrame(schema=INDEX_SCHEMA), *frames]))

    def of_rows(self, task: str, split: str, language: str) -> dict[str, Picture | None]:
        """Return the pictures of a task's rows in a split and a language, by name; None for a row without one."""
        of_rows = self.pictures.filter(
            pl.col("task") == task, pl.col("split") == split, pl.col("language").is_in(["", language])
        )
        return {
            name: Picture(file, digest) if digest else None
            for name, file, digest in of_rows.select("name", "file", "digest").iter_rows()
        }
