"""Sweeps of boxes with any boundaries against SciPy's transforms, closed forms of waves, and stencils with mirrored cells."""

from __future__ import annotations

import numpy as np
import pytest
from boundaries import MIXES, grid, name

from phasefield.energy.gradient import GradientEnergy
from phasefield.kernels import cpu
from phasefield.registry import names
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.sweep import Sweep
from phasefield.spectral.transforms import make_engine
from phasefield.spectral.waves import backward, forward, symbol_on_grid

ENGINES = names("fft_engine")


def wave(axis: Axis, n: int) -> np.ndarray:
    """A wave of the axis with index n, mean square 1 unless it is uniform."""
    x = axis.centres
    if axis.boundary == "fixed":
        return np.sin(np.pi * (n + 1) * x / axis.length)
    if axis.boundary == "no_flux":
        return np.cos(np.pi * n * x / axis.length)
    return np.cos(2.0 * np.pi * n * x / axis.length) + 0.3 * np.sin(2.0 * np.pi * n * x / axis.length)


def product_wave(box: Grid, indices: tuple[int, ...]) -> np.ndarray:
    u = np.ones(box.shape)
    for position, (axis, n) in enumerate(zip(box.axes, indices, strict=True)):
        shape = [1] * box.dimensions
        shape[box.dimensions - 1 - position] = -1
        u = u * wave(axis, n).reshape(shape)
    return u


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_transform_and_back(mix, engine):
    box = grid(mix)
    sweep = Sweep(box, 2, cpu, make_engine(engine), block_bytes=4096)
    u = np.random.default_rng(0).normal(size=(2, *box.shape))
    u_hat = sweep.empty_hat()
    assert u_hat.dtype == np.float64
    sweep.forward(u, u_hat)
    n0 = sweep.shape_hat[2]
    plain = forward(u, box).reshape(2, n0, -1)
    stored = sweep.mode_index[0] >= 0
    np.testing.assert_allclose(sweep.by_mode(u_hat)[:, :, stored], plain, atol=1e-13)
    assert not sweep.by_mode(u_hat)[:, :, ~stored].any()
    np.testing.assert_array_equal(sweep.from_modes(sweep.by_mode(u_hat)), u_hat)
    np.testing.assert_allclose(backward(forward(u, box), box), u, atol=1e-13)
    back = np.empty_like(u)
    sweep.backward(u_hat, back)
    np.testing.assert_allclose(back, u, atol=1e-13)
    for q in range(2):
        assert sweep.mean(u_hat, q) == pytest.approx(u[q].mean(), abs=1e-15)


@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_parseval_and_the_symbol_of_every_mode(mix):
    box = grid(mix)
    sweep = Sweep(box, 1, cpu, make_engine())
    modes = sweep.modes("spectral")
    assert modes.multiplicity.sum() * sweep.shape_hat[2] == box.cells
    u = np.random.default_rng(1).normal(size=(1, *box.shape)) + 0.7
    u_hat = sweep.empty_hat()
    sweep.forward(u, u_hat)
    power = np.broadcast_to(modes.weight, modes.k2.shape) * sweep.by_mode(u_hat)[0] ** 2
    assert power.sum() == pytest.approx(np.mean(u**2), rel=1e-13)
    symbol = symbol_on_grid(box, "spectral").reshape(sweep.shape_hat[2], -1)
    np.testing.assert_allclose(modes.k2[:, sweep.mode_index[0] >= 0], symbol, rtol=1e-14)


@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_a_wave_is_an_eigenfunction(mix):
    """−∇² of a product of waves is k² times it, for the plain form and for the kernels."""
    box = grid(mix)
    indices = (3, 2, 1)[: len(mix)]
    u = product_wave(box, indices)
    k2 = 0.0
    for axis, n in zip(box.axes, indices, strict=True):
        halves = {"periodic": 2 * n, "no_flux": n, "fixed": n + 1}[axis.boundary]
        k2 += (np.pi * halves / axis.length) ** 2
    np.testing.assert_allclose(GradientEnergy(1.0, "c").derivative({"c": u}, box)["c"], k2 * u, atol=1e-12)
    sweep = Sweep(box, 1, cpu, make_engine())
    u_hat, out, back = sweep.empty_hat(), sweep.empty_hat(), np.empty((1, *box.shape))
    sweep.forward(u[None], u_hat)
    geometry = sweep.stage_geometry(sweep.modes("spectral"))
    cpu.gradient_potential(sweep.real_view(u_hat), 0, *geometry[:2], 1.5, sweep.real_view(out))
    sweep.backward(out, back)
    np.testing.assert_allclose(back[0], 1.5 * k2 * u, atol=1e-12)
    energy = GradientEnergy(1.5, "c").energy_hat(cpu, sweep.real_view(u_hat), 0, geometry, box.volume)
    assert energy == pytest.approx(0.75 * k2 * np.mean(u**2) * box.volume, rel=1e-12)


