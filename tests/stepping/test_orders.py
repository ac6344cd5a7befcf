"""Measured orders of accuracy in time, spectral convergence in space, energy decay for any step."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import scenario

from phasefield.registry import lookup, names

SMOOTH = {"x": {"cells": 64, "length": 20.0}}


def smooth(
    scheme: str, step: float, end: float = 2.0, cells: int = 64, model: str = "cahn_hilliard", length: float = 20.0
):
    field = {"cahn_hilliard": "c", "allen_cahn": "phi"}[model]
    return scenario(
        model,
        1,
        grid={"x": {"cells": cells, "length": length}},
        initial={field: "0.1 + 0.6*sin(2*pi*x/Lx) + 0.2*cos(4*pi*x/Lx + 1)"},
        time={"end": end, "step": step, "scheme": scheme},
        stabilisation=1.0,
    )


def final_state(simulate, data):
    simulation = simulate(data)
    simulation.advance()
    assert simulation.counters.rejected == 0
    return next(iter(simulation.state.values()))


@pytest.mark.parametrize("model", ["cahn_hilliard", "allen_cahn"])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_order_in_time(simulate, scheme, model):
    # Few cells on a long line: with stiffer modes etdrk4 shows its order only at steps whose errors drown in rounding.
    box = {"end": 8.0, "cells": 24, "length": 50.0, "model": model}
    reference = final_state(simulate, smooth("etdrk4", 8.0 / 8192, **box))
    steps = 8.0 / np.array([256, 512, 1024])
    errors = [np.abs(final_state(simulate, smooth(scheme, h, **box)) - reference).max() for h in steps]
    orders = np.diff(np.log(errors)) / np.diff(np.log(steps))
    assert orders == pytest.approx([lookup("scheme", scheme).order] * 2, abs=0.1)


@pytest.mark.parametrize("scheme", names("scheme"))
def test_order_with_changing_steps(simulate, scheme):
    """Steps that alternate between h/2 and 3h/2: the order must not depend on constant steps."""
    box = {"end": 8.0, "cells": 24, "length": 50.0}

    def state(count, alternate):
        simulation = simulate(smooth(scheme if alternate else "etdrk4", 8.0 / count, **box))
        if not alternate:
            simulation.advance()
            return simulation.state["c"]
        S = np.array([1.0])
        for i in range(count):
            simulation.stepper.attempt(8.0 / count * (0.5, 1.5)[i % 2], S)
            simulation.stepper.accept()
        return simulation.state["c"]

    reference = state(8192, False)
    errors = [np.abs(state(n, True) - reference).max() for n in (256, 512, 1024)]
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([lookup("scheme", scheme).order] * 2, abs=0.15)


def test_error_estimate_of_sbdf2_is_the_local_error(simulate):
    """Against one step of etdrk4 at a tenth the size: within a factor of two and a half, whatever the ratio of steps."""
    from phasefield.stepping.schemes import SBDF2

    data = smooth("sbdf2", 0.05, end=4.0, cells=24, length=50.0)
    data["time"]["step"] = {"tolerance": 1e-3}
    S = np.array([1.0])
    for ratio in (0.5, 1.0, 1.5):
        simulation = simulate(data)
        for _ in range(40):
            simulation.stepper.attempt(0.05, S)
            simulation.stepper.accept()
        h = 0.05 * ratio
        fine = simulate(smooth("etdrk4", h / 10, cells=24, length=50.0))
        fine.set_state(simulation.state)
        estimate = simulation.stepper.attempt(h, S, np.array([1.0]))
        simulation.stepper.accept()
        for _ in range(10):
            fine.stepper.attempt(h / 10, S)
            fine.stepper.accept()
        true = np.sqrt(np.mean((simulation.state["c"] - fine.state["c"]) ** 2))
        assert SBDF2.error_order == 3
        assert 0.4 < estimate / true < 2.5


def test_spectral_convergence_in_space(simulate):
    """A smooth problem: the error falls faster than any power, to rounding; coarse cells are subsets of fine ones."""
    # Cell centres of N and 3N cells coincide at every third fine centre.
    fine = final_state(simulate, smooth("etdrk2", 0.01, 0.5, cells=324))
    errors = []
    for cells in (12, 36, 108):
        coarse = final_state(simulate, smooth("etdrk2", 0.01, 0.5, cells=cells))
        ratio = 324 // cells
        errors.append(np.abs(coarse - fine[ratio // 2 :: ratio]).max())
    assert errors[0] > 1e-4
    assert errors[1] < 1e-6
    assert errors[2] < 2e-13


@pytest.mark.parametrize("step", [0.01, 1.0, 100.0])
@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize("model", ["cahn_hilliard", "allen_cahn"])
def test_energy_decays_for_any_step(simulate, model, scheme, step):
    """S ≥ ½ max |f″| on the attained range: one-step schemes never need the guard, however long the step.

    `sbdf2` decays a modified energy only, so that with very long steps the guard may have to act; the energy decays anyway.
    """
    field = {"cahn_hilliard": "c", "allen_cahn": "phi"}[model]
    data = scenario(
        model,
        2,
        initial={field: {"mean": 0.0, "noise": 0.9, "distribution": "uniform"}},
        time={"end": 40 * step, "step": step, "scheme": scheme},
        stabilisation=2.0,
    )
    simulation = simulate(data)
    energies = [simulation.energies.total]
    simulation.advance(on_step=lambda s: energies.append(s.energies.total))
    if scheme != "sbdf2":
        assert simulation.counters.rejected == 0
        assert len(energies) == 41
    assert np.all(np.diff(energies) <= 1e-12 * abs(energies[0]))
    assert energies[-1] < energies[0]


def test_guard_cures_what_small_stabilisation_breaks(simulate):
    """With S = 0 and a long step the energy would grow: the step is rejected, halved, and the energy still decays."""
    data = scenario(
        "allen_cahn",
        2,
        initial={"phi": {"mean": 0.0, "noise": 0.9, "distribution": "uniform"}},
        time={"end": 30.0, "step": 3.0, "scheme": "imex1"},
        stabilisation=0.0,
    )
    simulation = simulate(data)
    energies = [simulation.energies.total]
    simulation.advance(on_step=lambda s: energies.append(s.energies.total))
    assert simulation.counters.rejected_energy > 0
    assert simulation.time == 30.0
    assert np.all(np.diff(energies) <= 1e-12 * abs(energies[0]))


def test_stabilisation_follows_the_range(simulate):
    simulation = simulate(
        scenario(initial={"c": {"mean": 0.0, "noise": 0.01}}, time={"end": 60.0, "step": {"tolerance": 1e-3}})
    )
    first = simulation.stabilisation.values[0]
    simulation.advance()
    (low, high), *_ = simulation.stepper.ranges
    assert first == 0.0
    # ½ max f″ of ¼(c²−1)² on the attained range, at least.
    assert simulation.stabilisation.values[0] >= 0.5 * (3.0 * max(low**2, high**2) - 1.0)
