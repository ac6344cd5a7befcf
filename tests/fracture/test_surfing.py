"""A crack that follows a moving crack-tip field: J against what the crack costs."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.analysis.surfing import Surfing, crack_tip_field


def test_the_field_is_in_equilibrium_and_free_of_tractions_on_the_crack():
    """Differences of u: σ_yy = K/√(2πr) ahead of the tip, no tractions behind it, div σ = 0; E′ = E/(1 − ν²)."""
    E, nu, K = 210.0, 0.3, 2.0
    shear, d = 0.5 * E / (1 + nu), 1e-4
    lame = 2 * shear * nu / (1 - 2 * nu)

    def stress(x, y):
        step = [np.array([d, 0.0]), np.array([0.0, d])]
        p = np.array([x, y])
        u = [
            [(crack_tip_field(p + s, (0, 0), K, E, nu) - crack_tip_field(p - s, (0, 0), K, E, nu)) / (2 * d)]
            for s in step
        ]
        gradient = np.array([u[0][0], u[1][0]]).T
        return lame * np.trace(gradient) * np.eye(2) + shear * (gradient + gradient.T)

    np.testing.assert_allclose(stress(0.5, 0.0), K / np.sqrt(np.pi) * np.eye(2), rtol=1e-6, atol=1e-6)
    assert np.abs(stress(-0.5, 3 * d)[1]).max() < 2e-3
    e = 0.01
    divergence = (
        stress(0.3 + e, 0.4)[0] - stress(0.3 - e, 0.4)[0] + stress(0.3, 0.4 + e)[1] - stress(0.3, 0.4 - e)[1]
    ) / (2 * e)
    assert np.abs(divergence).max() < 1e-3


def surf(cells: int, resolution: float, start: int, last: int, step: int, contour: tuple[int, int], **options):
    """(steps, 4): crack tip and growth in cells, J and the trail over Gc_num, of steps after `start` cells of surfing."""
    run = Surfing(cells, resolution, **options)
    h, found = run.h, []
    for moved in range(0, last + 1, step):
        here = run.move(0.5 + moved * h, (contour[0] * h, contour[1] * h))
        if moved >= start:
            found.append((here.tip / h, here.grown / h, here.J, here.trail))
    run.close()
    return np.array(found)


def test_a_surfing_crack():
    """AT1, 96 × 48 cells, ℓ = 3h, contour beyond 5ℓ: J = Gc_num within 2 %; the crack follows the field."""
    tip, grown, J, trail = surf(48, 3.0, 8, 24, 2, (15, 21)).T
    np.testing.assert_allclose(J, 1.0, atol=0.02)
    # Only now does the contour cross what the crack has left behind, and not the slit.
    np.testing.assert_allclose(J[-2:], trail[-2:], atol=0.005)
    assert tip[-1] - tip[0] == pytest.approx(16.0, abs=2.0)
    assert grown[-1] - grown[0] == pytest.approx(16.0, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("resolution", [4.0, 6.0])
def test_a_surfing_crack_at_length(resolution):
    """AT1, 128 × 64 cells, two contours: J = Gc_num − D′²h/(Mw²) within 0.5 %, that of the trail within 0.3 %, in every step."""
    modulus, confined = 1.0 / (1.0 - 0.3**2), 0.7 / (1.3 * 0.4)
    for inner, outer in ((12, 18), (18, 24)):
        *_, J, trail = surf(64, resolution, 28, 44, 4, (inner, outer)).T
        less = 2.0 * np.pi / 64.0 * 1.5**2 * modulus / confined * 2.0 / (inner + outer)
        np.testing.assert_allclose(J, 1.0 - less, atol=0.005)
        np.testing.assert_allclose(J, trail, atol=0.003)
