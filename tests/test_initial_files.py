"""Initial values from files: shapes, frames, datasets, resampling, and files that are damaged or hostile."""

import h5py
import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.initial import evaluate
from phasefield.spectral.grid import Axis, Grid


def grid(dimensions=2, cells=(12, 10, 8)):
    return Grid(tuple(Axis(*a) for a in zip("xyz"[:dimensions], cells, (6.0, 4.0, 2.0), strict=False)))


def values(spec, on=None, folder=".", field="c"):
    return evaluate(spec, field, on or grid(), 1, folder)


@pytest.fixture
def data():
    return np.random.default_rng(0).normal(size=(10, 12))


@pytest.mark.parametrize("shape", [(10, 12), (1, 10, 12), (1, 1, 10, 12)])
@pytest.mark.parametrize("name", ["a.npy", "a.h5"])
def test_file_shapes(tmp_path, data, name, shape):
    if name == "a.npy":
        np.save(tmp_path / name, data.reshape(shape))
    else:
        with h5py.File(tmp_path / name, "w") as file:
            file["c"] = data.reshape(shape)
    result = values({"file": name}, folder=tmp_path)
    assert (result == data).all()
    assert result.flags.writeable
    assert (values({"file": str(tmp_path / name)}, folder="/nowhere") == data).all()


@pytest.mark.parametrize("dtype", ["f4", "i8", "u1", "?", ">f8", "f2"])
def test_file_types(tmp_path, data, dtype):
    np.save(tmp_path / "a.npy", data.astype(dtype) if dtype != "u1" else np.abs(data).astype("u1"))
    result = values({"file": "a.npy"}, folder=tmp_path)
    assert result.dtype == np.float64
    assert (result == np.load(tmp_path / "a.npy").astype(float)).all()


def test_file_with_noise(tmp_path, data):
    np.save(tmp_path / "a.npy", data)
    noisy = values({"file": "a.npy", "noise": 0.1}, folder=tmp_path)
    assert noisy.mean() == pytest.approx(data.mean(), abs=1e-15)
    assert (noisy != data).all()


@pytest.fixture
def run_file(tmp_path, data):
    """Three frames of two fields, (time, z, y, x), hard-linked as in a run's fields file; links."""
    path = tmp_path / "fields.vtkhdf"
    with h5py.File(path, "w") as file:
        file["c"] = np.stack([data, data + 1, data + 2])[:, None]
        file["eta"] = file["c"][()] * 2
        file["VTKHDF/CellData/c"] = file["c"]
        file["group/soft"] = h5py.SoftLink("/c")
        file["group/up"] = h5py.SoftLink("inner")
        file["group/inner"] = data
        file["loop"] = h5py.SoftLink("/loop")
        file["dangling"] = h5py.SoftLink("/nothing")
    return path


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({}, lambda d: d + 2),
        ({"frame": 0}, lambda d: d),
        ({"frame": -2}, lambda d: d + 1),
        ({"dataset": "eta"}, lambda d: 2 * (d + 2)),
        ({"dataset": "/VTKHDF/CellData/c", "frame": 1}, lambda d: d + 1),
        ({"dataset": "group/soft"}, lambda d: d + 2),
        ({"dataset": "group/up"}, lambda d: d),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_frames_and_datasets(run_file, data, options, change):
    result = values({"file": run_file.name, **options}, folder=run_file.parent)
    np.testing.assert_array_equal(result, change(data))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"frame": 3}, "no frame 3, the data have 3"),
        ({"frame": -4}, "no frame -4"),
        ({"dataset": "etta"}, "no dataset 'etta'; did you mean 'eta'"),
        ({"dataset": "VTKHDF/CelData/c"}, "did you mean 'CellData'"),
        ({"dataset": "c/deeper"}, "no dataset 'c/deeper'"),
        ({"dataset": "VTKHDF"}, "not a dataset; it holds CellData"),
        ({"dataset": "/"}, "not a dataset; it holds"),
        ({"dataset": "group/inner", "frame": 0}, "without a time axis"),
        ({"dataset": "loop"}, "more than 16 links"),
        ({"dataset": "dangling"}, "no dataset 'dangling'"),
    ],
    ids=str,
)
def test_frames_and_datasets_that_are_not_there(run_file, options, message):
    with pytest.raises(InputError, match=message) as caught:
        values({"file": run_file.name, **options}, folder=run_file.parent)
    caught.match(r"initial\.c\.file: ")


