"""Manufactured solutions: the derived source, orders in time and space, the verdict, and the study of orders."""

from __future__ import annotations

import math

import numpy as np
import pytest
from command_line import call
from conftest import scenario

import phasefield as pf
from phasefield.analysis.convergence import ConvergenceRow, order_confirmed
from phasefield.analysis.manufactured import solution_errors
from phasefield.models.manufactured import source_terms
from phasefield.registry import lookup, names
from phasefield.scenario.fields import exact_fields
from phasefield.scenario.schema import build_model, scenario_class
from phasefield.scenario.space_time import parse_space_time

FIELDS = {"cahn_hilliard": "c", "allen_cahn": "phi"}
DOUBLE_WELL = {"name": "double_well", "barrier": 0.25, "low": -1.0, "high": 1.0}
# Few and long waves: no power of the double well comes near the shortest wave of the grid.
WAVES = "0.1 + (0.5 + 0.2*sin(t))*sin(2*pi*x/Lx) + 0.2*cos(3*t)*cos(4*pi*x/Lx)"


def study(model: str, dimensions: int = 1, u: str = WAVES, **sections):
    cells = sections.pop("cells", 24)
    grid = {axis: {"cells": cells, "length": 50.0 - 4.0 * i} for i, axis in enumerate("xyz"[:dimensions])}
    data = scenario(model, grid=grid, manufactured={FIELDS[model]: u}, model_={"free_energy": DOUBLE_WELL}, **sections)
    data.pop("initial")
    return {"stabilisation": 1.0, **data}


def model_of(data):
    return build_model(scenario_class().model_validate(data))


# --- the source -------------------------------------------------------------------------------------------------


