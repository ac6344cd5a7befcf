"""States of rest, critical loads and spinodals against the closed forms of the 2-4-6 polynomial; ramps, plateaus, bad input."""

from __future__ import annotations

import math

import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.driving_force import DrivingForce, force_scale
from phasefield.analysis.landau import critical_stresses, martensite_strain, maxwell_stress, scales, stress, transitions
from phasefield.scenario.fields import fixed_fields
from phasefield.simulation import Simulation

ROOT10 = math.sqrt(10.0)
# σ_xx = −σ_yy of a driving force σ:ε⁰ of 1.
SHEAR = {"stress_xx": 0.5 / ROOT10, "stress_yy": -0.5 / ROOT10}


def martensite(a, cells=(4, 4), **more):
    """One order parameter, b = c = 1, in a free box of cells of size 1."""
    model = {
        "name": "martensite",
        "gradient_energy": 2.0,
        "landau": {"name": "landau_246", "a": a, "b": 1.0, "c": 1.0},
        "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
        "transformation": {"strains": [[1.0, -1.0, 0.0]], "scale": ROOT10},
        "load": "stress",
    }
    grid = {axis: {"cells": n, "length": float(n)} for axis, n in zip("xyz", cells, strict=False)}
    scenario = {"model": model, "grid": grid, "initial": {"eta": 0.0}, "time": {"end": 100.0}, "verify": False}
    for key, value in more.items():
        (model if key in ("load", "temperature", "landau") else scenario)[key] = value
    return scenario


def loads(values):
    """Conditions for driving forces σ:ε⁰."""
    return {name: factor * np.asarray(values) for name, factor in SHEAR.items()}


# --- the driving force ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("load", ["strain", {"stress": {"xx": 0.01, "yy": -0.02, "xy": 0.005}}])
def test_driving_force_is_that_of_the_terms(load):
    scenario = martensite(-0.2, (12, 10), load=load, initial={"eta": {"mean": 0.2, "noise": 0.1}})
    # Odd, so that no Nyquist mode makes a derivative depend on how it is taken.
    scenario["grid"] = {"x": {"cells": 13, "length": 12.0}, "y": {"cells": 9, "length": 10.0}}
    scenario["fixed"] = {"transformation_shift": {"expression": "0.1*cos(2*pi*x/Lx)"}, "eigenstrain_xx": 0.03}
    simulation = Simulation.from_scenario(scenario, device="cpu")
    state, grid, model = simulation.state, simulation.grid, simulation.model
    state |= model.frozen_fields(grid, fixed_fields(simulation.scenario))
    expected = sum(term.derivative(state, grid)["eta"] for term in model.terms_at(0.0))
    np.testing.assert_allclose(DrivingForce(simulation)()[0], expected, atol=1e-13)
    simulation.close()


def test_driving_force_of_several_and_of_conserved_fields():
    scenario = martensite(-0.2, (8, 8))
    scenario["model"]["transformation"] = {"generate": {"strain": [1.0, -1.0], "parent": "square"}, "scale": 2.0}
    scenario["initial"] = {f"eta_{p}": {"mean": 0.1 * p, "noise": 0.1} for p in (1, 2)}
    mixture = {
        "model": {"name": "cahn_hilliard", "gradient_energy": 0.5},
        "grid": {"x": {"cells": 16, "length": 12.0}},
        "initial": {"c": {"mean": 0.2, "noise": 0.1}},
        "time": {"end": 1.0},
    }
    for data in (scenario, mixture):
        simulation = Simulation.from_scenario(data, device="cpu")
        terms = [t.derivative(simulation.state, simulation.grid) for t in simulation.model.terms_at(0.0)]
        for name, force in zip(simulation.split.names, DrivingForce(simulation)(), strict=True):
            expected = sum(t[name] for t in terms if name in t)
            conserved = simulation.model.fields[name].conserved
            np.testing.assert_allclose(force, expected - (expected.mean() if conserved else 0.0), atol=1e-13)
        simulation.close()


def test_energy_falls_at_the_rate_of_the_driving_force():
    """−dF/dt = L V ⟨(δF/δη)²⟩, by a step so short that nothing delays it."""
    scenario = martensite(-0.2, (16, 16), initial={"eta": {"mean": 0.3, "noise": 0.2}})
    scenario["model"]["mobility"] = 3.0
    scenario["time"] = {"end": 1.0, "scheme": "etdrk2", "step": 1e-5}
    simulation = Simulation.from_scenario(scenario, device="cpu")
    before = DrivingForce(simulation).rms()
    simulation.advance(until=1e-5)
    rate = simulation.dissipation / 1e-5
    assert math.sqrt(rate / (3.0 * simulation.grid.volume)) == pytest.approx(before, rel=1e-3)
    assert force_scale(simulation) > 10.0 * before / 16.0
    simulation.close()


