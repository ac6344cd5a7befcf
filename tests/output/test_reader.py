import json
import os
import pickle
import subprocess
import sys

import h5py
import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.output.fields import FieldsFile, FieldSpec
from phasefield.output.reader import Run
from phasefield.spectral.grid import Axis, Grid

GRIDS = {
    1: Grid((Axis("x", 6, 3.0),)),
    2: Grid((Axis("x", 6, 3.0), Axis("y", 4, 1.0))),
    3: Grid((Axis("x", 6, 3.0), Axis("y", 4, 1.0), Axis("z", 5, 2.0))),
}


def arrays(grid, k):
    rng = np.random.default_rng(k)
    return {"c": rng.random(grid.shape), "u": rng.random((2, *grid.shape))}


@pytest.fixture
def folder(tmp_path):
    return make(tmp_path / "spinodal", 2)


def make(folder, dimensions, frames=3):
    folder.mkdir()
    grid = GRIDS[dimensions]
    specs = {"c": FieldSpec("concentration"), "u": FieldSpec("displacement", components=2)}
    file = FieldsFile.create(folder / "fields.vtkhdf", grid, specs, "double", title="A title")
    file.write_provenance("model: {name: cahn_hilliard}\nseed: 1\n", json.dumps({"seed": 1, "started": "now"}))
    for k in range(frames):
        file.append(k / 10, k, arrays(grid, k))
    return folder


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_frames_come_back_in_grid_shape(tmp_path, dimensions):
    run = Run(make(tmp_path / "run", dimensions))
    for k in range(3):
        expected = arrays(GRIDS[dimensions], k)
        for name in ("c", "u"):
            frame = run.frame(name, k)
            assert frame.flags.c_contiguous
            np.testing.assert_array_equal(frame, expected[name])
            np.testing.assert_array_equal(run.frame(name, k - 3), expected[name])
    np.testing.assert_array_equal(run.frame("c"), arrays(GRIDS[dimensions], 2)["c"])
    np.testing.assert_array_equal(run.times, [0.0, 0.1, 0.2])
    assert run.names == ["c", "u"]


def test_fields_are_a_lazy_dataset(folder):
    run = Run(folder)
    fields = run.fields
    assert not fields.c.variable._in_memory
    assert fields.c.dims == ("time", "z", "y", "x")
    assert fields.u.dims == ("time", "z", "y", "x", "component")
    assert fields.c.attrs["long_name"] == "concentration"
    np.testing.assert_array_equal(fields.time, [0.0, 0.1, 0.2])
    whole = np.stack([arrays(GRIDS[2], k)["c"] for k in range(3)])[:, None]
    np.testing.assert_array_equal(fields.c, whole)
    lazy = run.fields.c
    np.testing.assert_array_equal(lazy[-1, :, 1:3, ::-1], whole[-1, :, 1:3, ::-1])
    np.testing.assert_array_equal(run.fields.c.isel(x=[4, 0], time=[2, 0]), whole[[2, 0]][..., [4, 0]])
    np.testing.assert_array_equal(run.fields.c.sel(time=0.1, x=0.3, method="nearest"), whole[1, ..., 0])
    np.testing.assert_array_equal(run.fields.c.mean(("z", "y", "x")), whole.mean((1, 2, 3)))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(run.fields)).c, whole)
    fields.close()


def test_a_reader_never_stops_the_writer(folder):
    run = Run(folder)
    before = os.listdir("/proc/self/fd")
    fields = run.fields
    assert float(fields.c[0, 0, 0, 0]) == arrays(GRIDS[2], 0)["c"][0, 0]
    assert os.listdir("/proc/self/fd") == before
    with h5py.File(run.file, "r+"):  # locks the file: nobody may hold it
        pass
    FieldsFile(run.file).append(0.3, 3, arrays(GRIDS[2], 3))
    assert fields.c.shape[0] == 3
    np.testing.assert_array_equal(fields.c[2, 0], arrays(GRIDS[2], 2)["c"])
    assert run.fields.c.shape[0] == 4


