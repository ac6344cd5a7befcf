"""Periodic elasticity against closed fields and fracture mechanics: coated holes and grains, slits, the cracked strip.

Stiffness is that of E = 1, ν = 0.3 in plane strain unless said; cells have the size 1 in the tests of cracks.
"""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.mechanics.laws import Isotropic
from phasefield.mechanics.mean_control import MeanControl
from phasefield.mechanics.periodic import PeriodicElasticity
from phasefield.mechanics.periodic_solve import Solution
from phasefield.spectral.grid import Axis, Grid

LAME, SHEAR, NU = 0.3 / (1.3 * 0.4), 0.5 / 1.3, 0.3
STRETCHED = 1.0 / (1.0 - NU**2)  # E′
CONFINED = LAME + 2.0 * SHEAR  # M


def make_cell(width: int, height: int, spacing: float = 1.0) -> PeriodicElasticity:
    return PeriodicElasticity(Grid((Axis("x", width, width * spacing), Axis("y", height, height * spacing))))


# --- neutral inclusions -----------------------------------------------------------------------------------------------


def coated(cells: int, core: tuple[float, float]) -> tuple[float, float, float]:
    """A core of (k, μ) in a coating, in a matrix whose k is that of the composite disc: it does not feel the disc.

    Under ε̄ = I the matrix is uniform, whatever its μ and whatever images there are; u_r = A r + B/r in the coating and C r in
    the core (Z. Hashin, J. Appl. Mech. 29 (1962) 143, doi:10.1115/1.3636446). A void core is the hole of Lamé and Kirsch under
    equal pulls. Returns the mean |error| of stress, its root mean square, both relative, and the error of k of the cell.
    """
    inner, outer, (k1, m1), (k2, m2), m3 = 0.18, 0.36, core, (1.0, 0.5), 0.7
    f = (inner / outer) ** 2
    k3 = k2 + f / (1.0 / (k1 - k2) + (1.0 - f) / (k2 + m2))
    x = (np.arange(cells) + 0.5) / cells - 0.5
    X, Y = np.meshgrid(x, x)
    r = np.hypot(X, Y)
    disc, ring = r < inner, (r >= inner) & (r < outer)
    k, m = np.select([disc, ring], [k1, k2], k3), np.select([disc, ring], [m1, m2], m3)
    law = Isotropic(k - m, m)
    solution = make_cell(cells, cells, 1.0 / cells).solve(law, MeanControl(("strain",) * 3, (1, 1, 0)), tolerance=1e-9)

    # u_r = r at the outer rim; displacement and traction alike at the inner one.
    equations = [[1.0, outer**-2, 0.0], [1.0, inner**-2, -1.0], [k2, -m2 * inner**-2, -k1]]
    A, B, C = np.linalg.solve(equations, [1.0, 0.0, 0.0])
    radial = np.select([disc, ring], [C, A - B / r**2], 1.0)
    hoop = np.select([disc, ring], [C, A + B / r**2], 1.0)
    cos, sin = X / r, Y / r
    shear = np.sqrt(2.0) * (radial - hoop) * cos * sin
    strain = np.array([radial * cos**2 + hoop * sin**2, radial * sin**2 + hoop * cos**2, shear])
    exact = 2.0 * m * strain
    exact[:2] += (k - m) * (radial + hoop)
    error = solution.stress - exact
    assert np.all(solution.stress[:, m == 0.0] == 0.0)
    mean = np.abs(error).sum() / np.abs(exact).sum()
    return mean, float(np.linalg.norm(error) / np.linalg.norm(exact)), 0.5 * solution.mean_stress[0] / k3 - 1.0


@pytest.mark.parametrize(("core", "constant"), [((0.0, 0.0), 3.3), ((20.0, 8.0), 1.7)], ids=["hole", "stiff grain"])
def test_stress_of_neutral_inclusions_converges_with_h(core, constant):
    """Mean error O(h), slope 1: O(1) in the cells along the two rims, O(h) beyond. So O(√h) in the root mean square."""
    cells = np.array([32, 64, 128, 256])
    mean, square, bulk = np.array([coated(n, core) for n in cells]).T
    assert np.polyfit(np.log(cells), np.log(mean), 1)[0] == pytest.approx(-1.0, abs=0.07)
    assert np.polyfit(np.log(cells), np.log(square), 1)[0] == pytest.approx(-0.5, abs=0.12)
    assert np.all(mean * cells < constant)
    assert np.all(np.abs(bulk) * cells < 1.2)


# --- slits ------------------------------------------------------------------------------------------------------------


