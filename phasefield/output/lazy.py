"""xarray Datasets over a fields file that keep no file open: each access opens, reads and closes.

A Dataset opened in the usual way holds its file, and HDF5 then refuses to open it for writing in the same
process.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from phasefield.output import hdf5


class StoredArray(BackendArray):
    """One dataset of a file, its dimensions cut to the lengths in `shape`."""

    def __init__(self, path: Path, name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.path, self.name, self.shape, self.dtype = path, name, shape, dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> np.ndarray:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, self._read)

    def _read(self, key: tuple[Any, ...]) -> np.ndarray:
        # Slices without an end would take in what lies behind the last complete frame.
        bounded = tuple(
            slice(*part.indices(size)) if isinstance(part, slice) and (part.step or 1) > 0 else part
            for part, size in zip(key, self.shape, strict=True)
        )
        with hdf5.reading(self.path) as file:
            return np.asarray(hdf5.dataset(file, self.name)[bounded])


def open_group(path: Path, name: str, rows: int | None) -> xr.Dataset:
    """The datasets of a group as a Dataset; `rows` is the number of complete entries along `time`."""
    with hdf5.reading(path) as file:
        group = hdf5.group(file, name)
        items = {key: item for key, item in group.items() if isinstance(item, h5py.Dataset)}
        variables = {key: _variable(path, item, rows) for key, item in items.items()}
        return xr.Dataset(variables, attrs=hdf5.attributes(group))


def _variable(path: Path, data: h5py.Dataset, rows: int | None) -> xr.Variable:
    dims, attrs = hdf5.dimensions(data), hdf5.attributes(data)
    if h5py.check_string_dtype(data.dtype) is not None:
        return xr.Variable(dims, data.asstr()[()], attrs)
    shape = tuple(rows if d == "time" and rows is not None else n for d, n in zip(dims, data.shape, strict=True))
    stored = StoredArray(path, str(data.name), shape, data.dtype)
    return xr.Variable(dims, indexing.LazilyIndexedArray(stored), attrs)
