"""Manufactured solutions in boxes with any boundaries: spectral accuracy in space, the order of every scheme in time."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from boundaries import KINDS, MIXES, name

import phasefield as pf
from phasefield.registry import lookup, names

LENGTHS = {"x": 2.0, "y": 1.7, "z": 2.3}
# Per axis a function that its boundary allows, with all harmonics: smooth where the waves of the boundary continue it.
PROFILES = {
    "periodic": "exp({a}*sin(2*pi*{x}/L{x}))",
    "no_flux": "exp({a}*cos(pi*{x}/L{x}))",
    "fixed": "sin(pi*{x}/L{x})*exp({a}*cos(2*pi*{x}/L{x}))",
}
# Value at fixed faces. With −∇²c = 0 there ∇²f′(c) = f‴ |∇c|², a kink of what a conserved field's sine waves have to represent
# unless f‴ = 0.
FACE = {"allen_cahn": 0.25, "cahn_hilliard": 0.0}


def problem(mix, model, amplitude, cells, **time):
    """φ = g + 0.3 cos(t) × profiles, g the value at fixed faces."""
    face = FACE[model]
    field = {"cahn_hilliard": "c", "allen_cahn": "phi"}[model]
    profile = "*".join(PROFILES[b].format(a=amplitude, x=x) for b, x in zip(mix, "xyz", strict=False))
    grid = {}
    for boundary, axis in zip(mix, "xyz", strict=False):
        grid[axis] = {"cells": cells, "length": LENGTHS[axis], "boundary": boundary}
        if boundary == "fixed":
            grid[axis]["values"] = {field: face}
    return {
        "model": {"name": model, "gradient_energy": 0.02, "mobility": 0.3 if model == "allen_cahn" else 0.05},
        "grid": grid,
        "manufactured": {field: f"{face} + 0.3*cos(t)*{profile}"},
        "time": time,
    }


def error(data):
    simulation = pf.Simulation.from_scenario(data, device="cpu", threads=1)
    simulation.advance()
    simulation.close()
    assert simulation.counters.rejected == 0
    return next(iter(pf.l2_error(simulation).values()))


@pytest.mark.parametrize("model", ["allen_cahn", "cahn_hilliard"])
@pytest.mark.parametrize("mix", MIXES, ids=name)
def test_spectral_accuracy(mix, model):
    """One short step: what is left is the error of space, which falls faster than any power of the number of cells."""
    amplitude, cells = (1.0, (6, 12, 32)) if len(mix) < 3 else (0.5, (4, 8, 20))
    errors = [error(problem(mix, model, amplitude, n, end=1e-4, step=1e-4, scheme="etdrk4")) for n in cells]
    # No power below the tenth of the number of cells falls as fast between the last two, if it does not end at rounding first.
    assert errors[1] < errors[0]
    assert errors[2] < max((cells[1] / cells[2]) ** 10 * errors[1], 1e-14)
    assert errors[2] < 1e-10


def orders(data, largest):
    rows = pf.convergence({**data, "time": {**data["time"], "step": largest}}, time=3, space=0, threads=1)
    return [row.order for row in rows][1:]


# The largest step of each scheme, with which two halvings show its order.
STEPS = {"imex1": 1 / 64, "sbdf2": 1 / 32, "etdrk2": 1 / 32, "etdrk4": 1 / 4}
FEW = [mix for d in (1, 2) for mix in product(KINDS, repeat=d) if mix == tuple(sorted(mix))]
FEW += [("periodic", "no_flux", "fixed"), ("fixed", "fixed", "no_flux"), ("no_flux",) * 3]


@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize("model", ["allen_cahn", "cahn_hilliard"])
@pytest.mark.parametrize("mix", FEW, ids=name)
def test_order_in_time(mix, model, scheme):
    cells = 16 if len(mix) < 3 else 14
    data = problem(mix, model, 0.2, cells, end=1.0, scheme=scheme)
    if model == "cahn_hilliard" and scheme == "etdrk4":
        # Between fixed faces each sine wave of N and of s decays slowly, and only their sum fast. The scheme then shows its order
        # where Δt Mκk⁴ is of the order 1 for the shortest wave.
        data["model"]["mobility"] = 0.01
    declared = lookup("scheme", scheme).order
    observed = orders(data, STEPS[scheme])
    assert observed[-1] == pytest.approx(declared, abs=0.1), observed


@pytest.mark.parametrize(
    "mix", [("no_flux",), ("periodic", "no_flux"), ("no_flux", "no_flux"), ("periodic",) * 2], ids=name
)
def test_mobility_that_depends_on_composition(mix):
    """∇·M(c)∇μ in every box without given values: spectral accuracy, and order 2."""
    short = [problem(mix, "cahn_hilliard", 1.0, n, end=1e-4, step=1e-4, scheme="etdrk4") for n in (8, 16, 32)]
    long = problem(mix, "cahn_hilliard", 0.2, 16, end=1.0, scheme="sbdf2")
    for data in (*short, long):
        data["model"]["mobility"] = "0.05*(1.5 + c + 0.5*c**2)"
    errors = [error(data) for data in short]
    assert errors[2] < 1e-10
    assert errors[1] < 0.1 * errors[0]
    assert orders(long, 1 / 32)[-1] == pytest.approx(2.0, abs=0.1)


def test_error_is_that_of_the_norm_of_the_benchmark():
    """√(Σ (φ − u)² ΔV) for a solution that the grid cannot resolve, against plain NumPy."""
    data = problem(("fixed",), "allen_cahn", 1.0, 6, end=0.1, step=0.1, scheme="imex1")
    simulation = pf.Simulation.from_scenario(data, device="cpu", threads=1)
    simulation.advance()
    simulation.close()
    x = simulation.grid.axes[0].centres
    exact = FACE["allen_cahn"] + 0.3 * math.cos(0.1) * np.sin(np.pi * x / 2.0) * np.exp(np.cos(np.pi * x))
    expected = math.sqrt(np.sum((simulation.state["phi"] - exact) ** 2) * 2.0 / 6)
    assert pf.l2_error(simulation)["phi"] == pytest.approx(expected, rel=1e-12)


def test_conserved_field_with_a_kink_at_its_faces():
    """f‴ ≠ 0 at fixed faces: second order in space, as the manual says."""
    data = problem(("fixed",), "cahn_hilliard", 0.2, 16, end=0.5, step=2e-3, scheme="etdrk2")
    data["grid"]["x"]["values"] = {"c": 0.25}
    data["manufactured"] = {"c": data["manufactured"]["c"].replace("0.0 +", "0.25 +")}
    errors = [error({**data, "grid": {"x": {**data["grid"]["x"], "cells": n}}}) for n in (16, 32, 64)]
    assert np.log2(np.array(errors[:-1]) / errors[1:]) == pytest.approx([2.0, 2.0], abs=0.05)
