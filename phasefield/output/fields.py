"""`fields.vtkhdf`: one HDF5 file that is VTKHDF (ParaView, PyVista) and netCDF-4 (xarray) at once.

    /<field>              (time, z, y, x) or (time, z, y, x, component), with dimension scales
    /time /step /z /y /x  clock and cell centres
    /VTKHDF               ImageData; CellData/<field> are hard links to the fields
    /history /spectrum /verification /provenance

Fields are cell data on a box that is always three-dimensional, one cell thick where an axis is missing: the
only layout that every VTK since 9.3 reads alike. `VTKHDF/Steps` attribute `NSteps` counts the frames that
are complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, prod
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np

from phasefield.errors import InputError
from phasefield.output import hdf5
from phasefield.spectral.grid import Grid

FORMAT = 1
CHUNK_BYTES = 8 * 2**20
DTYPES = {"single": "f4", "double": "f8"}
RESERVED = frozenset({"time", "step", "x", "y", "z", "VTKHDF", "history", "spectrum", "verification", "provenance"})


@dataclass(frozen=True)
class FieldSpec:
    """What a field is called in words, its units, and its components (1: scalar)."""

    long_name: str
    units: str = "1"
    components: int = 1

    @property
    def stored_components(self) -> int:
        """ParaView takes three components for a vector, so two are padded with a zero third."""
        return 3 if self.components == 2 else self.components

    @property
    def component_dimension(self) -> str:
        return "component" if self.stored_components == 3 else f"component_{self.stored_components}"


def chunk_shape(frame: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Chunk of one frame (z, y, x[, component]): all of it up to 8 MiB, else split along z, then y, then
    x.
    """
    chunk = list(frame)
    for axis in range(3):
        pieces = ceil(prod(chunk) * itemsize / CHUNK_BYTES)
        chunk[axis] = ceil(chunk[axis] / min(pieces, chunk[axis]))
    return tuple(chunk)


