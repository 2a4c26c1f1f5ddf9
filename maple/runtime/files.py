"""Files that are whole or refused: written aside and renamed, with a checksum that every reader holds them against.

One process at a time writes a file; a second one waits.
"""

import errno
import io
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from hashlib import blake2b, file_digest
from pathlib import Path
from typing import TYPE_CHECKING

from maple.runtime.locks import lock
from maple.text.plain import cell

if TYPE_CHECKING:
    import polars as pl

CHECKSUM = "checksum"
_MARK, _UNKNOWN = b"blake2b:", b"0" * 32  # before a checksum in Parquet, and in its place while it is computed
# In the format of b2sum: `b2sum --check BLAKE2SUMS` holds the folder against it, too.
SUMS = "BLAKE2SUMS"


class DamagedFileError(ValueError):
    """A file or folder is not what was written; the message names it, and the command that makes it again."""

    def __init__(self, path: str | Path, why: object):
        folder = Path(path).parent
        made = folder if (folder / SUMS).is_file() else path  # a rule makes a sealed folder as a whole
        super().__init__(
            f"{path} is damaged: {why}; make it again with `snakemake --cores all --forcerun {made}`, or remove {made} "
            "and give the same command again"
        )


def sync(path: str | Path) -> None:
    """Flush a written file to disk."""
    with open(path, "rb") as written:
        os.fsync(written.fileno())