def slit_cell(cell: PeriodicElasticity, length: int, control: MeanControl) -> Solution:
    """A row of `length` cells without stiffness in the middle."""
    factor = np.ones(cell.grid.shape)
    height, width = cell.grid.shape
    factor[height // 2, (width - length) // 2 : (width + length) // 2] = 0.0
    return cell.solve(Isotropic(LAME * factor, SHEAR * factor), control, tolerance=1e-10)


def crack_compliance(a: float, width: float, height: float) -> float:
    """S_yyyy of a cell with a crack of length 2a: (1/E′)(1 − (4W/πH) ln cos(πa/W)), from K_I = σ √(W tan(πa/W))."""
    return (1.0 - 4.0 * width / (np.pi * height) * np.log(np.cos(np.pi * a / width))) / STRETCHED


@pytest.mark.parametrize(("width", "length"), [(128, 32), (128, 64), (256, 64)])
def test_effective_length_of_a_slit(width, length):
    """C_yyyy = 1/(S_yyyy − S_xxyy²/S_xxxx), S of the sound cell but for S_yyyy: 0.5 % off, the crack 0.27 h longer at each tip.

    The slit is one cell high and softens xx and xy a little too: S_yyyy itself gives 0.34 to 0.36 h.
    """
    height, poisson = 2 * width, LAME / CONFINED
    cell = make_cell(width, height)
    stiffness = slit_cell(cell, length, MeanControl(("strain",) * 3, (0, 1, 0))).mean_stress[1]
    closed = 1.0 / (crack_compliance(0.5 * length, width, height) - poisson**2 / STRETCHED)
    assert stiffness == pytest.approx(closed, rel=5e-3)
    assert stiffness < closed

    def excess(compliance: float) -> float:
        cosine = np.exp(-(compliance * STRETCHED - 1.0) * np.pi * height / (4.0 * width))
        return float(np.arccos(cosine)) * width / np.pi - 0.5 * length

    assert excess(1.0 / stiffness + poisson**2 / STRETCHED) == pytest.approx(0.27, abs=0.015)
    pulled = slit_cell(cell, length, MeanControl(("stress",) * 3, (0, 1, 0)))
    assert excess(pulled.mean_strain[1]) == pytest.approx(0.35, abs=0.015)
    assert pulled.mean_strain[0] == pytest.approx(-poisson / STRETCHED, rel=5e-3)


def test_energy_release_of_a_slit():
    """−ΔU/ΔA at held mean strain against K²/E′, half-length 32 h: 1 % with the effective length, 1.5 % with that of the slit."""
    width, height, half = 256, 512, 32
    cell = make_cell(width, height)
    strain = slit_cell(cell, 2 * half, MeanControl(("stress",) * 3, (0, 1, 0))).mean_strain
    held = MeanControl(("strain",) * 3, tuple(strain))
    energies = [slit_cell(cell, 2 * half + d, held).energy_density.sum() for d in (-2, 2)]
    release = -(energies[1] - energies[0]) / 4.0
    square = [width * np.tan(np.pi * a / width) / STRETCHED for a in (half, half + 0.27)]
    assert release == pytest.approx(square[0], rel=1.5e-2)
    assert release == pytest.approx(square[1], rel=1e-2)


# --- strip ------------------------------------------------------------------------------------------------------------


def strip_release(length: int, height: int, kind: str) -> float:
    """−ΔU/ΔA of a crack over half the length, ε̄_yy = 1, σ̄_xx or ε̄_xx = 0."""
    cell, energies = make_cell(length, height), []
    for d in (-1, 1):
        solution = slit_cell(cell, length // 2 + d, MeanControl((kind, "strain", "strain"), (0, 1, 0)))
        energies.append(solution.energy_density.sum())
    return -(energies[1] - energies[0]) / 2.0


@pytest.mark.parametrize(("ratio", "tolerance"), [(2, 1e-3), (4, 1e-6)])
def test_energy_release_of_the_cracked_strip(ratio, tolerance):
    """G = ½E′ε̄²H, crack and ligament `ratio` times H: 0.99992 and 1 + 1.3e-7 on 64 cells of height."""
    height = 64
    release = strip_release(2 * ratio * height, height, "stress") / (0.5 * STRETCHED * height)
    assert release == pytest.approx(1.0, abs=tolerance)
    if ratio == 2:
        assert release == pytest.approx(0.99992, abs=2e-5)


def test_a_strip_held_along_the_crack_releases_less():
    """With ε̄_xx = 0, U(f) = ½ε̄²HL f [M − λ²(1 − f)/(M(1 − f) + (1 − h/H) E′f)], f the uncracked fraction; G = U′(f)/L.

    The slit of height h carries no σ_xx. The ends of the crack count as O(H/L) of f: extrapolated from two lengths.
    """
    height, f, step = 32, 0.5, 1e-5
    flank = (1.0 - 1.0 / height) * STRETCHED

    def energy(f: float) -> float:
        return 0.5 * height * f * (CONFINED - LAME**2 * (1.0 - f) / (CONFINED * (1.0 - f) + flank * f))

    expected = (energy(f + step) - energy(f - step)) / (2.0 * step)
    short, long = (strip_release(length, height, "strain") for length in (256, 512))
    assert 2.0 * long - short == pytest.approx(expected, rel=3e-4)
    assert expected / (0.5 * CONFINED * height) < 0.99
