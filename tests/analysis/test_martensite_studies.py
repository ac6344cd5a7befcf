"""The studies of `benchmarks/` on twins and habit planes against theory; those that take long are marked slow."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def study(monkeypatch):
    """Imports a script of `benchmarks/`."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


# --- twin spacing ---------------------------------------------------------------------------------------------------


def test_closure_energy_grows_with_the_thickness_of_twins(study):
    sharp = study("twin_spacing").closure()
    assert sharp["slope"] == pytest.approx(1.0, abs=0.02)


def test_twin_spacing_grows_as_the_root_of_the_width(study):
    twins = study("twin_spacing")
    coefficient = twins.closure()["coefficient"]
    rows = [twins.best_spacing(L, coefficient) for L in twins.WIDTHS]
    for r in rows:
        tried = [t["w"] for t in r["tried"]]
        assert tried[0] < r["w"] < tried[-1]
        # Smooth closure domains cost less than sharp ends: spacing and energy stay near those of sharp twins.
        assert r["w"] == pytest.approx(r["w_sharp"], rel=0.15)
        assert r["energy"] < r["energy_sharp"]
    assert twins.slope([r["L"] for r in rows], [r["w"] for r in rows]) == pytest.approx(0.5, abs=0.05)
    assert twins.slope([r["L"] for r in rows], [r["energy"] for r in rows]) == pytest.approx(0.5, abs=0.05)


# --- habit plane of Fe-31Ni -----------------------------------------------------------------------------------------


def test_habit_plane_by_algebra(study):
    theory = study("habit_plane").expected()
    assert theory["fraction"] == pytest.approx(0.3987, abs=1e-4)
    np.testing.assert_allclose(theory["normal"], [0.0, 0.581, 0.814], atol=1e-3)


def test_twinned_plate_has_least_energy_on_the_habit_plane(study):
    """The normal is imposed, the fractions are not: they start from one half."""
    habit = study("habit_plane")
    found = habit.plates(64, 24.0, (46, 50, 54, 58, 62))
    assert found["angle"] == pytest.approx(habit.expected()["angle"], abs=3.0)
    assert found["fraction"] == pytest.approx(habit.expected()["fraction"], abs=0.01)


def test_nucleus_grows_into_the_habit_plane(study):
    habit = study("habit_plane")
    free = habit.nucleus()
    assert free["angle"] == pytest.approx(habit.expected()["angle"], abs=3.0)
    assert free["share"] > 0.9


# --- quenched twins -------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("zeta", "share", "direction", "fractions", "strain"), [(10.0, 0.99, 0.5, 0.03, 0.02), (3.0, 0.93, 2.0, 0.05, 0.04)]
)
def test_clamped_quench(study, zeta, share, direction, fractions, strain):
    """Orientation for every seed; fractions and strain too, once no domain is about to vanish."""
    twins = study("twins")
    s = twins.summary([twins.quench(zeta, "strain", seed) for seed in range(1, 6)])
    for moment in ("end", "later"):
        assert s[moment]["least_share"] > share
        assert s[moment]["largest_direction"] < direction
        assert s[moment]["mean_difference_of_fractions"] < fractions
    assert s["later"]["largest_difference_of_fractions"] < fractions
    assert s["later"]["largest_strain"] < strain
    # No evidence by itself: noise shows it as well.
    assert s["early"]["least_share_of_strain"] > 0.9


@pytest.mark.slow
def test_stress_free_quench_does_not_keep_the_variants_equal(study):
    twins = study("twins")
    s = twins.summary([twins.quench(10.0, "stress", seed) for seed in range(1, 6)])
    assert s["end"]["least_share"] > 0.99
    assert s["end"]["largest_difference_of_fractions"] > 0.2


# --- plateau --------------------------------------------------------------------------------------------------------


def test_plateau_stress_of_fepd(study):
    maxwell = study("maxwell")
    from phasefield.analysis.landau import maxwell_stress

    assert maxwell.plateau(0.2) == pytest.approx(maxwell_stress(0.2, 1.0, 1.0), rel=1e-4)