# --- states of rest -------------------------------------------------------------------------------------------------


def test_staircase_follows_the_polynomial():
    """Every row is a root of σ(e) = load; what a closed loop gives up is its area."""
    a = 1.2 / 4.0
    top = 1.3 * critical_stresses(a, 1.0, 1.0).loading
    values = top * np.concatenate([np.linspace(0.0, 1.0, 9), np.linspace(1.0, 0.0, 9)])
    table = pf.quasi_static(martensite(a), loads(values), device="cpu")
    eta = table["mean_eta"].to_numpy()
    np.testing.assert_allclose(stress(eta, a, 1.0, 1.0), values, atol=1e-6)
    assert eta[8] > 0.8
    assert eta[-1] == pytest.approx(0.0, abs=1e-5)
    # At a change of the load the state stands still, and relaxes under the new one: the area is that below the steps.
    area = float(-np.sum(eta[:-1] * np.diff(values)))
    assert area > 0.01
    assert float(table["dissipation"][-1]) / 16.0 == pytest.approx(area, rel=1e-5)
    np.testing.assert_allclose(table["mean_stress_xx"], values * SHEAR["stress_xx"], atol=1e-12)
    expected = ROOT10 * eta + (values * SHEAR["stress_xx"]) / 0.4
    np.testing.assert_allclose(table["mean_strain_xx"], expected, atol=1e-9)
    assert (table["driving_force"] < 1e-6).all()
    assert {"energy", "energy_bulk", "energy_elastic", "duration", "steps", "min_eta"} <= set(table)


def test_conditions_of_every_kind():
    scenario = martensite(0.1, load="strain", temperature=[[0.0, 0.4], [50.0, 3.0]])
    scenario["model"]["landau"]["a"] = {"slope": 0.25, "temperature_A": 0.0}
    body = pf.QuasiStatic(scenario, device="cpu")
    row = body.hold()
    assert (row["temperature"], row["mean_strain_xx"]) == (0.4, 0.0)
    # A component prescribed as a stress is free to strain; the others are clamped as before.
    row = body.hold({"stress_xx": 0.01, "temperature": np.float64(0.8)})
    assert (row["temperature"], row["mean_stress_xx"]) == (0.8, pytest.approx(0.01))
    assert row["mean_strain_yy"] == 0.0
    assert row["mean_strain_xx"] > 0.0
    row = body.hold({"strain_xx": 0.002})
    assert row["mean_strain_xx"] == pytest.approx(0.002)
    row = body.hold({"load": "stress", "model.landau.a.slope": 0.5})
    assert body.scenario.settings.model.landau.a.slope == 0.5
    assert row["mean_stress_xx"] == 0.0


def test_strain_of_the_square_rectangle_model_under_stress():
    scenario = martensite(0.0)
    scenario["model"] = {
        "name": "square_rectangle",
        "gradient_energy": 1.0,
        "landau": {"name": "landau_246", "a": 0.3, "b": 1.0, "c": 1.0},
        "bulk_modulus": 2.0,
        "shear_modulus": 4.0,
    }
    scenario["initial"] = {"e2": 0.0}
    found = pf.critical_load(scenario, "stress", between=(0.0, 0.2), tolerance=1e-6, device="cpu")
    assert found.value == pytest.approx(critical_stresses(0.3, 1.0, 1.0).loading, rel=1e-4)


def test_a_simulation_is_taken_up_where_it_is():
    """Loads, temperature and state are those of the simulation's time."""
    phases = [{"until": 5.0, "strain": {}}, {"until": 25.0, "stress": {"xx": 0.02, "yy": -0.02}}]
    scenario = martensite(-0.25, (16, 16), load=phases, initial={"eta": {"mean": 0.3, "noise": 0.1}})
    simulation = Simulation.from_scenario(scenario, device="cpu")
    simulation.advance(until=15.0)
    body = pf.QuasiStatic(simulation, device="cpu")
    np.testing.assert_array_equal(body.state["eta"], simulation.state["eta"])
    simulation.close()
    row = body.hold()
    assert row["mean_stress_xx"] == pytest.approx(0.01)
    # The other phase of the load is over: σ_xx, −σ_yy and a free shear are what is left.
    assert row["mean_eta"] == pytest.approx(martensite_strain(-0.25, 1.0, 1.0), rel=0.1)


