"""Coupled and frozen fields, changing parameters and loads: the same run on the CPU and on a double of a GPU."""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest
from coupled_model import CORNER, CoupledFields, coupled_run, noise
from cuda_on_cpu import needs_compiler

from phasefield.backend import make_backend
from phasefield.models.split import Split
from phasefield.registry import lookup, names
from phasefield.spectral.grid import Axis, Grid
from phasefield.spectral.transforms import make_engine
from phasefield.stepping.stepper import Stepper

GRIDS = {"1-D odd": (15,), "2-D": (12, 9), "3-D": (7, 8, 6)}
pytestmark = needs_compiler


@pytest.fixture
def cupy(monkeypatch):
    yield fake_cupy.install(monkeypatch)
    fake_cupy.forget()


def stepper(device, grid, scheme, precision="double", mean_moves=True):
    backend = make_backend(device, precision, 1)
    cells = GRIDS[grid]
    box = Grid(tuple(Axis(a, n, 0.7 * n + i) for i, (a, n) in enumerate(zip("xyz", cells, strict=False))))
    sweep = lookup("sweep", device)(box, 2, backend.kernels, make_engine("auto"), 1, backend.dtype)
    result = Stepper(Split(CoupledFields(mean_moves)), lookup("scheme", scheme), sweep, backend)
    result.set_state(backend.to_device(noise(box)))
    return result


def real_state(s):
    return s.backend.to_host(s.real_state())


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize(("grid", "mean_moves"), [("1-D odd", True), ("2-D", True), ("2-D", False), ("3-D", True)])
def test_steps_are_those_of_the_cpu(cupy, grid, mean_moves, scheme, precision):
    cpu, gpu = both = [stepper(device, grid, scheme, precision, mean_moves) for device in ("cpu", "gpu")]
    start = real_state(cpu)
    tolerance = 1e-12 if precision == "double" else 5e-5
    for i in range(6):
        errors = [s.attempt(0.1 - 0.005 * i, np.array([1.1, 1.1]), np.array([9.0, 9.0])) for s in both]
        assert (errors[0] is None) == (errors[1] is None)
        if errors[0] is not None:
            assert errors[1] == pytest.approx(errors[0], rel=1e3 * tolerance, abs=tolerance)
        assert gpu.energy_change == pytest.approx(cpu.energy_change, abs=100 * tolerance * cpu.energies.scale)
        for s in both:
            # A rejected step leaves no trace, in the first one and behind others.
            (s.restore if i in (0, 3) else s.accept)()
        if i == 4:
            for s in both:
                s.enter_phase(1)
        assert gpu.energies.total == pytest.approx(cpu.energies.total, abs=tolerance * cpu.energies.scale)
        assert gpu.energies.coupling == pytest.approx(cpu.energies.coupling, abs=tolerance * cpu.energies.scale)
        np.testing.assert_allclose(gpu.ranges, cpu.ranges, rtol=tolerance)
    u, v = real_state(cpu), real_state(gpu)
    np.testing.assert_allclose(v, u, rtol=0.0, atol=tolerance)
    assert abs(u - start).max() > 0.05
    assert gpu.memory_bytes > 0
    for q in range(2):
        assert gpu.mean(q) == pytest.approx(cpu.mean(q), abs=tolerance)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_energies_of_a_step_are_those_of_its_state(cupy, device, scheme):
    """The sums of the stage kernels against a fresh evaluation; so is F̂ of the step before, after a rejection."""
    s = stepper(device, "2-D", scheme)
    for _ in range(2):
        s.attempt(0.1, np.array([1.1, 1.1]))
        s.accept()
    other = stepper(device, "2-D", scheme)
    other.set_state(s.real_state(), s.time)
    for found, expected in zip(
        (s.energies.bulk, s.energies.gradient, s.energies.coupling),
        (other.energies.bulk, other.energies.gradient, other.energies.coupling),
        strict=True,
    ):
        assert found == pytest.approx(expected, rel=1e-12)
    kept = [s.backend.to_host(a) for a in s._slots[: len(s._previous)]]
    s.attempt(0.1, np.array([1.1, 1.1]))
    s.restore()
    for before, after in zip(kept, s._slots[: len(s._previous)], strict=True):
        np.testing.assert_allclose(s.backend.to_host(after), before, rtol=0.0, atol=1e-14)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
@pytest.mark.parametrize("scheme", ["sbdf2", "etdrk4"])
def test_a_checkpoint_restores_every_bit(cupy, device, scheme):
    first, second = (stepper(device, "2-D", scheme) for _ in range(2))
    for _ in range(2):
        first.attempt(0.1, np.array([1.1, 1.1]))
        first.accept()
    first.enter_phase(1)
    arrays, numbers = first.checkpoint()
    second.restore_checkpoint(arrays, **numbers)
    for s in (first, second):
        s.attempt(0.1, np.array([1.1, 1.1]))
        s.accept()
    found, expected = (s.backend.to_host(s.state_hat) for s in (second, first))
    np.testing.assert_array_equal(found, expected)
    assert first.energies == second.energies


@pytest.mark.parametrize("scheme", names("scheme"))
def test_a_whole_run_is_that_of_the_cpu(cupy, scheme):
    """Adaptive steps over the corner of the loads."""
    time = {"end": 0.8, "step": {"tolerance": 1e-3}, "scheme": scheme}
    runs = [coupled_run(device, 1, time=time) for device in ("cpu", "gpu")]
    for run in runs:
        run.advance()
        run.close()
    cpu, gpu = runs
    for name in "ab":
        np.testing.assert_allclose(gpu.state[name], cpu.state[name], rtol=0.0, atol=1e-9)
    assert gpu.counters.steps == cpu.counters.steps > 5
    assert gpu.energies.total == pytest.approx(cpu.energies.total, rel=1e-9)
    assert gpu.dissipation == pytest.approx(cpu.dissipation, rel=1e-9)
    assert cpu.stepper.phase == gpu.stepper.phase == 1
    assert cpu.time > CORNER
