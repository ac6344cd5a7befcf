"""Equilibrium of damaged periodic bodies with every split."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.mechanics.degraded import Degraded
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic import PeriodicElasticity
from phasefield.mechanics.splits import make_split
from phasefield.registry import names
from phasefield.spectral.grid import Axis, Grid

LAME, SHEAR = 1.3, 0.9
SPLITS = names("split")


def cell(cells: int, dimensions: int = 2) -> Grid:
    return Grid(tuple(Axis(n, cells, float(cells)) for n in "xyz"[:dimensions]))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("split", SPLITS)
def test_layers_in_series(split, dimensions):
    """Pulled across, layers carry ε̄/⟨1/gM⟩ with every split; pressed, those of `spectral` are as stiff as whole ones."""
    grid, modulus = cell(8, dimensions), LAME + 2 * SHEAR
    g = np.ones(grid.shape)
    g[3:5] = 0.1
    law = Degraded(make_split(split, LAME, SHEAR, dimensions), g)
    m, across = law.components, dimensions - 1
    for sign in (1.0, -1.0):
        mean = np.zeros(m)
        mean[across] = 0.01 * sign
        solution = PeriodicElasticity(grid).solve(law, MeanControl(("strain",) * m, mean), tolerance=1e-12)
        whole = sign < 0 and split == "spectral"
        expected = modulus if whole else 1 / np.mean(1 / (g * modulus))
        if sign > 0 or split in ("none", "hybrid", "spectral"):
            assert solution.mean_stress[across] == pytest.approx(expected * mean[across], rel=1e-9)


@pytest.mark.parametrize("split", SPLITS)
def test_mean_stress_is_the_derivative_of_the_energy(split):
    grid, rng = cell(16), np.random.default_rng(1)
    law = Degraded(make_split(split, LAME, SHEAR, 2), rng.uniform(0.05, 1.0, grid.shape))
    solver, mean, direction = PeriodicElasticity(grid), np.array([0.01, -0.02, 0.015]), np.array([0.3, 0.5, -0.8])

    def solve(strain):
        return solver.solve(law, MeanControl(("strain",) * 3, strain), tolerance=1e-11)

    h = 1e-5
    low, high = (solve(mean + sign * h * direction).energy_density.mean() for sign in (-1, 1))
    assert (high - low) / (2 * h) == pytest.approx(solve(mean).mean_stress @ direction, rel=1e-5)
