"""Histories and spectra as CSV, for spreadsheets and for programs that read nothing else."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from phasefield.errors import InputError
from phasefield.output.reader import Run


def export_csv(run: Run, folder: Path) -> list[Path]:
    """Write `history.csv` and, where the run has spectra, `spectrum.csv`; returns the paths.

    `history.csv` has a row for every row of `/history`, time 0 included. `spectrum.csv` is long: one row per time, field and
    wavenumber, with the number of modes in the shell and the mean of |û_k|² over them.

    Raises:
        InputError: the folder cannot be written.
    """
    history = run.history.load()
    columns = {
        "time": history["time"].values,
        **{name: history[name].values for name in sorted(map(str, history.data_vars))},
    }
    written = [write_table(folder / "history.csv", columns)]
    spectrum = run.spectrum
    if spectrum is None:
        return written
    spectrum = spectrum.load()
    fields = sorted(str(n).removeprefix("power_") for n in spectrum.data_vars if str(n).startswith("power_"))
    times, wavenumbers = spectrum["time"].values, spectrum["wavenumber"].values
    shape = (len(fields), times.size, wavenumbers.size)
    power = np.array([spectrum[f"power_{f}"].values for f in fields])
    long = {
        "time": np.broadcast_to(times[None, :, None], shape),
        "field": np.broadcast_to(np.array(fields)[:, None, None], shape),
        "wavenumber": np.broadcast_to(wavenumbers, shape),
        "modes": np.broadcast_to(spectrum["modes"].values, shape),
        "power": power,
    }
    return [*written, write_table(folder / "spectrum.csv", {name: values.ravel() for name, values in long.items()})]


def write_table(path: Path, columns: Mapping[str, np.ndarray]) -> Path:
    """Write columns of equal length under their names. Numbers have the fewest digits that give back the same number.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(zip(*(np.asarray(values).tolist() for values in columns.values()), strict=True))
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror}") from None
    return path
