"""The fields file as its readers see it: VTK, xarray with both engines, and after an interruption."""

import os
import random
import resource
import signal
import subprocess
import sys
import textwrap
from time import sleep

import h5py
import numpy as np
import pytest
import xarray as xr
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonExecutionModel import vtkStreamingDemandDrivenPipeline
from vtkmodules.vtkIOHDF import vtkHDFReader

from phasefield.errors import InputError, PhasefieldError
from phasefield.output import fields as fields_module
from phasefield.output.fields import CHUNK_BYTES, FieldsFile, FieldSpec, chunk_shape
from phasefield.output.transaction import Transaction
from phasefield.spectral.grid import Axis, Grid

GRIDS = {
    1: Grid((Axis("x", 6, 3.0),)),
    2: Grid((Axis("x", 6, 3.0), Axis("y", 4, 1.0))),
    3: Grid((Axis("x", 6, 3.0), Axis("y", 4, 1.0), Axis("z", 5, 2.0))),
}
SPECS = {
    "c": FieldSpec("concentration"),
    "mu": FieldSpec("chemical potential", "J/m3"),
    "u": FieldSpec("displacement", "nm", components=2),
}
TIMES = [0.0, 0.1, 0.30000000000000004]
ENGINES = [None, "h5netcdf", "netcdf4"]


def frame_arrays(grid, seed):
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal((spec.components, *grid.shape) if spec.components > 1 else grid.shape)
        for name, spec in SPECS.items()
    }


def write(path, dimensions, **options):
    grid = GRIDS[dimensions]
    file = FieldsFile.create(path, grid, SPECS, title="a test", source="phasefield test", **options)
    frames = [frame_arrays(grid, seed) for seed in range(3)]
    for step, (time, arrays) in enumerate(zip(TIMES, frames, strict=True)):
        file.append(time, 10 * step, arrays)
    return file, frames


def small_file(path, frames=0, grid=GRIDS[2]):
    file = FieldsFile.create(path, grid, {"c": FieldSpec("c")}, history_names=["energy"])
    for k in range(frames):
        file.append(*numbered(k, grid))
    return file


def numbered(frame, grid=GRIDS[2]):
    """Arguments of `append` for a frame that is full of its own number."""
    return float(frame), frame, {"c": np.full(grid.shape, float(frame))}


def assert_frames(path, low, high):
    """Between `low` and `high` complete frames, each full of its own number; returns how many."""
    with h5py.File(path, "r") as file:
        frames = int(file["VTKHDF/Steps"].attrs["NSteps"])
        assert low <= frames <= high
        for times in (file["time"], file["VTKHDF/Steps/Values"], file["step"]):
            np.testing.assert_array_equal(times[:frames], np.arange(frames))
        stored = file["c"][:frames]
    np.testing.assert_array_equal(stored, np.broadcast_to(np.arange(frames)[:, None, None, None], stored.shape))
    return frames


