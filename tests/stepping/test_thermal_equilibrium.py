"""Long runs with thermal noise: every mode fluctuates as it must, at any step size."""

from __future__ import annotations

import numpy as np
import pytest
from test_growth_factors import FIELD, closed_form

from phasefield.simulation import Simulation

KT, KAPPA, MEAN = 1e-4, 2.0, 0.1


def scenario_of(model, scheme, step, f, cells, **extra):
    name = FIELD[model]
    energy = extra.pop("free_energy", f"{f / 2}*({name} - {MEAN})**2")
    return {
        "model": {"name": model, "gradient_energy": KAPPA, "free_energy": energy, "thermal_energy": KT, **extra},
        "grid": {axis: {"cells": n, "length": float(n)} for axis, n in zip("xyz", cells, strict=False)},
        "initial": {name: MEAN},
        "time": {"end": 1e5, "step": step, "scheme": scheme},
        "seed": 2,
    }


def sampled(data, f, S, steps, expected):
    """Averages over three quarters of the steps of |ĉ_k|² over expectation, and their standard deviations, mode by mode.

    Modes that have relaxed before the first sample. Those whose conjugates are stored too are left out: all are independent.
    """
    simulation = Simulation.from_scenario({**data, "stabilisation": S}, device="cpu", threads=1)
    grid, dt = simulation.grid, data["time"]["step"]
    modes = simulation.stepper.modes
    x, _ = simulation.sweep.mode_index
    k2 = modes.k2
    m = next(iter(simulation.model.fields.values())).rate(k2)
    a, K, first = dt * m, KAPPA * k2, steps // 4
    q = closed_form(data["time"]["scheme"], a, f, S, K) ** 2
    kept = (modes.weight == 2.0)[None, :] & (x > 0)[None, :] & (q**first < 1e-6)
    power = np.zeros(k2.shape)

    def sample(sim):
        if sim.counters.steps > first:
            hat = sim.sweep.by_mode(sim.stepper.state_hat)[0]
            power[...] += hat.real**2 + hat.imag**2

    simulation.advance(until=steps * dt, on_step=sample)
    simulation.close()
    assert simulation.counters.steps == steps
    n, q = steps - first, q[kept]
    ratio = power[kept] / n / (KT / grid.volume * expected(a, f, S, K)[kept])
    # Of the mean of n numbers of relative variance 1 with correlations q^|i−j|.
    variance = ((1.0 + q) / (1.0 - q) - 2.0 * q * (1.0 - q**n) / (n * (1.0 - q) ** 2)) / n
    return ratio, np.sqrt(variance)


def equipartition(a, f, S, K):
    """⟨|ĉ_k|²⟩ V/kT."""
    return 1.0 / (f + K)


def uncorrected(a, f, S, K):
    """The same of `imex1` with the noise in N."""
    return 1.0 / (f + K) / (1.0 + 0.5 * a * (2.0 * S - f + K))


def assert_agrees(ratio, sigma, scatter=0.05):
    """The mean over modes, weighted by what each knows, is 1 within 3σ; the deviations of single modes are as large as they
    have to be, χ² per mode = 1 within 5 %.
    """
    weight = sigma**-2.0
    mean, error = np.average(ratio, weights=weight), weight.sum() ** -0.5
    assert error < 0.01
    assert abs(mean - 1.0) <= 3.0 * error, (mean, error)
    chi2 = np.mean(((ratio - 1.0) / sigma) ** 2)
    assert chi2 == pytest.approx(1.0, abs=scatter), (chi2, ratio.size)


@pytest.mark.parametrize("step", [0.05, 0.8])
@pytest.mark.parametrize("model", FIELD)
def test_every_mode_is_in_equilibrium_at_any_step(model, step):
    data = scenario_of(model, "imex1", step, 0.7, (80, 80))
    ratio, sigma = sampled(data, 0.7, 0.5, 1600, equipartition)
    assert ratio.size > 1000
    assert_agrees(ratio, sigma)


