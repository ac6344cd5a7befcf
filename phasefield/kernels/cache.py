"""Generated modules on disk, so that Numba's compiled code survives the process.

The folder is `$PHASEFIELD_CACHE_DIR`, else `$XDG_CACHE_HOME/phasefield`, else `~/.cache/phasefield`; below it
`kernels/`, for the user alone because compiled code is loaded from there. Numba puts its index beside the
module (or into `$NUMBA_CACHE_DIR`). Emptying the folder is always safe.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import importlib.machinery
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from types import CodeType, ModuleType

_log = logging.getLogger(__name__)
_lock = threading.RLock()


def load_module(source: str, prefix: str) -> ModuleType:
    """Import generated Python `source` as `<cache>/<prefix>_<hash>.py`; the same source, the same module.

    The hash covers the source and the versions of Python and Numba. The file is written aside and renamed, so
    any number of processes may do this at once; a file with other content is replaced, never executed.
    """
    digest = hashlib.sha256("\0".join([source, *_versions()]).encode()).hexdigest()[:24]
    name = f"phasefield_kernels_{prefix}_{digest}"
    with _lock:
        if name in sys.modules:
            return sys.modules[name]
        path = cache_folder() / f"{prefix}_{digest}.py"
        try:
            _write(path, source)
        except OSError as error:
            path = _temporary_folder(f"'{path}' cannot be written ({error.strerror or error})") / path.name
            _write(path, source)
        spec = importlib.util.spec_from_file_location(name, path, loader=_Loader(name, str(path), source))
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


class _Loader(importlib.machinery.SourceFileLoader):
    """Runs the source we hold rather than what lies on disk, and trusts no `.pyc` either."""

    def __init__(self, name: str, path: str, source: str) -> None:
        super().__init__(name, path)
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.source.encode(), self.path)


def cache_folder() -> Path:
    """The folder of generated modules, created if need be; a temporary one if it cannot be used."""
    if "PHASEFIELD_CACHE_DIR" in os.environ:
        base = Path(os.environ["PHASEFIELD_CACHE_DIR"])
    elif os.environ.get("XDG_CACHE_HOME"):
        base = Path(os.environ["XDG_CACHE_HOME"]) / "phasefield"
    else:
        try:
            base = Path.home() / ".cache" / "phasefield"
        except RuntimeError:
            return _temporary_folder("there is no home folder")
    folder = base.absolute() / "kernels"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _check_private(folder)
        # Permission bits do not tell the truth for root or on read-only mounts: try.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return _temporary_folder(f"'{folder}' cannot be used ({error.strerror or error})")
    return folder


def _check_private(folder: Path) -> None:
    if not hasattr(os, "getuid"):
        return
    status = folder.stat()
    if status.st_uid != os.getuid():
        raise PermissionError(f"it belongs to user {status.st_uid}")
    if status.st_mode & 0o022:
        raise PermissionError("others may write to it")


@functools.cache
def _temporary_folder(reason: str) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="phasefield-kernels-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _log.warning("kernel cache: %s; kernels are compiled anew in each process", reason)
    return folder


def _write(path: Path, source: str) -> None:
    content = source.encode()
    with contextlib.suppress(OSError):
        if path.read_bytes() == content:
            return
    handle, aside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(aside)
        raise


def _versions() -> tuple[str, ...]:
    import numba

    return (numba.__version__, sys.version)
