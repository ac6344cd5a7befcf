"""Values from a file: NumPy's .npy, a dataset of an HDF5 file (our fields.vtkhdf among them), or a picture (`pictures`).

A file from elsewhere is not trusted. The declared shape and type are checked before any data are read,
nothing is unpickled, and an HDF5 file may refer to other files (external links, virtual sources) only within
its own folder; raw data kept outside the HDF5 file are refused.
"""

from __future__ import annotations

import math
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from phasefield.errors import InputError, did_you_mean
from phasefield.initial.base import Number, Source, Spec
from phasefield.initial.pictures import PICTURES, read_picture
from phasefield.spectral.grid import Grid

# bounds what `resample` reads and what a compressed chunk may unpack to: 8 times finer along each of 3 axes
_MOST_CELLS_RATIO = 512
_MOST_LINKS = 16
# what NumPy's header parser and mmap raise on a damaged or forged file
_NPY_ERRORS = (ValueError, TypeError, OverflowError, EOFError, OSError, SyntaxError, tokenize.TokenError)


class Levels(Spec):
    """What black and white of a picture stand for; grey lies between them."""

    black: Number = Field(0.0, description="value of black")
    white: Number = Field(1.0, description="value of white")


def _resampling(value: Any) -> Any:
    """`true` is the older word for `average`."""
    return {True: "average", False: None}[value] if isinstance(value, bool) else value


class FileData(Spec):
    """Numbers from a file, on the grid's cells."""

    file: Annotated[str, Field(min_length=1, description="path; a relative one starts at the scenario's folder")]
    dataset: str | None = Field(None, description="name in an HDF5 file; default: the field's name")
    frame: Annotated[int, Field(strict=True)] = Field(
        -1, description="which time of (time, z, y, x) data; negative ones count from the end"
    )
    resample: Annotated[
        Literal["average", "nearest"] | None,
        BeforeValidator(_resampling, json_schema_input_type=bool | Literal["average", "nearest"]),
    ] = Field(
        None,
        description="data of another resolution: average (or true) over the grid's cells, which keeps the mean, or the value "
        "nearest to the centre of each",
    )
    levels: Levels | None = Field(None, description="values of black and white in a picture; default: 0 and 1")
    threshold: Annotated[float, Field(strict=True, ge=0, le=1)] | None = Field(
        None,
        description="share of white from which on a cell of a picture is white, all others black; after resampling",
    )
    stretch: Annotated[bool, Field(strict=True)] | None = Field(
        None, description="true: a picture may be stretched to a box of other proportions"
    )

    def read(self, name: str, grid: Grid, folder: Path, where: str) -> np.ndarray:
        """float64, shape `grid.shape`.

        Args:
            name: of the dataset, if `dataset` is not given.
            where: key path in messages.

        Raises:
            InputError: for everything that can be wrong with a file.
        """
        path = Path(folder) / self.file
        # before opening: a pipe or a device would block
        if not path.is_file():
            raise InputError(f"{where}: no such file: {path}")
        picture = path.suffix.lower() in PICTURES
        if not picture:
            for option in ("levels", "threshold", "stretch"):
                if getattr(self, option) is not None:
                    raise InputError(f"{where}: {option} is for pictures ({', '.join(PICTURES)}), not for {path.name}")
        try:
            if picture:
                grey = self._on_grid(read_picture(path, grid, _limit(grid), bool(self.stretch), where), grid, where)
                return self._levels(grey)
            if path.suffix == ".npy":
                with _npy(path, where) as data:
                    return self._on_grid(data, grid, where)
            with _hdf5(path, self.dataset or name, where) as data:
                return self._on_grid(data, grid, where)
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise InputError(f"{where}: {path} cannot be read: {error}") from error

    def _levels(self, grey: np.ndarray) -> np.ndarray:
        if self.threshold is not None:
            grey = (grey >= self.threshold).astype(float)
        levels = self.levels or Levels(black=0.0, white=1.0)
        # Exact for black and white.
        return levels.black * (1.0 - grey) + levels.white * grey

    def _on_grid(self, data: Any, grid: Grid, where: str) -> np.ndarray:
        if data.dtype.kind not in "fiub":
            raise InputError(f"{where}: the data are of type {data.dtype}, not real numbers")
        shape, selection = tuple(data.shape), ()
        if len(shape) == 4:
            frames, shape = shape[0], shape[1:]
            if not -frames <= self.frame < frames:
                raise InputError(f"{where}: no frame {self.frame}, the data have {frames}")
            selection = (self.frame % frames,)
        elif self.frame != -1:
            raise InputError(f"{where}: frame {self.frame} of data without a time axis (shape {shape})")
        full = (1,) * (3 - len(shape)) + shape
        if not 1 <= len(shape) <= 3 or 0 in shape or (full != grid.shape3 and not self.resample):
            hint = "" if not 1 <= len(shape) <= 3 or 0 in shape else "; resample: average or nearest would fit them"
            raise InputError(f"{where}: the data have the shape {shape}, the grid {grid.shape} (z, y, x){hint}")
        if any(have > 1 for have in full[: 3 - grid.dimensions]):
            raise InputError(f"{where}: data of shape {shape} have more dimensions than the grid")
        if max(math.prod(full), math.prod(getattr(data, "chunks", None) or (0,))) > _limit(grid):
            raise InputError(f"{where}: data of shape {shape} (or their chunks) are too large for this grid")
        values = np.asarray(data[selection + (slice(None),) * len(shape)], dtype=np.float64).reshape(full)
        for position, cells in enumerate(grid.shape3):
            if values.shape[position] != cells:
                values = (_average if self.resample == "average" else _nearest)(values, position, cells)
        return values.reshape(grid.shape)


