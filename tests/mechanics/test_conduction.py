"""Heat in slabs: series against half spaces, finite differences, and what stays in the end."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.special import erfc

from phasefield.mechanics import conduction
from phasefield.mechanics.conduction import INSULATED, Cooling, Slab, half_space

FACES = {
    "dirichlet": (Cooling(-3.0), INSULATED),
    "robin": (Cooling(-3.0, 2.5), INSULATED),
    "high": (INSULATED, Cooling(4.0, 0.7)),
    "both": (Cooling(-3.0), Cooling(2.0)),
    "mixed": (Cooling(-3.0, 40.0), Cooling(1.0, 0.2)),
}
L, D = 2.0, 0.3


def finite_differences(low: Cooling, high: Cooling, cells: int, time: float) -> np.ndarray:
    """θ at the centres of cells; exact in time, of second order in h. Half a cell and 1/B are resistances in series."""
    h = L / cells
    conductance = [1.0 / (0.5 * h + 1.0 / f.transfer) if f.transfer else 0.0 for f in (low, high)]
    inner = np.full(cells - 1, 1.0 / h)
    diagonal = np.append(inner, conductance[1]) + np.insert(inner, 0, conductance[0])
    matrix = D / h * (np.diag(-diagonal) + np.diag(inner, 1) + np.diag(inner, -1))
    source = np.zeros(cells)
    source[0] += D / h * conductance[0] * low.temperature
    source[-1] += D / h * conductance[1] * high.temperature
    rates, modes = np.linalg.eigh(matrix)
    return modes @ (np.expm1(rates * time) / rates * (modes.T @ source))


@pytest.mark.parametrize("faces", FACES)
@pytest.mark.parametrize("time", [0.02, 0.2, 3.0])
def test_finite_differences(faces, time):
    errors = []
    for cells in (200, 400):
        x = (np.arange(cells) + 0.5) * L / cells
        exact = Slab(L, D, *FACES[faces]).temperature(x, time)
        errors.append(np.abs(finite_differences(*FACES[faces], cells, time) - exact).max())
    assert errors[0] < 4e-3
    assert errors[1] < 0.3 * errors[0]


@pytest.mark.parametrize("faces", FACES)
def test_series_begins_where_half_spaces_end(faces, monkeypatch):
    slab, x = Slab(L, D, *FACES[faces]), np.linspace(0.01, L - 0.01, 37)
    time = 0.999 * (conduction.EARLY * L) ** 2 / D
    early = slab.temperature(x, time)
    monkeypatch.setattr(conduction, "EARLY", 0.0)
    np.testing.assert_allclose(slab.temperature(x, time), early, atol=1e-13)


def test_half_space_with_a_face_that_is_kept():
    x = np.linspace(0.0, 1.0, 11)
    np.testing.assert_allclose(half_space(x, 0.2, Cooling(-5.0)), -5.0 * erfc(x / 0.4), rtol=1e-14)
    # Heat that passes so easily is no hindrance.
    np.testing.assert_allclose(half_space(x, 0.2, Cooling(-5.0, 1e9)), -5.0 * erfc(x / 0.4), atol=1e-7)
    assert (half_space(x, 0.2, INSULATED) == 0.0).all()


def test_what_stays():
    """In the end the flux is the same everywhere: resistances L, 1/B₀ and 1/B₁ in series."""
    low, high = FACES["mixed"]
    x = np.array([0.0, 0.5 * L, L])
    theta = Slab(L, D, low, high).temperature(x, 1e4)
    flux = (high.temperature - low.temperature) / (L + 1.0 / low.transfer + 1.0 / high.transfer)
    np.testing.assert_allclose(np.diff(theta), 0.5 * L * flux, rtol=1e-12)
    assert theta[0] == pytest.approx(low.temperature + flux / low.transfer, rel=1e-12)
    np.testing.assert_allclose(Slab(L, D, *FACES["high"]).temperature(x, 1e4), 4.0, rtol=1e-12)


def test_heat_that_has_left():
    """∫ θ dx = −2Θ√(Dt/π) per area as long as the slab is thick."""
    x = (np.arange(4000) + 0.5) * L / 4000
    theta = Slab(L, D, Cooling(-3.0)).temperature(x, 0.05)
    assert theta.sum() * L / 4000 == pytest.approx(-6.0 * math.sqrt(D * 0.05 / math.pi), rel=1e-6)
    assert (Slab(L, D, Cooling(-3.0)).temperature(x, 0.0) == 0.0).all()
