"""The mobility of a scenario: a number, a formula, or a mistake with one clear message."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import scenario

import phasefield as pf
from phasefield.analysis.predict import memory_estimate
from phasefield.analysis.stability import LinearStability
from phasefield.errors import InputError, NumericalError
from phasefield.scenario import load_scenario


def load(mobility, **model):
    return load_scenario(scenario(model_={"mobility": mobility, **model}))


@pytest.mark.parametrize(
    ("setting", "values"),
    [
        ("c*(1 - c)", [0.0, 0.25, 0.0]),
        ({"formula": "D*(1 - c**2)", "parameters": {"D": 2.0}}, [0.0, 1.5, 0.0]),
        ("0.3", [0.3, 0.3, 0.3]),
    ],
)
def test_formulas(setting, values):
    """M is the formula where that is not negative, else 0; the resolved scenario says the same."""
    loaded = load(setting)
    M = loaded.model.variable_mobility
    assert M is not None
    np.testing.assert_allclose(M.at(np.array([-3.0, 0.5, 4.0])), [values[0], values[1], values[2]])
    assert loaded.resolved()["model"]["mobility"] == setting
    assert load_scenario(loaded.resolved()).model.variable_mobility == M


def test_number_stays_a_number():
    loaded = load(0.7)
    assert loaded.model.variable_mobility is None
    assert loaded.model.fields["c"].laplacian == 0.7
    assert loaded.resolved()["model"]["mobility"] == 0.7


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        (-1.0, "model.mobility: must be greater than 0"),
        (0, "model.mobility: must be greater than 0"),
        (True, "model.mobility: must be a number, a formula in the field"),
        ([1.0], "model.mobility: must be a number, a formula in the field"),
        ("c*(1 - phi)", "model.mobility: .*phi"),
        ("c*(1 - ", "model.mobility: "),
        ({"formula": "c", "parameters": {"D": 1.0}}, "model.mobility: parameter 'D' does not occur"),
        ({"formula": "D*c", "parameters": {"D": "x"}}, "model.mobility.parameters.D: must be a number"),
        ({"formul": "c"}, "model.mobility.formul: unknown key; did you mean 'formula'"),
        ({"parameters": {}}, "model.mobility.formula: is missing"),
    ],
)
def test_mistakes(setting, message):
    with pytest.raises(InputError, match=message) as caught:
        load(setting)
    assert len(str(caught.value).splitlines()) == 1


def test_needs_the_spectral_laplacian():
    with pytest.raises(InputError, match=r"model\.laplacian: a mobility that depends on c needs laplacian: spectral"):
        load("c*(1 - c)", laplacian="finite_difference")
    assert load(1.0, laplacian="finite_difference").model.laplacian == "finite_difference"


def test_largest():
    M = load("c*(1 - c)").model.variable_mobility
    assert M.largest(0.0, 1.0) == pytest.approx(0.25, rel=1e-4)
    assert M.largest(0.7, 0.9) == pytest.approx(0.21)
    assert M.largest(1.5, 2.0) == 0.0
    with pytest.raises(NumericalError, match=r"sqrt\(c\) is not finite everywhere between c = -1 and 1"):
        load("sqrt(c)").model.variable_mobility.largest(-1.0, 1.0)


def test_a_state_without_motion_is_refused(simulate):
    with pytest.raises(InputError, match=r"model\.mobility: is 0 everywhere between"):
        simulate(scenario(model_={"mobility": "c - 5"}))


def test_gpu_is_refused():
    with pytest.raises(InputError, match=r"model\.mobility: .* runs on the CPU only"):
        pf.Simulation.from_scenario(scenario(model_={"mobility": "c*(1 - c)"}), device="gpu")


def test_linear_stability_takes_the_mobility_of_the_state():
    """σ* = M(c̄) f″²/(4κ), the wavelength does not depend on M."""
    f2, kappa = 3.0 * 0.3**2 - 1.0, 2.0
    model = load("2 - c**2").model
    theory = LinearStability(model, {"c": 0.3})
    assert theory.largest_growth_rate == pytest.approx((2.0 - 0.09) * f2**2 / (4.0 * kappa), rel=1e-9)
    assert theory.fastest_wavelength == pytest.approx(2.0 * np.pi * np.sqrt(2.0 * kappa / -f2), rel=1e-6)
    assert theory.kinetics.laplacian == pytest.approx(1.91)


@pytest.mark.parametrize("boundary", ["periodic", "no_flux"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_memory_of_the_flux(simulate, dimensions, boundary, monkeypatch):
    """The estimate covers what the stepper allocates for the flux, up to padding and, in sweeps of its own, the blocks."""
    # Padding to whole blocks is a matter of the cache of the machine, and much of grids as small as these.
    monkeypatch.setattr("phasefield.spectral.sweep.cache_block_bytes", lambda: 256 * 1024)
    cells = {1: 4096, 2: 400, 3: 48}[dimensions] if boundary == "no_flux" else 0
    estimates, measured = [], []
    for M in (1.0, "1 - 0.1*c"):
        data = scenario(dimensions=dimensions, model_={"mobility": M})
        if boundary == "no_flux":
            data["grid"] = {a: {"cells": cells, "length": 50.0, "boundary": boundary} for a in data["grid"]}
        estimates.append(memory_estimate(load_scenario(data)))
        measured.append(simulate(data).stepper.memory_bytes)
    assert estimates[1] - estimates[0] == pytest.approx(measured[1] - measured[0], rel=0.4)
    assert estimates[1] > estimates[0]
