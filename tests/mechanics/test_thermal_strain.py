"""Thermal strains of bodies that move: closed forms, the work of heat, slow cooling, and bad input."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array, eye_array, kron
from scipy.sparse.linalg import expm_multiply

import phasefield as pf
from phasefield.errors import InputError
from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.splits import make_split
from phasefield.mechanics.thermal_strain import ThermalSection, ThermalStrain
from phasefield.simulation import Simulation
from phasefield.spectral.grid import Axis, Grid

E, NU, ALPHA = 1000.0, 0.3, 1e-3
LAME, SHEAR = E * NU / ((1.0 + NU) * (1.0 - 2.0 * NU)), E / (2.0 * (1.0 + NU))


def scenario(thermal: dict[str, Any], cells: tuple[int, int] = (12, 10), **more: Any) -> dict[str, Any]:
    """A body that does not crack; a cell has the length 1, waves need 0.03 for it."""
    model = {
        "name": "dynamic_fracture",
        "dissipation": "AT1",
        "young_modulus": E,
        "poisson_ratio": NU,
        "density": 1.0,
        "toughness": 1e9,
        "length": 2.0,
        "thermal": {"expansion": ALPHA, **thermal},
        **more.pop("model", {}),
    }
    grid = {a: {"cells": n, "length": float(n), "boundary": "no_flux"} for a, n in zip("xy", cells, strict=True)}
    return {
        "model": model,
        "grid": {a: {**axis, **more.get(a, {})} for a, axis in grid.items()},
        "initial": {"phi": more.get("phi", 0.0)},
        "time": {"end": more.get("end", 1.0)},
        "output": {"fields": {"precision": "double"}},
        "verify": False,
    }


def run(setting: dict[str, Any], until: float | None = None) -> Any:
    simulation = Simulation.from_scenario(setting, threads=1)
    simulation.advance(until)
    return simulation


COLD = {"diffusivity": 20.0, "cooled": [{"face": "y.low", "temperature": -3.0}]}


# --- closed forms ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("elements", ["full", "rotated"])
@pytest.mark.parametrize("plane", ["strain", "stress"])
def test_free_body_expands_without_forces(plane, elements):
    """In plane strain the strain in the plane is (1 + ν)ε*: the body cannot expand along z."""
    grid = Grid((Axis("x", 7, 7.0, "no_flux"), Axis("y", 5, 10.0, "no_flux")))
    body = MovingBody(grid, make_split("none", LAME, SHEAR, 2, plane), 1.0, scheme=elements)
    body.expansion = np.full((1, 1), -0.01)
    strain = -0.01 * (1.0 + NU if plane == "strain" else 1.0)
    body.u[0], body.u[1] = strain * np.arange(8.0), strain * 2.0 * np.arange(6.0)[:, None]
    body.push(np.zeros(grid.shape), 0.1)
    assert np.abs(body.v).max() < 1e-12 * E * 0.01
    # What is left is σ_zz = −Eε* in plane strain.
    assert body.elastic(np.zeros(grid.shape)) == pytest.approx(
        0.5 * E * 1e-4 * grid.volume if plane == "strain" else 0.0, abs=1e-12
    )


@pytest.mark.parametrize(
    ("split", "plane", "expected"),
    [
        ("none", "strain", 1.0 / (1.0 - 2.0 * NU)),
        ("volumetric_deviatoric", "strain", 1.0 / (1.0 - 2.0 * NU)),
        ("spectral", "strain", 1.0 / (1.0 - 2.0 * NU)),
        ("none", "stress", 1.0 / (1.0 - NU)),
    ],
)
def test_clamped_body_is_stressed(split, plane, expected):
    clamped = dict.fromkeys("xy", "clamped")
    body = {"split": split, "plane": plane, "faces": clamped}
    simulation = run(scenario({"formula": "-3"}, model=body), 0.1)
    assert simulation.steps > 2
    assert np.abs(simulation.body.u).max() < 1e-15
    stress = simulation.derived(["stress_xx", "stress_yy", "stress_xy"])
    for name in ("stress_xx", "stress_yy"):
        np.testing.assert_allclose(stress[name], E * ALPHA * 3.0 * expected, rtol=1e-12)
    assert np.abs(stress["stress_xy"]).max() < 1e-12


def test_slowly_cooled_bar():
    """σ = −Eαθ between clamps that let the bar get thinner; damage begins where ½Eα²θ² is 3Gc/16ℓ."""
    length, toughness = 2.0, 0.01
    critical = math.sqrt(3.0 * toughness / (8.0 * E * length)) / ALPHA
    setting = scenario(
        {"formula": f"-{critical}*t/20"},
        cells=(16, 4),
        model={
            "plane": "stress",
            "faces": {"x": "sliding", "y": {"low": "sliding"}},
            "toughness": toughness,
            "damping": 1.0,
        },
        end=30.0,
    )
    simulation = Simulation.from_scenario(setting, threads=1)
    simulation.advance(19.8)
    assert simulation.phi.max() == 0.0
    stress = simulation.derived(["stress_xx", "stress_yy"])
    np.testing.assert_allclose(stress["stress_xx"], E * ALPHA * critical * 0.99, rtol=2e-3)
    assert np.abs(stress["stress_yy"]).max() < 2e-3 * stress["stress_xx"].max()
    row = simulation.history_row()
    assert row["energy_kinetic"] < 1e-4 * row["energy_elastic"]
    assert row["heat_work"] == pytest.approx(0.5 * (0.99 * ALPHA * critical) ** 2 * E * 64.0, rel=5e-3)
    simulation.advance(20.4)
    assert simulation.phi.max() > 0.0


def test_temperature_of_a_corner():
    """Faces along two axes, against finite differences in space and the exponential of their matrix."""
    cells, length, time = 36, 3.0, 0.4
    axes = (Axis("x", cells, length, "no_flux"), Axis("y", cells, length, "no_flux"))
    cooled = [{"face": "x.low", "temperature": -2.0}, {"face": "y.high", "temperature": -2.0, "transfer": 3.0}]
    section = ThermalSection(expansion=ALPHA, diffusivity=1.3, cooled=cooled)  # type: ignore[arg-type]
    theta = np.broadcast_to(ThermalStrain(section, Grid(axes)).temperature(time), (cells, cells))
    h = length / cells
    inner = np.full(cells - 1, 1.0 / h)
    x, y = np.append(inner, 0.0) + np.insert(inner, 0, 2.0 / h), np.insert(inner, 0, 0.0) + np.append(inner, 0.0)
    y[-1] += 1.0 / (0.5 * h + 1.0 / 3.0)
    along = [1.3 / h * csr_array(np.diag(-d) + np.diag(inner, 1) + np.diag(inner, -1)) for d in (x, y)]
    matrix = kron(eye_array(cells), along[0]) + kron(along[1], eye_array(cells))
    left = expm_multiply(time * matrix.tocsc(), np.full(cells**2, 2.0)).reshape(cells, cells)
    np.testing.assert_allclose(theta, left - 2.0, atol=2e-3)


# --- energies ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", [0.0, 0.2])
def test_work_of_heat_balances_exactly(update):
    """Linear bodies: T + U = heat_work to rounding, whether ε* changes a little at every step or seldom and much."""
    setting = scenario({**COLD, "update": update}, model={"faces": {"y": {"high": "sliding"}}})
    row = run(setting).history_row()
    assert row["heat_work"] > 0.0
    assert row["energy_kinetic"] > 1e-4 * row["heat_work"]
    assert abs(row["imbalance"]) < 1e-12 * row["heat_work"]


def cracking(**thermal: Any) -> dict[str, Any]:
    """A face that is cooled to four times the critical temperature."""
    length, toughness = 2.0, 0.01
    critical = math.sqrt(3.0 * toughness / (8.0 * E * length)) / ALPHA
    cold = {"diffusivity": 20.0, "cooled": [{"face": "y.low", "temperature": -4.0 * critical}], **thermal}
    model = {
        "plane": "stress",
        "toughness": toughness,
        "density": 1e-3,
        "faces": {"x": "sliding", "y": {"high": "sliding"}},
    }
    return scenario(cold, cells=(40, 20), model=model, phi={"mean": 0.006, "noise": 0.005, "distribution": "uniform"})


def test_balance_with_cracks():
    row = run(cracking(), 0.3).history_row()
    assert row["max_phi"] > 0.95
    assert row["dissipated"] > 0.3 * row["heat_work"]
    assert abs(row["imbalance"]) < 1e-3 * row["heat_work"]


def test_strain_that_follows_seldom_converges():
    """The error of u falls with `update`."""

    def displacement(update: float) -> np.ndarray:
        return run(scenario({**COLD, "update": update}), 0.7).body.u.copy()

    exact = displacement(0.0)
    errors = [np.abs(displacement(update) - exact).max() / np.abs(exact).max() for update in (0.1, 0.01, 1e-3)]
    assert errors[0] > 1e-3
    assert errors[1] < 0.2 * errors[0]
    assert errors[2] < 2e-3
    assert errors[2] < 0.2 * errors[1]


def test_damage_stays_alike_along_a_face_without_noise():
    """Nothing but noise chooses where cracks begin."""
    setting = {**cracking(), "initial": {"phi": 0.0}}
    setting["grid"]["x"]["boundary"] = "periodic"
    setting["model"]["faces"].pop("x")
    simulation = run(setting, 0.05)
    assert simulation.phi.max() > 0.2
    assert (np.ptp(simulation.phi, axis=1) == 0.0).all()


# --- a run -------------------------------------------------------------------------------------------------------


def test_checkpoint_goes_on_bit_for_bit():
    setting = cracking(update=0.01)
    whole = Simulation.from_scenario(setting, threads=1)
    whole.advance(0.02)
    arrays, meta = whole.checkpoint()
    arrays = {name: np.array(a) for name, a in arrays.items()}
    again = Simulation.from_scenario(setting, threads=1)
    again.restore(arrays, meta)
    for simulation in (whole, again):
        simulation.advance(0.05)
    assert (whole.phi == again.phi).all()
    assert whole.history_row() == again.history_row()


def test_temperature_is_written():
    simulation = run(scenario(COLD), 0.3)
    theta = simulation.derived(["temperature"])["temperature"]
    assert theta.shape == simulation.grid.shape
    assert theta[0, 0] < -2.0 < theta[-1, 0] < 0.0
    assert "temperature" in simulation.model.derived_names()
    plain = scenario(COLD)
    del plain["model"]["thermal"]
    cold = Simulation.from_scenario(plain, threads=1)
    assert "temperature" not in cold.model.derived_names()
    assert "heat_work" not in cold.history_names()


def test_formula_has_no_more_axes_than_it_needs():
    axes = (Axis("x", 6, 3.0, "periodic"), Axis("y", 4, 2.0, "no_flux"))
    for formula, shape in (("-2*t", ()), ("-2*t*y/Ly", (4, 1)), ("x*t", (1, 6)), ("x*y", (4, 6))):
        strain = ThermalStrain(ThermalSection(expansion=0.5, formula=formula), Grid(axes))
        assert np.shape(strain.temperature(1.0)) == shape
    assert ThermalStrain(ThermalSection(expansion=0.5, formula="-2*t"), Grid(axes)).next(3.0) == -3.0


@pytest.mark.parametrize(
    ("thermal", "message"),
    [
        ({}, "needs either cooled or formula"),
        ({**COLD, "formula": "t"}, "needs either cooled or formula"),
        ({"cooled": COLD["cooled"]}, "need a diffusivity"),
        ({"formula": "t", "diffusivity": 1.0}, "a formula needs no diffusivity"),
        ({"formula": "T"}, "'T'"),
        ({"formula": "z*t"}, "'z'"),
        ({"formula": "1/t"}, "not finite everywhere at t = 0"),
        ({**COLD, "cooled": [{"face": "y.lo", "temperature": 1.0}]}, "did you mean 'y.low'"),
        ({**COLD, "cooled": [{"face": "x.low", "temperature": 1.0}]}, "unknown face 'x.low'"),
        ({**COLD, "cooled": 2 * COLD["cooled"]}, "y.low is named twice"),
        ({**COLD, "cooled": [{"face": "y.low", "temperature": 1.0, "transfer": 0.0}]}, "greater than 0"),
        ({**COLD, "diffusivity": -1.0}, "greater than 0"),
        ({**COLD, "update": 1.0}, "less than 1"),
    ],
)
def test_bad_input(thermal, message):
    setting = scenario(thermal, x={"boundary": "periodic"})
    with pytest.raises(InputError, match=r"model\.thermal") as error:
        run(setting, 0.0)
    assert message in str(error.value)


def test_faces_along_two_axes_have_one_temperature():
    cooled = [{"face": "x.low", "temperature": -1.0}, {"face": "y.low", "temperature": -2.0}]
    with pytest.raises(pf.InputError, match="faces along several axes need one temperature"):
        run(scenario({**COLD, "cooled": cooled}))


def test_temperature_that_is_not_finite_later():
    with pytest.raises(pf.NumericalError, match="temperature is not finite at t = "):
        run(scenario({"formula": "-sqrt(0.5 - t)"}, end=0.6))