@pytest.fixture
def no_sync(monkeypatch):
    """Many appends without waiting for the disk, which matters for a power cut only."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


# --------------------------------------------------------------- VTK


@pytest.mark.parametrize("precision", ["single", "double"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_vtk_reads_values_times_and_bounds(tmp_path, dimensions, precision):
    file, frames = write(tmp_path / "fields.vtkhdf", dimensions, precision=precision)
    dtype = {"single": np.float32, "double": np.float64}[precision]
    grid = GRIDS[dimensions]
    reader = vtkHDFReader()
    reader.SetFileName(str(file.path))
    assert reader.CanReadFile(str(file.path))
    reader.UpdateInformation()
    assert reader.GetOutputInformation(0).Get(vtkStreamingDemandDrivenPipeline.TIME_STEPS()) == tuple(TIMES)
    for step, arrays in enumerate(frames):
        reader.SetStep(step)
        reader.Update()
        image = reader.GetOutputDataObject(0)
        hz, hy, hx = grid.spacing3
        nz, ny, nx = grid.shape3
        np.testing.assert_allclose(image.GetBounds(), [0, nx * hx, 0, ny * hy, 0, nz * hz], rtol=1e-14)
        cells = image.GetCellData()
        for name in ("c", "mu"):
            values = vtk_to_numpy(cells.GetArray(name))
            assert values.dtype == dtype
            np.testing.assert_array_equal(values, arrays[name].astype(dtype).ravel())
        vectors = vtk_to_numpy(cells.GetArray("u"))
        np.testing.assert_array_equal(vectors[:, :2], arrays["u"].astype(dtype).reshape(2, -1).T)
        assert not vectors[:, 2].any()


# ------------------------------------------------------------ xarray


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_xarray_opens_it_as_it_is(tmp_path, dimensions, engine):
    file, frames = write(tmp_path / "fields.vtkhdf", dimensions)
    grid = GRIDS[dimensions]
    with xr.open_dataset(file.path, engine=engine) as data:
        assert data.c.dims == ("time", "z", "y", "x")
        assert data.u.dims == ("time", "z", "y", "x", "component")
        np.testing.assert_array_equal(data.time, TIMES)
        np.testing.assert_array_equal(data.step, [0, 10, 20])
        np.testing.assert_allclose(data.x, grid.axes[0].centres, rtol=1e-15)
        assert data.mu.attrs["units"] == "J/m3"
        assert data.mu.attrs["long_name"] == "chemical potential"
        assert data.attrs["Conventions"] == "CF-1.11"
        for k, arrays in enumerate(frames):
            single = arrays["c"].astype("f4")
            np.testing.assert_array_equal(data.c[k].values.reshape(grid.shape), single)
            np.testing.assert_array_equal(data.u[k, ..., 1].values.reshape(grid.shape), arrays["u"][1].astype("f4"))


def test_double_precision_is_kept(tmp_path):
    file, frames = write(tmp_path / "fields.vtkhdf", 3, precision="double")
    with xr.open_dataset(file.path) as data:
        np.testing.assert_array_equal(data.c[1], frames[1]["c"])


@pytest.mark.parametrize("engine", ENGINES)
def test_history_group(tmp_path, engine):
    file = small_file(tmp_path / "fields.vtkhdf")
    file.append_history({"time": np.array([0.0, 0.1]), "energy": np.array([3.0, 2.0])})
    file.append_history({"time": np.array([0.2]), "energy": np.array([np.nan])})
    with xr.open_dataset(file.path, group="history", engine=engine) as history:
        np.testing.assert_array_equal(history.time, [0.0, 0.1, 0.2])
        np.testing.assert_array_equal(history.energy, [3.0, 2.0, np.nan])
        assert history.energy.dims == ("time",)


def test_history_columns_are_taken_from_the_first_call_when_not_given(tmp_path):
    file = FieldsFile.create(tmp_path / "fields.vtkhdf", GRIDS[1], {"c": FieldSpec("c")})
    file.append_history({"time": np.array([0.0]), "mean_c": np.array([0.5])})
    with xr.open_dataset(file.path, group="history") as history:
        assert list(history.data_vars) == ["mean_c"]


@pytest.mark.parametrize(
    "columns",
    [
        {"time": [0.0]},
        {"time": [0.0], "energy": [1.0], "extra": [1.0]},
        {"time": [0.0], "energy": [1.0, 2.0]},
        {"energy": [1.0]},
    ],
)
def test_history_refuses_other_columns(tmp_path, columns):
    file = small_file(tmp_path / "fields.vtkhdf")
    with pytest.raises(ValueError, match="history"):
        file.append_history({name: np.array(values) for name, values in columns.items()})


@pytest.mark.parametrize("engine", ENGINES)
def test_groups_with_numbers_and_text(tmp_path, engine):
    file = small_file(tmp_path / "fields.vtkhdf", frames=2)
    k = np.linspace(0.0, 1.0, 5)
    power = np.arange(10.0).reshape(2, 5)
    for scale in (7.0, 1.0):  # the second call replaces the first
        file.write_group(
            "/spectrum",
            {
                "wavenumber": (("wavenumber",), k, {"units": "1"}),
                "power": (("time", "wavenumber"), scale * power, {"long_name": "power"}),
                "time": (("time",), [0.0, 1.0], {}),
            },
            {"field": "c"},
        )
    file.write_group(
        "verification",
        {
            "name": (("check",), ["growth rate", "Wellenlänge λ"], {}),
            "passed": (("check",), [True, False], {}),
            "summary": ((), "1 of 2", {}),
        },
        {"passed": False},
    )
    with xr.open_dataset(file.path, group="spectrum", engine=engine) as spectrum:
        np.testing.assert_array_equal(spectrum.power, power)
        np.testing.assert_array_equal(spectrum.wavenumber, k)
        assert spectrum.attrs["field"] == "c"
    with xr.open_dataset(file.path, group="verification", engine=engine) as verification:
        assert verification.name.values.tolist() == ["growth rate", "Wellenlänge λ"]
        assert verification.passed.values.tolist() == [1, 0]
        assert verification.summary.item() == "1 of 2"
        assert verification.attrs["passed"] == 0
        assert verification.sizes == {"check": 2}
    assert_frames(file.path, 2, 2)


@pytest.mark.parametrize("group", ["/", "VTKHDF", "/VTKHDF/Steps", "history", "c"])
def test_groups_that_must_not_be_replaced(tmp_path, group):
    with pytest.raises(ValueError, match="not a group to be replaced"):
        small_file(tmp_path / "fields.vtkhdf").write_group(group, {})


def test_a_group_that_does_not_fit_its_dimensions_leaves_the_old_one(tmp_path):
    file = small_file(tmp_path / "fields.vtkhdf")
    file.write_group("spectrum", {"k": (("k",), [1.0, 2.0], {})})
    before = file.path.read_bytes()
    with pytest.raises(ValueError, match="dimension 'k'"):
        file.write_group("spectrum", {"k": (("k",), [1.0, 2.0], {}), "p": (("k",), [1.0], {})})
    assert file.path.read_bytes() == before


def test_provenance_and_attributes(tmp_path):
    file = small_file(tmp_path / "fields.vtkhdf")
    file.write_provenance("model: {name: μ}\n", '{"seed": 1}')
    file.set_attrs("/", {"title": "new"})
    with xr.open_dataset(file.path, group="provenance") as data:
        assert data.scenario_yaml.item() == "model: {name: μ}\n"
        assert data.environment_json.item() == '{"seed": 1}'
    with xr.open_dataset(file.path) as data:
        assert data.attrs["title"] == "new"


# ----------------------------------------------------- layout and input


def test_vectors_of_other_lengths_are_not_padded(tmp_path):
    file = FieldsFile.create(tmp_path / "f.vtkhdf", GRIDS[2], {"s": FieldSpec("stress", "GPa", components=6)})
    stress = np.random.default_rng(0).random((6, 4, 6))
    file.append(0.0, 0, {"s": stress})
    with xr.open_dataset(file.path) as data:
        np.testing.assert_array_equal(data.s[0, 0].transpose(..., "y", "x"), stress.astype("f4"))


@pytest.mark.parametrize(
    ("frame", "itemsize"),
    [
        ((1, 1, 10), 8),
        ((64, 64, 64), 4),
        ((256, 256, 256), 8),
        ((1, 5000, 4000), 4),
        ((3, 3000, 3000), 8),
        ((100, 128, 128, 3), 8),
        ((1, 1, 5_000_000), 8),
    ],
)
def test_chunks_hold_a_frame_or_a_slab_of_at_most_8_mib(frame, itemsize):
    chunk = chunk_shape(frame, itemsize)
    size = np.prod(chunk) * itemsize
    assert size <= CHUNK_BYTES
    assert size > CHUNK_BYTES / 2 or chunk == frame
    assert chunk[3:] == frame[3:]
    split = [axis for axis in range(3) if chunk[axis] != frame[axis]]
    if split:  # slowest axis first: those before the last split one are down to a single plane
        assert all(chunk[axis] == 1 for axis in range(split[-1]))


def test_frames_larger_than_a_chunk(tmp_path, monkeypatch):
    monkeypatch.setattr(fields_module, "CHUNK_BYTES", 2 * 4 * 6 * 4)
    file, frames = write(tmp_path / "fields.vtkhdf", 3)
    with h5py.File(file.path) as opened:
        assert opened["c"].chunks == (1, 2, 4, 6)
        assert opened["u"].chunks == (1, 1, 2, 6, 3) or opened["u"].chunks[1] == 1
    with xr.open_dataset(file.path) as data:
        np.testing.assert_array_equal(data.c[2], frames[2]["c"].astype("f4"))
        np.testing.assert_array_equal(data.u[2, ..., 0], frames[2]["u"][0].astype("f4"))


def test_arrays_need_not_be_contiguous(tmp_path):
    file = FieldsFile.create(tmp_path / "f.vtkhdf", GRIDS[2], {"c": FieldSpec("c")}, "double")
    padded = np.random.default_rng(0).random((4, 8))
    file.append(0.0, 0, {"c": padded[:, :6]})
    with h5py.File(file.path) as opened:
        np.testing.assert_array_equal(opened["c"][0, 0], padded[:, :6])


def test_append_refuses_wrong_shapes_and_names_and_changes_nothing(tmp_path):
    file = small_file(tmp_path / "fields.vtkhdf", frames=1)
    before = file.path.read_bytes()
    with pytest.raises(ValueError, match="shape"):
        file.append(1.0, 1, {"c": np.zeros((6, 4))})
    with pytest.raises(ValueError, match="holds the fields"):
        file.append(1.0, 1, {"d": np.zeros((4, 6))})
    assert file.path.read_bytes() == before


@pytest.mark.parametrize("name", ["time", "x", "VTKHDF", "component", "a/b", "a.b", "", "history"])
def test_names_a_field_cannot_have(tmp_path, name):
    with pytest.raises(ValueError, match="cannot name a field"):
        FieldsFile.create(tmp_path / "f.vtkhdf", GRIDS[1], {name: FieldSpec("x")})


def test_create_where_nothing_can_be_written(tmp_path):
    with pytest.raises(InputError, match=r"no-such-folder.*No such file or directory"):
        FieldsFile.create(tmp_path / "no-such-folder" / "f.vtkhdf", GRIDS[1], {"c": FieldSpec("c")})
    (tmp_path / "folder.vtkhdf").mkdir()
    with pytest.raises(InputError, match=r"folder\.vtkhdf.*Is a directory"):
        FieldsFile.create(tmp_path / "folder.vtkhdf", GRIDS[1], {"c": FieldSpec("c")})
    assert [p.name for p in tmp_path.iterdir()] == ["folder.vtkhdf"]


def test_append_to_a_missing_or_foreign_file(tmp_path):
    with pytest.raises(PhasefieldError, match="No such file"):
        FieldsFile(tmp_path / "none.vtkhdf").append(0.0, 0, {})
    (tmp_path / "text.vtkhdf").write_text("not HDF5")
    with pytest.raises(PhasefieldError, match=r"cannot write .*text\.vtkhdf"):
        FieldsFile(tmp_path / "text.vtkhdf").append(0.0, 0, {})


# ------------------------------------------------------------- resuming


def test_truncate_to_the_time_of_a_checkpoint(tmp_path):
    file = small_file(tmp_path / "fields.vtkhdf", frames=5)
    file.append_history({"time": np.arange(10) / 2, "energy": -np.arange(10.0)})
    file.truncate(time=2.0)
    assert_frames(file.path, 3, 3)
    with xr.open_dataset(file.path, group="history") as history:
        np.testing.assert_array_equal(history.time, [0.0, 0.5, 1.0, 1.5, 2.0])
        assert history.energy.shape == (5,)
    file.append(*numbered(3))
    file.append_history({"time": np.array([2.5]), "energy": np.array([-5.0])})
    assert_frames(file.path, 4, 4)
    with xr.open_dataset(file.path, group="history") as history:
        np.testing.assert_array_equal(history.energy, -np.arange(6.0))


def test_truncate_frames_and_history_apart(tmp_path):
    file = small_file(tmp_path / "fields.vtkhdf", frames=5)
    file.append_history({"time": np.arange(4.0), "energy": np.arange(4.0)})
    file.truncate(frames=2)
    file.truncate(history_time=2.5)
    file.truncate(frames=100)
    assert_frames(file.path, 2, 2)
    with xr.open_dataset(file.path, group="history") as history:
        assert history.time.size == 3


def leave_half_a_frame(path):
    with h5py.File(path, "r+") as file:
        file["c"].resize(len(file["c"]) + 2, axis=0)
        file["c"][-1] = -1.0
        file["step"].resize(len(file["step"]) + 1, axis=0)
        file["history/energy"].resize(7, axis=0)


@pytest.mark.parametrize("repair", [False, True])
def test_half_a_frame_left_by_a_kill(tmp_path, repair):
    file = small_file(tmp_path / "fields.vtkhdf", frames=2)
    leave_half_a_frame(file.path)
    if repair:
        file.truncate()
    assert file.frames() == 2
    file.append(*numbered(2))
    file.append_history({"time": np.array([0.0]), "energy": np.array([1.0])})
    assert_frames(file.path, 3, 3)
    with xr.open_dataset(file.path) as data, xr.open_dataset(file.path, group="history") as history:
        assert data.c.shape[0] == data.step.size == 3
        assert history.energy.values.tolist() == [1.0]


# ------------------------------------------------- interruption, full disk


class Recorder:
    """Passes on to a raw file and notes what changes it."""

    def __init__(self, raw, log):
        self._raw, self._log = raw, log

    def __getattr__(self, name):
        return getattr(self._raw, name)

    def write(self, block):
        self._log.append((self._raw.tell(), bytes(block)))
        return self._raw.write(block)

    def truncate(self, size):
        self._log.append((size, None))
        return self._raw.truncate(size)


def images(start, log):
    """The file after each write that changes what was there (a write behind the end cannot harm)."""
    image = bytearray(start)
    for offset, block in log:
        harmless = block is not None and offset >= len(image)
        end = offset + len(block or b"")
        if len(image) < end:
            image.extend(bytes(end - len(image)))
        if block is None:
            del image[offset:]
        else:
            image[offset:end] = block
        if not harmless:
            yield bytes(image)


@pytest.mark.parametrize(
    ("planes", "first"),
    [(1, 62), (64, 32)],
    ids=["the index is split at 64 chunks", "many chunks to a frame"],
)
@pytest.mark.usefixtures("no_sync")
def test_every_single_write_leaves_a_whole_file(tmp_path, monkeypatch, planes, first):
    """Interrupted after any write, readers find whole frames and the next writer goes on."""
    monkeypatch.setattr(fields_module, "CHUNK_BYTES", 16 if planes > 1 else CHUNK_BYTES)
    grid = GRIDS[2] if planes == 1 else Grid((Axis("x", 2, 1.0), Axis("y", 2, 1.0), Axis("z", planes, 1.0)))
    file = small_file(tmp_path / "fields.vtkhdf", first, grid)
    file.append_history({"time": np.arange(2.0), "energy": np.arange(2.0)})
    start, log = file.path.read_bytes(), []
    original = Transaction.__init__

    def recording(self, path):
        original(self, path)
        self._file = Recorder(self._file, log)

    with monkeypatch.context() as patch:
        patch.setattr(Transaction, "__init__", recording)
        for k in range(first, first + 3):
            file.append(*numbered(k, grid))
        file.append_history({"time": np.array([2.0]), "energy": np.array([2.0])})
        file.write_group("spectrum", {"k": (("k",), np.arange(3.0), {})})
        file.truncate(frames=first - 1)
    assert any(block and block[:4] == b"TREE" for _, block in log)
    probe, image = FieldsFile(tmp_path / "probe.vtkhdf"), b""
    for image in images(start, log):
        probe.path.write_bytes(image)
        assert_frames(probe.path, first - 1, first + 3)
        with h5py.File(probe.path, "r") as opened:
            rows = len(opened["history/time"])
            np.testing.assert_array_equal(opened["history/energy"][:rows], np.arange(rows))
        Transaction(probe.path).close()  # finishes what the journal tells
        frames = assert_frames(probe.path, first - 1, first + 3)
        probe.append(*numbered(frames, grid))
        assert_frames(probe.path, frames + 1, frames + 1)
    assert image == file.path.read_bytes()


APPEND_FOREVER = """
    import sys
    import numpy as np
    from phasefield.output.fields import FieldsFile
    file = FieldsFile(sys.argv[1])
    k = file.frames()
    while True:
        print(k, flush=True)
        file.append(float(k), k, {"c": np.full((4, 6), float(k))})
        k += 1