def test_an_increment_that_fails_leaves_the_last_state():
    body = pf.QuasiStatic(martensite(0.3), steps=3, device="cpu")
    before, scenario = body.state["eta"], body.scenario
    with pytest.raises(pf.NumericalError, match="increment 0: not at rest after 3 steps"):
        body.staircase(loads([0.05]))
    assert body.scenario is scenario
    assert body.dissipation == 0.0
    np.testing.assert_array_equal(body.state["eta"], before)


# --- critical loads -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tau", [0.75, 1.05, 1.4, 1.7])
def test_critical_stresses(tau):
    a = tau / 4.0
    expected = critical_stresses(a, 1.0, 1.0)
    up = pf.critical_load(martensite(a), SHEAR, between=(0.0, 0.3), tolerance=1e-6, device="cpu")
    assert up.value == pytest.approx(expected.loading, rel=1e-4)
    assert up.branch["mean_eta"] == pytest.approx(expected.loading_strain, rel=1e-2)
    assert up.stays < up.jumps
    full = martensite(a, initial={"eta": 1.0})
    down = pf.critical_load(full, SHEAR, between=(0.3, -0.1), tolerance=1e-6, device="cpu")
    assert down.value == pytest.approx(expected.unloading, rel=1e-4)
    assert down.state["eta"].mean() == pytest.approx(expected.unloading_strain, rel=1e-2)
    assert down.jumps < down.stays


def in_temperature(**more):
    landau = {"name": "landau_246", "a": {"slope": 0.25, "temperature_A": 0.0}, "b": 1.0, "c": 1.0}
    return martensite(0.0, landau=landau, temperature=0.9, **more)


def test_martensite_spinodal_by_heating():
    found = pf.critical_load(
        in_temperature(initial={"eta": 1.0}), "temperature", between=(0.9, 1.3), tolerance=1e-6, device="cpu"
    )
    assert found.value == pytest.approx(1.0, abs=1e-4)


def test_austenite_spinodal_by_cooling():
    """A uniform η = 0 is stationary for ever: a bias h leads it away, and moves the limit to a = (3√3 h/2)^⅔.

    With h = 1e-8 the spinodal τ = 0 is met within 4e-5; what slows down there is the time (10⁶ to 10⁷), not the number of steps.
    """
    bias = 1e-8
    h = {kind: bias * SHEAR[f"stress_{kind}"] for kind in ("xx", "yy")}
    found = pf.critical_load(
        in_temperature(load={"stress": h}),
        "temperature",
        between=(0.01, -0.01),
        tolerance=2e-7,
        rest=1e-4 * bias,
        device="cpu",
    )
    shifted = 4.0 * (1.5 * math.sqrt(3.0) * bias) ** (2.0 / 3.0)
    assert found.value == pytest.approx(shifted, rel=0.02)
    assert abs(found.value) < 1e-4
    assert found.branch["duration"] > 0.1 / found.value


def test_a_ramp_is_late():
    """A load that grows at the rate r jumps late by 2.338 r^⅔/α^⅓, α = |σ″|/2 at the limit (the first zero of Ai is −2.338)."""
    a = 0.75 / 4.0
    limits = critical_stresses(a, 1.0, 1.0)
    middle = 0.5 * (limits.loading_strain + limits.unloading_strain)
    top = 2.0 * limits.loading
    rates, late = np.array([2.5e-4, 2.5e-5, 2.5e-6]), []

    class Passed(Exception):
        pass

    def watch(simulation):
        if simulation.stepper.mean(0) > middle:
            raise Passed

    for rate in rates:
        end = top / rate
        ramp = [{"until": end, "stress": {"xx": 0.5 * top / ROOT10, "yy": -0.5 * top / ROOT10}}]
        scenario = martensite(a, load=ramp, initial={"eta": 1e-6})
        scenario["time"] = {"end": end, "step": {"tolerance": 1e-3}}
        simulation = Simulation.from_scenario(scenario, device="cpu")
        with pytest.raises(Passed):
            simulation.advance(on_step=watch)
        late.append(rate * simulation.time - limits.loading)
        simulation.close()
    exponent = np.polyfit(np.log(rates), np.log(late), 1)[0]
    assert exponent == pytest.approx(2.0 / 3.0, abs=0.1)
    e = limits.loading_strain
    alpha = 0.5 * abs(-6.0 * e + 20.0 * e**3)
    assert late[-1] == pytest.approx(2.33811 * rates[-1] ** (2.0 / 3.0) / alpha ** (1.0 / 3.0), rel=0.05)