@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_finite_differences_mirror_the_field_at_the_faces(mix):
    """The symbol is that of the stencil with ghost cells: the same value behind a no-flux face, minus it behind a fixed one."""
    box = grid(mix)
    u = np.random.default_rng(2).normal(size=box.shape)
    expected = np.zeros(box.shape)
    for position, axis in enumerate(box.axes):
        along = box.dimensions - 1 - position
        pad = [(0, 0)] * box.dimensions
        pad[along] = (1, 1)
        mode = {"periodic": "wrap", "no_flux": "symmetric", "fixed": "symmetric"}[axis.boundary]
        ghost = np.moveaxis(np.pad(u, pad, mode=mode), along, 0)
        if axis.boundary == "fixed":
            ghost = np.concatenate([-ghost[:1], ghost[1:-1], -ghost[-1:]])
        second = (ghost[2:] - 2.0 * ghost[1:-1] + ghost[:-2]) / axis.spacing**2
        expected -= np.moveaxis(second, 0, along)
    found = GradientEnergy(1.0, "c", "finite_difference").derivative({"c": u}, box)["c"]
    np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("mix", [("fixed", "no_flux"), ("periodic", "fixed", "no_flux")], ids=name)
def test_bits_do_not_depend_on_threads(mix, monkeypatch):
    monkeypatch.setattr("phasefield.spectral.sweep.SERIAL_CELLS", 0)
    cells = (160, 96, 20)[: len(mix)]
    box = Grid(tuple(Axis(n, c, 1.3 * c, b) for n, c, b in zip("xyz", cells, mix, strict=False)))
    u = np.random.default_rng(3).normal(size=(2, *box.shape))
    results = []
    for count in (1, 3):
        sweep = Sweep(box, 2, cpu, make_engine(), count, block_bytes=16384)
        assert sweep.threads == count
        u_hat, back = sweep.empty_hat(), np.empty_like(u)
        sweep.forward(u, u_hat)
        sweep.backward(u_hat, back)
        results.append((u_hat.tobytes(), back.tobytes()))
        sweep.close()
    assert results[0] == results[1]


def test_lift_is_taken_off_and_added():
    """Fields between faces with given values: coefficients are those of the difference to the lift, real fields the whole."""
    axes = (Axis("x", 12, 3.0, "no_flux"), Axis("y", 10, 2.0, "fixed", (("c", 1.0, -0.5),)))
    box = Grid(axes)
    g = np.broadcast_to(box.lift_values("c"), box.shape)
    np.testing.assert_allclose(g[:, 0], 1.0 - 1.5 * axes[1].centres / 2.0, rtol=1e-14)
    sweep = Sweep(box, 1, cpu, make_engine(), lift=box.lift_values("c")[None])
    u = g + product_wave(box, (2, 1))
    u_hat, back = sweep.empty_hat(), np.empty((1, *box.shape))
    sweep.forward(u[None], u_hat)
    np.testing.assert_allclose(sweep.by_mode(u_hat)[0, :, :12], forward(u - g, box), atol=1e-13)
    assert sweep.mean(u_hat, 0) == pytest.approx(u.mean(), rel=1e-14)
    sweep.backward(u_hat, back)
    np.testing.assert_allclose(back[0], u, atol=1e-14)
    # ∫ κ/2 |∇u|² of wave and lift, by closed forms: the mixed part vanishes.
    k2 = (2 * np.pi / 3.0) ** 2 + (2 * np.pi / 2.0) ** 2
    expected = box.volume * (0.5 * 1.5**2 / 4.0 + 0.5 * k2 / 4.0)
    assert GradientEnergy(1.0, "c").energy({"c": u}, box) == pytest.approx(expected, rel=1e-12)


def test_lift_between_equal_faces_is_uniform():
    axes = (Axis("x", 5, 1.0, "fixed", (("c", 0.3, 0.3),)), Axis("y", 6, 1.0, "fixed", (("c", 0.3, 0.3),)))
    np.testing.assert_array_equal(Grid(axes).lift_values("c"), [[0.3]])
    assert not Grid(axes).lift_values("d").any()
