"""Snakemake, but Slurm is asked every second: the plugin waits ten seconds longer each time that no job has ended."""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, seconds: None)

if __name__ == "__main__":
    main(sys.argv[1:])
