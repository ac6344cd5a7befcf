"""CSV files hold every number of the run file, digit for digit."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from command_line import GOOD, call

import phasefield as pf
from phasefield.output.csv_export import write_table


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    (folder / "a.yaml").write_text(GOOD)
    return pf.run(folder / "a.yaml", output=folder / "run", device="cpu", threads=1)


def read(path):
    with path.open(newline="") as file:
        rows = list(csv.reader(file))
    return rows[0], list(zip(*rows[1:], strict=True))


def test_history_holds_every_row_and_column(run):
    code, out, err = call("export", str(run.folder), "--csv")
    assert code == 0, err
    folder = run.folder / "csv"
    assert out.split() == [str(folder / "history.csv"), str(folder / "spectrum.csv")]
    names, columns = read(folder / "history.csv")
    assert names[0] == "time"
    assert set(names) == {"time", *map(str, run.history.data_vars)}
    for name, column in zip(names, columns, strict=True):
        np.testing.assert_array_equal(np.array(column, float), run.history[name].values)
    assert float(columns[0][0]) == 0.0
    assert float(columns[0][-1]) == 1.0


def test_spectrum_is_long(run, tmp_path):
    code, _, err = call("export", str(run.folder), "--csv", "-o", str(tmp_path / "out"))
    assert code == 0, err
    names, columns = read(tmp_path / "out" / "spectrum.csv")
    assert names == ["time", "field", "wavenumber", "modes", "power"]
    spectrum = run.spectrum.load()
    assert len(columns[0]) == spectrum["power_c"].size
    assert set(columns[1]) == {"c"}
    time, k = float(spectrum["time"][1]), float(spectrum["wavenumber"][3])
    (row,) = [
        i for i, (t, q) in enumerate(zip(columns[0], columns[2], strict=True)) if (float(t), float(q)) == (time, k)
    ]
    assert float(columns[4][row]) == float(spectrum["power_c"][1, 3])
    assert float(columns[3][row]) == float(spectrum["modes"][3])


def test_mistakes(run, tmp_path):
    folder = str(run.folder)
    assert call("export", folder)[::2] == (2, "phasefield: error: choose what to write: --csv or --pfhub\n")
    assert call("export", folder, "--csv", "--pfhub")[0] == 2
    code, _, err = call("export", folder, folder, "--csv", "-o", str(tmp_path))
    assert (code, "takes one run" in err) == (2, True)
    (tmp_path / "file").write_text("")
    code, _, err = call("export", folder, "--csv", "-o", str(tmp_path / "file"))
    assert (code, "cannot write" in err, "Traceback" in err) == (2, True, False)
    assert call("export", str(tmp_path / "nothing"), "--csv")[0] == 2


def test_columns_of_unequal_length_are_refused(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        write_table(tmp_path / "a.csv", {"a": np.arange(3.0), "b": np.arange(2.0)})
