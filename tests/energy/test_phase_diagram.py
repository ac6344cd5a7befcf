"""Binodal and spinodal: published values, closed forms, the tangent itself, and what `check` prints."""

from __future__ import annotations

import math

import numpy as np
import pytest

from phasefield.analysis.interface import coexistence
from phasefield.energy.free_energies import DoubleWell, FloryHuggins, Interaction
from phasefield.energy.phase_diagram import (
    flory_huggins_binodal,
    flory_huggins_critical_point,
    flory_huggins_spinodal,
    spinodal,
)


@pytest.mark.parametrize(
    ("chi", "binodal", "unstable"),
    [(2.5, 0.144794, 0.276393), (3.0, 0.070720, 0.211325), (4.0, 0.021248, 0.146447)],
)
@pytest.mark.parametrize("length", [1, 7])
def test_symmetric_mixture(chi, binodal, unstable, length):
    """Only χN matters; ln(c/(1−c)) + χN(1−2c) = 0."""
    low, high = flory_huggins_binodal(length, length, chi / length)
    assert (low, high) == pytest.approx((binodal, 1.0 - binodal), abs=1e-6)
    assert math.log(low / (1.0 - low)) + chi * (1.0 - 2.0 * low) == pytest.approx(0.0, abs=1e-12)
    assert flory_huggins_spinodal(length, length, chi / length) == pytest.approx((unstable, 1.0 - unstable), abs=1e-6)


@pytest.mark.parametrize(
    ("n1", "n2", "chi"),
    [
        (10, 20, 0.24),
        (1, 1000, 0.9),
        (1000, 1, 0.9),
        (1, 1.0000001, 3.0),
        (100, 1, 2.0),
        (200, 3000, 1.0),
        (2, 3, 0.83),
    ],
)
def test_any_chains_share_a_tangent(n1, n2, chi):
    """f′ equal and the chord of that slope, in 60 digits; the spinodal lies inside."""
    import mpmath

    a, b = flory_huggins_binodal(n1, n2, chi)
    s, t = flory_huggins_spinodal(n1, n2, chi)
    assert a < s < t < b
    with mpmath.workdps(60):

        def slope(c):
            return (mpmath.log(c) + 1) / n1 - (mpmath.log(1 - c) + 1) / n2 + chi * (1 - 2 * c)

        def f(c):
            return c * mpmath.log(c) / n1 + (1 - c) * mpmath.log(1 - c) / n2 + chi * c * (1 - c)

        def equations(x, y):
            # Unknowns ln c of one phase and ln (1−c) of the other: both may be tiny.
            p, q = mpmath.exp(x), 1 - mpmath.exp(y)
            return slope(p) - slope(q), f(q) - f(p) - slope(p) * (q - p)

        rest = max(1.0 - b, 1e-300)
        start = mpmath.log(a), mpmath.log(mpmath.mpf(rest)) if rest > 1e-14 else -n2 * (chi + 1)
        if rest > 1e-14:
            x, y = mpmath.findroot(equations, start)
            assert a == pytest.approx(float(mpmath.exp(x)), rel=1e-9)
            assert b == pytest.approx(float(1 - mpmath.exp(y)), abs=1e-9)
        second = [1 / (n1 * c) + 1 / (n2 * (1 - c)) - 2 * chi for c in (mpmath.mpf(s), mpmath.mpf(t))]
        assert abs(second[0]) < 1e-9 * chi
        assert abs(second[1]) < 1e-7 * chi


def test_exchange_of_species():
    """c ↔ 1 − c with the lengths exchanged."""
    a, b = flory_huggins_binodal(3, 40, 0.5)
    assert flory_huggins_binodal(40, 3, 0.5) == pytest.approx((1 - b, 1 - a), rel=1e-10)
    s, t = flory_huggins_spinodal(3, 40, 0.5)
    assert flory_huggins_spinodal(40, 3, 0.5) == pytest.approx((1 - t, 1 - s), rel=1e-10)


@pytest.mark.parametrize("lengths", [(1, 1), (10, 20), (1, 5000)])
def test_critical_point(lengths):
    c, chi = flory_huggins_critical_point(*lengths)
    assert flory_huggins_binodal(*lengths, chi) is None
    assert flory_huggins_spinodal(*lengths, 0.9 * chi) is None
    above = chi * (1.0 + 1e-6)
    for low, high in (flory_huggins_binodal(*lengths, above), flory_huggins_spinodal(*lengths, above)):
        assert low < c < high
        assert high - low < 0.02
    # Mean-field exponents: the binodal opens √3 times as wide as the spinodal.
    widths = [np.ptp(g(*lengths, above)) for g in (flory_huggins_binodal, flory_huggins_spinodal)]
    assert widths[0] / widths[1] == pytest.approx(math.sqrt(3.0), rel=0.01)


@pytest.mark.parametrize(("n1", "n2", "chi"), [(1, 1, 3.0), (10, 20, 0.24)])
def test_formulas_agree_with_the_closed_forms(n1, n2, chi):
    """The common tangent and f″ = 0 found from the formula alone."""
    energy = FloryHuggins(length_1=n1, length_2=n2, interaction=Interaction(a=chi))
    f, values = energy.expression(), energy.parameter_values()
    phases = coexistence(f, values, 0.5)
    assert phases == pytest.approx(flory_huggins_binodal(n1, n2, chi), abs=1e-9)
    assert spinodal(f, values, *phases) == pytest.approx(flory_huggins_spinodal(n1, n2, chi), abs=1e-9)


def test_spinodal_of_a_double_well():
    """W (c−a)² (b−c)²: the inflections lie (b−a)/(2√3) from the middle."""
    well = DoubleWell(barrier=5.0, low=0.3, high=0.7)
    found = spinodal(well.expression(), well.parameter_values(), 0.3, 0.7)
    assert found == pytest.approx((0.5 - 0.2 / math.sqrt(3), 0.5 + 0.2 / math.sqrt(3)), abs=1e-12)
    convex = well.expression()
    assert spinodal(convex, well.parameter_values(), 0.68, 0.9) is None
