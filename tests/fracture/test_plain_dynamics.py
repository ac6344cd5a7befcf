"""A run against the same scheme in plain NumPy: element by element, corner by corner, damage by projected Gauss–Seidel."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from dynamic_scenarios import GC, NU, RHO, E, plate

import phasefield as pf

LAME, SHEAR = E * NU / ((1.0 + NU) * (1.0 - 2.0 * NU)), E / (2.0 * (1.0 + NU))
ETA = 1e-9


def spectral(strain: np.ndarray, g: float) -> tuple[np.ndarray, float]:
    """σ (2, 2) and ψ⁺ of a plane strain tensor, by its eigenvectors."""
    values, vectors = np.linalg.eigh(strain)
    trace = values.sum()
    up, down = np.maximum(values, 0.0), np.minimum(values, 0.0)
    principal = LAME * (g * max(trace, 0.0) + min(trace, 0.0)) + 2.0 * SHEAR * (g * up + down)
    return (vectors * principal) @ vectors.T, 0.5 * LAME * max(trace, 0.0) ** 2 + SHEAR * (up**2).sum()


def whole(strain: np.ndarray, g: float) -> tuple[np.ndarray, float]:
    """The same without a split."""
    stress = LAME * np.trace(strain) * np.eye(2) + 2.0 * SHEAR * strain
    return g * stress, 0.5 * float((stress * strain).sum())


class Plain:
    """Cells of size 1; u and v (2, ny + 1, nx + 1)."""

    def __init__(self, phi: np.ndarray, split, ell: float, traction: float):
        self.shape, self.split, self.ell, self.traction = phi.shape, split, ell, traction
        ny, nx = phi.shape
        self.u, self.v = np.zeros((2, ny + 1, nx + 1)), np.zeros((2, ny + 1, nx + 1))
        self.mass = np.zeros((ny + 1, nx + 1))
        for j, i in product(range(ny), range(nx)):
            self.mass[j : j + 2, i : i + 2] += 0.25 * RHO
        self.load = np.zeros_like(self.u)
        for end, sign in ((0, -1.0), (ny, 1.0)):
            self.load[1, end, :-1] += 0.5 * sign * traction
            self.load[1, end, 1:] += 0.5 * sign * traction
        self.phi = self.damage(phi, np.zeros(self.shape))

    def points(self):
        """Derivatives of the four shape functions at the Gauss points: (2, 2, 2) along x and y, by corner (y, x)."""
        for s, t in product((-(3.0**-0.5), 3.0**-0.5), repeat=2):
            a, b = np.array([0.5 * (1 - s), 0.5 * (1 + s)]), np.array([0.5 * (1 - t), 0.5 * (1 + t)])
            yield np.array([np.outer(b, [-1.0, 1.0]), np.outer([-1.0, 1.0], a)])

    def strain(self, j: int, i: int, N: np.ndarray) -> np.ndarray:
        slope = np.einsum("cyx,ayx->ca", self.u[:, j : j + 2, i : i + 2], N)
        return 0.5 * (slope + slope.T)

    def drive(self) -> np.ndarray:
        result = np.zeros(self.shape)
        for j, i in product(*map(range, self.shape)):
            result[j, i] = np.mean([self.split(self.strain(j, i, N), 1.0)[1] for N in self.points()])
        return result

    def force(self) -> np.ndarray:
        result = np.zeros_like(self.u)
        for j, i in product(*map(range, self.shape)):
            g = (1.0 - ETA) * (1.0 - self.phi[j, i]) ** 2 + ETA
            for N in self.points():
                stress = self.split(self.strain(j, i, N), g)[0]
                result[:, j : j + 2, i : i + 2] += 0.25 * np.einsum("ca,ayx->cyx", stress, N)
        return result

    def damage(self, lower: np.ndarray, drive: np.ndarray) -> np.ndarray:
        """AT2: min over φ ≥ lower of Σ (1 − η)(1 − φ)²ψ⁺ + Gc/(2ℓ) φ² + ½Gcℓ Σ (differences)²."""
        (ny, nx), kappa = self.shape, GC * self.ell
        H = 2.0 * (1.0 - ETA) * drive
        phi = lower.copy()
        for _ in range(20_000):
            change = 0.0
            for j, i in product(range(ny), range(nx)):
                near = [
                    phi[a, b]
                    for a, b in ((j - 1, i), (j + 1, i), (j, i - 1), (j, i + 1))
                    if 0 <= a < ny and 0 <= b < nx
                ]
                best = (H[j, i] + kappa * sum(near)) / (GC / self.ell + H[j, i] + kappa * len(near))
                best = max(best, lower[j, i])
                change, phi[j, i] = max(change, abs(best - phi[j, i])), best
            if change < 1e-13:
                return phi
        raise AssertionError("no convergence")

    def run(self, step: float, count: int) -> None:
        self.v += 0.5 * step * (self.load - self.force()) / self.mass
        for _ in range(count):
            self.u += step * self.v
            self.phi = self.damage(self.phi, self.drive())
            self.v += step * (self.load - self.force()) / self.mass


@pytest.mark.parametrize(("name", "split"), [("spectral", spectral), ("none", whole)])
def test_runs_follow_the_plain_scheme(name, split):
    scenario = plate(
        (9, 7), 0.4, end=0.6, split=name, section={"time": {"end": 0.6, "step": 0.02}}, damage_tolerance=1e-11
    )
    simulation = pf.Simulation.from_scenario(scenario, threads=1)
    notch = pf.Simulation.from_scenario(scenario, threads=1)._notch
    plain = Plain(notch.astype(float), split, 2.0, 12.0)
    np.testing.assert_allclose(simulation.phi, plain.phi, atol=1e-10)
    simulation.advance()
    plain.run(0.02, 30)
    assert simulation.steps == 30
    # The crack has grown, and cells of the body are pressed in one direction.
    assert (simulation.phi > 0.75).sum() > notch.sum() + 2
    strains = [plain.strain(j, i, N) for j, i in product(range(7), range(9)) for N in plain.points()]
    assert (np.linalg.eigvalsh(np.array(strains))[:, 0] < 0.0).sum() > 20
    np.testing.assert_allclose(simulation.phi, plain.phi, atol=1e-8)
    np.testing.assert_allclose(simulation.body.u, plain.u, atol=1e-8 * np.abs(plain.u).max())
    np.testing.assert_allclose(simulation.body.v, plain.v, atol=1e-8 * np.abs(plain.v).max())
