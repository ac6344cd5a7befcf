"""Mixtures with a temperature: χ(T) in time, mistakes, deep quenches that stay in (0, 1), and what `check` says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import call
from conftest import scenario

import phasefield as pf
from phasefield.analysis.predict import predict
from phasefield.energy.phase_diagram import flory_huggins_binodal
from phasefield.errors import InputError
from phasefield.scenario import load_scenario

DEEP = Path(__file__).parents[2] / "scenarios" / "deep_quench.yaml"
MIXTURE = {"name": "flory_huggins", "interaction": {"a": 0.5, "b": 600.0}}


def mixture(**sections):
    model = {"temperature": [[1.0, 500.0], [3.0, 300.0]], "free_energy": MIXTURE, **sections.pop("model_", {})}
    return scenario(dimensions=1, initial={"c": {"mean": 0.5, "noise": 0.05}}, model_=model, **sections)


def test_chi_follows_the_temperature(simulate):
    model = load_scenario(mixture()).model
    assert model.changing
    assert model.events == (1.0, 3.0)
    for time, T in ((0.0, 500.0), (1.0, 500.0), (2.0, 400.0), (3.0, 300.0), (9.0, 300.0)):
        assert model.parameters_at(time)["chi"] == pytest.approx(0.5 + 600.0 / T)
        assert model.terms_at(time)[0].parameter_values()["chi"] == pytest.approx(0.5 + 600.0 / T)
        assert model.records(time, np.zeros(1)) == {"temperature": pytest.approx(T)}


def test_steps_use_the_temperature_of_their_time(simulate):
    """imex1 in plain NumPy with χ at the beginning of every step, and the energy under the temperature reached."""
    data = mixture(time={"end": 2.5, "step": 0.25, "scheme": "imex1"}, stabilisation=2.0)
    simulation = simulate(data)
    u = simulation.state["c"]
    k2 = (2 * np.pi * np.fft.rfftfreq(u.size, simulation.grid.axes[0].spacing)) ** 2
    for n in range(10):
        chi = 0.5 + 600.0 / np.interp(0.25 * n, [1.0, 3.0], [500.0, 300.0])
        force = np.log(u / (1 - u)) + chi * (1 - 2 * u)
        u_hat, dt, S = np.fft.rfft(u), 0.25, 2.0
        u_hat = (u_hat - dt * k2 * (np.fft.rfft(force) - S * u_hat)) / (1 + dt * k2 * (S + 2.0 * k2))
        u = np.fft.irfft(u_hat, n=u.size)
    simulation.advance()
    np.testing.assert_allclose(simulation.state["c"], u, atol=1e-13)
    total = sum(t.energy(simulation.state, simulation.grid) for t in simulation.model.terms_at(2.5))
    assert simulation.energies.total == pytest.approx(total, rel=1e-12)


def test_a_constant_temperature_is_that_of_the_free_energy():
    """`model.temperature: 350` and `free_energy.temperature: 350` are the same mixture; nothing changes."""
    a = load_scenario(mixture(model_={"temperature": 350.0})).model
    energy = {**MIXTURE, "temperature": 350.0}
    b = load_scenario(mixture(model_={"temperature": None, "free_energy": energy})).model
    assert not a.changing
    assert not b.changing
    assert a.terms[0].parameter_values() == b.terms[0].parameter_values()
    assert b.record_names() == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"free_energy": {**MIXTURE, "temperature": 300.0}}, "model.free_energy.temperature: is given twice"),
        ({"temperature": None}, "model.free_energy.temperature: is needed because the interaction depends on temperature"),
        ({"free_energy": "c**2"}, "model.free_energy: does not depend on temperature: leave model.temperature out"),
        ({"free_energy": {"name": "flory_huggins", "interaction": 3.0}}, "model.free_energy: does not depend on temperature"),
        ({"temperature": [[0, 300.0], [1, 0.0]]}, "model.temperature: must be above 0 K (got 0)"),
        ({"temperature": [[1, 300.0], [0, 200.0]]}, "model.temperature: the times must increase"),
        ({"temperature": "hot"}, "model.temperature: must be a number, or pairs"),
    ],
)  # fmt: skip
def test_mistakes(change, message):
    with pytest.raises(InputError) as error:
        load_scenario(mixture(model_=change))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_the_temperature_belongs_to_a_model_that_has_one():
    """Allen–Cahn has none: there the free energy needs its own."""
    data = scenario("allen_cahn", model_={"free_energy": MIXTURE})
    with pytest.raises(InputError, match=r"model\.free_energy\.temperature: is needed"):
        load_scenario(data)


@pytest.mark.parametrize("scheme", ["imex1", "sbdf2", "etdrk2", "etdrk4"])
def test_strong_segregation_stays_between_the_pure_species(simulate, scheme):
    """χ = 4, straight from noise to phases at 0.0212 and 0.9788: no step leaves (0, 1), the energy falls."""
    data = scenario(
        dimensions=2,
        grid={a: {"cells": 32, "length": 22.0} for a in "xy"},
        model_={"gradient_energy": 5.4, "free_energy": {"name": "flory_huggins", "interaction": 4.0}},
        initial={"c": {"mean": 0.5, "noise": 0.02}},
        time={"end": 20.0, "step": {"tolerance": 1e-4}, "scheme": scheme},
    )
    simulation = simulate(data)
    ranges, energies = [], []

    def watch(s):
        ranges.append(s.stepper.ranges[0])
        energies.append(s.energies.total)

    simulation.advance(on_step=watch)
    low, high = np.min(ranges), np.max(ranges)
    binodal = flory_huggins_binodal(1, 1, 4.0)
    # Curved interfaces and overshoot carry phases beyond the binodal, never to the ends.
    assert 0.5 * binodal[0] < low < 0.05
    assert 0.95 < high < 1.0 - 0.5 * binodal[0]
    assert np.all(np.diff(energies) <= 1e-12 * abs(energies[0]))


def test_deep_quench(tmp_path):
    """Cooled through its critical temperature: stable first, then two phases inside (0, 1); the history has T."""
    run = pf.run(DEEP, output=tmp_path / "run", device="cpu", test=True)
    history = run.history
    temperature = np.interp(history["time"], [5.0, 55.0], [650.0, 300.0])
    np.testing.assert_allclose(history["temperature"], temperature, rtol=1e-12)
    spread = np.asarray(history["max_c"]) - np.asarray(history["min_c"])
    early = (np.asarray(history["time"]) > 0.0) & (temperature > 610.0)
    assert np.all(spread[early] < spread[0])
    assert spread[-1] > 0.9
    assert float(np.min(history["min_c"])) > 0.01
    assert float(np.max(history["max_c"])) < 0.99
    verdict = pf.verify(run)
    assert verdict.passed, str(verdict)
    status = {c.name: c.status for c in verdict.checks}
    assert status["energy decay"] == status["dissipation"] == status["energy balance"] == "pass"


def test_check_prints_the_phase_diagram(tmp_path):
    code, text, _ = call("check", str(DEEP))
    assert code == 0
    assert "none at χ = 1.84615, T = 650 K: one phase, χ is not above 2" in text
    assert "0.021248 and 0.978752 at χ = 4, T = 300 K" in text
    assert "0.146447 and 0.853553 at χ = 4, T = 300 K" in text
    loaded = load_scenario(scenario(model_={"free_energy": {"name": "flory_huggins", "interaction": 10.0}}))
    found = predict(loaded)
    assert found.mixture[0].binodal == flory_huggins_binodal(1, 1, 10.0)
    assert any("beyond the continuation 0.0001 of the logarithms" in w for w in found.warnings)
    assert predict(load_scenario(scenario())).mixture == ()
