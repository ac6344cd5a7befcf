"""CPU against GPU on a real device: `pytest -m gpu`."""

from typing import Any

import numpy as np
import pytest
from conftest import scenario
from coupled_model import coupled_run

from phasefield.errors import InputError
from phasefield.gradient_flow import ENERGY_ROUNDING
from phasefield.kernels import gpu, philox
from phasefield.kernels.philox_source import PHILOX_CUDA
from phasefield.registry import names
from phasefield.simulation import Simulation
from phasefield.stepping.schemes import function_values

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]
FIELD = {"cahn_hilliard": "c", "allen_cahn": "phi"}


@pytest.fixture(autouse=True)
def device():
    """Skip with the reason where there is no device."""
    try:
        gpu.require_device()
    except InputError as error:
        pytest.skip(f"no GPU: {error}")


def simulation(device, model="cahn_hilliard", dimensions=2, **sections):
    return Simulation.from_scenario(scenario(model, dimensions, **sections), device=device)


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("model", FIELD)
@pytest.mark.parametrize("step", [0.1, {"tolerance": 1e-4}], ids=["fixed", "adaptive"])
def test_a_run_equals_that_of_the_cpu(model, dimensions, precision, step):
    # Single precision: an error estimate differs in its last digits, hence the steps, hence the tolerance.
    tolerance = {"double": 1e-10, "single": 5e-4 if isinstance(step, dict) else 5e-5}[precision]
    runs = [
        simulation(device, model, dimensions, precision=precision, time={"end": 2.0, "step": step})
        for device in ("cpu", "gpu")
    ]
    for run in runs:
        run.advance()
        run.close()
    u, v = (run.state[FIELD[model]] for run in runs)
    np.testing.assert_allclose(v, u, rtol=0.0, atol=tolerance * abs(u).max())
    assert runs[1].energies.total == pytest.approx(runs[0].energies.total, rel=10 * tolerance)
    assert runs[1].counters.steps == pytest.approx(runs[0].counters.steps, abs=0 if precision == "double" else 2)
    assert u.std() > 0.0


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("scheme", names("scheme"))
@pytest.mark.parametrize(("dimensions", "mean_moves"), [(1, True), (2, False), (3, True)])
def test_a_coupled_run_equals_that_of_the_cpu(dimensions, mean_moves, scheme, precision):
    """A matrix symbol with loads, a frozen field and a changing parameter; steps rejected in between."""
    tolerance = {"double": 1e-10, "single": 1e-4}[precision]
    step = {"tolerance": 1e-3, "first": 0.5} if precision == "double" else 0.05
    time = {"end": 0.8, "step": step, "scheme": scheme}
    runs = [coupled_run(d, dimensions, mean_moves, precision=precision, time=time) for d in ("cpu", "gpu")]
    for run in runs:
        run.advance()
        run.close()
    for name in "ab":
        u, v = (run.state[name] for run in runs)
        np.testing.assert_allclose(v, u, rtol=0.0, atol=tolerance * abs(u).max())
    assert runs[1].energies.total == pytest.approx(runs[0].energies.total, abs=10 * tolerance * runs[0].energies.scale)
    assert runs[1].counters.steps == runs[0].counters.steps
    assert runs[1].counters.rejected == runs[0].counters.rejected


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("model", FIELD)
def test_energy_never_grows(model, precision):
    run = simulation("gpu", model, precision=precision, time={"end": 20.0, "step": {"tolerance": 1e-3}})
    eps = np.finfo(run.backend.dtype).eps
    run.advance()
    assert run.counters.largest_energy_increase <= ENERGY_ROUNDING * eps
    if model == "cahn_hilliard":
        assert run.counters.largest_mean_drift[0] <= 10 * eps


def test_a_step_far_too_large_is_rejected_as_on_the_cpu():
    sections: dict[str, Any] = {"time": {"end": 40.0, "step": {"tolerance": 1e-4, "first": 20.0}}}
    runs = [simulation(device, **sections) for device in ("cpu", "gpu")]
    for run in runs:
        run.advance()
    assert runs[1].counters.rejected == runs[0].counters.rejected > 0


def test_two_runs_have_the_same_bits():
    states = []
    for _ in range(2):
        run = simulation("gpu", dimensions=3, time={"end": 2.0, "step": {"tolerance": 1e-4}})
        run.advance()
        states.append((run.checkpoint()[0]["state_hat"].tobytes(), run.energies))
    assert states[0] == states[1]


@pytest.mark.parametrize("coupled", [False, True])
def test_no_memory_is_allocated_by_a_step(coupled):
    time = {"end": 10.0, "step": 0.1}
    run = coupled_run("gpu", time=time) if coupled else simulation("gpu", time=time)
    run.advance(until=1.0)
    pool = run.backend.xp.get_default_memory_pool()
    before = pool.used_bytes(), pool.total_bytes()
    run.advance(until=5.0)
    assert (pool.used_bytes(), pool.total_bytes()) == before


def test_philox_words_are_identical():
    cupy = gpu.load_cupy()
    kernel = cupy.RawModule(code=PHILOX_CUDA, options=("-std=c++17",)).get_function("philox_fill_words")
    n, first, step, tag, k0, k1 = 5000, 2**32 - 1234, 7, 0xABCDEF01, 0xDEADBEEF, 0x12345678
    words, expected = cupy.zeros((n, 4), np.uint32), np.zeros((n, 4), np.uint32)
    numbers = [np.uint32(x) for x in (step, tag, k0, k1)]
    kernel((7,), (128,), (words, np.int64(n), np.uint64(first), *numbers))
    philox.fill_words(expected, first, *numbers)
    np.testing.assert_array_equal(cupy.asnumpy(words), expected)


def test_phi_functions():
    z = np.concatenate([-np.geomspace(1e-12, 20.0, 301), np.geomspace(1e-12, 20.0, 99), [0.0, -1.0, 1.0]])
    found = gpu.load_cupy().asnumpy(gpu.phi_functions(z))
    for row, name in zip(found, ("exp_z", "phi1", "phi2", "phi3"), strict=True):
        np.testing.assert_allclose(row, function_values(z)[name], rtol=1e-13)
