"""Step control and schedules."""

from __future__ import annotations

import math

import numpy as np
import pytest
from conftest import scenario
from hypothesis import given
from hypothesis import strategies as st

from phasefield.errors import NumericalError
from phasefield.registry import names
from phasefield.stepping.control import StepControl
from phasefield.stepping.schedule import At, Every, Never


@given(st.floats(1e-6, 1e6), st.integers(0, 10_000))
def test_every_gives_exact_multiples(interval, n):
    schedule = Every(interval)
    time = 0.0
    for i in range(1, 4):
        time = schedule.next(time)
        assert time == i * interval
    assert schedule.next(n * interval) == (n + 1) * interval


@given(st.lists(st.floats(0.0, 1e3), min_size=1, max_size=20, unique=True), st.floats(0.0, 1e3))
def test_at_gives_the_next_time(times, now):
    times = tuple(sorted(times))
    later = [t for t in times if t > now * (1 + 1e-12)]
    assert At(times).next(now) == (later[0] if later else math.inf)


def test_never():
    assert Never().next(0.0) == math.inf


def test_shortened_step_does_not_shrink_the_next():
    control = StepControl(size=1.0, tolerance=1e-3)
    assert control.propose(0.25) == 0.25
    control.accept(0.25, 1e-4)
    assert control.size >= 1.0


def test_pi_formula():
    control = StepControl(size=1.0, tolerance=1e-3, error_order=2, previous_error=0.5)
    control.accept(1.0, 0.8)
    assert control.size == pytest.approx(0.9 * 0.8 ** (-0.35) * 0.5**0.2)
    control.accept(control.size, 1e-9)
    assert control.size == pytest.approx(2.0 * 0.9 * 0.8 ** (-0.35) * 0.5**0.2)


def test_rejections_shrink_and_recover():
    control = StepControl(size=0.4, nominal=0.4)
    assert control.reject(0.4, None) == 0.2
    control.accept(0.2, None)
    assert control.size == 0.4
    adaptive = StepControl(size=0.4, tolerance=1e-3)
    assert adaptive.reject(0.4, 100.0) == pytest.approx(0.4 * 0.2)
    assert adaptive.reject(0.4, math.nan) == 0.2


class Recorder:
    def __init__(self, schedule):
        self.schedule, self.times = schedule, []

    def observe(self, simulation):
        self.times.append(simulation.time)


@pytest.mark.parametrize("step", [0.03, {"tolerance": 1e-3}])
def test_steps_land_on_every_event(simulate, step):
    simulation = simulate(scenario(time={"end": 1.0, "step": step}))
    regular, irregular = Recorder(Every(0.1)), Recorder(At((0.05, 0.123456789, 0.7)))
    sizes = []
    simulation.advance(observers=[regular, irregular], on_step=lambda s: sizes.append(s.last_step.size))
    # 7 · 0.1 and 0.7 are one event, at the earlier of the two times.
    assert regular.times == pytest.approx([0.1 * (i + 1) for i in range(10)], rel=1e-15)
    assert regular.times[6] == 0.7
    assert irregular.times == [0.05, 0.123456789, 0.7]
    assert simulation.time == 1.0
    assert sum(sizes) == pytest.approx(1.0, rel=1e-12)


def test_fixed_step_keeps_its_bits(simulate):
    """0.1 added ten times is not 1.0: the step must stay exactly 0.1 all the same."""
    simulation = simulate(scenario(time={"end": 3.0, "step": 0.1}))
    sizes = []
    simulation.advance(observers=[Recorder(Every(0.5))], on_step=lambda s: sizes.append(s.last_step.size))
    assert sizes == [0.1] * 30


@pytest.mark.parametrize("scheme", names("scheme"))
def test_adaptive_error_is_near_the_tolerance(simulate, scheme):
    """The estimate of accepted steps stays below the limit, and not far below."""
    data = scenario(
        dimensions=1,
        initial={"c": "0.5*sin(2*pi*x/Lx)"},
        time={"end": 20.0, "step": {"tolerance": 1e-4}, "scheme": scheme},
        stabilisation=1.5,
    )
    simulation = simulate(data)
    ratios = []
    simulation.advance(on_step=lambda s: ratios.append(s.control.previous_error))
    # The controller aims at 0.9 to the power of the estimate's order, and runs after what changes.
    assert 0.3 < np.median(ratios) <= 1.0


@pytest.mark.parametrize("scheme", names("scheme"))
def test_smaller_tolerance_smaller_error(simulate, scheme):
    def run(step):
        time = {"end": 20.0, "step": step, "scheme": scheme if isinstance(step, dict) else "etdrk4"}
        simulation = simulate(scenario(dimensions=1, initial={"c": "0.5*sin(2*pi*x/Lx)"}, time=time))
        simulation.advance()
        return simulation.state["c"]

    reference = run(0.005)
    errors = [np.abs(run({"tolerance": t}) - reference).max() for t in (1e-3, 1e-4, 1e-5)]
    # Estimates of order p against solutions of order q: the error falls as tolerance^(q/p), for imex1 as its square root.
    assert errors[0] > 2.0 * errors[1] > 4.0 * errors[2]


@pytest.mark.parametrize("scheme", ["etdrk2", "etdrk4"])
def test_first_step_too_long_is_rejected(simulate, scheme):
    simulation = simulate(scenario(time={"end": 5.0, "step": {"tolerance": 1e-4, "first": 5.0}, "scheme": scheme}))
    simulation.advance()
    assert simulation.counters.rejected_error > 0
    assert simulation.time == 5.0


@pytest.mark.parametrize("scheme", ["imex1", "sbdf2"])
def test_multistep_schemes_start_small(simulate, scheme):
    """Their first step has no error estimate: it is no longer than a first-order step may be."""
    simulation = simulate(scenario(time={"end": 5.0, "step": {"tolerance": 1e-4, "first": 5.0}, "scheme": scheme}))
    sizes = []
    simulation.advance(on_step=lambda s: sizes.append(s.last_step.size))
    k2 = simulation.stepper.modes.k2.max()
    # 1 / (m (κ k̃² + |f″|/√tolerance)) with |f″| = |3c² − 1| close to 1 at first.
    assert sizes[0] == pytest.approx(1.0 / (k2 * (2.0 * k2 + 1.0 / 1e-2)), rel=0.05)
    assert max(np.divide(sizes[1:], sizes[:-1])) <= 2.0 + 1e-12


def test_collapse_names_time_and_reason(simulate):
    """A free energy without lower bound runs away: the run ends with the last finite state in place."""
    data = scenario(
        "allen_cahn",
        1,
        model_={"free_energy": "-phi**4"},
        initial={"phi": {"mean": 1.0, "noise": 0.1}},
        time={"end": 10.0, "step": {"tolerance": 1e-3}},
    )
    simulation = simulate(data)
    with pytest.raises(NumericalError, match=r"t = 0\.\d+"):
        simulation.advance()
    assert np.isfinite(simulation.state["phi"]).all()


def test_smallest_step_is_respected(simulate):
    data = scenario(time={"end": 5.0, "step": {"tolerance": 1e-8, "first": 1.0, "min": 0.5}})
    with pytest.raises(NumericalError, match="collapsed"):
        simulate(data).advance()
