"""The two passes against NumPy's transforms; bits independent of threads; no allocation in a step."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from conftest import BOXES, scenario

from phasefield.errors import InputError
from phasefield.kernels import cpu
from phasefield.registry import names
from phasefield.simulation import Simulation
from phasefield.spectral.blocks import cache_block_bytes
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.sweep import Sweep
from phasefield.spectral.transforms import make_engine
from phasefield.spectral.waves import symbol_on_grid

SHAPES = [(16,), (15,), (16, 12), (9, 14), (8, 10, 12), (7, 9, 5), (32, 32, 40), (4, 4, 4)]


def box(shape) -> Grid:
    return Grid(tuple(Axis(n, c, 1.0 + 0.3 * i) for i, (n, c) in enumerate(zip("xyz", shape, strict=False))))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("block_bytes", [256 * 1024, 3000])
@pytest.mark.parametrize("engine", names("fft_engine"))
@pytest.mark.parametrize("shape", SHAPES)
def test_transforms_equal_numpy(shape, engine, block_bytes, dtype):
    grid = box(shape)
    sweep = Sweep(grid, 2, cpu, make_engine(engine), 1, dtype, block_bytes)
    u = np.random.default_rng(0).normal(size=(2, *grid.shape)).astype(dtype)
    u_hat = sweep.empty_hat()
    sweep.forward(u, u_hat)
    back = np.zeros_like(u)
    sweep.backward(u_hat, back)
    tolerance = 1e-13 if dtype is np.float64 else 2e-6
    np.testing.assert_allclose(back, u, atol=tolerance)
    # The same modes as rfftn, each found through its (x, middle) index.
    x, middle = sweep.mode_index
    plain = np.fft.rfftn(u.astype(float), axes=range(1, u.ndim)) / grid.cells
    n0 = sweep.shape_hat[2]
    plain = plain.reshape(2, n0, -1, plain.shape[-1])
    stored = sweep.by_mode(u_hat)
    np.testing.assert_array_equal(sweep.from_modes(stored), u_hat)
    for r in range(x.size):
        expected = plain[:, :, middle[r], x[r]] if x[r] >= 0 else np.zeros((2, n0))
        np.testing.assert_allclose(stored[:, :, r], expected, atol=tolerance)


@pytest.mark.parametrize("laplacian", names("laplacian"))
@pytest.mark.parametrize("shape", SHAPES)
def test_modes(shape, laplacian):
    """k̃² of every stored mode, and weights that count the full spectrum."""
    grid = box(shape)
    sweep = Sweep(grid, 1, cpu, make_engine())
    modes = sweep.modes(laplacian)
    assert modes.weight.sum() * sweep.shape_hat[2] == grid.cells
    x, middle = sweep.mode_index
    plain = symbol_on_grid(grid, laplacian).reshape(sweep.shape_hat[2], -1, shape[0] // 2 + 1)
    for r in np.nonzero(x >= 0)[0]:
        np.testing.assert_allclose(modes.k2[:, r], plain[:, middle[r], x[r]], rtol=1e-14)


@pytest.mark.parametrize("shape", SHAPES)
def test_parseval(shape):
    grid = box(shape)
    sweep = Sweep(grid, 1, cpu, make_engine())
    u = np.random.default_rng(0).normal(size=(1, *grid.shape)) + 3.0
    u_hat = sweep.empty_hat()
    sweep.forward(u, u_hat)
    variance = cpu.fluctuation(sweep.real_view(u_hat), 0, sweep.stage_geometry(sweep.modes("spectral"))[2])
    assert variance == pytest.approx(u.var(), rel=1e-10)
    assert u_hat[0, 0, 0, 0].real == pytest.approx(u.mean(), rel=1e-14)


def bits(threads: int, dimensions: int, engine_bytes: int | None = None):
    cells = {1: [4096], 2: [160, 96], 3: [40, 24, 36]}[dimensions]
    grid = {a: {"cells": n, "length": 1.1 * n} for a, n in zip("xyz", cells, strict=False)}
    data = scenario(dimensions=dimensions, grid=grid, time={"end": 3.0, "step": {"tolerance": 1e-3}})
    simulation = Simulation.from_scenario(data, device="cpu", threads=threads)
    simulation.advance()
    result = simulation.stepper.state_hat.tobytes(), simulation.energies, simulation.counters.steps
    used = simulation.sweep.threads
    simulation.close()
    return result, used


@pytest.mark.parametrize("dimensions", [2, 3])
def test_bits_do_not_depend_on_the_number_of_threads(dimensions, monkeypatch):
    monkeypatch.setattr("phasefield.spectral.sweep.SERIAL_CELLS", 0)
    one, _ = bits(1, dimensions)
    for threads in (2, 4):
        several, used = bits(threads, dimensions)
        assert used == threads
        assert several == one


def test_both_engines_give_the_same_run(monkeypatch):
    states = []
    for engine in names("fft_engine"):
        monkeypatch.setenv("PHASEFIELD_FFT", engine)
        simulation = Simulation.from_scenario(scenario(), device="cpu")
        assert simulation.engine.name == engine
        simulation.advance()
        states.append(simulation.state["c"])
    np.testing.assert_allclose(states[0], states[1], atol=1e-14)


def test_scipy_takes_over_without_ducc0(monkeypatch, caplog):
    import sys

    monkeypatch.setitem(sys.modules, "ducc0", None)
    monkeypatch.setitem(sys.modules, "ducc0.fft", None)
    assert make_engine().name == "scipy"
    assert "scipy.fft" in caplog.text
    with pytest.raises(InputError, match="not installed"):
        make_engine("ducc0")


def test_unknown_engine():
    with pytest.raises(InputError, match="did you mean 'scipy'"):
        make_engine("scipi")


@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_step_allocates_no_array(simulate, dimensions, scheme):
    """128² and the like: one field would be 128 KiB; what Python itself allocates in a step stays far below."""
    cells = {1: [16384], 2: [128, 128], 3: [32, 32, 16]}[dimensions]
    grid = {a: {"cells": n, "length": 1.1 * n} for a, n in zip("xyz", cells, strict=False)}
    # S is given: choosing it anew, now and then, samples f″ at a few hundred values.
    time = {"end": 100.0, "step": 0.01, "scheme": scheme}
    simulation = simulate(scenario(dimensions=dimensions, grid=grid, time=time, stabilisation=1.0))
    simulation.advance(until=0.2)
    tracemalloc.start()
    try:
        simulation.advance(until=0.3)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        simulation.advance(until=0.4)
        after, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    field_bytes = 16384 * 8
    assert peak - before < field_bytes / 8
    assert abs(after - before) < 4096


def test_grid_errors():
    with pytest.raises(InputError):
        Grid((Axis("y", 4, 1.0),))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_coordinates_are_cell_centres(dimensions):
    grid = Grid(tuple(Axis(n, int(a["cells"]), a["length"]) for n, a in BOXES[dimensions].items()))
    for name, axis in zip("xyz", grid.axes, strict=False):
        values = grid.coordinates()[name]
        assert values.size == axis.cells
        assert values.ravel()[0] == pytest.approx(0.5 * axis.length / axis.cells)
    assert np.broadcast_shapes(*(c.shape for c in grid.coordinates().values())) == grid.shape


def test_block_size_follows_the_cache_and_the_environment(tmp_path, monkeypatch):
    def sizes(**files):
        cache_block_bytes.cache_clear()
        for name, (level, size) in files.items():
            (tmp_path / name).mkdir(exist_ok=True)
            (tmp_path / name / "level").write_text(level + "\n")
            (tmp_path / name / "size").write_text(size + "\n")
        return cache_block_bytes()

    monkeypatch.setattr("phasefield.spectral.blocks.CACHE_INFORMATION", str(tmp_path))
    monkeypatch.delenv("PHASEFIELD_BLOCK_KIB", raising=False)
    try:
        assert sizes() == 256 * 1024
        assert sizes(index0=("1", "48K"), index2=("2", "2048K"), index3=("3", "32768K")) == 512 * 1024
        assert sizes(index2=("2", "256K")) == 128 * 1024
        monkeypatch.setenv("PHASEFIELD_BLOCK_KIB", "96")
        assert sizes() == 96 * 1024
        monkeypatch.setenv("PHASEFIELD_BLOCK_KIB", "-4")
        with pytest.raises(InputError, match="PHASEFIELD_BLOCK_KIB must be a positive whole number"):
            sizes()
    finally:
        cache_block_bytes.cache_clear()


def test_an_even_number_of_blocks_is_shared_by_two_threads():
    # 129 columns on blocks of at most 64 would be 64 + 64 + 1.
    sweep = Sweep(box((256, 256)), 1, cpu, make_engine(), block_bytes=256 * 1024)
    assert sweep.shape_hat == (1, 4, 256, 36)