@pytest.mark.parametrize("step", [0.05, 0.5])
def test_without_correction_the_scheme_is_too_cold(step):
    """kT/(V(f+K))/(1 + ½a(2S−f+K)): noise in the explicit part of `imex1`."""
    data = scenario_of("cahn_hilliard", "imex1", step, 0.7, (80, 80), noise_correction=False)
    ratio, sigma = sampled(data, 0.7, 0.9, 1600, uncorrected)
    assert_agrees(ratio, sigma)
    with pytest.raises(AssertionError):
        assert_agrees(*sampled(data, 0.7, 0.9, 400, equipartition))


@pytest.mark.parametrize("scheme", ["etdrk2", "etdrk4"])
def test_exact_ornstein_and_uhlenbeck_process(scheme):
    """S = f″: the step is e^{sΔt}, the noise (1 − e^{2sΔt}) kT/(V(f+K))."""
    data = scenario_of("cahn_hilliard", scheme, 0.3, 0.7, (80, 80))
    ratio, sigma = sampled(data, 0.7, 0.7, 800, equipartition)
    assert_agrees(ratio, sigma)


@pytest.mark.parametrize("cells", [(4096,), (16, 15, 18)])
@pytest.mark.parametrize("laplacian", ["spectral", "finite_difference"])
def test_one_and_three_dimensions(cells, laplacian):
    data = scenario_of("cahn_hilliard", "etdrk2", 0.5, 0.7, cells, laplacian=laplacian)
    ratio, sigma = sampled(data, 0.7, 0.4, 1000, equipartition)
    assert_agrees(ratio, sigma)


def test_quartic_energy_at_small_temperature():
    """c = 0.9 in ¼(c² − 1)²: f″ = 1.43. The next term in kT changes the variance by less than 10⁻⁴."""
    energy = f"0.25*((c + {0.9 - MEAN})**2 - 1)**2"
    f = 3.0 * 0.81 - 1.0
    data = scenario_of("cahn_hilliard", "etdrk2", 0.5, f, (80, 80), free_energy=energy)
    ratio, sigma = sampled(data, f, 0.9, 1000, equipartition)
    assert_agrees(ratio, sigma)


@pytest.mark.parametrize("mix", [("no_flux", "no_flux"), ("fixed", "periodic")])
def test_waves_of_other_boundaries(mix):
    """Real coefficients of an orthonormal basis: each has the variance kT/(V(f+K)) of its share in the mean square."""
    f, S, steps, first = 0.7, 0.5, 1600, 400
    data = scenario_of("cahn_hilliard", "imex1", 0.8, f, (72, 64))
    for axis, boundary in zip(data["grid"].values(), mix, strict=True):
        axis["boundary"] = boundary
        if boundary == "fixed":
            axis["values"] = {"c": MEAN}
    simulation = Simulation.from_scenario({**data, "stabilisation": S}, device="cpu", threads=1)
    modes, power = simulation.stepper.modes, np.zeros(simulation.stepper.modes.k2.shape)
    k2 = modes.k2
    q = closed_form("imex1", 0.8 * k2, f, S, KAPPA * k2) ** 2
    kept = (modes.multiplicity > 0.0)[None, :] & (k2 > 0.0) & (q**first < 1e-6)

    def sample(sim):
        if sim.counters.steps > first:
            power[...] += modes.weight * sim.sweep.by_mode(sim.stepper.state_hat)[0] ** 2

    simulation.advance(until=steps * 0.8, on_step=sample)
    simulation.close()
    n, q = steps - first, q[kept]
    ratio = power[kept] / n / (KT / simulation.grid.volume / (f + KAPPA * k2[kept]))
    variance = 2.0 * ((1.0 + q) / (1.0 - q) - 2.0 * q * (1.0 - q**n) / (n * (1.0 - q) ** 2)) / n
    assert ratio.size > 1000
    assert_agrees(ratio, np.sqrt(variance))
