"""Runs in boxes with any boundaries: waves grow by the scheme's factors, energies are those of the plain form, means stay."""

from __future__ import annotations

import numpy as np
import pytest
from boundaries import MIXES, name, section
from conftest import scenario
from test_growth_factors import FIELD, STEPS, closed_form, grow, modes_of

from phasefield.registry import names

FEW = [("no_flux",), ("fixed", "no_flux"), ("periodic", "fixed"), ("no_flux", "periodic", "fixed")]


def data(mix, model="cahn_hilliard", **more):
    free_energy = more.pop("free_energy", {"cahn_hilliard": "-0.35*c**2", "allen_cahn": "-0.35*phi**2"}[model])
    extra = {"free_energy": free_energy, "mobility": 0.8, "laplacian": more.pop("laplacian", "spectral")}
    return scenario(model, len(mix), model_=extra, grid=section(mix), **more)


@pytest.mark.parametrize("model", ["cahn_hilliard", "allen_cahn"])
@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_every_mode_of_every_mix(simulate, mix, model):
    check_factors(simulate, mix, model, "imex1", "spectral")


@pytest.mark.parametrize("laplacian", names("laplacian"))
@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize("mix", FEW, ids=name)
def test_every_scheme(simulate, mix, scheme, laplacian):
    check_factors(simulate, mix, "cahn_hilliard", scheme, laplacian)


def check_factors(simulate, mix, model, scheme, laplacian):
    time = {"end": 1.0, "step": 0.1, "scheme": scheme}
    for dt, S in ((0.02, 0.0), (0.25, 1.3)):
        simulation = simulate(
            data(mix, model, time=time, laplacian=laplacian, initial={FIELD[model]: {"mean": 0, "noise": 0.1}})
        )
        k2, real = modes_of(simulation)
        m = 0.8 * k2 if model == "cahn_hilliard" else np.full_like(k2, 0.8)
        G = closed_form(scheme, dt * m, -0.7, S, 2.0 * k2)
        before, after = grow(simulation, dt, S, G)
        kept = real & (np.abs(G) ** STEPS > 1e-2)
        assert kept.sum() >= 3
        expected = (G**STEPS * before)[kept]
        rounding = STEPS * 4 * np.finfo(float).eps * np.abs(expected).max()
        assert np.all(np.abs(after[kept] - expected) <= 1e-10 * np.abs(expected) + rounding)
        assert np.all(after[~real] == 0.0)


@pytest.mark.parametrize("model", ["cahn_hilliard", "allen_cahn"])
@pytest.mark.parametrize("mix", FEW, ids=name)
def test_energy_decays_and_is_that_of_the_plain_form(simulate, mix, model):
    """The double well, from noise: energy by the formulas of the terms, never growing; no matter through no-flux faces."""
    well = {"name": "double_well", "barrier": 1.0, "low": -1.0, "high": 1.0}
    simulation = simulate(data(mix, model, free_energy=well, time={"end": 5.0, "step": {"tolerance": 1e-3}}))
    before, energies = simulation.energies.total, []
    mean = simulation.stepper.mean(0)
    simulation.step_listeners.append(lambda s, _: energies.append(s.energies.total))
    simulation.advance()
    assert len(energies) > 5
    assert np.all(np.diff([before, *energies]) <= 1e-12 * abs(before))
    state = simulation.state
    expected = sum(t.energy(state, simulation.grid) for t in simulation.model.terms)
    assert energies[-1] == pytest.approx(expected, rel=1e-11)
    assert simulation.stepper.mean(0) == pytest.approx(state[FIELD[model]].mean(), abs=1e-15)
    if model == "cahn_hilliard" and "fixed" not in mix:
        assert simulation.stepper.mean(0) == mean
        assert simulation.counters.largest_mean_drift == [0.0]


def test_flat_wall_between_fixed_faces(simulate):
    """Allen–Cahn between +1 and −1 settles into the tanh profile, whose energy is √(2κ)·⅔ for ¼(φ²−1)²."""
    length, kappa = 40.0, 2.0
    box = {"x": {"cells": 160, "length": length, "boundary": "fixed", "values": {"phi": [1.0, -1.0]}}}
    simulation = simulate(
        scenario(
            "allen_cahn",
            1,
            model_={"free_energy": "0.25*(phi**2 - 1)**2"},
            grid=box,
            initial={"phi": f"1 - 2*x/{length}"},
            time={"end": 200.0, "step": {"tolerance": 1e-5}},
        )
    )
    assert simulation.energies.gradient == pytest.approx(0.5 * kappa * (2.0 / length) ** 2 * length, rel=1e-12)
    simulation.advance()
    x = simulation.grid.axes[0].centres
    np.testing.assert_allclose(simulation.state["phi"], -np.tanh((x - 20.0) / 2.0), atol=1e-6)
    assert simulation.energies.total == pytest.approx(np.sqrt(2.0 * kappa) * 2.0 / 3.0, rel=1e-6)


def test_matter_passes_fixed_faces_until_the_field_is_harmonic(simulate):
    """Diffusion between reservoirs, f = ½c²: c becomes linear; its mean is not conserved and F may grow."""
    box = {"x": {"cells": 24, "length": 6.0, "boundary": "fixed", "values": {"c": [0.2, 1.0]}}}
    loaded = scenario(
        dimensions=1,
        model_={"free_energy": "0.5*c**2", "gradient_energy": 0.1},
        grid=box,
        initial={"c": 0.2},
        time={"end": 40.0, "step": {"tolerance": 1e-5}},
    )
    simulation = simulate(loaded)
    assert not simulation.scenario.loses_energy
    assert not simulation.scenario.keeps_mean("c")
    simulation.advance(until=1.0)
    # ∂c/∂t = c″ − κc⁗: the wave sin πnx/L decays at k²(1 + κk²), from the Fourier series of 0.2 − (0.2 + 0.8 x/L).
    x, n = simulation.grid.axes[0].centres[:, None], np.arange(1, 400)
    k = np.pi * n / 6.0
    series = 0.8 * 2.0 / (np.pi * n) * (-1.0) ** n * np.exp(-(k**2) * (1.0 + 0.1 * k**2))
    exact = 0.2 + 0.8 * x[:, 0] / 6.0 + (series * np.sin(k * x)).sum(axis=1)
    # The start, a jump at the face, is sampled by 24 cells.
    np.testing.assert_allclose(simulation.state["c"], exact, atol=2e-3)
    simulation.advance()
    np.testing.assert_allclose(simulation.state["c"], 0.2 + 0.8 * x[:, 0] / 6.0, atol=1e-4)
