"""Checkpoints: the exact state of a run in `checkpoint.h5`, the one before in `checkpoint.previous.h5`.

A checkpoint is written aside, brought to the disk and renamed, so that one under its final name is whole. Its
first 512 bytes (a user block, which HDF5 skips) hold a line with the size and the SHA-256 of everything
behind it. They are checked before HDF5 reads a byte: a damaged file is never parsed.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np

from phasefield.errors import InputError, PhasefieldError
from phasefield.output import hdf5

FORMAT = 1
HEADER_BYTES = 512
_MAGIC = "phasefield checkpoint"
_log = logging.getLogger(__name__)


def previous(path: str | os.PathLike[str]) -> Path:
    """Where the checkpoint before `path` is kept."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def save(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]) -> None:
    """Write a checkpoint and keep the one before.

    Arrays of numbers (complex ones too) come back bit for bit, `meta` as JSON does: floats exactly, tuples as
    lists. `PhasefieldError` when it cannot be written; the earlier checkpoints are then untouched.
    """
    path = Path(path)
    text = json.dumps(dict(meta), default=_plain)
    aside = path.with_name(path.name + ".tmp")
    try:
        try:
            _write(aside, arrays, text)
            if path.exists():
                os.replace(path, previous(path))
            os.replace(aside, path)
            _sync_folder(path.parent)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except (OSError, RuntimeError) as error:
        raise PhasefieldError(f"cannot write checkpoint '{path}': {hdf5.reason(error)}") from error


def load(path: str | os.PathLike[str]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Arrays and meta of the newest sound checkpoint; `InputError` when there is none.

    When the newest is damaged or missing, the one before is taken, with a warning in the log.
    """
    path = Path(path)
    complaints = []
    for candidate in (path, previous(path)):
        try:
            result = _read(candidate)
        except (OSError, ValueError) as error:
            complaints.append(f"'{candidate}': {hdf5.reason(error)}")
            continue
        if complaints:
            _log.warning("%s; continuing from '%s'", complaints[0], candidate)
        return result
    raise InputError("no usable checkpoint: " + "; ".join(complaints))


def _write(path: Path, arrays: Mapping[str, np.ndarray], meta: str) -> None:
    with h5py.File(path, "w", userblock_size=HEADER_BYTES, locking=False) as file:
        file.create_dataset("meta", data=meta, dtype=hdf5.TEXT)
        file.create_dataset("names", data=np.array(list(arrays), dtype=object), dtype=hdf5.TEXT)
        for number, array in enumerate(arrays.values()):
            file.create_dataset(f"arrays/{number}", data=np.asarray(array))
    with path.open("r+b") as stream:
        size, digest = _digest(stream)
        stream.seek(0)
        stream.write(f"{_MAGIC} {FORMAT} {size} {digest}\n".encode())
        stream.flush()
        os.fsync(stream.fileno())


def _read(path: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """OSError or ValueError when the file is missing or not sound."""
    with path.open("rb") as stream:
        header = stream.read(HEADER_BYTES).split(b"\n", 1)[0].decode("ascii", "replace")
        if not header.startswith(_MAGIC):
            raise ValueError("not a checkpoint")
        words = header[len(_MAGIC) :].split()
        if words[:1] != [str(FORMAT)]:
            raise ValueError(f"checkpoint of another format ({' '.join(words[:1])}); this version reads {FORMAT}")
        if words[1:] != [str(word) for word in _digest(stream)]:
            raise ValueError("damaged or incomplete (checksum differs)")
    with hdf5.reading(path) as file:
        names = [name.decode() for name in hdf5.dataset(file, "names")[:]]
        arrays = {name: hdf5.dataset(file, f"arrays/{i}")[()] for i, name in enumerate(names)}
        meta = json.loads(hdf5.dataset(file, "meta")[()])
    return {name: np.asarray(array) for name, array in arrays.items()}, meta


def _digest(stream: BinaryIO) -> tuple[int, str]:
    """Size and SHA-256 of what follows the header."""
    stream.seek(HEADER_BYTES)
    size, digest = 0, hashlib.sha256()
    for block in _blocks(stream):
        size += len(block)
        digest.update(block)
    return size, digest.hexdigest()


def _blocks(stream: BinaryIO, size: int = 2**22) -> Iterator[bytes]:
    while block := stream.read(size):
        yield block


def _plain(value: Any) -> Any:
    """NumPy numbers as Python's own, for JSON."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be kept in a checkpoint's meta")


def _sync_folder(folder: Path) -> None:
    """Bring the renaming itself to the disk, where folders can be opened for that."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