def test_the_default_dataset_is_the_field(run_file, data):
    result = values({"file": run_file.name}, folder=run_file.parent, field="eta")
    np.testing.assert_array_equal(result, 2 * (data + 2))


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((12, 10)), r"shape \(12, 10\), the grid \(10, 12\)"),
        (np.zeros(120), "shape"),
        (np.zeros(()), "shape"),
        (np.zeros((1, 1, 1, 10, 12)), "shape"),
        (np.zeros((0, 1, 10, 12)), "no frame -1"),
        (np.zeros((10, 12), complex), "complex128, not real"),
        (np.full((10, 12), "a"), "not real"),
        (np.zeros((10, 12), "M8[s]"), "not real"),
        (np.zeros((10, 12), [("a", "f8")]), "not real"),
        (np.where(np.arange(120).reshape(10, 12) == 13, np.nan, 0.0), "1 of 120.*nan at x = 0.75, y = 0.6"),
    ],
    ids=lambda a: str(getattr(a, "dtype", "")),
)
def test_arrays_that_do_not_fit(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(InputError, match=message) as caught:
        values({"file": "a.npy"}, folder=tmp_path)
    caught.match(r"initial\.c")
    if array.dtype.kind not in "UM":
        with h5py.File(tmp_path / "a.h5", "w") as file:
            file["c"] = array
        with pytest.raises(InputError, match=message):
            values({"file": "a.h5"}, folder=tmp_path)


class Bomb:
    def __reduce__(self):
        return pytest.fail, ("unpickled",)


def test_nothing_is_unpickled(tmp_path):
    bombs = np.empty((10, 12), object)
    bombs[:] = Bomb()
    np.save(tmp_path / "a.npy", bombs, allow_pickle=True)
    with pytest.raises(InputError, match=r"not a \.npy file of numbers"):
        values({"file": "a.npy"}, folder=tmp_path)


def npy_header(shape):
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no data here, only text",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((\n",
        npy_header("(10, 12)") + b"short",
        npy_header("(1000000, 1000000, 1000000)"),
        npy_header("(4294967296, 4294967296)"),
        npy_header("(-10, -12)") + bytes(960),
        npy_header("('a', 12)"),
    ],
    ids=lambda b: repr(b[:8]) + str(len(b)),
)
@pytest.mark.parametrize("name", ["a.npy", "a.h5"])
def test_damaged_files(tmp_path, content, name):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=r"initial\.c\.file: .*(not a \.npy|neither an HDF5|shape)"):
        values({"file": name}, folder=tmp_path)


