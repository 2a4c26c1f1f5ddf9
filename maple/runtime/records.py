"""Snakemake's records of what each file was made from, kept beside the results."""

import shutil
from contextlib import suppress
from os.path import relpath
from pathlib import Path

# What Snakemake records, in folders of these names: params and inputs of each output, and outputs of unfinished jobs.
KINDS = ("metadata", "incomplete")


def keep_records(snakemake: Path, kept: Path) -> None:
    """Let the records in Snakemake's folder `snakemake` lie in `kept`, a folder of the results.

    Beside .snakemake/ results would lose them with it, or when they are copied without it, and Snakemake takes a file
    without a record for current, whatever the config says.
    """
    snakemake.mkdir(parents=True, exist_ok=True)
    for kind in KINDS:
        folder, link = kept / kind, snakemake / kind
        folder.mkdir(parents=True, exist_ok=True)
        if link.is_symlink():
            continue
        if link.is_dir():
            shutil.copytree(link, folder, dirs_exist_ok=True)
            shutil.rmtree(link)
        with suppress(FileExistsError):  # another process was faster
            link.symlink_to(relpath(folder, snakemake))