# Errors of a disk, which the system reports without the name of a file.
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Name `path` in an error of the system that names no file, or the one that is written aside."""
    try:
        yield
    except OSError as error:
        parts = Path(os.fsdecode(error.filename or "")).parts
        aside = any(part.startswith(f".{path.name}.part") for part in parts)
        if not aside and (parts or error.errno not in _DISK_ERRORS):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block ends without an error, else remove it."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    with named(path), lock(f"{aside}.lock", f"writes {path}"):
        try:
            yield aside
            sync(aside)
            os.replace(aside, path)
        finally:
            aside.unlink(missing_ok=True)


@contextmanager
def folder_written_aside(path: str | Path) -> Iterator[Path]:
    """Yield a new folder beside `path`; sealed, it replaces `path` if the block ends without an error, else it goes."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.part")
    with named(path), lock(f"{aside}.lock", f"writes {path}"):
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        try:
            yield aside
            seal_folder(aside)
            shutil.rmtree(path, ignore_errors=True)
            os.replace(aside, path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def check_folder(folder: str | Path) -> dict[str, str]:
    """Hold a folder against its checksums; return the BLAKE2b digest of each file below it, by its path there.

    Hidden files are left out. Raises DamagedFileError if a file of a sealed folder has changed or is missing.
    """
    folder = Path(folder)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    names = [str(name) for name in names if str(name) != SUMS and not any(part[0] == "." for part in name.parts)]
    with ThreadPoolExecutor() as threads:  # weights lie in several files, and a digest takes a second per gigabyte
        digests = dict(zip(names, threads.map(lambda name: _digest_of_file(folder / name), names), strict=True))
    for line in (folder / SUMS).read_text(encoding="utf-8").splitlines() if (folder / SUMS).is_file() else []:
        digest, _, name = line.partition("  ")
        if name not in digests:
            raise DamagedFileError(folder, f"{name} is missing")
        if digests[name] != digest:
            raise DamagedFileError(folder, f"{name} does not match its checksum in {SUMS}")
    return digests


def _digest_of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return file_digest(file, "blake2b").hexdigest()


def seal_folder(folder: Path) -> None:
    """Write the checksums of a folder's files into its file SUMS, and flush all of them to disk."""
    (folder / SUMS).unlink(missing_ok=True)  # of another folder, from which files were copied
    lines = (f"{digest}  {name}\n" for name, digest in check_folder(folder).items())
    write_text("".join(lines), folder / SUMS)
    for path in folder.rglob("*"):
        if path.is_file():
            sync(path)


def remove_leftovers(folder: str | Path, names: Iterable[str], kept: Iterable[str | Path]) -> None:
    """Remove files of an earlier study from a folder of results: those with one of `names` (globs) but the `kept` ones.

    Folders that are empty then are removed too; files of other names are somebody else's and stay.
    """
    wanted = {Path(path).absolute() for path in kept}
    for path in [path for name in names for path in Path(folder).rglob(name)]:
        if path.absolute() in wanted or not (path.is_file() or path.is_symlink()):
            continue
        path.unlink()
        for parent in path.parents:
            if parent == Path(folder) or any(parent.iterdir()):
                break
            parent.rmdir()


def write_parquet(frame: "pl.DataFrame", path: str | Path, **notes: str) -> None:
    """Write `frame` to `path` as zstd Parquet, atomically; `notes` and a checksum are in the file's metadata."""
    # Serialized in memory first: on a full disk, polars reports a transport error when it writes the file itself.
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", metadata={**notes, CHECKSUM: (_MARK + _UNKNOWN).decode()})
    before, after = buffer.getvalue().rsplit(_MARK + _UNKNOWN, 1)
    digest = _digest(before + _MARK + _UNKNOWN + after).encode()
    with written_aside(path) as aside:
        aside.write_bytes(before + _MARK + digest + after)


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=len(_UNKNOWN) // 2).hexdigest()


def _whole_parquet(path: str | Path, foreign: bool = False) -> bytes:
    """Return the content of a Parquet file; raise DamagedFileError unless it is as `write_parquet` left it.

    `foreign`: a file of another program, which has no checksum, is taken as it is.
    """
    content = Path(path).read_bytes()
    # By hand, since polars panics at some metadata that have changed.
    before, mark, rest = content.rpartition(_MARK)
    digest, after = rest[: len(_UNKNOWN)], rest[len(_UNKNOWN) :]
    if not content:
        raise DamagedFileError(path, "it is empty")
    if content[-4:] != b"PAR1":
        raise DamagedFileError(path, "its end is missing, or it is no Parquet file")
    if not mark and not foreign:
        raise DamagedFileError(path, "it has no checksum, so another program wrote it")
    if mark and _digest(before + _MARK + _UNKNOWN + after).encode() != digest:
        raise DamagedFileError(path, "its content does not match its checksum")
    return content


def read_parquet(path: str | Path, columns: Sequence[str] | None = None, *, foreign: bool = False) -> "pl.DataFrame":
    """Read a file that `write_parquet` wrote; raise DamagedFileError if it is another one, or has changed since.

    `foreign`: a file of another program, which has no checksum, is read as it is.
    """
    import polars as pl

    content = _whole_parquet(path, foreign)
    try:
        return pl.read_parquet(io.BytesIO(content), columns=None if columns is None else list(columns))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise DamagedFileError(path, error) from None


def read_all(paths: Iterable[str | Path]) -> "pl.DataFrame":
    """Read files that `write_parquet` wrote, one below the other; a column that a file lacks is null in its rows."""
    import polars as pl

    return pl.concat([read_parquet(path) for path in paths], how="diagonal")


def scan_parquet(paths: Sequence[str | Path]) -> "pl.LazyFrame":
    """Return the rows of files that `write_parquet` wrote, unread; what is damaged is refused at once."""
    import polars as pl

    for path in paths:
        _whole_parquet(path)
    return pl.scan_parquet([str(path) for path in paths])


def notes_of(path: str | Path) -> dict[str, str]:
    """Return the notes of a file that `write_parquet` wrote, with its CHECKSUM: same content, same checksum."""
    import polars as pl

    return pl.read_parquet_metadata(io.BytesIO(_whole_parquet(path)))


def write_text(text: str, path: str | Path) -> None:
    """Write `text` to `path` as UTF-8, atomically."""
    with written_aside(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _digest_of_json(content: Mapping) -> str:
    return _digest(json.dumps(content, ensure_ascii=False, sort_keys=True).encode(errors="surrogatepass"))


def sealed(content: Mapping) -> dict:
    """Return a JSON object with a checksum beside its keys."""
    content = json.loads(json.dumps(content))  # as it will be read: keys become texts, and tuples lists
    return {**content, CHECKSUM: _digest_of_json(content)}


def unsealed(content: dict) -> dict:
    """Return a JSON object without its checksum; raise ValueError if that does not match. One without is returned."""
    checksum = content.pop(CHECKSUM, None)
    if checksum is not None and checksum != _digest_of_json(content):
        raise ValueError("its content does not match its checksum")
    return content


def write_json(content: Mapping, path: str | Path) -> None:
    """Write `content` and its checksum to `path` as indented JSON, atomically."""
    write_text(json.dumps(sealed(content), ensure_ascii=False, indent=2, sort_keys=True) + "\n", path)


def write_csv(frame: "pl.DataFrame", path: str | Path) -> None:
    """Write `frame` to `path` as CSV, atomically, with texts that no spreadsheet takes for formulas."""
    import polars as pl

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    cells = [pl.Series(name, [text and cell(text) for text in frame[name]], pl.String) for name in texts]
    write_text(frame.with_columns(cells).write_csv(), path)


def read_json(path: str | Path) -> dict:
    """Read one JSON object; raise DamagedFileError if it is none, or no longer what `write_json` wrote."""
    try:
        # Not strictly: transformers writes an infinity into some models' configs.
        content = json.loads(Path(path).read_bytes().decode("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"it is no JSON object, but {type(content).__name__}")
        return unsealed(content)
    except (ValueError, RecursionError) as error:
        raise DamagedFileError(path, error) from None