def test_plateau_of_a_body_with_both_phases_is_the_maxwell_stress():
    """Fe70Pd30 just above T_c: with the mean strain held half-way, walls move until σ = σ_M; its slope is ½ α₀ e₀."""
    A2, T_A, A4, A6 = 212.0, 265.0, 1.7e4, 3.0e7
    units = scales(A4, A6, 1.0)
    slope = A2 / T_A / units.modulus
    T_c = T_A + transitions(1.0, 1.0).coexistence / slope
    measured = {}
    for above in (0.05, 0.1, 0.2):
        a = slope * (T_c + above - T_A)
        e0 = martensite_strain(a, 1.0, 1.0)
        scenario = martensite(a, load={"strain": {"xy": 0.0}, "stress": {"xx": 0.0, "yy": 0.0}})
        scenario["model"] |= {
            "gradient_energy": 1.0,
            "stiffness": {"cubic": {"C11": 10.0, "C12": 6.0, "C44": 2.0}, "orientation": [45.0, 0.0, 0.0]},
            "transformation": {"strains": [[1.0, -1.0, 0.0]]},
        }
        scenario["grid"] = {"x": {"cells": 256, "length": 80.0}, "y": {"cells": 4, "length": 2.0}}
        slab = {"stripe": {"axis": "x", "centre": 40.0, "width": 40.0}}
        scenario["initial"] = {"eta": {"shapes": [slab], "inside": e0, "outside": 0.0, "interface_width": 2.0}}
        body = pf.QuasiStatic(scenario, rest=1e-8, device="cpu")
        strain = body.scenario.model.strains[0][0, 1]
        row = body.hold({"strain_xy": 0.5 * e0 * strain})
        measured[above] = 2.0 * row["mean_stress_xy"] * strain
        assert row["min_eta"] < 0.1 * e0 < 0.9 * e0 < row["max_eta"]
        assert measured[above] == pytest.approx(maxwell_stress(a, 1.0, 1.0), rel=1e-4)
    # MPa per kelvin; σ_M bends upwards, so that the slope at T_c is an extrapolation.
    secants = [1e3 * units.stress * s / dT for dT, s in measured.items()]
    at_coexistence = np.polynomial.Polynomial.fit(list(measured), secants, 1)(0.0)
    assert at_coexistence == pytest.approx(8.246, rel=5e-3)
    assert secants[-1] == pytest.approx(8.246, rel=0.02)


# --- bad input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("conditions", "message"),
    [
        ({"stress_xx": "much"}, "stress_xx: must be a number"),
        ({"stress_xx": math.nan}, "stress_xx: must be a number"),
        ({"temperatur": 1.0}, "did you mean 'temperature'"),
        ({"model.landau.tau": 1.0}, "model.landau"),
        ({"temperature": "hot"}, "temperature"),
    ],
)
def test_conditions_that_do_not_exist(conditions, message):
    body = pf.QuasiStatic(martensite(0.3), device="cpu")
    with pytest.raises(pf.InputError, match=message):
        body.hold(conditions)


def test_what_cannot_be_held():
    with pytest.raises(pf.InputError, match="no critical load in between"):
        pf.critical_load(martensite(0.3), SHEAR, between=(0.0, 0.01), device="cpu")
    with pytest.raises(pf.InputError, match="two different values"):
        pf.critical_load(martensite(0.3), SHEAR, between=(0.1, 0.1))
    with pytest.raises(pf.InputError, match="lists of the same length"):
        pf.quasi_static(martensite(0.3), {"stress_xx": [0.0, 0.1], "stress_yy": [0.0]})
    with pytest.raises(pf.InputError, match="at least one list"):
        pf.quasi_static(martensite(0.3), {"stress_xx": 0.0})
    plain = {"model": {"name": "allen_cahn"}, "grid": {"x": {"cells": 8, "length": 8.0}}, "initial": {"phi": 0.1}}
    with pytest.raises(pf.InputError, match="stress_xx: the model has no load"):
        pf.QuasiStatic({**plain, "time": {"end": 1.0}}).hold({"stress_xx": 0.1})
    with pytest.raises(pf.InputError, match="give jump="):
        pf.critical_load({**plain, "time": {"end": 1.0}}, "gradient_energy", between=(1.0, 2.0), device="cpu")
    noisy = martensite(0.3)
    noisy["model"]["thermal_energy"] = 0.1
    noisy |= {"time": {"end": 1.0, "scheme": "imex1", "step": 0.1}, "output": {"history": {"every": 0.1}}}
    with pytest.raises(pf.InputError, match="thermal noise and inertia"):
        pf.QuasiStatic(noisy)