class File(FileData, Source):
    """Values read from a file, as they are or resampled to the grid's cells."""

    def values(self, field: str, grid: Grid, folder: Path, place: str) -> np.ndarray:
        return self.read(field, grid, folder, f"{place}.file")


def _limit(grid: Grid) -> int:
    """How many numbers of a file are read at most."""
    return max(_MOST_CELLS_RATIO * grid.cells, 2**20)


def _nearest(values: np.ndarray, position: int, cells: int) -> np.ndarray:
    """Per cell the value of data that its centre lies in, on the face between two the later one."""
    have = values.shape[position]
    return np.take(values, (2 * np.arange(cells) + 1) * have // (2 * cells), axis=position)


def _average(values: np.ndarray, position: int, cells: int) -> np.ndarray:
    """Means over `cells` equal cells of data constant in each of theirs: keeps the integral, no overshoot."""
    values = np.moveaxis(values, position, -1)
    have = values.shape[-1]
    integral = np.zeros((*values.shape[:-1], have + 1))
    np.cumsum(values, axis=-1, out=integral[..., 1:])
    # i have/cells as whole part and remainder in integers: shared edges meet exactly
    whole, rest = np.divmod(np.arange(cells + 1) * have, cells)
    fraction = rest / cells
    last = np.minimum(whole, have - 1)
    edges = integral[..., whole] + fraction * values[..., last]
    return np.moveaxis(np.diff(edges, axis=-1) * (cells / have), -1, position)


@contextmanager
def _npy(path: Path, where: str) -> Iterator[np.ndarray]:
    # mapped: the header is read, its shape compared with the file's size, and no object is unpickled
    try:
        with np.errstate(over="ignore"):
            data = np.load(path, mmap_mode="r", allow_pickle=False)
    except _NPY_ERRORS as error:
        # NumPy takes what it does not know for pickled objects, and advises to load them.
        reason = "" if "pickle" in str(error) else f": {error}"
        raise InputError(f"{where}: {path} is not a .npy file of numbers{reason}") from error
    if not isinstance(data, np.ndarray):
        data.close()
        raise InputError(f"{where}: {path} is an archive, not a .npy file")
    yield data


@contextmanager
def _hdf5(path: Path, name: str, where: str) -> Iterator[Any]:
    import h5py

    if not h5py.is_hdf5(path):
        raise InputError(f"{where}: {path} is neither an HDF5 nor a .npy file")
    holder, dataset = _open(path, name, path.parent.resolve(), where, _MOST_LINKS)
    try:
        yield dataset
    finally:
        holder.close()


def _inside(target: str, folder: Path, where: str) -> Path:
    """Path of a file that another one refers to; it must lie in `folder`."""
    path = (folder / target).resolve()
    if not path.is_relative_to(folder) or not path.is_file():
        raise InputError(f"{where}: refers to '{target}', which is not a file in the folder {folder}")
    return path


def _open(path: Path, name: str, folder: Path, where: str, links: int) -> tuple[Any, Any]:
    """Open file and dataset, following links by hand so that each is seen before HDF5 opens its target."""
    import h5py

    if links <= 0:
        raise InputError(f"{where}: more than {_MOST_LINKS} links lead to '{name}'")
    file = h5py.File(path, "r")
    try:
        group: Any = file["/"]
        parts = [part for part in name.split("/") if part not in ("", ".")]
        while parts:
            part = parts.pop(0)
            keys = list(group) if isinstance(group, h5py.Group) else []
            if part not in keys:
                raise InputError(f"{where}: {path} has no dataset '{name}'; {did_you_mean(part, keys)}")
            link = group.get(part, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                target = _inside(link.filename, folder, where)
                file.close()
                return _open(target, "/".join([link.path, *parts]), folder, where, links - 1)
            if isinstance(link, h5py.SoftLink):
                links -= 1
                if links <= 0:
                    raise InputError(f"{where}: more than {_MOST_LINKS} links lead to '{name}'")
                group = file["/"] if link.path.startswith("/") else group
                parts = [p for p in link.path.split("/") if p not in ("", ".")] + parts
                continue
            group = group[part]
        if not isinstance(group, h5py.Dataset):
            keys = ", ".join(list(group)[:10]) if isinstance(group, h5py.Group) else "no data"
            raise InputError(f"{where}: '{name}' in {path} is not a dataset; it holds {keys}")
        _check_storage(group, folder, where, links)
    except BaseException:
        file.close()
        raise
    return file, group


def _check_storage(dataset: Any, folder: Path, where: str, links: int) -> None:
    """Refuse values that HDF5 would fetch from outside the folder."""
    if dataset.external:
        raise InputError(f"{where}: '{dataset.name}' keeps its data outside the HDF5 file")
    if dataset.is_virtual:
        for source in dataset.virtual_sources():
            if "%" in source.file_name:
                raise InputError(f"{where}: '{dataset.name}' has a pattern of files as its source")
            own = Path(dataset.file.filename)
            target = own if source.file_name == "." else _inside(source.file_name, folder, where)
            holder, _ = _open(target, source.dset_name, folder, where, links - 1)
            holder.close()
