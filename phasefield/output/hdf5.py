"""The few HDF5 habits that writer and reader of the fields file share.

Files are opened for one change and closed again, so that a killed run leaves a readable file and anyone can
look at a run that is still going. Readers take no lock, and a reader that holds one never stops the writer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from phasefield.errors import PhasefieldError
from phasefield.output.transaction import Transaction

TEXT = h5py.string_dtype("utf-8")
# Short uncompressed chunks: a partly filled chunk is rewritten by every append, and a compressed one would
# move to a new place in the file each time its size changes, leaving a hole behind.
ROWS_PER_CHUNK = 1024
# Attributes by which HDF5 and netCDF keep their dimension scales; nothing for a user to see.
BOOKKEEPING = frozenset({"CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_Netcdf4Dimid", "_nc3_strict"})


def reason(error: BaseException) -> str:
    """The operating system's words for a failure, without HDF5's own trace of calls."""
    text = str(error) or type(error).__name__
    if "error message = '" in text:
        return text.split("error message = '", 1)[1].split("'", 1)[0]
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return text.splitlines()[0]


@contextmanager
def reading(path: Path) -> Iterator[h5py.File]:
    """An existing file, read-only and without a lock."""
    with h5py.File(path, "r", locking=False) as file:
        yield file


@contextmanager
def changing(path: Path) -> Iterator[h5py.File]:
    """An existing file open for one change, which takes place as a whole or not at all.

    `file.flush()` inside makes it two changes, one after the other. Takes no lock: there is one writer only,
    and a long run must not die of being looked at by a program that locks the file (xarray, ParaView).
    `PhasefieldError` when the file cannot be opened or written.
    """
    try:
        transaction = Transaction(path)
        try:
            with h5py.File(transaction, "r+") as file:
                try:
                    yield file
                except BaseException:
                    transaction.give_up()
                    raise
            transaction.finish()
        finally:
            transaction.close()
    except OSError as error:
        raise PhasefieldError(f"cannot write '{path}': {reason(error)}") from error


def dataset(parent: h5py.Group, name: str) -> h5py.Dataset:
    """The dataset `name`; KeyError when there is none."""
    found = parent[name]
    if not isinstance(found, h5py.Dataset):
        raise KeyError(f"'{name}' is not a dataset")
    return found


def group(parent: h5py.Group, name: str) -> h5py.Group:
    """The group `name`; KeyError when there is none."""
    found = parent[name]
    if not isinstance(found, h5py.Group):
        raise KeyError(f"'{name}' is not a group")
    return found


def members(parent: h5py.Group) -> list[str]:
    """Names in a group, sorted."""
    return sorted(str(name) for name in parent)


def integer(item: h5py.Group | h5py.Dataset, attribute: str) -> int:
    """An attribute that is a whole number."""
    return int(np.asarray(item.attrs[attribute]).item())


def attributes(item: h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Attributes as plain Python values, without the bookkeeping of dimension scales."""
    values = {name: value for name, value in item.attrs.items() if name not in BOOKKEEPING}
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in values.items()}


def set_attributes(item: h5py.Group | h5py.Dataset, values: Mapping[str, Any]) -> None:
    """Write attributes; truth values become 0 and 1, since netCDF has no type for them."""
    for name, value in values.items():
        item.attrs[name] = int(value) if isinstance(value, bool | np.bool_) else value


def dimensions(data: h5py.Dataset) -> tuple[str, ...]:
    """Names of the dimensions, from the scales attached to them."""
    if data.is_scale and data.ndim == 1:
        return (str(data.name).rsplit("/", 1)[-1],)
    return tuple(str(next(iter(dim.keys()), f"dimension_{i}")) for i, dim in enumerate(data.dims))


def attach(data: h5py.Dataset, parent: h5py.Group, dims: Sequence[str]) -> None:
    """Attach the scales `dims`, found in `parent`, to the dimensions of `data`."""
    for position, dim in enumerate(dims):
        data.dims[position].attach_scale(dataset(parent, dim))


def make_scale(parent: h5py.Group, name: str, values: Any, **attrs: str) -> h5py.Dataset:
    """A coordinate that is its own dimension."""
    scale = parent.create_dataset(name, data=values)
    scale.make_scale(name)
    set_attributes(scale, attrs)
    return scale


def make_column(parent: h5py.Group, name: str, dtype: str, scale: str | None) -> h5py.Dataset:
    """An empty column that grows; without `scale` it is itself the scale of its dimension."""
    column = parent.create_dataset(name, (0,), dtype, maxshape=(None,), chunks=(ROWS_PER_CHUNK,))
    if scale is None:
        column.make_scale(name)
    else:
        attach(column, parent, [scale])
    return column


def extend(column: h5py.Dataset, start: int, rows: Any) -> None:
    """Write `rows` from `start` on and end the column there, whatever was behind (a torn earlier append)."""
    column.resize(start + len(rows), axis=0)
    column[start:] = rows


def as_stored(values: Any) -> tuple[np.ndarray, Any]:
    """Values and the HDF5 type for them: text as variable-length UTF-8, truth values as bytes."""
    array = np.asarray(values)
    if array.dtype.kind in "OU":
        return array.astype(object), TEXT
    if array.dtype.kind == "b":
        return array.astype("i1"), np.dtype("i1")
    return array, array.dtype


def write_variables(parent: h5py.Group, variables: Mapping[str, tuple[Iterable[str], Any, Mapping]]) -> None:
    """Datasets with named dimensions; a dimension that is no variable gets the scale 0, 1, 2, …

    A variable is `(dims, values, attrs)`. Raises ValueError when `dims` does not fit the values.
    """
    stored = {name: (tuple(dims), *as_stored(values), attrs) for name, (dims, values, attrs) in variables.items()}
    sizes: dict[str, int] = {}
    for name, (dims, values, _, _) in stored.items():
        if len(dims) != values.ndim:
            raise ValueError(f"'{name}' has {values.ndim} dimensions, but {dims} names {len(dims)}")
        for dim, size in zip(dims, values.shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise ValueError(f"dimension '{dim}' is {size} long in '{name}' and {sizes[dim]} elsewhere")
    for dim, size in sizes.items():
        if dim not in stored:
            make_scale(parent, dim, np.arange(size))
        elif stored[dim][0] != (dim,):
            raise ValueError(f"'{dim}' is a dimension and must have itself as its only dimension")
    for name, (_, values, dtype, attrs) in stored.items():
        data = parent.create_dataset(name, data=values, dtype=dtype)
        set_attributes(data, attrs)
        if name in sizes:
            data.make_scale(name)
    for name, (dims, _, _, _) in stored.items():
        if name not in sizes:
            attach(dataset(parent, name), parent, dims)
