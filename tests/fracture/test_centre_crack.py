"""A centre crack in a periodic plate: Griffith's load for the length that its stiffness tells, the strength of short ones."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.analysis.centre_crack import CentreCrack, centre_crack_scenario
from phasefield.simulation import Simulation


def grown(cells: int, width: int, height: int, ell: float, grow: float, step: float, dissipation: str = "AT1"):
    """Rows (energy of new cracks over Gc_num, σ, ε̄) and the plate with Gc_num."""
    simulation = Simulation.from_scenario(
        centre_crack_scenario(cells, width, height, ell, grow, step, dissipation=dissipation), threads=1
    )
    rows: list[tuple[float, float, float]] = []
    cost = simulation.problem.cracks.numerical_toughness
    simulation.advance(on_step=lambda s: rows.append((s.balance.cracks, s.load, s.history_row()["mean_strain_yy"])))
    first = simulation.balance.first_cracks
    simulation.close()
    energies, stress, strain = np.array(rows).T
    return (energies - first) / cost, stress, strain, CentreCrack(width, height, 1000.0, cost)


def check(new, stress, strain, plate, cells, start, tolerance):
    """σ over Griffith's, once the new cracks are longer than `start`; 2a of the stiffness grows as the energy of cracks does."""
    a = np.array([plate.half_length(e, s) for e, s in zip(strain, stress, strict=True)])
    expected = np.array([plate.griffith(x) for x in a])
    late = new > start
    np.testing.assert_allclose(stress[late] / expected[late], 1.0, atol=tolerance)
    np.testing.assert_allclose(np.diff(2 * a[late]), np.diff(new[late]), rtol=0.1)
    return float(np.mean(a[late] - 0.5 * cells - 0.5 * new[late]))


def test_griffith_load():
    """2a = 24h, ℓ = 4h, W = 96h: 2 % of Griffith's once grown by 2ℓ; it acts as a crack 0.7 … 1 ℓ longer at each end."""
    longer = check(*grown(24, 96, 192, 4.0, 15.0, 5.0), 24, 8.0, 0.02)
    assert 0.7 < longer / 4.0 < 1.0


@pytest.mark.slow
def test_griffith_load_of_a_long_crack():
    """a = 40h, ℓ = 4h, W = 256h, H = 512h: within 1.2 %; the largest load within 5 % of Griffith's for the length it has then."""
    new, stress, strain, plate = grown(80, 256, 512, 4.0, 24.0, 4.0)
    longer = check(new, stress, strain, plate, 80, 7.5, 0.012)
    assert longer / 4.0 == pytest.approx(0.83, abs=0.05)
    peak = int(stress.argmax())
    assert stress[peak] == pytest.approx(plate.griffith(plate.half_length(strain[peak], stress[peak])), rel=0.05)


def test_compliance_and_load_are_those_of_one_crack():
    """d(ε̄/σ)/da · σ² W H/2 = 2·K²/E′ by Irwin and Kies; the length comes back from the compliance."""
    plate = CentreCrack(2.0, 5.0, 3.0, 0.1)

    def compliance(a):
        return (1.0 - 4.0 * 2.0 / (np.pi * 5.0) * np.log(np.cos(np.pi * a / 2.0))) / 3.0

    a, d = 0.3, 1e-5
    slope = (compliance(a + d) - compliance(a - d)) / (2 * d)
    sigma = plate.griffith(a)
    # Energy per cell ½ σ² S W H; two tips.
    assert 0.5 * sigma**2 * slope * 10.0 == pytest.approx(2 * 0.1, rel=1e-6)
    assert plate.half_length(compliance(a), 1.0) == pytest.approx(a, rel=1e-12)


def strength(cells: int, ell: float = 4.0, size: int = 64) -> float:
    """Largest stress of a plate with a slit, over √(3EGc/8ℓ)."""
    _, stress, _, _ = grown(cells, size, size, ell, 6.0, 1.5)
    return float(stress.max() / np.sqrt(3 * 1000.0 / (8 * ell)))


def test_short_cracks_do_not_weaken():
    """AT1: above 60 % of σ_c where Griffith's load is beyond it (a = ℓ/4), falling with the length, less than both for all."""
    lengths = np.array([2, 8, 16])
    found = np.array([strength(n) for n in lengths])
    plate = CentreCrack(64, 64, 1000.0, 1 + 1 / 512)
    griffith = np.array([plate.griffith(0.5 * n) for n in lengths]) / np.sqrt(3 * 1000.0 / 32)
    assert griffith[0] > 1.5
    assert 0.6 < found[0] < 1.0
    assert np.all(np.diff(found) < 0.0)
    assert np.all(found < np.minimum(griffith, 1.0))
