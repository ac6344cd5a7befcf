"""Every Fourier mode grows by the scheme's exact discrete factor. The closed forms stand here, independent of the tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import scenario

from phasefield.registry import lookup, names

QUADRATIC = {"cahn_hilliard": "-0.35*c**2 + 0.2*c", "allen_cahn": "-0.35*phi**2 + 0.2*phi"}
FIELD = {"cahn_hilliard": "c", "allen_cahn": "phi"}
STEPS = 20


def phi(order: int, z: np.ndarray) -> np.ndarray:
    """φ_order by its Taylor series (|z| < 1) or its definition: plain and slow, unlike kernel and table."""
    series = sum(z**j / float(np.prod(np.arange(1, j + order + 1, dtype=float))) for j in range(25))
    safe = np.where(np.abs(z) < 1.0, 1.0, z)
    first = np.expm1(safe) / safe
    second = (first - 1.0) / safe
    direct = {1: first, 2: second, 3: (second - 0.5) / safe}[order]
    return np.where(np.abs(z) < 1.0, series, direct)


def closed_form(scheme: str, a: np.ndarray, f: float, S: float, K: np.ndarray) -> np.ndarray:
    """G of the theory note, section 2: a = Δt m, f = f″(c₀), K = κk̃²."""
    if scheme == "imex1":
        return (1.0 + a * (S - f)) / (1.0 + a * (S + K))
    if scheme == "sbdf2":
        p, q, r = 1.5 + a * (S + K), -2.0 + 2.0 * a * f - 2.0 * a * S, 0.5 - a * f + a * S
        # Strongly damped modes have a pair of complex roots: they turn while they decay, and have no factor (nan).
        return (-q + np.sqrt(np.where(q * q >= 4.0 * p * r, q * q - 4.0 * p * r, np.nan))) / (2.0 * p)
    z, n = -a * (S + K), -a * (f - S)
    if scheme == "etdrk2":
        g1 = np.exp(z) + n * phi(1, z)
        return g1 + n * (g1 - 1.0) * phi(2, z)
    # Cox and Matthews, with f₁, f₂, f₃ in terms of φ.
    half, Q = np.exp(0.5 * z), 0.5 * phi(1, 0.5 * z)
    f1, f2, f3 = phi(1, z) - 3 * phi(2, z) + 4 * phi(3, z), phi(2, z) - 2 * phi(3, z), 4 * phi(3, z) - phi(2, z)
    A = half + n * Q
    B = half + n * Q * A
    D = half * A + Q * (2.0 * n * B - n)
    return {"etdrk4": np.exp(z) + n * (f1 + 2.0 * f2 * (A + B) + f3 * D)}[scheme]


def modes_of(simulation):
    """k̃² of all stored modes that are no padding, and the index of those."""
    modes = simulation.stepper.modes
    return modes.k2, np.broadcast_to(modes.weight > 0.0, modes.k2.shape)


def grow(simulation, dt: float, S: float, G: np.ndarray | None = None):
    """û before and after STEPS steps with given Δt and S; a multistep scheme gets its first step from the exact factor G."""
    stepper, steps = simulation.stepper, STEPS
    by_mode, from_modes = simulation.sweep.by_mode, simulation.sweep.from_modes
    before = by_mode(stepper.state_hat)[0]
    if stepper.scheme.multistep:
        # Its own first step is of another kind: let it fill N of the step before, then put the exact value in its place.
        stepper.attempt(dt, np.array([S]))
        stepper.accept()
        exact = by_mode(stepper.state_hat)
        known = np.isfinite(G) & (modes_of(simulation)[0] > 0.0)
        exact[0][known] = (before * G)[known]
        stepper.state_hat[...] = from_modes(exact)
        stepper.restore()
        steps -= 1
    for _ in range(steps):
        simulation.stepper.attempt(dt, np.array([S]))
        simulation.stepper.accept()
    return before, by_mode(stepper.state_hat)[0]


@pytest.mark.parametrize("laplacian", names("laplacian"))
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("model", ["cahn_hilliard", "allen_cahn"])
@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize("precision", ["double", "single"])
def test_quadratic_energy_every_mode(simulate, scheme, model, dimensions, laplacian, precision):
    extra = {"free_energy": QUADRATIC[model], "mobility": 0.8, "laplacian": laplacian}
    time = {"end": 1.0, "step": 0.1, "scheme": scheme}
    data = scenario(model, dimensions, model_=extra, time=time, precision=precision)
    eps = float(np.finfo(np.float64 if precision == "double" else np.float32).eps)
    for dt, S in ((0.02, 0.0), (0.25, 1.3), (0.6, 0.7)):
        simulation = simulate(data)
        k2, real = modes_of(simulation)
        m = 0.8 * k2 if model == "cahn_hilliard" else np.full_like(k2, 0.8)
        G = closed_form(scheme, dt * m, -0.7, S, 2.0 * k2)
        before, after = grow(simulation, dt, S, G)
        # The uniform mode also feels the linear part of f. Every stage of a step rounds to ε times the largest mode.
        kept = real & (np.abs(G) ** STEPS > 1e-2) & (k2 > 0.0)
        assert kept.sum() >= 3
        expected = (G**STEPS * before)[kept]
        stages = len(lookup("scheme", scheme).stages)
        # Transforms round to ε times the largest coefficient of u and of F, the uniform one included; a step adds up to
        # four terms of that size.
        largest = np.abs(expected).max() if precision == "double" else 4.0 * (0.2 + np.abs(before).max())
        rounding = STEPS * stages * eps * largest
        # In single precision a factor itself is rounded, once per stage and step.
        relative = 1e-10 if precision == "double" else 4.0 * STEPS * stages * eps
        assert np.all(np.abs(after[kept] - expected) <= relative * np.abs(expected) + rounding)
        assert np.all(after[~real] == 0.0)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("mean", [0.5, 0.4, 0.1])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_quartic_well_small_amplitude(simulate, scheme, mean, dimensions):
    """Inside (½, 0.4) and outside (0.1) the spinodal of c²(1−c)², amplitude 1e-7."""
    data = scenario(
        dimensions=dimensions,
        model_={"free_energy": {"name": "double_well", "barrier": 1.0, "low": 0.0, "high": 1.0}},
        initial={"c": {"mean": mean, "noise": 1e-7}},
        time={"end": 1.0, "step": 0.1, "scheme": scheme},
    )
    dt, S = 0.3, 1.0
    simulation = simulate(data)
    k2, real = modes_of(simulation)
    f2 = 2.0 * (1.0 - 6.0 * mean + 6.0 * mean**2)
    G = closed_form(scheme, dt * k2, f2, S, 2.0 * k2)
    before, after = grow(simulation, dt, S, G)
    others = real & (k2 > 0.0) & np.isfinite(G)
    assert np.all(others[real & (k2 > 0.0) & (k2 < 0.3)])
    expected = (G**STEPS * before)[others]
    assert np.max(np.abs(after[others] - expected)) < 1e-6 * np.max(np.abs(expected))
    if mean == 0.5:
        kept = others & (np.abs(G) ** STEPS > 1e-2)
        np.testing.assert_allclose((after / np.where(before == 0.0, 1.0, before))[kept], (G**STEPS)[kept], rtol=1e-6)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_stabilisation_equal_to_curvature_is_exact(simulate, dimensions):
    """S = f″(c₀) leaves no explicit linear part: ETD gives e^{σΔt}, imex1 backward Euler. z > 0 occurs (S < 0)."""
    data = scenario(dimensions=dimensions, model_={"free_energy": QUADRATIC["cahn_hilliard"]})
    dt, f2 = 0.5, -0.7
    for scheme in ("etdrk2", "etdrk4", "imex1"):
        simulation = simulate({**data, "time": {"end": 1.0, "step": dt, "scheme": scheme}})
        before, after = grow(simulation, dt, f2)
        k2, real = modes_of(simulation)
        sigma = -k2 * (f2 + 2.0 * k2)
        assert sigma.max() > 0.01
        G = np.exp(sigma * dt) if scheme.startswith("etd") else 1.0 / (1.0 - sigma * dt)
        kept = real & (G**STEPS > 1e-2) & (k2 > 0.0)
        tolerance = 1e-11 if scheme.startswith("etd") else 1e-10
        np.testing.assert_allclose((after / np.where(before == 0, 1.0, before))[kept], (G**STEPS)[kept], rtol=tolerance)


@pytest.mark.parametrize("scheme", names("scheme"))
def test_table_gives_the_closed_form(scheme):
    """The growth factor that `verify` derives from the table equals the closed form."""
    rng = np.random.default_rng(3)
    a, K, f = rng.uniform(0, 5, 400) ** rng.integers(1, 6, 400) / 600.0, rng.uniform(0, 10, 400), -0.9
    for S in (0.0, 0.4, 2.0, -0.9):
        z, n = -a * (S + K), -a * (f - S)
        expected = closed_form(scheme, a, f, S, K)
        known = np.isfinite(expected)
        assert known.mean() > 0.3
        found = lookup("scheme", scheme).growth_factor(z, n)
        np.testing.assert_allclose(found[known], expected[known], rtol=1e-12, atol=1e-14)


def test_local_errors_of_the_theory_note():
    """(G − e^{sΔt})/Δt with s = 0.8, linear part −2: the published table, to its printed digits."""
    table = {
        "imex1": [-0.498, -0.296, -0.166, -0.0889],
        "sbdf2": [-0.186, -0.0576, -0.0156, -0.00401],
        "etdrk2": [-0.152, -0.0459, -0.0127, -0.00336],
        "etdrk4": [-4.6e-3, -3.3e-4, -2.2e-5, -1.4e-6],
    }
    dt = np.array([0.4, 0.2, 0.1, 0.05])
    for name, expected in table.items():
        G = lookup("scheme", name).growth_factor(-2.0 * dt, 2.8 * dt)
        np.testing.assert_allclose((G - np.exp(0.8 * dt)) / dt, expected, rtol=6e-3 if name != "etdrk4" else 3e-2)


def test_the_embedded_scheme_of_etdrk2():
    """Its first stage is ETD1, whose distance is the error estimate: g₁ = e^z + nφ₁(z), and the note's column of local errors."""
    etdrk2 = lookup("scheme", "etdrk2").without_error()
    etd1 = replace(etdrk2, name="etd1", order=1, stages=etdrk2.stages[:1])
    z, n = np.linspace(-3.0, 2.0, 11), np.linspace(-1.0, 1.5, 11)
    np.testing.assert_allclose(etd1.growth_factor(z, n), np.exp(z) + n * phi(1, z), rtol=1e-12)
    dt = np.array([0.4, 0.2, 0.1, 0.05])
    errors = (etd1.growth_factor(-2.0 * dt, 2.8 * dt) - np.exp(0.8 * dt)) / dt
    np.testing.assert_allclose(errors, [-0.392, -0.208, -0.108, -0.0549], rtol=6e-3)
    fine = np.array([0.01, 0.005])
    errors = np.exp(0.8 * fine) - etd1.growth_factor(-2.0 * fine, 2.8 * fine)
    # Of the local error: order 1 and one more.
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.02)


def test_delay_by_stabilisation():
    """imex1 divides the rate of a slow mode by 1 + Δt S m: the price of S."""
    dt, m, S, s = 0.5, 3.0, 2.0, -1e-4
    K = 0.0
    G = lookup("scheme", "imex1").growth_factor(np.array([-dt * m * (S + K)]), np.array([-dt * m * (-s / m - S)]))
    assert (G[0] - 1.0) / dt == pytest.approx(s / (1.0 + dt * m * S), rel=1e-3)


@pytest.mark.parametrize("name", names("scheme"))
def test_long_steps_are_stable_with_the_share_of_the_table(name):
    """S = share · f″ keeps a mode at a well (f″ > 0, K → 0) at |G| ≤ 1 for any step; for sbdf2 less would not do."""
    scheme = lookup("scheme", name)
    a, f = np.logspace(-3, 6, 400), 1.0

    def largest(share):
        return np.abs(scheme.growth_factor(-a * share * f, -a * (f - share * f))).max()

    if name != "etdrk4":  # nothing is proved for it, and nothing claimed
        assert largest(scheme.stabilisation) <= 1.0 + 1e-9
        assert largest(0.85 * scheme.stabilisation) > 1.0
