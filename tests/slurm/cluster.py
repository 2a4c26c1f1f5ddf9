"""A real Slurm on this machine: two nodes, each with two devices that pass for GPUs, in a folder of its own.

    python tests/slurm/cluster.py snakemake --workflow-profile slurm ...

runs a command on it. munged, slurmctld and slurmd are processes of whoever started them and end with it; the
configuration is theirs alone, so that neither /etc/slurm nor a Slurm that this machine belongs to is touched.
"""

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "srun", "sbatch", "setpriv")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"  # Debian's place for daemons; a user may lack it
NODES = ("node0", "node1")
SECONDS = 60  # to get ready

CONFIGURATION = """
ClusterName=maple
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={slurmctld_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
MailProg=/bin/true
SlurmdParameters=config_overrides
KillWait=1
JobRequeue=0
ReturnToService=1
GresTypes=gpu
NodeName=DEFAULT CPUs={cpus} RealMemory={memory} Gres=gpu:2
NodeName=node0 NodeHostname={host} NodeAddr=127.0.0.1 Port={node0_port}
NodeName=node1 NodeHostname={host} NodeAddr=127.0.0.1 Port={node1_port}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
DEVICES = """
Name=gpu File=/dev/null
Name=gpu File=/dev/zero
"""


def lacking() -> list[str]:
    """Return the programs that are not installed here."""
    return [program for program in PROGRAMS if shutil.which(program, path=PATH) is None]


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback that nothing listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listening.getsockname()[1] for listening in sockets]
    for listening in sockets:
        listening.close()
    return ports


class Cluster:
    """A Slurm between `with Cluster() as cluster:` and the end of the block.

    `environment` is what a command needs to reach it. A node has CPUs and memory (MiB) as told, whatever the machine
    has: nothing holds jobs to them.
    """

    def __init__(self, cpus: int = 64, memory: int = 2**20):
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
        self.environment |= {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "PATH": f"{self.folder / 'bin'}:{PATH}",
            "MAPLE_ALLOW_CPU": "1",  # the GPUs are none
        }
        self._running: list[subprocess.Popen] = []
        slurmctld_port, node0_port, node1_port = free_ports(3)
        configuration = CONFIGURATION.format(
            folder=self.folder,
            user=getpass.getuser(),
            host=socket.gethostname(),
            cpus=cpus,
            memory=memory,
            slurmctld_port=slurmctld_port,
            node0_port=node0_port,
            node1_port=node1_port,
        )
        self.folder.chmod(0o755)  # munged wants a folder that all may enter
        (self.folder / "slurm.conf").write_text(configuration)
        (self.folder / "gres.conf").write_text(DEVICES)
        (self.folder / "munge.key").write_bytes(os.urandom(128))
        (self.folder / "munge.key").chmod(0o600)
        for name in ("state", "bin", *(f"spool-{node}" for node in NODES)):
            (self.folder / name).mkdir()
        # The plugin starts each job's step without any variable SLURM_*: srun has to be told again where its Slurm is.
        self._program("srun", f'SLURM_CONF={self.folder}/slurm.conf exec {shutil.which("srun")} "$@"')
        self._program(
            "nvidia-smi", *(f"echo 'GPU {number}: none (UUID: {self.folder.name}-{number})'" for number in (0, 1))
        )

    def __enter__(self) -> "Cluster":
        try:
            self._start(
                "munged",
                "--foreground",
                "--force",  # also as root, and in a folder of /tmp
                f"--socket={self.folder}/munge.socket",
                f"--key-file={self.folder}/munge.key",
                f"--pid-file={self.folder}/munged.pid",
                f"--log-file={self.folder}/munged.log",
                f"--seed-file={self.folder}/munged.seed",
            )
            self._wait(lambda: (self.folder / "munge.socket").exists(), "munged")
            self._start("slurmctld", "-D", "-i")
            for node in NODES:
                self._start("slurmd", "-D", "-N", node)
            self._wait(lambda: self.run("sinfo", "--noheader", "--format=%T %D").strip() == "idle 2", "the nodes")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._running):
            process.terminate()
        for process in reversed(self._running):
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
        # Without cgroups Slurm loses sight of processes whose parent ended first; all of its jobs know this folder.
        for environment in Path("/proc").glob("[0-9]*/environ"):
            with suppress(OSError):
                if str(self.folder).encode() in environment.read_bytes():
                    os.kill(int(environment.parent.name), signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *command: str) -> str:
        """Run a command of Slurm; return what it printed."""
        return subprocess.run(command, env=self.environment, text=True, capture_output=True, check=False).stdout

    def processes(self, job: str, script: str) -> list[int]:
        """Return the processes of a job whose command names a script."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                words = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
                if script.encode() in words[0] and f"SLURM_JOB_ID={job}\0".encode() in words[1]:
                    found.append(int(process.name))
        return found

    def _program(self, name: str, *lines: str) -> None:
        path = self.folder / "bin" / name
        path.write_text("\n".join(["#!/bin/sh", *lines]) + "\n")
        path.chmod(0o755)

    def _start(self, program: str, *arguments: str) -> None:
        # Killed with whoever started it, whatever happens to that one.
        command = ["setpriv", "--pdeathsig", "KILL", shutil.which(program, path=PATH), *arguments]
        with open(self.folder / f"{program}.out", "ab") as log:
            self._running.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))

    def _wait(self, ready, what: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not ready():
            ended = [process.args[3] for process in self._running if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                said = "\n".join(f"{path.name}:\n{path.read_text()}" for path in self.folder.glob("*.out"))
                raise RuntimeError(f"{what} is not ready, {ended} ended:\n{said}")
            time.sleep(0.1)


if __name__ == "__main__":
    with Cluster() as cluster:
        sys.exit(subprocess.run(sys.argv[1:], env=cluster.environment, check=False).returncode)
