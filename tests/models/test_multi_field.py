"""Several coupled fields: definitions in formulas, plain NumPy steps, mistakes, PFHub 2a, and growth against linear theory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import BOXES

import phasefield as pf
from phasefield.analysis.modes import dominant_left_vectors
from phasefield.analysis.stability import LinearStability
from phasefield.energy.gradient import symbol_on_grid
from phasefield.errors import InputError
from phasefield.kernels.printing import scalar_code
from phasefield.models.multi_field import TAKEN, MultiField
from phasefield.models.split import Split
from phasefield.output.fields import RESERVED
from phasefield.scenario import load_scenario

SCENARIOS = Path(__file__).parents[2] / "scenarios"
TWO = {
    "name": "multi_field",
    "fields": {
        "c": {"kinetics": "conserved", "mobility": 0.7, "gradient_energy": 1.5},
        "eta": {"kinetics": "non_conserved", "mobility": 1.3, "gradient_energy": 2.5},
    },
    "free_energy": {
        "formula": "A*(c - h)**2 + W*g",
        "parameters": {"A": 0.8, "W": 1.1},
        "definitions": {"h": "eta**2*(3 - 2*eta)", "g": "eta**2*(1 - eta)**2"},
    },
}


def data(model=TWO, dimensions=2, **sections):
    base = {
        "model": model,
        "grid": BOXES[dimensions],
        "initial": {name: {"mean": 0.3, "noise": 0.2} for name in model["fields"]},
        "time": {"end": 1.0, "step": 0.05},
        "seed": 3,
    }
    return {**base, **sections}


def with_energy(**energy):
    return {**TWO, "free_energy": {**TWO["free_energy"], **energy}}


def build(model):
    return MultiField(MultiField.Params.model_validate(model))


# --- definitions ------------------------------------------------------------------------------------------------


def test_definitions_mean_what_they_say():
    """Values and derivatives equal those of the formula written out by hand; powers bind around a definition."""
    short = build(
        with_energy(
            formula="A*(c - h)**2 + W*g - c*twice", definitions={**TWO["free_energy"]["definitions"], "twice": "h + h"}
        )
    )
    h, g = "(eta**2*(3 - 2*eta))", "(eta**2*(1 - eta)**2)"
    long = build(with_energy(formula=f"A*(c - {h})**2 + W*{g} - c*(2*{h})", definitions={}))
    rng = np.random.default_rng(0)
    values = {"c": rng.normal(size=50), "eta": rng.normal(size=50), "A": 0.8, "W": 1.1}
    a, b = short.terms[0].expression, long.terms[0].expression
    np.testing.assert_allclose(a.evaluate(**values), b.evaluate(**values), rtol=1e-12)
    for p in ("c", "eta"):
        np.testing.assert_allclose(a.derivative(p).evaluate(**values), b.derivative(p).evaluate(**values), atol=1e-12)
        for q in ("c", "eta"):
            second = [e.derivative(p).derivative(q).evaluate(**values) for e in (a, b)]
            np.testing.assert_allclose(*second, atol=1e-11)


def test_a_definition_is_no_text():
    """h = a + b in 2*h is 2(a + b), and −h**2 is −(h²)."""
    model = build(with_energy(formula="A*W*(c - 2*h**2)", definitions={"h": "eta - 1"}))
    value = model.terms[0].expression.evaluate(c=0.0, eta=3.0, A=1.0, W=1.0)
    assert value == -8.0


def test_kernels_compute_a_definition_once():
    """Of the many places of h and its slope in f and its derivatives, one of each is left."""
    model = load_scenario(SCENARIOS / "pfhub" / "2a.yaml").model
    split = Split(model)
    code = scalar_code([split.density, *split.derivatives], "float64", "python")
    text = "\n".join([body for _, body in (*code.constants, *code.temporaries)] + list(code.results))
    assert text.count("15.0 * v_eta_1") == 1
    assert text.count("v_eta_1") < 25
    # About 1.5 kB of arithmetic for six functions of five fields; written out it would be 10.
    assert len(text) < 3000


def test_constant_definitions_fold():
    model = build(with_energy(formula="A*(c - h)**2 + W*eta**2", definitions={"n": "1/2", "h": "n**2 + 0*pi"}))
    assert model.terms[0].expression.evaluate(c=0.25, eta=0.0, A=1.0, W=1.0) == 0.0


# --- mistakes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("energy", "message"),
    [
        (
            {"definitions": {"h": "eta**2", "g": "eta*gg"}},
            "model.free_energy.definitions.g: 'gg' in column 5 is not known",
        ),
        (
            {"definitions": {"h": "eata", "g": "eta"}},
            "definitions.h: 'eata' in column 1 is not known; did you mean 'eta'?",
        ),
        (
            {"definitions": {"h": "h + eta", "g": "eta"}},
            "definitions.h: uses itself; a definition may use the ones before it",
        ),
        ({"definitions": {"h": "g", "g": "h"}}, "definitions.h: uses 'g', which is defined later"),
        ({"definitions": {"h": "eta", "g": "c", "q": "eta"}}, "definitions.q: does not occur in the formula"),
        ({"definitions": {"h": "eta", "g": "c", "eta": "c"}}, "definitions.eta: has the name of a field"),
        ({"definitions": {"h": "eta", "g": "c", "A": "c"}}, "definitions.A: has the name of a parameter"),
        ({"definitions": {"h": "eta", "g": "c", "exp": "c"}}, "'exp' is reserved in formulas"),
        ({"definitions": {"h": "eta +", "g": "c"}}, "definitions.h:"),
        ({"definitions": {"h": "", "g": "c"}}, "definitions.h: is empty"),
        ({"definitions": {"h": 1.0, "g": "c"}}, "definitions.h: must be text"),
        ({"definitions": {"h": "__import__('os')", "g": "c"}}, "definitions.h:"),
        ({"definitions": {"h": "eta**20", "g": "h**20"}}, "definitions.g: 'h**20' in column 1 nests powers"),
        ({"definitions": {"h": "g(eta)", "g": "c"}}, "definitions.h: uses 'g'"),
        ({"definitions": {"g": "c", "h": "g(eta)"}}, "definitions.h: 'g' in column 1 is not a function"),
        ({"formula": "A*(c - hh)**2 + W*g*h"}, "model.free_energy: 'hh' in column 8 is not known; did you mean 'h'?"),
        ({"parameters": {"A": 1.0, "W": 1.0, "B": 1.0}}, "parameter 'B' does not occur"),
        (
            {"definitions": {"h": "eta*" + "1*" * 1200 + "1", "g": "c"}},
            "definitions.h: has 2405 characters, more than 2000",
        ),
    ],
)
def test_mistakes_in_definitions(energy, message):
    with pytest.raises(InputError) as error:
        load_scenario(data(with_energy(**energy)))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_definitions_cannot_explode():
    """Each uses the one before ten times: 10²⁰ terms written out, refused at once."""
    powers = {"d0": "eta"} | {f"d{i}": "+".join([f"sin({i} + d{i - 1})"] * 10) for i in range(1, 20)}
    model = with_energy(formula="A*W*(c + d19)", definitions=powers)
    with pytest.raises(InputError, match=r"definitions\.d4: has, with its definitions written out, more than 8000"):
        load_scenario(data(model))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": {"time": {"kinetics": "conserved"}}}, "'time' stands for something else"),
        ({"fields": {"potential_c": {"kinetics": "conserved"}}}, "'potential_c' stands for something else"),
        ({"fields": {"2c": {"kinetics": "conserved"}}}, "field '2c' is not a valid name"),
        ({"fields": {"exp": {"kinetics": "conserved"}}}, "field 'exp' is reserved"),
        ({"fields": {}}, "model.fields: "),
        ({"fields": {"c": {"kinetics": "conservd"}}}, "c.kinetics: unknown kinetics 'conservd'; did you mean 'conserved'?"),
        ({"fields": {"c": {"kinetics": "conserved", "mobilty": 1}}}, "fields.c.mobilty: unknown key; did you mean 'mobility'?"),
        ({"fields": {"c": {}}}, "model.fields.c.kinetics: is missing"),
        ({"fields": {"c": {"kinetics": "conserved", "mobility": 0.0}}}, "fields.c.mobility: must be greater than 0"),
        ({"free_energy": {"name": "double_well"}}, "'double_well' is a function of one field, not of c, eta"),
    ],
)  # fmt: skip
def test_mistakes_in_fields(change, message):
    with pytest.raises(InputError) as error:
        load_scenario(data({**TWO, **change}, initial={"c": 0.1}))
    assert message in str(error.value)


def test_names_that_files_use_are_taken():
    assert RESERVED <= TAKEN


def test_resolved_scenario_runs_again():
    loaded = load_scenario(data())
    again = load_scenario(loaded.resolved())
    assert again.settings.model == loaded.settings.model
    assert loaded.resolved()["model"]["free_energy"]["definitions"] == TWO["free_energy"]["definitions"]


# --- steps ------------------------------------------------------------------------------------------------------


def numpy_steps(simulation, steps, dt, S):
    """imex1 in plain NumPy: (1 + Δt m (S + κk̃²)) û⁺ = û − Δt m ((∂f/∂φ)^ − S û), field by field."""
    A, W = 0.8, 1.1
    k2 = symbol_on_grid(simulation.grid, "spectral")
    u = simulation.state
    shape, axes = simulation.grid.shape, range(simulation.grid.dimensions)
    for _ in range(steps):
        c, eta = u["c"], u["eta"]
        h, slope = eta**2 * (3 - 2 * eta), 6 * eta * (1 - eta)
        well = 2 * eta * (1 - eta) * (1 - 2 * eta)
        forces = {"c": 2 * A * (c - h), "eta": -2 * A * (c - h) * slope + W * well}
        following = {}
        for i, (name, m, kappa) in enumerate((("c", 0.7 * k2, 1.5), ("eta", 1.3 + 0 * k2, 2.5))):
            u_hat, F_hat = np.fft.rfftn(u[name]), np.fft.rfftn(forces[name])
            u_hat = (u_hat - dt * m * (F_hat - S[i] * u_hat)) / (1 + dt * m * (S[i] + kappa * k2))
            following[name] = np.fft.irfftn(u_hat, s=shape, axes=axes)
        u = following
    return u


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_two_fields_against_numpy(simulate, dimensions):
    simulation = simulate(
        data(dimensions=dimensions, time={"end": 0.1, "step": 0.05, "scheme": "imex1"}, stabilisation=1.7)
    )
    expected = numpy_steps(simulation, 2, 0.05, (1.7, 1.7))
    simulation.advance()
    for name, values in expected.items():
        np.testing.assert_allclose(simulation.state[name], values, atol=1e-14)


def test_each_field_has_its_own_stabilisation(simulate):
    simulation = simulate(data(time={"end": 0.05, "step": 0.05, "scheme": "imex1"}))
    S = simulation.stabilisation.values
    assert abs(S[0] - S[1]) > 0.1
    expected = numpy_steps(simulation, 1, 0.05, S)
    simulation.advance()
    for name, values in expected.items():
        np.testing.assert_allclose(simulation.state[name], values, atol=1e-14)


def test_three_fields_in_one_dimension(simulate):
    """Three fields on a line against an explicit integration of the plain right-hand side with tiny steps."""
    model = {
        "name": "multi_field",
        "fields": {
            "c": {"kinetics": "conserved", "mobility": 1.0, "gradient_energy": 1.0},
            "u": {"kinetics": "non_conserved", "mobility": 0.5, "gradient_energy": 2.0},
            "v": {"kinetics": "non_conserved", "mobility": 2.0, "gradient_energy": 1.0},
        },
        "free_energy": "c**2*(1 - c)**2 + u**2*(1 - u)**2 + 0.5*v**2 + c*u*v",
    }
    initial = {
        "c": "0.4 + 0.2*cos(2*pi*x/Lx)",
        "u": "0.3 + 0.1*sin(4*pi*x/Lx)",
        "v": "0.2*cos(2*pi*x/Lx) + 0.1*sin(6*pi*x/Lx)",
    }
    time = {"end": 0.5, "step": 2e-3, "scheme": "etdrk4"}
    simulation = simulate(data(model, 1, grid={"x": {"cells": 32, "length": 30.0}}, initial=initial, time=time))
    k2 = symbol_on_grid(simulation.grid, "spectral")
    state = np.stack([simulation.state[n] for n in model["fields"]])
    kappa = np.array([1.0, 2.0, 1.0])[:, None]
    m = np.stack([1.0 * k2, 0.5 + 0 * k2, 2.0 + 0 * k2])

    def slope(y):
        c, u, v = y
        f = np.stack([
            2 * c * (1 - c) * (1 - 2 * c) + u * v,
            2 * u * (1 - u) * (1 - 2 * u) + c * v,
            v + c * u,
        ])  # fmt: skip
        return np.fft.irfft(-m * (np.fft.rfft(f) + kappa * k2 * np.fft.rfft(y)), n=32)

    dt = 5e-4
    for _ in range(1000):
        a = slope(state)
        b = slope(state + 0.5 * dt * a)
        c = slope(state + 0.5 * dt * b)
        d = slope(state + dt * c)
        state = state + dt / 6 * (a + 2 * b + 2 * c + d)
    simulation.advance()
    for i, name in enumerate(model["fields"]):
        np.testing.assert_allclose(simulation.state[name], state[i], atol=1e-9)


@pytest.mark.parametrize("ends", [(1.0, 2.0), (-2.0, -1.0)])
def test_curvature_sees_the_far_side_of_a_composition(ends):
    """c never is 0: beside a pair of order parameters its whole range counts, and the bound holds at random states."""
    names = ("c", "u", "v", "w", "x_1")
    pairs = " + ".join(f"{p}**2*{q}**2" for i, p in enumerate(names[1:]) for q in names[2 + i :])
    kinetics = {n: {"kinetics": "conserved" if n == "c" else "non_conserved"} for n in names}
    split = Split(build({"name": "multi_field", "fields": kinetics, "free_energy": f"c**2*({pairs}) + c**4"}))
    bound = split.curvature([ends, *[(-0.01, 1.01)] * 4])
    rng = np.random.default_rng(1)
    # At most two order parameters at once, as in grain boundaries.
    states = np.zeros((5, 4000))
    states[0] = rng.uniform(*ends, 4000)
    for row in np.array([rng.choice(4, 2, replace=False) for _ in range(4000)]).T + 1:
        states[row, np.arange(4000)] = rng.uniform(0.0, 1.0, 4000)
    values = dict(zip(names, states, strict=True))
    for i, p in enumerate(names[1:], start=1):
        rows = sum(np.abs(split._second(p, q, values, {})) for q in names[1:] if q != p)
        found = float((split._second(p, p, values, {}) + rows).max())
        assert found <= bound[i]
        assert found >= 0.5 * bound[i]


def test_a_field_that_dies_out_does_not_hold_the_steps(simulate):
    """ψ decays as e^(−10t) beside a coarsening c: the steps end up as long as without it."""
    model = {
        "name": "multi_field",
        "fields": {"c": {"kinetics": "conserved"}, "psi": {"kinetics": "non_conserved", "mobility": 10.0}},
        "free_energy": "0.25*(c**2 - 1)**2 + 0.5*psi**2",
    }
    sizes = []
    for start in (0.5, 0.0):
        simulation = simulate(
            data(
                model,
                1,
                initial={"c": "0.9*tanh(4*cos(2*pi*x/Lx))", "psi": start},
                time={"end": 40.0, "step": {"tolerance": 1e-4}},
            )
        )
        simulation.advance(until=39.0)
        sizes.append(simulation.control.size)
    assert sizes[0] == pytest.approx(sizes[1], rel=0.05)
    assert sizes[0] > 0.5


# --- theory -----------------------------------------------------------------------------------------------------


def test_left_vectors_are_left_eigenvectors():
    theory = LinearStability(load_scenario(SCENARIOS / "ternary.yaml").model, {"a": 0.25, "b": 0.4})
    k2 = np.array([0.3, 0.01, 2.0, 0.3])
    left = dominant_left_vectors(theory, k2)
    G, sigma = theory.growth_matrix(k2), theory.growth_rate_of_symbol(k2)
    np.testing.assert_allclose(np.einsum("mp,mpq->mq", left, G), sigma[:, None] * left, atol=1e-12)


def test_growth_of_mixed_kinetics_is_verified(tmp_path):
    """A conserved and a non-conserved field, coupled: the projection grows at the rate of the larger eigenvalue."""
    model = {
        "name": "multi_field",
        "fields": {
            "c": {"kinetics": "conserved", "mobility": 1.0, "gradient_energy": 1.0},
            "eta": {"kinetics": "non_conserved", "mobility": 0.3, "gradient_energy": 1.0},
        },
        "free_energy": "-0.5*c**2 + 0.25*c**4 + 0.5*eta**2 + 0.25*eta**4 + 0.6*c*eta",
    }
    grid = {a: {"cells": 64, "length": 80.0} for a in "xy"}
    initial = {n: {"mean": 0.0, "noise": 1e-3} for n in ("c", "eta")}
    scenario = data(model, grid=grid, initial=initial, time={"end": 20.0, "step": {"tolerance": 1e-5}})
    run = pf.run(scenario, output=tmp_path / "run", device="cpu")
    verdict = pf.verify(run)
    assert verdict.passed, str(verdict)
    checks = {c.name: c for c in verdict.checks}
    assert checks["largest growth rate"].error < 1e-3
    assert checks["fastest-growing wavelength"].error < 1e-3
    assert checks["growth curve"].error < 1e-3
    # A theory in which the coupling is stronger does not fit.
    wrong = pf.verify(run, {"model.free_energy": "-0.5*c**2 + 0.25*c**4 + 0.5*eta**2 + 0.25*eta**4 + 0.7*c*eta"})
    assert not wrong.passed


def test_eigenvalue_of_two_conserved_fields_in_closed_form():
    """With one M and one κ: σ = −Mk²(h + κk²), h the smaller eigenvalue of f″; here 2 − χ… of a regular solution, 3(3 − χ)."""
    fields = {n: {"kinetics": "conserved", "mobility": 1.5, "gradient_energy": 2.0} for n in "ab"}
    loaded = load_scenario(SCENARIOS / "ternary.yaml", {"model.fields": fields})
    theory = LinearStability(loaded.model, {"a": 1 / 3, "b": 1 / 3})
    h = 3.0 * (3.0 - 3.5)
    assert theory.least_curvature == pytest.approx(h, rel=1e-12)
    assert theory.fastest_wavelength == pytest.approx(2 * np.pi * np.sqrt(2 * 2.0 / -h), rel=1e-6)
    assert theory.largest_growth_rate == pytest.approx(1.5 * h**2 / (4 * 2.0), rel=1e-9)


# --- PFHub 2a ---------------------------------------------------------------------------------------------------


def test_pfhub_2a_energy_of_the_start(simulate):
    """9023.582 without the seam: bulk 8911.592; what the jump at the seam adds lies in the gradient terms alone."""
    simulation = simulate(SCENARIOS / "pfhub" / "2a.yaml")
    assert simulation.energies.bulk == pytest.approx(8911.592, abs=0.3)
    state, grid = simulation.state, simulation.grid
    inner = 0.0
    kappa = 3.0
    for u in state.values():
        dx = np.gradient(u, grid.axes[0].spacing, axis=1, edge_order=2)
        dy = np.gradient(u, grid.axes[1].spacing, axis=0, edge_order=2)
        inner += 0.5 * kappa * float((dx**2 + dy**2).sum()) * grid.cell_volume
    assert simulation.energies.bulk + inner == pytest.approx(9023.582, rel=2e-4)
    assert simulation.energies.total > 9023.582


def test_pfhub_2a_is_as_published():
    """The density against a plain form with the double sum, each pair counted twice."""
    model = load_scenario(SCENARIOS / "pfhub" / "2a.yaml").model
    rng = np.random.default_rng(4)
    c, eta = rng.uniform(0.2, 0.8, 30), rng.uniform(-0.1, 1.1, (4, 30))
    h = sum(e**3 * (6 * e**2 - 15 * e + 10) for e in eta)
    g = sum(e**2 * (1 - e) ** 2 for e in eta)
    g = g + 5.0 * sum(eta[i] ** 2 * eta[j] ** 2 for i in range(4) for j in range(4) if i != j)
    expected = 2.0 * (c - 0.3) ** 2 * (1 - h) + 2.0 * (0.7 - c) ** 2 * h + g
    bulk = model.terms[0]
    values = {"c": c, **{f"eta_{i + 1}": e for i, e in enumerate(eta)}}
    np.testing.assert_allclose(bulk.expression.evaluate(**values, **bulk.parameter_values()), expected, rtol=1e-12)