"""


def test_sigkill_at_any_moment(tmp_path):
    """Six writers, one after the other, killed while they append to the same file."""
    file = small_file(tmp_path / "fields.vtkhdf")
    draw = random.Random(1)
    frames = 0
    for _ in range(6):
        command = [sys.executable, "-c", textwrap.dedent(APPEND_FOREVER), str(file.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            announced = [int(writer.stdout.readline()) for _ in range(draw.randint(2, 12))]
            sleep(draw.uniform(0.0, 0.003))
            writer.kill()
        assert writer.returncode == -signal.SIGKILL
        assert announced[0] >= frames
        frames = assert_frames(file.path, announced[-1], 10**6)
        with xr.open_dataset(file.path) as data:
            assert data.time.size >= frames


@pytest.fixture
def full_disk():
    """Files cannot grow beyond a size: stands for a disk without space."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, old[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, old)


@pytest.mark.parametrize("room", [0, 1, 100, 1000, 4000])
def test_full_disk_leaves_the_file_as_it_was(tmp_path, full_disk, room):
    file = small_file(tmp_path / "fields.vtkhdf", frames=3)
    noise = np.random.default_rng(0).random((4, 6))
    before = file.path.read_bytes()
    full_disk(len(before) + room)
    for k in range(3, 100):
        before = file.path.read_bytes()
        try:
            file.append(float(k), k, {"c": noise + k})
        except PhasefieldError as error:
            assert str(error) == f"cannot write '{file.path}': File too large"  # noqa: PT017
            break
    else:
        pytest.fail("the disk was never full")
    assert file.path.read_bytes() == before
    full_disk(resource.RLIM_INFINITY)
    file.truncate(frames=3)
    file.append(*numbered(3))
    assert_frames(file.path, 4, 4)


