import numpy as np
import pytest
import xarray as xr

from phasefield.output.fields import FieldsFile, FieldSpec
from phasefield.output.history import ROWS_PER_FLUSH, HistoryWriter
from phasefield.spectral.grid import Axis, Grid

NAMES = ("time", "step_size", "energy")


@pytest.fixture
def file(tmp_path):
    grid = Grid((Axis("x", 4, 1.0),))
    return FieldsFile.create(tmp_path / "fields.vtkhdf", grid, {"c": FieldSpec("c")}, history_names=NAMES)


def stored(file):
    with xr.open_dataset(file.path, group="history") as data:
        return data.load()


def test_rows_are_written_on_request_and_exactly(file):
    writer = HistoryWriter(file, NAMES)
    writer.add({"energy": 1 / 3, "time": 0.1, "step_size": 1e-300})
    assert stored(file).time.size == 0
    writer.flush()
    writer.flush()
    history = stored(file)
    assert (history.time.item(), history.step_size.item(), history.energy.item()) == (0.1, 1e-300, 1 / 3)


def test_rows_are_written_when_many_have_gathered(file):
    writer = HistoryWriter(file, NAMES)
    for k in range(ROWS_PER_FLUSH + 1):
        writer.add({"time": k, "step_size": np.float64(0.5), "energy": -k})
    assert stored(file).time.size == ROWS_PER_FLUSH
    writer.flush()
    np.testing.assert_array_equal(stored(file).energy, -np.arange(ROWS_PER_FLUSH + 1))


def test_rows_survive_a_failed_write(file):
    writer = HistoryWriter(file, NAMES)
    writer.add({"time": 0.0, "step_size": 1.0, "energy": 2.0})
    hidden = file.path.rename(file.path.with_suffix(".away"))
    with pytest.raises(Exception, match="No such file"):
        writer.flush()
    hidden.rename(file.path)
    writer.flush()
    assert stored(file).energy.values.tolist() == [2.0]


def test_a_row_must_have_all_columns(file):
    writer = HistoryWriter(file, NAMES)
    with pytest.raises(ValueError, match="columns"):
        writer.add({"time": 0.0, "energy": 1.0})
    with pytest.raises(ValueError, match="'time'"):
        HistoryWriter(file, ("energy",))
