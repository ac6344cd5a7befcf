"""Stability of a cold layer: against finite differences of an energy in two dimensions, and where it must be stable."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sparse
from scipy.sparse.linalg import splu
from scipy.special import erfc

from phasefield.analysis.crack_row import crack_spacing
from phasefield.analysis.thermal_shock import ColdLayer, first_cracks
from phasefield.errors import InputError
from phasefield.simulation import Simulation

NU = 0.2


def energy(phi: np.ndarray, theta: np.ndarray, y: np.ndarray, wavelength: float) -> float:
    """min over u of ∫ ½g C(ε − θI):(ε − θI) + φ + |∇φ|² of nodal φ (ny, nx), periodic in x, per length of the face.

    Bilinear elements with the strain at four points, g and θ at their centres.
    """
    ny, nx = phi.shape
    hx = wavelength / nx
    number = np.arange(ny * nx).reshape(ny, nx)
    corners = [number[:-1], np.roll(number, -1, 1)[:-1], number[1:], np.roll(number, -1, 1)[1:]]
    low, right, high, both = (c.reshape(-1) for c in corners)
    hy = np.repeat(np.diff(y), nx)
    middle = 0.25 * sum(phi.reshape(-1)[c] for c in (low, right, high, both))
    g, heat = (1.0 - middle) ** 2 + 1e-9, np.repeat(theta, nx)
    C = np.array([[1.0, NU, 0.0], [NU, 1.0, 0.0], [0.0, 0.0, 0.5 * (1.0 - NU)]]) / (1.0 - NU**2)
    dofs = np.stack([d for c in (low, right, high, both) for d in (2 * c, 2 * c + 1)], 1)
    n = 2 * ny * nx
    K, f, total = sparse.csr_array((n, n)), np.zeros(n), 0.0
    for s in 0.5 + np.array([-0.5, 0.5]) / math.sqrt(3.0):
        for t in 0.5 + np.array([-0.5, 0.5]) / math.sqrt(3.0):
            dx = np.array([-(1 - t), 1 - t, -t, t]) / hx
            dy = np.array([-(1 - s), -s, 1 - s, s])[None] / hy[:, None]
            B = np.zeros((len(hy), 3, 8))
            B[:, 0, 0::2], B[:, 1, 1::2], B[:, 2, 0::2], B[:, 2, 1::2] = dx, dy, dy, dx
            w = 0.25 * hx * hy * g
            ke = np.einsum("e,eai,ab,ebj->eij", w, B, C, B)
            rows, columns = np.repeat(dofs, 8, 1), np.tile(dofs, (1, 8))
            K = K + sparse.csr_array((ke.reshape(-1), (rows.reshape(-1), columns.reshape(-1))), (n, n))
            stress = np.einsum("ab,b->a", C, [1.0, 1.0, 0.0])
            np.add.at(f, dofs.reshape(-1), np.einsum("e,eai,a->ei", w * heat, B, stress).reshape(-1))
            total += 0.5 * (w * heat**2).sum() * stress[:2].sum()
    free = np.arange(n - 2 * nx)
    u = np.zeros(n)
    u[free] = splu(sparse.csc_array(sparse.csr_array(K)[free][:, free])).solve(f[free])
    total += 0.5 * u @ (K @ u) - f @ u
    gx, gy = (np.roll(phi, -1, 1) - phi) / hx, np.diff(phi, axis=0) / np.diff(y)[:, None]
    share = 0.5 * (np.append(np.diff(y), 0.0) + np.insert(np.diff(y), 0, 0.0))[:, None]
    total += (share * phi).sum() * hx + (share * gx**2).sum() * hx + (np.diff(y)[:, None] * gy**2).sum() * hx
    return total / wavelength


@pytest.mark.parametrize(("time", "wavelength"), [(0.08, 4.4), (0.15, 4.4), (0.15, 9.0)])
def test_second_variation_is_that_of_the_energy(time, wavelength):
    """With aA cos kx on top, the energy of a body in the plane changes by ¼a² times the second variation: cos² is ½ on average.

    The terms of first order vanish, the mean of cos kx is 0. Differences are those of the elements, of second order in h.
    """
    ratio, k, a, errors = 4.0, 2.0 * math.pi / wavelength, 0.01, []
    for spacing, columns in ((0.1, 32), (0.05, 64)):
        layer = ColdLayer(ratio, time, NU, spacing)
        inside = layer.damaged
        A = np.zeros(len(layer.y))
        A[inside] = layer.phi[inside] ** 2
        expected = 0.5 * A[inside] @ layer.second_variation(k) @ A[inside]
        theta = -ratio * erfc(0.5 * (layer.y[1:] + layer.y[:-1]) / (2.0 * math.sqrt(time)))
        wave = a * A[:, None] * np.cos(2.0 * np.pi * (np.arange(columns) + 0.5) / columns)
        plain, changed = (energy(layer.phi[:, None] + s * wave, theta, layer.y, wavelength) for s in (0.0, 1.0))
        # Beside what the cracks and the stress alone contribute: near the instability the sum is small.
        size = np.trapezoid(
            0.5 * A**2 * (ratio**2 * erfc(layer.y / (2.0 * math.sqrt(time))) ** 2 + 2.0 * k * k), layer.y
        )
        errors.append(abs((changed - plain) / (0.5 * a**2) - expected) / size)
    assert errors[0] < 0.02
    assert errors[1] < max(0.4 * errors[0], 1e-3)


def test_homogeneous_damage_is_a_minimum():
    """−2φ'' = (1 − φ)θ² − 1 where φ > 0, φ' = 0 at the face, φ and φ' = 0 where it ends."""
    layer = ColdLayer(3.0, 0.2, NU, 0.01)
    inside = layer.damaged[1:-1]
    theta = -3.0 * erfc(layer.y / (2.0 * math.sqrt(0.2)))
    second = (layer.phi[inside + 1] - 2.0 * layer.phi[inside] + layer.phi[inside - 1]) / 0.01**2
    np.testing.assert_allclose(-2.0 * second, (1.0 - layer.phi[inside]) * theta[inside] ** 2 - 1.0, atol=1e-6)
    assert layer.phi[layer.damaged[-1]] < 1e-3
    assert layer.phi[0] - layer.phi[1] < 1e-3


def test_long_and_short_waves_are_stable():
    layer = ColdLayer(4.0, 0.115, NU, 0.1)
    assert layer.least(2.0 * math.pi / 4.4) < 0.0
    assert layer.least(0.1) > 0.0
    assert layer.least(6.0) > 0.0


def test_first_cracks():
    """Harder shocks: sooner and closer together. Half the elements change little."""
    mild, hard = (first_cracks(ratio, NU, 0.1) for ratio in (2.0, 4.0))
    fine = first_cracks(4.0, NU, 0.05)
    assert mild.time > 4.0 * hard.time
    assert mild.wavelength > 1.5 * hard.wavelength
    assert fine.wavelength == pytest.approx(4.37, rel=0.02)
    assert fine.time == pytest.approx(0.106, rel=0.02)
    assert hard.wavelength == pytest.approx(fine.wavelength, rel=0.03)
    assert hard.time == pytest.approx(fine.time, rel=0.03)


def test_first_cracks_of_a_run():
    """The scenario `thermal_shock`, wider and less deep: as many cracks as the wavelength has room for."""
    scenario = Path(__file__).parents[2] / "scenarios" / "thermal_shock.yaml"
    size = {"grid.x.cells": 400, "grid.x.length": 100.0, "grid.y.cells": 24, "grid.y.length": 6.0, "verify": False}
    simulation = Simulation.from_scenario(scenario, size, threads=1)
    simulation.advance(0.4)
    row = crack_spacing(simulation.phi, simulation.grid, "y.low", 0.75)
    assert row.spacing == pytest.approx(first_cracks(4.0, NU, 0.1).wavelength, rel=0.12)
    assert row.wavelength == pytest.approx(first_cracks(4.0, NU, 0.1).wavelength, rel=0.15)


def test_no_cracks_without_damage():
    with pytest.raises(InputError, match=r"must be greater than 1, got 0\.9"):
        first_cracks(0.9)
