"""What is needed to repeat a run: code, libraries, machine, scenario; the same record in `run.json` and the
file.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

LIBRARIES = (
    "numpy",
    "scipy",
    "numba",
    "ducc0",
    "h5py",
    "sympy",
    "pydantic",
    "xarray",
    "h5netcdf",
    "matplotlib",
)
OPTIONAL = ("cupy-cuda12x", "cupy-cuda13x", "mpi4py", "vtk", "netCDF4")
# Named one by one: the environment of a batch job also holds tokens (SLURM_JWT).
SLURM = (
    "JOB_ID",
    "JOB_NAME",
    "JOB_PARTITION",
    "JOB_NODELIST",
    "JOB_NUM_NODES",
    "NTASKS",
    "CPUS_PER_TASK",
    "ARRAY_JOB_ID",
    "ARRAY_TASK_ID",
    "CLUSTER_NAME",
    "RESTART_COUNT",
)


def collect(scenario_yaml: str, device: str, threads: int, fft_engine: str, seed: int) -> dict[str, Any]:
    """The record of a run that is about to start, ready for JSON."""
    return {
        "version": package_version(),
        "git": git_state(Path(__file__).resolve().parents[2]),
        "python": platform.python_version(),
        "libraries": libraries(),
        "platform": platform.platform(),
        "cpu": cpu_model(),
        "cores": cores(),
        "host": socket.gethostname(),
        "slurm": {f"SLURM_{k}": os.environ[f"SLURM_{k}"] for k in SLURM if f"SLURM_{k}" in os.environ},
        "command": list(sys.argv),
        "started": now(),
        "device": device,
        "threads": threads,
        "fft_engine": fft_engine,
        "seed": seed,
        "scenario_sha256": scenario_hash(scenario_yaml),
    }


def at_end() -> dict[str, Any]:
    """What is known only when the run is over: time and peak memory."""
    return {"ended": now(), "peak_memory_bytes": peak_memory()}


def environment() -> dict[str, str]:
    """Rows for `phasefield info` and for bug reports, in order of printing."""
    git = git_state(Path(__file__).resolve().parents[2])
    rows = {"phasefield": package_version()}
    if git is not None:
        rows["git"] = f"{git['sha']}{' with changes' if git['dirty'] else ''}"
    rows |= {"python": f"{platform.python_version()} ({platform.python_implementation()})"}
    rows |= {"platform": platform.platform(), "cpu": cpu_model(), "cores": str(cores())}
    return rows | libraries()


def scenario_hash(scenario_yaml: str) -> str:
    """SHA-256 of a resolved scenario as canonical JSON: the same for any order of keys, layout or
    comments.
    """
    canonical = json.dumps(yaml.safe_load(scenario_yaml), sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


def package_version() -> str:
    """Version of the installed package, `unknown` when it runs uninstalled."""
    return _version("phasefield") or "unknown"


def libraries() -> dict[str, str]:
    """Versions by name, read from package metadata so that nothing heavy is imported; absent ones left
    out.
    """
    found = {name: version for name in LIBRARIES + OPTIONAL if (version := _version(name)) is not None}
    from h5py.version import hdf5_version

    return found | {"HDF5": hdf5_version}


def git_state(root: Path) -> dict[str, Any] | None:
    """Commit, dirty flag and a hash of the changes of the source tree; None when `root` is no checkout."""
    # An installed package may lie inside somebody else's repository: only its own folder counts.
    if not (root / ".git").exists():
        return None
    sha = _git(root, "rev-parse", "HEAD")
    if sha is None:
        return None
    changes = _git(root, "diff", "HEAD") or b""
    return {
        "sha": sha.decode().strip(),
        "dirty": bool(changes),
        "diff_sha256": hashlib.sha256(changes).hexdigest() if changes else None,
    }


def cpu_model() -> str:
    """Name of the processor."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores() -> int:
    """Number of cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory() -> int | None:
    """Largest resident memory of this process so far, in bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def now() -> str:
    """UTC time, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(root: Path, *words: str) -> bytes | None:
    """Output of a git command that only looks; None when git is absent, slow or unhappy."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    command = ["git", "--no-optional-locks", "-C", str(root), *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=5, env=environment, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