def test_incomplete_frames_are_not_shown(folder):
    run = Run(folder)
    with h5py.File(run.file, "r+") as file:
        for name in ("c", "time", "step"):
            file[name].resize(5, axis=0)
    assert run.fields.sizes["time"] == 3
    assert run.fields.c[::2].values.shape[0] == 2
    assert run.fields.c.values.shape == (3, 1, 4, 6)
    np.testing.assert_array_equal(run.frame("c"), arrays(GRIDS[2], 2)["c"])
    assert run.times.size == 3


def test_history_spectrum_and_verdicts(folder):
    run = Run(folder)
    assert len(run.history) == 0
    assert run.spectrum is None
    assert run.verification is None
    file = FieldsFile(run.file)
    file.append_history({"time": np.arange(3.0), "energy": np.array([3.0, 2.0, 1.0])})
    with h5py.File(run.file, "r+") as opened:  # an append that was killed before its times were written
        opened["history/energy"].resize(5, axis=0)
    file.write_group("spectrum", {"power": (("k",), np.arange(4.0), {})})
    file.write_group("verification", {"name": (("check",), ["mass", "énergie"], {})}, {"passed": True})
    np.testing.assert_array_equal(run.history.energy, [3.0, 2.0, 1.0])
    np.testing.assert_array_equal(run.history.energy.sel(time=1.0), 2.0)
    spectrum, verification = run.spectrum, run.verification
    assert spectrum is not None
    assert verification is not None
    np.testing.assert_array_equal(spectrum.power, np.arange(4.0))
    assert verification.name.values.tolist() == ["mass", "énergie"]
    assert verification.attrs["passed"] == 1


def test_where_it_comes_from(folder):
    run = Run(folder / "fields.vtkhdf")
    assert run.folder == folder
    assert run.scenario == {"model": {"name": "cahn_hilliard"}, "seed": 1}
    assert run.provenance["seed"] == 1
    assert run.status == {}
    (folder / "run.json").write_text('{"status": "done"}')
    assert run.status == {"status": "done"}
    (folder / "run.json").write_text("{")
    with pytest.raises(InputError, match=r"run\.json"):
        _ = run.status


def test_summary(tmp_path):
    run = Run(make(tmp_path / "run", 3))
    text = repr(run)
    for part in ("A title", "cahn_hilliard", "6 × 4 × 5 cells", "c, u", "3, t = 0 … 0.2"):
        assert part in text
    assert "frames  0" in repr(Run(make(tmp_path / "empty", 1, frames=0)))


def test_what_is_not_there(folder):
    run = Run(folder)
    with pytest.raises(InputError, match=r"unknown field 'cc'; did you mean 'c'\?"):
        run.frame("cc")
    for index in (3, -4):
        with pytest.raises(InputError, match=f"no frame {index}.*3 frames"):
            run.frame("c", index)


def test_what_is_not_a_run(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        Run(tmp_path / "none")
    with pytest.raises(InputError, match=r"has no fields\.vtkhdf"):
        Run(tmp_path)
    text = tmp_path / "text.vtkhdf"
    text.write_text("no HDF5")
    with pytest.raises(InputError, match=r"cannot read .*text\.vtkhdf"):
        Run(text)
    other = tmp_path / "other.vtkhdf"
    with h5py.File(other, "w") as file:
        file["a"] = 1
    with pytest.raises(InputError, match="not one of phasefield"):
        Run(other)
    with h5py.File(other, "w") as file:
        file.attrs["phasefield_format"] = 99
    with pytest.raises(InputError, match="newer phasefield"):
        Run(other)


def test_xarray_is_imported_only_when_needed(folder):
    code = (
        "import sys; from phasefield.output.reader import Run;"
        f"repr(Run({str(folder)!r})); print('xarray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
