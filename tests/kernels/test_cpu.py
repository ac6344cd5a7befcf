"""Elementary functions of the CPU kernels against high precision, and plain forms of the loops."""

from __future__ import annotations

import mpmath
import numba
import numpy as np
import pytest

from phasefield.kernels import cpu
from phasefield.stepping.schemes import function_values


@numba.njit
def tabulate(z, out):
    for i in range(z.size):
        out[0, i], out[1, i], out[2, i], out[3, i] = cpu.phi_functions(z[i])


POINTS = np.concatenate(
    [-np.logspace(-12, 2.8, 120), np.logspace(-12, 2, 80), [0.0, -1.0, 1.0, -0.9999999, -1.0000001]]
)


def exact(z: float) -> list[float]:
    with mpmath.workdps(90):
        x = mpmath.mpf(z)
        if x == 0:
            return [1.0, 1.0, 0.5, 1.0 / 6.0]
        e = mpmath.exp(x)
        phi1 = (e - 1) / x
        phi2 = (phi1 - 1) / x
        return [float(v) for v in (e, phi1, phi2, (phi2 - mpmath.mpf(1) / 2) / x)]


def test_phi_functions():
    out = np.empty((4, POINTS.size))
    tabulate(POINTS, out)
    reference = np.array([exact(float(z)) for z in POINTS]).T
    np.testing.assert_allclose(out, reference, rtol=3e-15)


def test_contour_means_agree():
    """The table's φ-functions come from a contour integral, independent of the kernel's series."""
    reference = np.array([exact(float(z)) for z in POINTS]).T
    values = function_values(POINTS)
    for i, name in enumerate(("exp_z", "phi1", "phi2", "phi3")):
        np.testing.assert_allclose(values[name], reference[i], rtol=1e-13)


def test_far_damped_modes_vanish():
    out = np.empty((4, 2))
    tabulate(np.array([-800.0, -1e6]), out)
    assert np.all(out[0] == 0.0)
    np.testing.assert_allclose(out[1], [1 / 800, 1e-6], rtol=1e-14)


def test_not_a_number_stays():
    out = np.empty((4, 1))
    tabulate(np.array([np.nan]), out)
    assert np.isnan(out).all()


def spectrum(seed: int = 0, fields: int = 2, blocks: int = 3, n0: int = 6, modes: int = 4):
    """A Fourier array block by block, and the same as (fields, n0, R)."""
    rng = np.random.default_rng(seed)
    shape = (fields, blocks, n0, modes)
    u_hat = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    u_hat[:, 0, 0, 0] = u_hat[:, 0, 0, 0].real  # a mean
    by_mode = u_hat.transpose(0, 2, 1, 3).reshape(fields, n0, -1)
    r = blocks * modes
    return u_hat, by_mode, rng.uniform(0, 3, n0), rng.uniform(0, 3, r), rng.choice([0.0, 1.0, 2.0], r)


def twice(*per_mode):
    """An entry for either part of a mode, as kernels take them."""
    return [np.repeat(values, 2) for values in per_mode]


def test_gradient_kernels():
    u_hat, by_mode, k0, kr, weight = spectrum()
    k2 = k0[:, None] + kr[None, :]
    expected = 0.5 * 1.7 * (weight * k2 * np.abs(by_mode[1]) ** 2).sum()
    assert cpu.gradient_energy(u_hat.view(float), 1, k0, *twice(kr, weight), 1.7) == pytest.approx(expected, rel=1e-13)
    out = np.zeros_like(u_hat)
    cpu.gradient_potential(u_hat.view(float), 1, k0, *twice(kr), 1.7, out.view(float))
    np.testing.assert_allclose(out[1].transpose(1, 0, 2).reshape(k2.shape), 1.7 * k2 * by_mode[1], rtol=1e-15)
    assert not out[0].any()


def test_power_kernels():
    u_hat, by_mode, k0, kr, weight = spectrum(3)
    power, count = np.zeros(8), np.zeros(8)
    cpu.shell_power(u_hat.view(float), 1, k0, *twice(kr, weight), 0.5, power, count)
    shell = np.floor(np.sqrt(k0[:, None] + kr[None, :]) / 0.5 + 0.5).astype(int)
    w = np.broadcast_to(weight, shell.shape)
    np.testing.assert_allclose(0.5 * count, np.bincount(shell.ravel(), w.ravel(), 8)[:8])
    expected = np.bincount(shell.ravel(), (w * np.abs(by_mode[1]) ** 2).ravel(), 8)[:8]
    np.testing.assert_allclose(power, expected, rtol=1e-13)
    total = (weight * np.abs(by_mode[0]) ** 2).sum() - weight[0] * abs(by_mode[0, 0, 0]) ** 2
    assert cpu.fluctuation(u_hat.view(float), 0, *twice(weight)) == pytest.approx(total, rel=1e-13)


def test_store_and_load():
    block = np.arange(2 * 3 * 8, dtype=float).reshape(2, 3, 8)
    whole = np.zeros((2, 5, 3, 8))
    cpu.store_block(block, 4, whole)
    np.testing.assert_array_equal(whole[:, 4], block)
    assert whole.sum() == block.sum()
    back = np.zeros_like(block)
    cpu.load_block(back, 4, whole)
    np.testing.assert_array_equal(back, block)