class FieldsFile:
    """Writer of one fields file; holds no handle between calls.

    Methods that write raise `PhasefieldError` when the disk is full or the file cannot be opened, and
    ValueError or KeyError when called with names or shapes the file does not have.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        grid: Grid,
        fields: Mapping[str, FieldSpec],
        precision: Literal["single", "double"] = "single",
        title: str = "",
        source: str = "phasefield",
        history_names: Iterable[str] | None = None,
        *,
        length_units: str = "1",
        time_units: str = "1",
    ) -> FieldsFile:
        """A file without frames, replacing an earlier one. `InputError` when it cannot be written there.

        It is made aside and renamed, so that a file under this name is always whole.
        """
        for name in fields:
            if name in RESERVED or name.startswith("component") or not name or {"/", "."} & set(name):
                raise ValueError(f"'{name}' cannot name a field in a file")
        result = cls(path)
        aside = result.path.with_name(result.path.name + ".tmp")
        try:
            # The default (oldest) file format: newer ones cannot be opened after a kill.
            with h5py.File(aside, "w", locking=False) as file:
                stamp = datetime.now(UTC).isoformat(timespec="seconds")
                hdf5.set_attributes(
                    file,
                    {
                        "Conventions": "CF-1.11",
                        "title": title,
                        "source": source,
                        "history": f"{stamp} created by {source}",
                        "phasefield_format": FORMAT,
                        "dimensions": grid.dimensions,
                    },
                )
                _make_scales(file, grid, length_units, time_units)
                cells = _make_vtkhdf(file, grid)
                for name, spec in fields.items():
                    cells[name] = _make_field(file, name, spec, grid.shape3, DTYPES[precision])
                # Made now, filled later: the list of groups then never changes while there are frames to
                # lose.
                for name in ("history", "spectrum", "verification", "provenance"):
                    file.create_group(name)
                if history_names is not None:
                    _make_history(hdf5.group(file, "history"), history_names)
            os.replace(aside, result.path)
        except OSError as error:
            aside.unlink(missing_ok=True)
            raise InputError(f"cannot create '{result.path}': {hdf5.reason(error)}") from error
        return result

    # ------------------------------------------------------------------ frames

    def append(self, time: float, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Add one frame: every field of the file, as (…) or, with components, (component, …) in grid
        shape.
        """
        with hdf5.changing(self.path) as file:
            steps = hdf5.group(file, "VTKHDF/Steps")
            fields = hdf5.group(file, "VTKHDF/CellData")
            if set(fields) != set(arrays):
                raise ValueError(f"the file holds the fields {sorted(fields)}, got {sorted(arrays)}")
            blocks = {name: _grid_block(file, name, array) for name, array in arrays.items()}
            frame = hdf5.integer(steps, "NSteps")
            for name, block in blocks.items():
                _write_frame(hdf5.dataset(file, name), frame, block)
            hdf5.extend(hdf5.dataset(file, "step"), frame, [step])
            hdf5.extend(hdf5.dataset(steps, "Values"), frame, [time])
            hdf5.extend(hdf5.dataset(file, "time"), frame, [time])
            # Nothing orders what HDF5 keeps in its cache, so the frame goes out before it is counted.
            file.flush()
            steps.attrs.modify("NSteps", np.int64(frame + 1))

    def frames(self) -> int:
        """Number of complete frames, an append that a kill interrupted at the very end finished first."""
        with hdf5.changing(self.path) as file:
            return hdf5.integer(hdf5.group(file, "VTKHDF/Steps"), "NSteps")

    def truncate(
        self, *, time: float | None = None, frames: int | None = None, history_time: float | None = None
    ) -> None:
        """Drop what is later than a checkpoint, and whatever an interrupted append left behind.

        `time` keeps frames and history rows up to and including that time; `frames` keeps that many frames at
        most; `history_time` is the last time kept in the history alone.
        """
        with hdf5.changing(self.path) as file:
            steps = hdf5.group(file, "VTKHDF/Steps")
            clock = hdf5.dataset(file, "time")
            keep = hdf5.integer(steps, "NSteps")
            if time is not None:
                keep = min(keep, int(np.count_nonzero(clock[:keep] <= time)))
            if frames is not None:
                keep = min(keep, frames)
            steps.attrs.modify("NSteps", np.int64(keep))
            file.flush()
            for data in (hdf5.dataset(steps, "Values"), hdf5.dataset(file, "step"), clock):
                data.resize(keep, axis=0)
            for name in hdf5.members(hdf5.group(file, "VTKHDF/CellData")):
                hdf5.dataset(file, name).resize(keep, axis=0)
            limits = [t for t in (time, history_time) if t is not None]
            history = hdf5.group(file, "history")
            if "time" in history:
                _truncate_history(history, min(limits, default=None))

    # ----------------------------------------------------------------- history

    def append_history(self, columns: Mapping[str, np.ndarray]) -> None:
        """Add rows to `/history`: 1-D columns of one length, `time` among them, the same names at each
        call.
        """
        rows = {name: np.asarray(values, dtype="f8") for name, values in columns.items()}
        if "time" not in rows or len({column.shape for column in rows.values()}) != 1 or rows["time"].ndim != 1:
            raise ValueError("history needs 1-D columns of one length, 'time' among them")
        with hdf5.changing(self.path) as file:
            history = hdf5.group(file, "history")
            if "time" not in history:
                _make_history(history, rows)
            if set(history) != set(rows):
                raise ValueError(f"the history has the columns {sorted(history)}, got {sorted(rows)}")
            clock = hdf5.dataset(history, "time")
            start = len(clock)
            for name in rows.keys() - {"time"}:
                hdf5.extend(hdf5.dataset(history, name), start, rows[name])
            # The length of `time` counts the rows, so it comes last.
            file.flush()
            hdf5.extend(clock, start, rows["time"])

    # ------------------------------------------------------------ other groups

    def write_group(
        self,
        group_path: str,
        variables: Mapping[str, tuple[Iterable[str], Any, Mapping[str, Any]]],
        attrs: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a group such as `/spectrum`, replacing an earlier one; `variables`: name → (dims, values,
        attrs).

        Numbers, truth values (stored as 0 and 1) or text; a variable named as its only dimension is the
        scale of that dimension, other dimensions get the scale 0, 1, 2, ….
        """
        name = group_path.strip("/")
        with hdf5.changing(self.path) as file:
            if not name or name.split("/")[0] in {"VTKHDF", "history", *hdf5.group(file, "VTKHDF/CellData")}:
                raise ValueError(f"'{group_path}' is not a group to be replaced")
            target = file.require_group(name)
            for old in list(target):
                del target[old]
            for old in list(target.attrs):
                del target.attrs[old]
            hdf5.write_variables(target, variables)
            hdf5.set_attributes(target, attrs or {})

    def set_attrs(self, group_path: str, attrs: Mapping[str, Any]) -> None:
        """Set attributes of a group (`/` is the file itself); the group is made if there is none."""
        with hdf5.changing(self.path) as file:
            hdf5.set_attributes(file.require_group(group_path), attrs)

    def write_provenance(self, scenario_yaml: str, environment_json: str) -> None:
        """What is needed to repeat the run: the resolved scenario and the record of `provenance.collect`."""
        texts = {"scenario_yaml": scenario_yaml, "environment_json": environment_json}
        self.write_group("provenance", {name: ((), text, {}) for name, text in texts.items()})


def _make_scales(file: h5py.File, grid: Grid, length_units: str, time_units: str) -> None:
    time = hdf5.make_column(file, "time", "f8", None)
    hdf5.set_attributes(time, {"long_name": "time", "units": time_units, "axis": "T"})
    hdf5.set_attributes(hdf5.make_column(file, "step", "i8", "time"), {"long_name": "step number", "units": "1"})
    for name, cells, spacing in zip("zyx", grid.shape3, grid.spacing3, strict=True):
        centres = (np.arange(cells) + 0.5) * spacing
        hdf5.make_scale(file, name, centres, long_name=f"cell centres along {name}", units=length_units)


def _make_vtkhdf(file: h5py.File, grid: Grid) -> h5py.Group:
    """The `/VTKHDF` group of an ImageData that changes in time; returns its CellData group."""
    nz, ny, nx = grid.shape3
    vtk = file.create_group("VTKHDF")
    vtk.attrs["Version"] = np.array([2, 0], "i8")
    # VTK refuses the variable-length text that h5py would write for a str.
    vtk.attrs.create("Type", np.bytes_("ImageData"), dtype=h5py.string_dtype("ascii", 9))
    vtk.attrs["WholeExtent"] = np.array([0, nx, 0, ny, 0, nz], "i8")
    vtk.attrs["Origin"] = np.zeros(3)
    vtk.attrs["Spacing"] = np.array(grid.spacing3[::-1], "f8")
    vtk.attrs["Direction"] = np.eye(3).ravel()
    steps = vtk.create_group("Steps")
    steps.attrs["NSteps"] = np.int64(0)
    # A second copy of the times: were it a link to /time, h5netcdf would look for the dimension in here.
    steps.create_dataset("Values", (0,), "f8", maxshape=(None,), chunks=(hdf5.ROWS_PER_CHUNK,))
    return vtk.create_group("CellData")


def _make_field(file: h5py.File, name: str, spec: FieldSpec, shape3: tuple[int, int, int], dtype: str) -> h5py.Dataset:
    dims, frame = ("time", "z", "y", "x"), tuple(shape3)
    if spec.components > 1:
        if spec.component_dimension not in file:
            hdf5.make_scale(file, spec.component_dimension, np.arange(spec.stored_components))
        dims, frame = (*dims, spec.component_dimension), (*frame, spec.stored_components)
    data = file.create_dataset(
        name,
        (0, *frame),
        dtype,
        maxshape=(None, *frame),
        chunks=(1, *chunk_shape(frame, np.dtype(dtype).itemsize)),
        compression="gzip",
        compression_opts=1,
        shuffle=True,
    )
    described = {"long_name": spec.long_name, "units": spec.units, "components": spec.components}
    hdf5.set_attributes(data, described)
    hdf5.attach(data, file, dims)
    return data


def _grid_block(file: h5py.File, name: str, array: np.ndarray) -> np.ndarray:
    """The array as (component, z, y, x), a view; ValueError when its shape is not that of the field."""
    data = hdf5.dataset(file, name)
    frame, components = data.shape[1:4], hdf5.integer(data, "components")
    expected = frame[3 - hdf5.integer(file, "dimensions") :]
    if components > 1:
        expected = (components, *expected)
    if np.shape(array) != expected:
        raise ValueError(f"field '{name}' has the shape {expected}, got {np.shape(array)}")
    return np.asarray(array).reshape(components, *frame)


def _write_frame(data: h5py.Dataset, frame: int, block: np.ndarray) -> None:
    """Write a (component, z, y, x) block as frame number `frame`, whole chunks at a time."""
    data.resize(frame + 1, axis=0)
    planes = data.chunks[1] if data.chunks else data.shape[1]
    for z in range(0, data.shape[1], planes):
        part = block[:, z : z + planes]
        # Converted here: HDF5 would convert piece by piece and compress each chunk several times over.
        # What is too large for single precision becomes infinite: a run that blows up shall end with its own message.
        with np.errstate(over="ignore"):
            if data.ndim == 4:
                slab = np.ascontiguousarray(part[0], dtype=data.dtype)
            else:
                slab = np.zeros((*part.shape[1:], data.shape[4]), dtype=data.dtype)
                slab[..., : len(part)] = np.moveaxis(part, 0, -1)
        data[frame, z : z + planes] = slab


def _make_history(history: h5py.Group, names: Iterable[str]) -> None:
    hdf5.make_column(history, "time", "f8", None)
    for name in names:
        if name != "time":
            hdf5.make_column(history, name, "f8", "time")


def _truncate_history(history: h5py.Group, time: float | None) -> None:
    clock = hdf5.dataset(history, "time")
    keep = len(clock) if time is None else int(np.count_nonzero(clock[:] <= time))
    clock.resize(keep, axis=0)
    history.file.flush()
    for name in hdf5.members(history):
        hdf5.dataset(history, name).resize(keep, axis=0)