def test_source_of_pfhub_7a_is_the_published_one():
    """S(x, y, t) as PFHub prints it, against what is derived from the model, at random points."""
    A1, B1, A2, B2, C2, kappa = 0.0075, 8 * np.pi, 0.03, 22 * np.pi, 0.0625 * np.pi, 0.0004
    u = parse_space_time(
        "0.5*(1 - tanh((y - 0.25 - 0.0075*t*sin(8*pi*x) - 0.03*sin(22*pi*x + 0.0625*pi*t))/sqrt(0.0008)))", ("x", "y")
    )
    for free_energy in ("phi**2*(1 - phi)**2", {"name": "double_well", "barrier": 1.0, "low": 0.0, "high": 1.0}):
        data = scenario("allen_cahn", model_={"gradient_energy": kappa, "free_energy": free_energy})
        source = source_terms(model_of(data), {"phi": u})["phi"]
        rng = np.random.default_rng(7)
        x, y, t = rng.uniform(0, 1, 2000), rng.uniform(0.1, 0.4, 2000), rng.uniform(0, 8, 2000)
        alpha = 0.25 + A1 * t * np.sin(B1 * x) + A2 * np.sin(B2 * x + C2 * t)
        alpha_x = A1 * B1 * t * np.cos(B1 * x) + A2 * B2 * np.cos(B2 * x + C2 * t)
        alpha_xx = -A1 * B1**2 * t * np.sin(B1 * x) - A2 * B2**2 * np.sin(B2 * x + C2 * t)
        alpha_t = A1 * np.sin(B1 * x) + A2 * C2 * np.cos(B2 * x + C2 * t)
        r = (y - alpha) / np.sqrt(2 * kappa)
        published = (
            (1 / np.cosh(r)) ** 2
            / (4 * np.sqrt(kappa))
            * (-2 * np.sqrt(kappa) * np.tanh(r) * alpha_x**2 + np.sqrt(2) * (alpha_t - kappa * alpha_xx))
        )
        derived = source.evaluate(x=x, y=y, t=t, Lx=1.0, Ly=0.5)
        assert np.abs(published).max() > 1.0
        np.testing.assert_allclose(derived, published, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("model", FIELDS)
def test_source_is_the_residual_of_the_model(model, dimensions):
    """s = ∂u/∂t + m(k) (δF/δu), by the model's own discrete terms and a difference in time."""
    u = "0.1 + 0.4*sin(2*pi*x/Lx)*sin(t)" + "".join(f"*cos(2*pi*{a}/L{a} + t)" for a in "yz"[: dimensions - 1])
    loaded = pf.load_scenario(study(model, dimensions, u, cells=16))
    name, kinetics = next(iter(loaded.model.fields.items()))
    time, dt = 0.7, 1e-4
    state = exact_fields(loaded, time)
    potential = sum(term.derivative(state, loaded.grid)[name] for term in loaded.model.terms)
    waves = [2 * np.pi * np.fft.fftfreq(a.cells, a.spacing) for a in reversed(loaded.grid.axes)]
    k2 = sum(k**2 for k in np.meshgrid(*waves, indexing="ij"))
    motion = np.fft.ifftn(kinetics.rate(k2) * np.fft.fftn(potential)).real
    change = (exact_fields(loaded, time + dt)[name] - exact_fields(loaded, time - dt)[name]) / (2 * dt)
    lengths = {f"L{a.name}": a.length for a in loaded.grid.axes}
    source = loaded.sources[name].evaluate(**loaded.grid.coordinates(), **lengths, t=time)
    np.testing.assert_allclose(source, change + motion, atol=2e-8)


# --- orders -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", FIELDS)
@pytest.mark.parametrize("scheme", names("scheme"))
def test_order_in_time(scheme, model):
    # Of first order the error is large: the next order of Δt disappears later.
    count = 1024 if scheme == "imex1" else 128
    rows = pf.convergence(study(model, time={"end": 4.0, "step": 4.0 / count, "scheme": scheme}), time=3, space=0)
    assert [row.step for row in rows] == [4.0 / count, 2.0 / count, 1.0 / count]
    assert not rows[-1].rounding
    assert [row.order for row in rows[1:]] == pytest.approx([lookup("scheme", scheme).order] * 2, abs=0.1)
    assert order_confirmed(rows)


@pytest.mark.parametrize("model", FIELDS)
@pytest.mark.parametrize("scheme", ["sbdf2", "etdrk4"])
def test_order_with_changing_steps(simulate, scheme, model):
    """Steps that alternate between h/2 and 3h/2: sources at the right times of unequal steps."""
    errors = []
    for count in (128, 256, 512):
        simulation = simulate(study(model, time={"end": 4.0, "step": 4.0 / count, "scheme": scheme}))
        for i in range(count):
            simulation.stepper.attempt(4.0 / count * (0.5, 1.5)[i % 2], np.array([1.0]))
            simulation.stepper.accept()
        assert simulation.stepper.time == pytest.approx(4.0, abs=1e-12)
        exact = exact_fields(simulation.scenario, 4.0)[FIELDS[model]]
        errors.append(np.sqrt(np.mean((simulation.state[FIELDS[model]] - exact) ** 2)))
    orders = np.log2(np.divide(errors[:-1], errors[1:]))
    assert orders == pytest.approx([lookup("scheme", scheme).order] * 2, abs=0.15)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("model", FIELDS)
def test_spectral_accuracy_in_space(model, dimensions):
    """A smooth function with all waves: the error falls faster than any power, down to that of the step."""
    u = "0.5*exp(sin(2*pi*x/Lx + t))/2.7" + "".join(f"*(1 + 0.2*cos(2*pi*{a}/L{a}))" for a in "yz"[: dimensions - 1])
    data = study(model, dimensions, u, cells=8, time={"end": 0.1, "step": 0.0125, "scheme": "etdrk4"})
    cells = {1: 4, 2: 3, 3: 3}[dimensions]
    rows = [r for r in pf.convergence(data, {"grid.x.cells": 16}, time=2, space=cells) if r.varied == "space"]
    assert [row.cells[0] for row in rows] == [8, 16, 32, 64][:cells]
    errors = [row.error for row in rows]
    assert rows[1].declared == math.inf
    assert errors[1] < errors[0] / 50
    assert errors[2] < errors[1] / 50
    assert errors[2] < 1e-7


def test_order_two_in_space_of_finite_differences():
    data = study(
        "allen_cahn", 2, "0.4*sin(2*pi*x/Lx)*cos(2*pi*y/Ly + t)", cells=16, time={"end": 2.0, "step": 0.02, "scheme": "etdrk4"}
    )  # fmt: skip
    data["model"]["laplacian"] = "finite_difference"
    rows = [r for r in pf.convergence(data, time=2, space=3) if r.varied == "space"]
    assert [r.order for r in rows[1:]] == pytest.approx([2.0, 2.0], abs=0.1)
    assert all(r.declared == 2.0 for r in rows)


# --- errors and verdict -----------------------------------------------------------------------------------------


def test_l2_error_is_that_of_pfhub(simulate):
    """sqrt(Σ (φ − u)² ΔV), of a simulation and of the frames of a run alike."""
    data = study("allen_cahn", 2, "0.4*sin(2*pi*x/Lx + t)", cells=16, time={"end": 1.0, "step": 0.1})
    simulation = simulate(data)
    assert pf.l2_error(simulation)["phi"] < 1e-13
    simulation.set_state({"phi": exact_fields(simulation.scenario, 0.0)["phi"] + 0.5})
    assert pf.l2_error(simulation)["phi"] == pytest.approx(0.5 * math.sqrt(50.0 * 46.0), rel=1e-12)
    with pytest.raises(pf.InputError, match="manufactured: is missing"):
        pf.l2_error(simulate(scenario()))


def test_verdict_compares_the_last_frame(tmp_path):
    data = study(
        "allen_cahn", 2, "0.4*sin(2*pi*x/Lx + t)", cells=16, time={"end": 1.0, "step": 0.1, "scheme": "etdrk4"}
    )
    data["output"] = {"fields": {"every": 0.5, "precision": "double"}, "history": {"every": 0.1}}
    run = pf.run(data, output=tmp_path / "run", device="cpu")
    (check,) = [c for c in pf.verify(run).checks if c.name == "manufactured solution"]
    assert (check.status, check.expected, check.tolerance) == ("pass", 0.0, 1e-3)
    assert check.measured == pytest.approx(pf.l2_error(run)["phi"])
    (error,) = solution_errors(run).values()
    assert check.error == pytest.approx(error.relative)
    # Known norm: 0.4² V/2.
    assert error.norm == pytest.approx(0.4 * math.sqrt(50.0 * 46.0 / 2), rel=1e-6)
    assert pf.verify(run).compared_with_theory
    # A wrong solution is told from the right one, and a check that is off is not made.
    wrong = pf.verify(run, {"manufactured.phi": "0.41*sin(2*pi*x/Lx + t)"})
    assert [c.status for c in wrong.checks if c.name == "manufactured solution"] == ["fail"]
    assert not wrong.passed
    off = pf.verify(run, {"verify.manufactured": False})
    assert "manufactured solution" not in [c.name for c in off.checks]
    statuses = {c.name: c.status for c in pf.verify(run).checks}
    assert statuses["linear stability"] == statuses["energy decay"] == "not applicable"


def test_verdict_needs_the_fields(tmp_path):
    data = study("allen_cahn", 1, "0.4*sin(2*pi*x/Lx + t)", time={"end": 0.2, "step": 0.1})
    data["output"] = {"fields": {"names": ["potential_phi"]}, "history": {"every": 0.1}}
    run = pf.run(data, output=tmp_path / "run", device="cpu")
    (check,) = [c for c in pf.verify(run).checks if c.name == "manufactured solution"]
    assert check.status == "not applicable"
    assert check.detail == "field phi was not written"
    with pytest.raises(pf.InputError, match="field phi was not written"):
        pf.l2_error(run)


def test_resolved_scenario_reproduces_the_run(tmp_path, simulate):
    data = study("cahn_hilliard", time={"end": 0.5, "step": 0.1})
    resolved = pf.load_scenario(data).resolved()
    assert "initial" not in resolved
    assert "source" not in resolved
    one, two = simulate(data), simulate(resolved)
    one.advance()
    two.advance()
    assert one.stepper.state_hat.tobytes() == two.stepper.state_hat.tobytes()


# --- the study --------------------------------------------------------------------------------------------------

FILE = """\
model: {name: allen_cahn, gradient_energy: 2.0}
grid: {x: {cells: 16, length: 40.0}}
manufactured: {phi: 0.4*sin(2*pi*x/Lx)*cos(t)}
time: {end: 1.0, step: 0.05, scheme: etdrk2}
stabilisation: 1.0
test: {time.end: 0.5}
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(FILE)
    return "a.yaml"


def test_command_prints_both_tables(file):
    code, out, _ = call("convergence", file, "--time", "3", "--space", "2", "--threads", "1")
    assert code == 0
    lines = [line.split() for line in out.splitlines() if line.strip()]
    assert lines[0] == ["step", "L2", "error", "order", "declared"]
    assert [line[0] for line in lines[1:4]] == ["0.05", "0.025", "0.0125"]
    assert float(lines[3][2]) == pytest.approx(2.0, abs=0.1)
    assert [line[0] for line in lines[5:7]] == ["8", "16"]
    assert lines[6][-1] == "spectral"
    assert lines[-1] == ["the", "order", "in", "time", "is", "confirmed"]


def test_exit_code_tells_a_missed_order(file):
    """Cells too few for the solution: the error does not fall with the step."""
    arguments = (
        "convergence",
        file,
        "-s",
        "manufactured.phi=0.05*exp(3*sin(2*pi*x/Lx))*cos(t)",
        "-s",
        "grid.x.cells=8",
    )
    code, out, _ = call(*arguments, "--time", "2", "--space", "0")
    assert code == 1
    assert "NOT" in out


def test_errors_at_rounding_have_no_order(file):
    """A solution that does not move is met at once, whatever the step."""
    code, out, _ = call("convergence", file, "-s", "manufactured.phi=1.0", "--time", "2", "--space", "0")
    assert code == 0
    assert "rounding" in out


def row(order, rounding=False):
    return ConvergenceRow("time", 0.1, (8,), 1e-3, order, 2.0, rounding)


def test_confirmed_means_within_a_fifth():
    assert order_confirmed([row(math.nan), row(1.81)])
    assert order_confirmed([row(math.nan), row(2.19)])
    assert not order_confirmed([row(math.nan), row(1.79)])
    assert not order_confirmed([row(math.nan), row(2.21)])
    assert not order_confirmed([row(2.0), row(math.nan)])
    assert order_confirmed([row(math.nan), row(0.3, rounding=True)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-s", "time.step={tolerance: 1e-3}"), "time.step: is adaptive; say with --step from which step to start"),
        (("--step", "2"), "the largest step must lie between 0 and time.end = 1 (got 2)"),
        (("--time", "1"), "a study takes two or more steps in time"),
        (("--step", "0.1", "--test", "-s", "time.end=0.05"), "must lie between 0 and time.end = 0.05 (got 0.1)"),
        (("-s", "manufactured={}", "-s", "initial={phi: 0.0}"), "manufactured: is missing; a convergence study needs"),
        (("-s", "manufactured.phi=0.4*log(t)*sin(x)",), "is not finite everywhere at t = 0"),
        (("-s", "manufactured.psi=t",), "manufactured.psi: unknown field 'psi'"),
    ],
)  # fmt: skip
def test_mistakes(file, arguments, message):
    code, out, complaint = call("convergence", file, *arguments)
    assert (code, out) == (2, "")
    assert complaint.startswith("phasefield: error: ")
    assert message in complaint


def test_solution_too_long_to_derive():
    long = "*".join(f"(1 + 0.1*sin({k}*x + t))" for k in range(1, 20))
    with pytest.raises(pf.InputError, match=r"manufactured\.c: the formula is too long"):
        pf.load_scenario(study("cahn_hilliard", u=long))


def test_an_order_that_ends_at_the_error_of_the_grid():
    """Seen at larger steps and lost at the error of the grid: confirmed; lost anywhere else: not."""

    def rows(errors, finest):
        timed = [
            ConvergenceRow("time", 0.1 / 2**i, (64,), e, math.log2(errors[i - 1] / e) if i else math.nan, 2.0, False)
            for i, e in enumerate(errors)
        ]
        step = timed[-1].step
        spaced = [
            ConvergenceRow("space", step, (c,), e, math.nan, math.inf, False)
            for c, e in ((64, errors[-1]), (128, finest))
        ]
        return timed + spaced

    falling = [1e-3, 2.5e-4, 6.3e-5, 4e-5]
    assert order_confirmed(rows(falling, 2e-5))
    assert not order_confirmed(rows(falling, 3.9e-5))
    assert not order_confirmed(rows([1e-3, 5e-4, 2.5e-4, 1.2e-4], 1e-6))
