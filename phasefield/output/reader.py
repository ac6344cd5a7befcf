"""A finished or running simulation as seen from its folder: fields, histories, verdicts, provenance."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import yaml

from phasefield.errors import InputError, unknown
from phasefield.output import hdf5
from phasefield.output.fields import FORMAT

if TYPE_CHECKING:
    import xarray

FILE_NAME = "fields.vtkhdf"


class Run:
    """Read access to a run folder or to a fields file; holds no file open and never disturbs a running
    writer.

    Datasets show the frames that are complete at the moment they are asked for, so `run.fields` again later
    shows more. Raises `InputError` when `path` is neither a run folder nor a fields file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = Path(path)
        if not path.exists():
            raise InputError(f"'{path}' does not exist")
        self.folder, self.file = (path, path / FILE_NAME) if path.is_dir() else (path.parent, path)
        if not self.file.is_file():
            raise InputError(f"'{path}' is not a run folder: it has no {FILE_NAME}")
        with self._open() as file:
            if "phasefield_format" not in file.attrs:
                raise InputError(f"'{self.file}' is an HDF5 file, but not one of phasefield")
            if hdf5.integer(file, "phasefield_format") > FORMAT:
                raise InputError(f"'{self.file}' was written by a newer phasefield; this one is too old to read it")

    # ------------------------------------------------------------ fields

    @property
    def names(self) -> list[str]:
        """Names of the fields."""
        with self._open() as file:
            return hdf5.members(hdf5.group(file, "VTKHDF/CellData"))

    @property
    def times(self) -> np.ndarray:
        """Times of the complete frames, shape (frames,)."""
        with self._open() as file:
            return hdf5.dataset(file, "time")[: _frames(file)]

    def frame(self, name: str, index: int = -1) -> np.ndarray:
        """One frame of a field in grid shape, e.g. (ny, nx), or (component, ny, nx); the last one by
        default.
        """
        with self._open() as file:
            fields, frames = hdf5.group(file, "VTKHDF/CellData"), _frames(file)
            if name not in fields:
                raise unknown("field", name, fields)
            if not -frames <= index < frames:
                raise InputError(f"there is no frame {index} of '{name}': '{self.file}' has {frames} frames")
            data = hdf5.dataset(file, name)
            values, shape = data[index % frames], _box(file)
            if data.ndim == 4:
                return values.reshape(shape)
            components = hdf5.integer(data, "components")
            last_first = np.moveaxis(values[..., :components], -1, 0)
            return np.ascontiguousarray(last_first).reshape(components, *shape)

    @property
    def fields(self) -> xarray.Dataset:
        """Fields over (time, z, y, x[, component]), read when used."""
        with self._open() as file:
            frames = _frames(file)
        return self._dataset("/", frames)

    # ------------------------------------------------- histories, verdicts

    @property
    def history(self) -> xarray.Dataset:
        """Scalar histories over their own time, read when used."""
        with self._open() as file:
            history = hdf5.group(file, "history")
            # The length of `time` counts the complete rows.
            rows = len(hdf5.dataset(history, "time")) if "time" in history else None
        return self._dataset("history", rows)

    @property
    def spectrum(self) -> xarray.Dataset | None:
        """Shell-averaged spectra; None when there are none."""
        return self._dataset_if_any("spectrum")

    @property
    def growth(self) -> xarray.Dataset | None:
        """Samples of the linear regime, from which `verify` measures growth rates; None when it was not followed.

        Without samples its attribute `reason` says why there are none.
        """
        with self._open() as file:
            if "growth" not in file:
                return None
        return self._dataset("growth", None)

    @property
    def verification(self) -> xarray.Dataset | None:
        """Verdicts; None when the run has not been verified."""
        return self._dataset_if_any("verification")

    # ------------------------------------------------------------- origin

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """The resolved scenario."""
        try:
            return yaml.safe_load(self._text("scenario_yaml") or "{}")
        except yaml.YAMLError as error:
            raise InputError(f"'{self.file}' is damaged: its scenario is not valid YAML") from error

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Versions, machine, command line, seed: see `provenance.collect`."""
        return json.loads(self._text("environment_json") or "{}")

    @property
    def status(self) -> dict[str, Any]:
        """`run.json` of the folder; empty when there is none."""
        try:
            return json.loads((self.folder / "run.json").read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise InputError(f"'{self.folder / 'run.json'}' is not JSON: {error}") from error

    def __repr__(self) -> str:
        with self._open() as file:
            frames, title = _frames(file), str(file.attrs["title"])
            times = hdf5.dataset(file, "time")[:frames]
            cells = " × ".join(str(n) for n in reversed(_box(file)))
        model = self.scenario.get("model")
        lines = [f"Run('{self.file}')"]
        if title:
            lines.append(f"  title   {title}")
        if isinstance(model, dict) and "name" in model:
            lines.append(f"  model   {model['name']}")
        lines += [f"  grid    {cells} cells", f"  fields  {', '.join(self.names)}"]
        span = f", t = {times[0]:g} … {times[-1]:g}" if frames else ""
        lines.append(f"  frames  {frames}{span}")
        if "status" in (status := self.status):
            lines.append(f"  status  {status['status']}")
        return "\n".join(lines)

    # ----------------------------------------------------------- internals

    @contextmanager
    def _open(self) -> Iterator[h5py.File]:
        try:
            with hdf5.reading(self.file) as file:
                yield file
        except (OSError, KeyError) as error:
            raise InputError(f"cannot read '{self.file}': {hdf5.reason(error)}") from error

    def _dataset(self, group: str, rows: int | None) -> xarray.Dataset:
        # Imported here: it takes half a second.
        from phasefield.output.lazy import open_group

        return open_group(self.file, group, rows)

    def _dataset_if_any(self, name: str) -> xarray.Dataset | None:
        with self._open() as file:
            if name not in file or not hdf5.members(hdf5.group(file, name)):
                return None
        return self._dataset(name, None)

    def _text(self, name: str) -> str | None:
        with self._open() as file:
            item = file.get(f"provenance/{name}")
            return str(item.asstr()[()]) if isinstance(item, h5py.Dataset) else None


def _frames(file: h5py.File) -> int:
    """Number of complete frames; datasets may be longer after a kill."""
    return hdf5.integer(hdf5.group(file, "VTKHDF/Steps"), "NSteps")


def _box(file: h5py.File) -> tuple[int, ...]:
    """Cells in grid order (…, y, x), real axes only."""
    cells = [len(hdf5.dataset(file, axis)) for axis in "zyx"]
    return tuple(cells[3 - hdf5.integer(file, "dimensions") :])