# ------------------------------------------------------------ other readers

HOLD_OPEN = """
    import sys
    import xarray
    data = xarray.open_dataset(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    print(float(data.c[0].max()))
"""


def test_a_reader_that_locks_the_file_does_not_stop_the_writer(tmp_path):
    file = small_file(tmp_path / "fields.vtkhdf", frames=1)
    command = [sys.executable, "-c", textwrap.dedent(HOLD_OPEN), str(file.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        file.append(*numbered(1))
        assert reader.communicate("\n")[0] == "0.0\n"
    assert_frames(file.path, 2, 2)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_dataset_open_in_this_process_does_not_stop_the_writer(tmp_path, engine):
    file = small_file(tmp_path / "fields.vtkhdf", frames=1)
    with xr.open_dataset(file.path, engine=engine) as data:
        file.append(*numbered(1))
        assert float(data.c[0].max()) == 0.0
    assert_frames(file.path, 2, 2)


@pytest.mark.usefixtures("no_sync")
def test_no_handle_stays_open(tmp_path):
    file = small_file(tmp_path / "fields.vtkhdf", frames=1)
    before = os.listdir("/proc/self/fd")
    for k in range(1, 201):
        file.append(*numbered(k))
    assert os.listdir("/proc/self/fd") == before
    assert_frames(file.path, 201, 201)
