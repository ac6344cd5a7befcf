import logging
import math
import random
import resource

import h5py
import numpy as np
import pytest

from phasefield.errors import InputError, PhasefieldError
from phasefield.output import checkpoint

META = {
    "time": 0.1 + 0.2,
    "tiny": 5e-324,
    "nan": math.nan,
    "infinite": -math.inf,
    "step": 2**60 + 1,
    "scheme": "sbdf2",
    "schedule": {"next": [0.1, 1e22]},
    "nothing": None,
    "flag": True,
    "λ": "μ",
}


def make_arrays(seed=0):
    rng = np.random.default_rng(seed)
    real = rng.standard_normal((3, 4, 5))
    return {
        "state/c": real,
        "state/phi": real.astype("f4")[:, ::2],
        "history": rng.standard_normal((4, 3)) + 1j * rng.standard_normal((4, 3)),
        "single": (rng.standard_normal(5) + 1j * rng.standard_normal(5)).astype("c8"),
        "scalar": np.array(math.pi),
        "empty": np.zeros((0, 3)),
        "special": np.array([math.nan, math.inf, -0.0]),
        "counter": np.array([2**63, 1], dtype="u8"),
        "mask": np.array([True, False]),
    }


def assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].shape == array.shape
        assert found[name].tobytes() == array.tobytes()


def test_everything_comes_back_bit_for_bit(tmp_path):
    path = tmp_path / "checkpoint.h5"
    checkpoint.save(path, make_arrays(), {**META, "numpy": np.float64(0.1), "count": np.int64(3)})
    arrays, meta = checkpoint.load(path)
    assert_same(arrays, make_arrays())
    assert math.isnan(meta.pop("nan"))
    assert (meta.pop("numpy"), meta.pop("count")) == (0.1, 3)
    assert meta == {name: value for name, value in META.items() if name != "nan"}
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.h5"]


def test_it_is_an_hdf5_file(tmp_path):
    checkpoint.save(tmp_path / "checkpoint.h5", {"c": np.arange(3.0)}, {})
    with h5py.File(tmp_path / "checkpoint.h5") as file:
        np.testing.assert_array_equal(file["arrays/0"], [0, 1, 2])


def save_two(folder):
    path = folder / "checkpoint.h5"
    for k in (1, 2):
        checkpoint.save(path, make_arrays(k), {"step": k})
    return path


def test_two_are_kept(tmp_path):
    path = save_two(tmp_path)
    checkpoint.save(path, make_arrays(3), {"step": 3})
    assert checkpoint.load(path)[1] == {"step": 3}
    assert checkpoint.load(checkpoint.previous(path))[1] == {"step": 2}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.h5", "checkpoint.previous.h5"]


def assert_falls_back(path, caplog):
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        arrays, meta = checkpoint.load(path)
    assert meta == {"step": 1}
    assert_same(arrays, make_arrays(1))
    assert len(caplog.records) == 1
    assert "checkpoint.previous.h5" in caplog.text


def test_a_flipped_bit_anywhere_is_noticed(tmp_path, caplog):
    path = save_two(tmp_path)
    good = path.read_bytes()
    draw = random.Random(0)
    header = good.index(b"\n")
    places = [draw.randrange(header) for _ in range(10)]
    places += [draw.randrange(checkpoint.HEADER_BYTES, len(good)) for _ in range(30)]
    for place in places:
        bad = bytearray(good)
        bad[place] ^= 1 << draw.randrange(8)
        path.write_bytes(bad)
        assert_falls_back(path, caplog)


def test_a_truncated_file_is_noticed(tmp_path, caplog):
    path = save_two(tmp_path)
    good = path.read_bytes()
    for size in (0, 1, 100, 512, 513, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:size])
        assert_falls_back(path, caplog)
    path.unlink()  # as between the two renames
    assert_falls_back(path, caplog)


def test_none_is_usable(tmp_path):
    path = tmp_path / "checkpoint.h5"
    with pytest.raises(InputError, match=r"no usable checkpoint: .*No such file"):
        checkpoint.load(path)
    save_two(tmp_path)
    path.write_bytes(b"")
    checkpoint.previous(path).write_text("hello")
    with pytest.raises(InputError, match="not a checkpoint"):
        checkpoint.load(path)


def test_a_later_format_is_named(tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.h5"
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "FORMAT", 2)
        checkpoint.save(path, {}, {})
    with pytest.raises(InputError, match="another format"):
        checkpoint.load(path)


def test_a_failed_save_leaves_the_earlier_ones(tmp_path):
    path = save_two(tmp_path)
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
    try:
        with pytest.raises(PhasefieldError, match="cannot write checkpoint"):
            checkpoint.save(path, {"c": np.zeros(100_000)}, {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
    with pytest.raises(TypeError, match="cannot be kept"):
        checkpoint.save(path, {}, {"thing": object()})
    assert checkpoint.load(path)[1] == {"step": 2}
    assert checkpoint.load(checkpoint.previous(path))[1] == {"step": 1}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint.h5", "checkpoint.previous.h5"]


def test_saving_where_there_is_no_folder(tmp_path):
    with pytest.raises(PhasefieldError, match="No such file"):
        checkpoint.save(tmp_path / "none" / "checkpoint.h5", {}, {})
