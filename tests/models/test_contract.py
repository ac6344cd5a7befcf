"""What every registered model promises, whatever it is."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import BOXES, scenario

import phasefield.models  # noqa: F401 - fills the registry
from phasefield.registry import lookup, names
from phasefield.scenario import load_scenario
from phasefield.spectral.waves import symbol_on_grid

# Models whose fields follow the gradient of an energy; bodies that crack have tests of their own (tests/fracture).
MODELS = [name for name in names("model") if lookup("model", name).evolution == "gradient_flow"]


def build(name: str, dimensions: int = 2, **parameters):
    model = lookup("model", name)
    return model(model.Params.model_validate({"name": name, **model.example, **parameters}), dimensions)


def fits(name: str, dimensions: int) -> bool:
    return build(name, dimensions).unsuited(load_scenario(scenario(dimensions=dimensions)).grid) is None


def right_hand_side(model, state, grid):
    """∂φ/∂t in plain NumPy: transform of Σ δF/δφ times −m(k̃²)."""
    result = {}
    k2 = symbol_on_grid(grid, model.laplacian)
    for name, kinetics in model.fields.items():
        mu = sum(t.derivative(state, grid).get(name, np.zeros(grid.shape)) for t in model.terms)
        result[name] = np.fft.irfftn(-kinetics.rate(k2) * np.fft.rfftn(mu), s=grid.shape, axes=range(grid.dimensions))
    return result


def waves(model_name: str, dimensions: int, **sections):
    """A scenario of any registered model with noise on all its fields."""
    model = build(model_name, dimensions)
    data = {
        "model": {"name": model_name, **model.example, **sections.pop("model_", {})},
        "grid": BOXES[dimensions],
        "initial": {f: {"mean": 0.1, "noise": 0.3} for f in model.fields},
        "time": {"end": 1.0, "step": 0.05},
        "seed": 11,
    }
    return {**data, **sections}


@pytest.mark.parametrize("laplacian", names("laplacian"))
@pytest.mark.parametrize("name", MODELS)
def test_growth_matrix_is_the_linearised_right_hand_side(name, laplacian):
    model = build(name, laplacian=laplacian)
    grid = load_scenario(waves(name, 2)).grid
    x, y = grid.coordinates()["x"], grid.coordinates()["y"]
    fields = list(model.fields)
    base = {f: 0.2 + 0.05 * i for i, f in enumerate(fields)}
    k2_all = symbol_on_grid(grid, laplacian)
    for n, m in ((1, 0), (3, 2), (0, 5)):
        wave = np.cos(2 * np.pi * (n * x / grid.axes[0].length + m * y / grid.axes[1].length)) + 0.0 * x * y
        direction = np.array([n / grid.axes[0].length, m / grid.axes[1].length, 0.0])
        G = model.growth_matrix(base, np.array([k2_all[m, n]]), direction / np.linalg.norm(direction))[0]
        h = 1e-5
        for j, q in enumerate(fields):
            states = [{f: base[f] + (s * h * wave if f == q else 0.0 * wave) for f in fields} for s in (1, -1)]
            a, b = (right_hand_side(model, s, grid) for s in states)
            for i, p in enumerate(fields):
                np.testing.assert_allclose((a[p] - b[p]) / (2 * h), G[i, j] * wave, atol=1e-7 * max(1.0, abs(G[i, j])))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_step_is_consistent_with_the_right_hand_side(simulate, name, dimensions):
    """(u(Δt) − u(0))/Δt → the plain NumPy right-hand side, at first order."""
    if not fits(name, dimensions):
        return
    errors = []
    for dt in (2e-4, 1e-4):
        simulation = simulate(waves(name, dimensions, time={"end": dt, "step": dt, "scheme": "imex1"}))
        before = simulation.state
        expected = right_hand_side(simulation.model, before, simulation.grid)
        simulation.advance()
        after = simulation.state
        errors.append(max(np.abs((after[f] - before[f]) / dt - expected[f]).max() for f in before))
    scale = max(np.abs(e).max() for e in expected.values())
    assert errors[0] < 0.1 * scale
    assert errors[1] == pytest.approx(0.5 * errors[0], rel=0.1)


@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize("name", MODELS)
def test_energy_mean_and_terms(simulate, name, scheme):
    """Energy never grows, conserved means keep their value, the fast energies equal those of the terms."""
    simulation = simulate(waves(name, 2, time={"end": 2.0, "step": 0.05, "scheme": scheme}))
    energies = [simulation.energies.total]
    simulation.advance(on_step=lambda s: energies.append(s.energies.total))
    assert np.all(np.diff(energies) <= 1e-13 * abs(energies[0]))
    state = simulation.state
    total = sum(t.energy(state, simulation.grid) for t in simulation.model.terms)
    assert simulation.energies.total == pytest.approx(total, rel=1e-12)
    for q, (field, kinetics) in enumerate(simulation.model.fields.items()):
        drift = simulation.counters.largest_mean_drift[q]
        assert (drift < 1e-15) == kinetics.conserved
        assert simulation.stepper.ranges[q] == pytest.approx((state[field].min(), state[field].max()), abs=1e-13)


@pytest.mark.parametrize("name", MODELS)
def test_equivariance(simulate, name):
    """Shifting, mirroring or transposing the initial state does the same to the result."""
    square = {"x": {"cells": 24, "length": 20.0}, "y": {"cells": 24, "length": 20.0}}
    data = waves(name, 2, grid=square, time={"end": 1.0, "step": 0.05})

    def result(change):
        simulation = simulate(data)
        simulation.set_state({f: change(u) for f, u in simulation.state.items()})
        simulation.advance()
        return simulation.state

    plain = result(lambda u: u)
    for change in (lambda u: np.roll(u, (3, -5), (0, 1)), lambda u: u[::-1, :], lambda u: u.T):
        changed = result(change)
        for f in plain:
            np.testing.assert_allclose(changed[f], change(plain[f]), atol=1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_one_dimension_is_a_slice_of_three(simulate, name):
    """A state that varies along x alone evolves alike in 1-D, 2-D and 3-D."""
    axis = {"cells": 32, "length": 20.0}
    formula = "0.1 + 0.5*sin(2*pi*x/Lx) + 0.2*cos(6*pi*x/Lx)"
    results = []
    for axes in [a for a in ("x", "xy", "xyz") if fits(name, len(a))]:
        grid = {a: axis if a == "x" else {"cells": 6, "length": 5.0} for a in axes}
        model = build(name, len(axes))
        simulation = simulate(
            waves(name, len(axes), grid=grid, initial=dict.fromkeys(model.fields, formula), stabilisation=1.0)
        )
        simulation.advance()
        results.append(simulation.state)
    for f in results[0]:
        for other in results[1:]:
            flat = other[f].reshape(-1, 32)
            np.testing.assert_allclose(flat, np.broadcast_to(results[0][f], flat.shape), atol=1e-12)


def test_finite_difference_and_spectral_agree_on_long_waves(simulate):
    """At 64 cells per wave the two Laplacians differ by (kh)²/12 < 0.1 %."""
    states = []
    for laplacian in names("laplacian"):
        data = scenario(
            dimensions=1,
            model_={"laplacian": laplacian},
            grid={"x": {"cells": 64, "length": 12.0}},
            initial={"c": "0.3*sin(2*pi*x/Lx)"},
        )
        simulation = simulate(data)
        simulation.advance()
        states.append(simulation.state["c"])
    assert 1e-9 < np.abs(states[0] - states[1]).max() < 1e-3