def test_truncated_hdf5(tmp_path, run_file):
    content = run_file.read_bytes()
    for keep in (600, len(content) // 2):
        (tmp_path / "cut.h5").write_bytes(content[:keep])
        with pytest.raises(InputError, match=r"initial\.c\.file: .*cannot be read"):
            values({"file": "cut.h5"}, folder=tmp_path)


def test_an_archive_is_not_an_array(tmp_path, data):
    with open(tmp_path / "a.npy", "wb") as file:
        np.savez(file, c=data)
    with pytest.raises(InputError, match="archive"):
        values({"file": "a.npy"}, folder=tmp_path)


@pytest.mark.parametrize("name", ["missing.h5", "missing.npy", "."])
def test_missing_files(tmp_path, name):
    with pytest.raises(InputError, match=r"initial\.c\.file: no such file"):
        values({"file": name}, folder=tmp_path)


@pytest.mark.parametrize("resample", [False, True])
def test_giant_declared_shapes_are_refused_unread(tmp_path, resample):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        # nothing is stored: 8 EB of fill value
        file.create_dataset("c", (10**6, 10**6, 10**6), "f8", chunks=(1, 1000, 1000))
        file.create_dataset("eta", (10, 12), "f8", maxshape=(None, None), chunks=(16384, 16384), compression=1)
    for field in ("c", "eta"):
        with pytest.raises(InputError, match=r"the grid|too large"):
            values({"file": "a.h5", "resample": resample}, folder=tmp_path, field=field)


@pytest.fixture
def linked(tmp_path, data):
    """folder/a.h5 with links to a neighbour in the folder and to one above it."""
    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    for place in (tmp_path / "secret.h5", folder / "near.h5", folder / "sub" / "below.h5"):
        with h5py.File(place, "w") as file:
            file["c"] = data
            file["away"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/c")
            file["back"] = h5py.ExternalLink("a.h5", "/back")
    with h5py.File(folder / "a.h5", "w") as file:
        file["near"] = h5py.ExternalLink("near.h5", "/c")
        file["below"] = h5py.ExternalLink("sub/below.h5", "/c")
        file["above"] = h5py.ExternalLink("../secret.h5", "/c")
        file["absolute"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/c")
        file["by_soft"] = h5py.SoftLink("/above")
        file["by_near"] = h5py.ExternalLink("near.h5", "/away")
        file["back"] = h5py.ExternalLink("near.h5", "/back")
        file["gone"] = h5py.ExternalLink("gone.h5", "/c")
        file.create_dataset("raw", (10, 12), "f8", external=[(str(tmp_path / "secret.h5"), 0, 960)])
        for name, source in (("virtual", "near.h5"), ("virtual_above", "../secret.h5")):
            layout = h5py.VirtualLayout((10, 12), "f8")
            layout[:] = h5py.VirtualSource(source, "c", (10, 12))
            file.create_virtual_dataset(name, layout)
        layout = h5py.VirtualLayout((10, 12), "f8")
        layout[:] = h5py.VirtualSource("near.h5", "away", (10, 12))
        file.create_virtual_dataset("virtual_away", layout)
    return folder


@pytest.mark.parametrize("name", ["near", "below", "virtual"])
def test_links_within_the_folder(linked, data, name):
    assert (values({"file": "a.h5", "dataset": name}, folder=linked) == data).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("above", "refers to '../secret.h5', which is not a file in the folder"),
        ("absolute", "refers to"),
        ("by_soft", "refers to"),
        ("by_near", "refers to"),
        ("gone", "refers to 'gone.h5'"),
        ("back", "more than 16 links"),
        ("raw", "outside the HDF5 file"),
        ("virtual_above", "refers to"),
        ("virtual_away", "refers to"),
    ],
)
def test_links_that_leave_the_folder(linked, name, message):
    with pytest.raises(InputError, match=message):
        values({"file": "a.h5", "dataset": name}, folder=linked)


@pytest.mark.parametrize("shape", [(5, 6), (20, 36), (7, 31), (1, 10, 13), (1, 1)])
def test_resampling_keeps_mean_and_range(tmp_path, shape):
    data = np.random.default_rng(0).random(shape)
    np.save(tmp_path / "a.npy", data)
    result = values({"file": "a.npy", "resample": True}, folder=tmp_path)
    assert result.shape == (10, 12)
    assert result.mean() == pytest.approx(data.mean(), rel=1e-14)
    assert result.max() <= data.max() + 1e-12
    assert result.min() >= data.min() - 1e-12


def test_resampling_is_the_average_over_cells(tmp_path):
    fine = np.random.default_rng(0).random((20, 36))
    np.save(tmp_path / "a.npy", fine)
    result = values({"file": "a.npy", "resample": True}, folder=tmp_path)
    np.testing.assert_allclose(result, fine.reshape(10, 2, 12, 3).mean(axis=(1, 3)), rtol=1e-13)
    np.save(tmp_path / "a.npy", [0.0, 3.0, 6.0])
    halves = values({"file": "a.npy", "resample": True}, grid(1, cells=[2]), folder=tmp_path)
    assert halves == pytest.approx([1, 5])
    np.save(tmp_path / "a.npy", fine)
    with pytest.raises(InputError, match="more dimensions than the grid"):
        values({"file": "a.npy", "resample": True}, grid(1), folder=tmp_path)
