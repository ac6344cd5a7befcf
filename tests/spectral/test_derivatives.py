"""The gather of real numbers is the first derivative, whatever is stored where."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from boundaries import MIXES, grid, name
from conftest import BOXES, scenario

from phasefield.kernels import cpu
from phasefield.kernels.flux import (
    load_derivative,
    load_derivative_of_pairs,
    subtract_divergence,
    subtract_divergence_of_pairs,
)
from phasefield.spectral.derivatives import derivative_tables, partner_grid
from phasefield.spectral.sweep import Sweep
from phasefield.spectral.transforms import make_engine


def odd_wavenumbers(cells: int, length: float) -> np.ndarray:
    """2π n/L in FFT order, 0 where n stands for itself and for −n at once."""
    n = np.fft.fftfreq(cells, 1.0 / cells)
    return np.where(2 * np.abs(n) == cells, 0.0, 2.0 * np.pi * n / length)


def plain_derivative(u: np.ndarray, cells: int, length: float, axis: int) -> np.ndarray:
    """∂u/∂x_axis, axis 0 the last of the array, by a full complex FFT."""
    shape = [1] * u.ndim
    shape[-1 - axis] = cells
    k = odd_wavenumbers(cells, length).reshape(shape)
    return np.fft.ifftn(1j * k * np.fft.fftn(u)).real


def gathered(simulation, u: np.ndarray, axis: int) -> np.ndarray:
    """The same by the tables, with the arrays of a run."""
    sweep = simulation.sweep
    source = sweep.real_view(sweep.empty_hat())
    sweep.forward(u[None], source.view(sweep.hat_dtype))
    tables = derivative_tables(sweep.grid, sweep.layout, axis)
    places = np.divmod(tables.place, source.shape[3])
    arguments = (source, tables.slow_coefficient, tables.slow_place, tables.coefficient, *places)
    sweep.spectral_pass(load_derivative, arguments, forward=False)
    result = np.empty((1, *u.shape))
    sweep.unload(result)
    return result[0]


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_random_fields(simulate, dimensions):
    """All modes at once, Nyquist ones included, on unequal cells with even and odd counts."""
    simulation = simulate(scenario(dimensions=dimensions))
    u = np.random.default_rng(5).normal(size=simulation.grid.shape)
    for axis, box in enumerate(BOXES[dimensions].values()):
        expected = plain_derivative(u, int(box["cells"]), box["length"], axis)
        np.testing.assert_allclose(gathered(simulation, u, axis), expected, atol=1e-12 * np.abs(expected).max())


def test_a_wave(simulate):
    """∂/∂y of a sine, in closed form, and no derivative of it along x."""
    simulation = simulate(scenario())
    y = simulation.grid.coordinates()["y"]
    k = 2.0 * np.pi * 3 / simulation.grid.axes[1].length
    u = np.broadcast_to(np.sin(k * y), simulation.grid.shape).copy()
    np.testing.assert_allclose(
        gathered(simulation, u, 1), np.broadcast_to(k * np.cos(k * y), u.shape), atol=1e-13 * k * u.size
    )
    assert np.abs(gathered(simulation, u, 0)).max() < 1e-13


def test_padding_stays_zero(simulate):
    """What is stored beside the modes, so that blocks have one size, takes no part."""
    for dimensions in (1, 2, 3):
        sweep = simulate(scenario(dimensions=dimensions)).sweep
        padding = np.repeat(sweep.layout.mode_index[0] < 0, 2)
        for axis in range(dimensions):
            tables = derivative_tables(sweep.grid, sweep.layout, axis)
            assert np.all(tables.coefficient[padding] == 0.0)
            assert not np.any(padding[tables.place[~padding]])


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_kernels_of_pairs_and_gathers_agree(simulate, dimensions):
    """Two loops, one meaning: to the last bits in both directions."""
    sweep = simulate(scenario(dimensions=dimensions)).sweep
    rng = np.random.default_rng(2)
    source = rng.normal(size=sweep.real_view(sweep.empty_hat()).shape)
    k0, kr, _ = sweep.stage_geometry(sweep.modes("spectral"))
    block = rng.normal(size=(1, *source.shape[2:]))
    for axis in range(dimensions):
        tables = derivative_tables(sweep.grid, sweep.layout, axis)
        assert tables.of_pairs
        assert not replace(tables, place=tables.place[::-1]).of_pairs
        pairs = (tables.slow_coefficient, tables.coefficient)
        gather = (*pairs[:1], tables.slow_place, *pairs[1:], *np.divmod(tables.place, source.shape[3]))
        for b in range(source.shape[1]):
            found = [block.copy() for _ in range(4)]
            load_derivative_of_pairs(found[0], b, source, *pairs)
            load_derivative(found[1], b, source, *gather)
            subtract_divergence_of_pairs(found[2], b, source, *pairs, 1.3, k0, kr)
            subtract_divergence(found[3], b, source, *gather, 1.3, k0, kr)
            np.testing.assert_allclose(found[0], found[1], rtol=1e-15)
            np.testing.assert_allclose(found[2], found[3], rtol=1e-13, atol=1e-15)
            assert not np.array_equal(found[0], block)


@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_waves_of_every_boundary(mix):
    """∂ of a product of waves in closed form, expressed in the waves of the partner box, and its divergence back."""
    box = grid(mix)
    sweep = Sweep(box, 1, cpu, make_engine(), block_bytes=4096)
    u, along = np.ones(box.shape), []
    for position, axis in enumerate(box.axes):
        shape = [1] * box.dimensions
        shape[box.dimensions - 1 - position] = -1
        x = axis.centres.reshape(shape)
        halves = {"periodic": 4, "no_flux": 3, "fixed": 2}[axis.boundary]
        k = np.pi * halves / axis.length
        f, slope = np.cos(k * x), -k * np.sin(k * x)
        if axis.boundary == "fixed":
            f, slope = np.sin(k * x), k * np.cos(k * x)
        elif axis.boundary == "periodic":
            f, slope = f + 0.4 * np.sin(k * x), slope + 0.4 * k * np.cos(k * x)
        u = u * f
        along.append((f, slope, k))
    u_hat = sweep.empty_hat()
    sweep.forward(u[None], u_hat)
    for axis in range(box.dimensions):
        expected = np.ones(box.shape)
        for position, (f, slope, _) in enumerate(along):
            expected = expected * (slope if position == axis else f)
        partner = Sweep(partner_grid(box, axis), 1, cpu, make_engine(), block_bytes=4096)
        source, target, field = u_hat, partner, expected
        for one, other in ((sweep, partner), (partner, sweep)):
            tables = derivative_tables(one.grid, one.layout, axis)
            arguments = (tables.slow_coefficient, tables.slow_place, tables.coefficient)
            places = np.divmod(tables.place, source.shape[3])
            other.spectral_pass(load_derivative, (source, *arguments, *places), forward=False)
            found = np.empty((1, *box.shape))
            other.unload(found)
            np.testing.assert_allclose(found[0], field, atol=1e-11 * np.abs(field).max())
            # Back: ∂² of the wave.
            source, field = target.empty_hat(), -(along[axis][2] ** 2) * u
            target.forward(found, source)
