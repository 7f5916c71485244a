"""A real SLURM of one node for tests: munged, slurmctld and slurmd in a folder of their own.

    python tests/one_node_slurm.py            start, print how to use it, stop at Ctrl-C
    with OneNodeSlurm(folder) as slurm: ...   the same in a test; slurm.environment is for clients

Everything listens on the loopback device and lies in the folder; nothing outside is touched, so it
may run beside a real SLURM. Needs the programs of Debian's `slurm-wlm` and `munge`. The node has
the machine's cores, two shares of one pretended GPU (its device file is /dev/null) and no
accounting.
"""

import getpass
import os
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
CLIENTS = ("sbatch", "srun", "squeue", "scancel", "scontrol", "sinfo", "sacct", "sacctmgr")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])

SLURM_CONF = """\
ClusterName=test
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={control_port}
SlurmdPort={node_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=2,bf_interval=2
MpiDefault=none
ReturnToService=2
KillWait=5
OverTimeLimit=0
MinJobAge=300
GresTypes=gpu,shard
NodeName=localhost NodeAddr=127.0.0.1 CPUs={cores} RealMemory={memory} Gres=gpu:1,shard:2
PartitionName=main Nodes=localhost Default=YES MaxTime=INFINITE State=UP
"""


class OneNodeSlurm:
    """Use with `with`; raises RuntimeError with the daemons' output if SLURM does not start."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.processes = []

    @property
    def environment(self):
        """Environment of clients: their wrappers stand first on the PATH."""
        return {**os.environ, "PATH": f"{self.folder / 'bin'}{os.pathsep}{PATH}"}

    def __enter__(self):
        missing = [name for name in DAEMONS + CLIENTS if not shutil.which(name, path=PATH)]
        if missing:
            raise RuntimeError(f"not installed: {', '.join(missing)} (slurm-wlm, munge)")
        try:
            self._configure()
            self._start_munge()
            self._start_slurm()
            self._wait_for_node()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self.processes:
            self.client("scancel", "--user", getpass.getuser(), check=False)
        for process in reversed(self.processes):
            process.terminate()
        for process in reversed(self.processes):
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []

    def client(self, *command, check=True):
        """Standard output of a client such as squeue."""
        done = subprocess.run(
            [str(part) for part in command],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if check and done.returncode:
            raise RuntimeError(f"{command[0]}: {done.stderr.strip()}")
        return done.stdout

    def _configure(self):
        for name in ("munge", "state", "spool", "bin"):
            (self.folder / name).mkdir(parents=True, mode=0o700)
        ports = _free_ports(2)
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        text = SLURM_CONF.format(
            folder=self.folder,
            user=getpass.getuser(),
            cores=os.cpu_count(),
            memory=memory - 256,
            control_port=ports[0],
            node_port=ports[1],
        )
        (self.folder / "slurm.conf").write_text(text)
        (self.folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (self.folder / "gres.conf").write_text(
            "AutoDetect=off\nName=gpu File=/dev/null\nName=shard Count=2 File=/dev/null\n"
        )
        # Snakemake's plugin takes SLURM_* out of the environment of its job steps: the name of the
        # configuration has to stand in the programs' wrappers.
        for name in CLIENTS:
            wrapper = self.folder / "bin" / name
            program = shutil.which(name, path=PATH)
            wrapper.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.folder}/slurm.conf exec {program} "$@"\n'
            )
            wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)

    def _start(self, log, *command):
        output = (self.folder / log).open("ab")
        self.processes.append(
            subprocess.Popen(
                [shutil.which(command[0], path=PATH), *map(str, command[1:])],
                env={**os.environ, "SLURM_CONF": str(self.folder / "slurm.conf")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        )

    def _start_munge(self):
        munge = self.folder / "munge"
        key = munge / "key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        self._start(
            "munged.out",
            *("munged", "--foreground", "--force", f"--socket={munge / 'socket'}"),
            *(f"--key-file={key}", f"--pid-file={munge / 'pid'}"),
            *(f"--log-file={munge / 'log'}", f"--seed-file={munge / 'seed'}"),
        )
        self._wait("munged", lambda: (munge / "socket").exists())

    def _start_slurm(self):
        conf = self.folder / "slurm.conf"
        self._start("slurmctld.out", "slurmctld", "-D", "-f", conf)
        self._start("slurmd.out", "slurmd", "-D", "-N", "localhost", "-f", conf)

    def _wait_for_node(self):
        self._wait(
            "the node",
            lambda: self.client("sinfo", "-h", "-o", "%T", check=False).strip() == "idle",
        )

    def _wait(self, what, ready, seconds=30):
        until = time.monotonic() + seconds
        while not ready():
            ended = any(process.poll() is not None for process in self.processes)
            if ended or time.monotonic() > until:
                raise RuntimeError(f"{what} did not come up:\n{self._words()}")
            time.sleep(0.1)

    def _words(self):
        """The last lines that each daemon wrote."""
        logs = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "\n".join(
            f"{log.name}: {line}"
            for log in logs
            for line in log.read_text(errors="replace").splitlines()[-5:]
        )


def _free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def main():
    with (
        tempfile.TemporaryDirectory(prefix="slurm-") as folder,
        OneNodeSlurm(folder) as slurm,
    ):
        print(f'export PATH="{folder}/bin:$PATH"', flush=True)
        print("SLURM runs until Ctrl-C.", file=sys.stderr)
        with suppress(KeyboardInterrupt):
            slurm.processes[1].wait()


if __name__ == "__main__":
    sys.exit(main())
