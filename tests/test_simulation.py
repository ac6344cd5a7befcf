"""A simulation in memory: state, determinism, precision, failure, memory."""

from __future__ import annotations

import resource

import numpy as np
import pytest
from conftest import scenario

import phasefield as pf
from phasefield.errors import NumericalError
from phasefield.registry import names
from phasefield.simulation import Simulation


def test_state_is_a_copy(simulate):
    simulation = simulate(scenario())
    first = simulation.state["c"]
    first[...] = 99.0
    assert simulation.state["c"].max() < 1.0


@pytest.mark.parametrize("scheme", names("scheme"))
def test_looking_does_not_change_the_run(simulate, scheme):
    data = scenario(time={"end": 1.0, "step": {"tolerance": 1e-3}, "scheme": scheme})
    quiet, watched = simulate(data), simulate(data)
    quiet.advance()
    watched.advance(on_step=lambda s: s.state)
    assert watched.stepper.state_hat.tobytes() == quiet.stepper.state_hat.tobytes()


def test_same_seed_same_bits_other_seed_other_field(simulate):
    def final(seed):
        simulation = simulate(scenario(seed=seed))
        simulation.advance()
        return simulation.stepper.state_hat.tobytes()

    assert final(1) == final(1)
    assert final(1) != final(2)


def test_advance_in_pieces(simulate):
    """Stopping on the way, at a multiple of the step, changes nothing."""
    whole, pieces = simulate(scenario()), simulate(scenario())
    whole.advance(until=1.0)
    for time in (0.2, 0.5, 1.0):
        pieces.advance(until=time)
        assert pieces.time == time
    np.testing.assert_allclose(pieces.state["c"], whole.state["c"], atol=1e-14)


def test_single_precision(simulate):
    """Single precision end to end, close to double; the mean is pinned."""
    states = {}
    for precision in ("double", "single"):
        simulation = simulate(scenario(precision=precision, time={"end": 20.0, "step": 0.1}))
        simulation.advance()
        states[precision] = simulation.state["c"]
        assert states[precision].dtype == {"double": np.float64, "single": np.float32}[precision]
        assert simulation.counters.largest_mean_drift[0] == 0.0
        assert simulation.counters.rejected == 0
    difference = np.abs(states["single"] - states["double"]).max()
    assert 1e-9 < difference < 1e-3


@pytest.mark.parametrize("scheme", names("scheme"))
def test_rejected_step_leaves_no_trace(simulate, scheme):
    """After rejections, for whatever reason, the run goes on as if the long step had never been tried."""
    data = scenario(time={"end": 1.0, "step": {"tolerance": 1e-3, "max": 0.05}, "scheme": scheme})
    simulation, undisturbed = simulate(data), simulate(data)
    for s in (simulation, undisturbed):
        s.advance(until=0.3)
    before = simulation.stepper.state_hat.tobytes(), simulation.energies
    S = simulation.stabilisation.values
    assert simulation.stepper.attempt(5.0, S, np.array([1e-30])) > 1.0
    simulation.stepper.restore()
    simulation.stepper.attempt(2.0, S)
    simulation.stepper.restore()
    assert (simulation.stepper.state_hat.tobytes(), simulation.energies) == before
    for s in (simulation, undisturbed):
        s.advance()
    assert simulation.stepper.state_hat.tobytes() == undisturbed.stepper.state_hat.tobytes()


def test_infinite_initial_energy_is_refused(simulate):
    with pytest.raises(NumericalError, match="not finite"):
        simulate(scenario(model_={"free_energy": "log(c)"}, initial={"c": {"mean": 0.0, "noise": 0.1}}))


@pytest.mark.parametrize("step", [0.1, {"tolerance": 1e-3}])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_checkpoint_holds_the_whole_state(simulate, scheme, step):
    """Put back into a new simulation it gives the same bits from there on, multistep history and step control included."""
    data = scenario(time={"end": 1.0, "step": step, "scheme": scheme})
    simulation, other = simulate(data), simulate(data)
    simulation.advance(until=0.5)
    arrays, meta = simulation.checkpoint()
    kept = {name: a.copy() for name, a in arrays.items()}
    simulation.advance()
    other.restore(kept, meta)
    other.advance()
    assert other.stepper.state_hat.tobytes() == simulation.stepper.state_hat.tobytes()
    assert other.counters.steps == simulation.counters.steps


def test_python_interface_of_the_design(tmp_path):
    run = pf.run(scenario(time={"end": 1.0, "step": 0.1}), {"model.gradient_energy": 1.0}, output=tmp_path / "run")
    assert run.fields["c"].dims == ("time", "z", "y", "x")
    assert float(run.history["time"][-1]) == 1.0
    assert run.scenario["model"]["gradient_energy"] == 1.0
    assert isinstance(pf.verify(run).to_dict(), dict)
    theory = pf.linear_stability(scenario())
    assert theory.growth_rate(np.array([0.1])).shape == (1,)
    assert theory.cutoff_wavelength < theory.fastest_wavelength


def memory_growth(cells: int, steps: int, warm_up: int) -> int:
    """Kilobytes by which the peak memory of this process grows after the first `warm_up` steps."""
    data = scenario(
        grid={"x": {"cells": cells, "length": float(cells)}, "y": {"cells": cells, "length": float(cells)}},
        time={"end": steps * 0.05, "step": 0.05},
    )
    simulation = Simulation.from_scenario(data, device="cpu")
    simulation.advance(until=warm_up * 0.05)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    simulation.advance()
    assert simulation.counters.steps == steps
    simulation.close()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


def test_memory_is_flat():
    assert memory_growth(128, 1500, 100) < 1024


@pytest.mark.slow
def test_memory_is_flat_for_ten_thousand_steps_of_512():
    assert memory_growth(512, 10_000, 100) < 1024
