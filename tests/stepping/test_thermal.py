"""Thermal noise: the variance of one step exactly, reproducibility, and what is refused."""

from __future__ import annotations

import fake_cupy
import numpy as np
import pytest
from conftest import scenario
from cuda_on_cpu import needs_compiler
from test_growth_factors import FIELD, closed_form, phi

from phasefield.errors import InputError
from phasefield.kernels.phi import phi_values
from phasefield.random import normal_field
from phasefield.registry import lookup, names
from phasefield.scenario import load_scenario
from phasefield.simulation import Simulation
from phasefield.spectral.blocks import cache_block_bytes
from phasefield.stepping.schemes import function_values

ONE_STEP = ("imex1", "etdrk2", "etdrk4")
KT = 1e-4


def noisy(model="cahn_hilliard", dimensions=2, f=0.7, step=0.2, scheme="imex1", **sections):
    """Fluctuations about a uniform state with a quadratic f."""
    name = FIELD[model]
    extra = {"free_energy": f"{f / 2}*({name} - 0.1)**2", "thermal_energy": KT, "mobility": 0.8}
    extra |= sections.pop("model_", {})
    base = {"initial": {name: 0.1}, "time": {"end": 100.0 * step, "step": step, "scheme": scheme}}
    return scenario(model, dimensions, model_=extra, **{**base, **sections})


def box(dimensions, cells):
    return {axis: {"cells": cells, "length": float(cells)} for axis in "xyz"[:dimensions]}


def symbol(grid, laplacian):
    """k̃² of the full spectrum, as NumPy's FFT orders it."""
    parts = []
    for axis in reversed(grid.axes):
        k = 2.0 * np.pi * np.fft.fftfreq(axis.cells, axis.spacing)
        h = axis.spacing
        parts.append(k**2 if laplacian == "spectral" else (2.0 / h * np.sin(0.5 * k * h)) ** 2)
    return sum(np.meshgrid(*parts, indexing="ij"))


def drawn(simulation, step, dt, S):
    """The noise of a step as full-spectrum coefficients, normalised by the number of cells."""
    noise = simulation.thermal.of_step(step, dt, np.array([S])).copy()
    hat = simulation.sweep.empty_hat()
    simulation.sweep.real_view(hat)[...] = noise
    u = np.empty((1, *simulation.grid.shape), simulation.backend.dtype)
    simulation.sweep.backward(hat, u)
    return np.fft.fftn(u[0].astype(float)) / u[0].size


# One step -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ONE_STEP)
def test_increment_is_the_growth_factor_without_cancellation(scheme):
    """G = 1 + (z + n) D, for z of both signs; and D where z + n = 0."""
    table = lookup("scheme", scheme).without_error()
    rng = np.random.default_rng(1)
    z, n = rng.uniform(-30.0, 0.9, 400), rng.uniform(-2.0, 2.0, 400)
    D = table.increment(z, n)
    np.testing.assert_allclose(1.0 + (z + n) * D, table.growth_factor(z, n), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(table.increment(z, n, phi_values), D, rtol=1e-12, atol=1e-12)
    z = -np.logspace(-8.0, 1.0, 50)
    D = table.increment(z, -z)
    expected = {"imex1": 1.0 / (1.0 - z), "etdrk2": phi(1, z) * (1.0 - z * phi(2, z))}
    if scheme in expected:
        np.testing.assert_allclose(D, expected[scheme], rtol=1e-12)
    # The derivative of G towards s = 0, from the closed form on either side.
    h = 1e-5
    S, a = -z, np.ones_like(z)
    slope = (closed_form(scheme, a, -h, S, 0.0) - closed_form(scheme, a, h, S, 0.0)) / (2.0 * h)
    np.testing.assert_allclose(D, slope, rtol=1e-8)


def test_increment_needs_a_one_step_scheme():
    with pytest.raises(ValueError, match="looks back"):
        lookup("scheme", "sbdf2").increment(np.zeros(3), np.zeros(3))


def test_functions_of_many_numbers():
    z = np.concatenate([-np.logspace(-9, 3, 200), np.logspace(-9, 1, 50), [0.0]]).reshape(-1, 1)
    expected = function_values(z)
    found = phi_values(z)
    assert set(found) == set(expected)
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("laplacian", names("laplacian"))
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("model", ["cahn_hilliard", "allen_cahn"])
@pytest.mark.parametrize("scheme", ONE_STEP)
def test_noise_of_a_step_has_the_exact_variance(simulate, scheme, model, dimensions, laplacian):
    """White noise times √(cells σ_k²), σ_k² = kT/V (1 − G²)/(f + K), for stable, neutral and unstable modes."""
    for f, dt, S in ((0.7, 0.25, 0.4), (0.7, 0.6, 1.3), (-0.7, 0.3, 0.0)):
        data = noisy(model, dimensions, f, scheme=scheme, model_={"laplacian": laplacian})
        simulation = simulate(data)
        grid = simulation.grid
        k2 = symbol(grid, laplacian)
        m = 0.8 * k2 if model == "cahn_hilliard" else np.full_like(k2, 0.8)
        K = 2.0 * k2
        G = closed_form(scheme, dt * m, f, S, K)
        variance = KT / grid.volume * (1.0 - G**2) / (f + K)
        if scheme == "imex1":
            a, s = dt * m, f + K
            plain = a * (2.0 + a * (2.0 * S - f + K)) / (1.0 + a * (S + K)) ** 2
            np.testing.assert_allclose(variance, KT / grid.volume * plain, rtol=1e-9)
            assert np.all(a * s * plain >= 0.0) == (f > 0.0)
        white = normal_field(grid.shape, seed=7, stream=f"thermal:{FIELD[model]}", step=5)
        expected = np.sqrt(variance * grid.cells) * np.fft.fftn(white) / grid.cells
        found = drawn(simulation, 5, dt, S)
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())


def test_a_neutral_mode_gets_the_noise_of_the_equation(simulate):
    """f + K = 0, where (1 − G²)/(f + K) is 0/0: σ² = 2 a D kT/V."""
    k2 = (2.0 * np.pi * 3 / 64.0) ** 2
    data = noisy(dimensions=1, f=-2.0 * k2, grid=box(1, 64), scheme="etdrk2")
    simulation = simulate(data)
    a = 0.5 * 0.8 * k2
    D = phi(1, np.array(-a * 2.0 * k2)) * (1.0 + a * 2.0 * k2 * phi(2, np.array(-a * 2.0 * k2)))
    white = normal_field((64,), seed=7, stream="thermal:c", step=0)
    expected = np.sqrt(2.0 * a * D * KT / 64.0 * 64) * np.fft.fft(white)[3] / 64
    assert drawn(simulation, 0, 0.5, 0.0)[3] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("scheme", ["etdrk2", "etdrk4"])
def test_stabilised_by_the_curvature_it_is_that_of_ornstein_and_uhlenbeck(simulate, scheme):
    """(1 − e^{2sΔt}) kT/(V(f + K)), s = −m(f + K)."""
    simulation = simulate(noisy(scheme=scheme))
    k2 = symbol(simulation.grid, "spectral")
    rate = 0.8 * k2 * (0.7 + 2.0 * k2)
    variance = -np.expm1(-2.0 * rate * 0.4) * KT / simulation.grid.volume / (0.7 + 2.0 * k2)
    white = np.fft.fftn(normal_field(simulation.grid.shape, seed=7, stream="thermal:c", step=2)) / k2.size
    found = drawn(simulation, 2, 0.4, 0.7)
    np.testing.assert_allclose(found, np.sqrt(variance * k2.size) * white, rtol=1e-9, atol=1e-18)


def test_noise_follows_the_temperature_of_a_history(simulate):
    """Every step has the variance of f″ at its own beginning, f″ = 1/c + 1/(1 − c) − 2χ(T)."""
    energy = {"name": "flory_huggins", "interaction": {"a": 0.0, "b": 300.0}}
    model = {"name": "cahn_hilliard", "free_energy": energy, "temperature": [[0.0, 300.0], [2.0, 160.0]]}
    time = {"end": 3.0, "step": 0.5, "scheme": "imex1"}
    data = scenario(model_={**model, "mobility": 0.8, "thermal_energy": KT}, initial={"c": 0.5}, time=time)
    simulation = simulate(data)
    grid, k2 = simulation.grid, symbol(simulation.grid, "spectral")
    white = np.fft.fftn(normal_field(grid.shape, seed=7, stream="thermal:c", step=3)) / grid.cells
    for t, T in ((0.0, 300.0), (1.0, 230.0), (2.5, 160.0)):
        G = closed_form("imex1", 0.4 * k2, f := 4.0 - 600.0 / T, 1.0, 2.0 * k2)
        noise = simulation.thermal.of_step(3, 0.5, np.array([1.0]), t).copy()
        hat = simulation.sweep.empty_hat()
        simulation.sweep.real_view(hat)[...] = noise
        u = np.empty((1, *grid.shape))
        simulation.sweep.backward(hat, u)
        expected = np.sqrt(KT / grid.volume * (1.0 - G**2) / (f + 2.0 * k2) * grid.cells) * white
        np.testing.assert_allclose(
            np.fft.fftn(u[0]) / grid.cells, expected, rtol=1e-8, atol=1e-10 * abs(expected).max()
        )
    asked = []
    draw = simulation.thermal.of_step
    simulation.thermal.of_step = lambda step, dt, S, time: (asked.append(time), draw(step, dt, S, time))[1]
    simulation.advance()
    assert asked == pytest.approx([0.0, 0.5, 1.0, 1.5, 2.0, 2.5])


def test_misfit_counts_as_stiffness(simulate):
    """K + B(n) in place of K; the energies of a noisy step are those of its result."""
    misfit = {"stiffness": {"cubic": {"C11": 2.0, "C12": 1.0, "C44": 1.5}}, "strain": 0.5}
    data = noisy(grid=box(2, 17), model_={"misfit": misfit})
    simulation = simulate(data)
    n = np.fft.fftfreq(17, 1.0 / 17).round().astype(int)
    my, mx = np.meshgrid(n, n, indexing="ij")
    B = simulation.model.coupling.symbol(simulation.grid, (mx, my))[..., 0, 0]
    B[0, 0] = 0.0
    k2 = symbol(simulation.grid, "spectral")
    assert np.ptp(B[k2 > 0.0]) > 0.1
    a, K = 0.2 * 0.8 * k2, 2.0 * k2 + B
    variance = KT / 289.0 * a * (2.0 + a * (2.0 * 0.4 - 0.7 + K)) / (1.0 + a * (0.4 + K)) ** 2
    white = np.fft.fft2(normal_field((17, 17), seed=7, stream="thermal:c", step=0)) / 289
    np.testing.assert_allclose(drawn(simulation, 0, 0.2, 0.4), 17 * np.sqrt(variance) * white, atol=1e-15)
    simulation.advance(until=2.0)
    energies = simulation.energies
    hat = np.fft.fft2(simulation.state["c"]) / 289
    power = np.where(k2 > 0.0, np.abs(hat) ** 2, 0.0)
    assert energies.gradient == pytest.approx(289.0 * 0.5 * np.sum(2.0 * k2 * power), rel=1e-10)
    mean = simulation.model.coupling.mean_symbol(0)[0, 0] * 0.1**2
    loads = simulation.model.coupling.constant(2.0, 0) - 0.1 * simulation.model.coupling.drive(2.0, 0)[0]
    assert energies.coupling == pytest.approx(289.0 * (0.5 * np.sum(B * power) + 0.5 * mean + loads), rel=1e-9)


# Runs -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ONE_STEP)
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_a_conserved_mean_keeps_its_bits(simulate, scheme, dimensions):
    data = noisy(dimensions=dimensions, scheme=scheme, initial={"c": {"mean": 0.1, "noise": 0.01}})
    simulation = simulate(data)
    start = simulation.stepper.mean(0)
    simulation.advance()
    assert simulation.counters.largest_mean_drift == [0.0]
    assert simulation.stepper.mean(0) == start
    assert simulation.stepper.fluctuation(0) > 0.0


def test_the_mean_of_an_order_parameter_fluctuates(simulate):
    simulation = simulate(noisy("allen_cahn"))
    simulation.advance()
    assert 0.0 < abs(simulation.stepper.mean(0) - 0.1) < 0.1


QUARTIC = {"c": "0.25*(c**2 - 1)**2", "phi": "0.25*(phi**2 - 1)**2"}


@pytest.mark.parametrize("scheme", ONE_STEP)
@pytest.mark.parametrize("model", FIELD)
def test_a_checkpoint_goes_on_bit_for_bit(simulate, model, scheme):
    """A quench, so that S changes, and that the mean of an order parameter is no longer that of the start."""
    name = FIELD[model]
    extra = {"free_energy": QUARTIC[name], "thermal_energy": 0.3}
    data = noisy(model, scheme=scheme, model_=extra, time={"end": 8.0, "step": 0.2, "scheme": scheme})
    simulation, other = simulate(data), simulate({**data, "initial": {name: 0.4}})
    simulation.advance(until=4.0)
    assert len(simulation.thermal._amplitudes) > 1
    arrays, meta = simulation.checkpoint()
    kept = {n: a.copy() for n, a in arrays.items()}
    simulation.advance()
    other.restore(kept, meta)
    other.advance()
    assert other.stepper.state_hat.tobytes() == simulation.stepper.state_hat.tobytes()
    assert other.energies == simulation.energies


@pytest.mark.parametrize("scheme", ["imex1", "etdrk2"])
def test_same_bits_with_one_and_two_threads(simulate, scheme):
    data = noisy(scheme=scheme, grid={"x": {"cells": 320, "length": 320.0}, "y": {"cells": 300, "length": 300.0}})
    data["time"]["end"] = 1.0
    one, two = simulate(data, threads=1), simulate(data, threads=2)
    assert (one.sweep.threads, two.sweep.threads) == (1, 2)
    for simulation in (one, two):
        simulation.advance()
    assert one.stepper.state_hat.tobytes() == two.stepper.state_hat.tobytes()


@pytest.mark.parametrize(("precision", "threads"), [("double", 2), ("single", 1)])
@pytest.mark.parametrize("cells", [{"x": 90, "y": 301}, {"x": 40, "y": 18, "z": 21}], ids=str)
def test_blocks_are_parts_of_one_white_field(simulate, monkeypatch, cells, precision, threads):
    """Drawn block by block, the last of them smaller, it is the field of all cells to the last bit."""
    monkeypatch.setenv("PHASEFIELD_BLOCK_KIB", "24")
    cache_block_bytes.cache_clear()
    try:
        grid = {axis: {"cells": n, "length": float(n)} for axis, n in cells.items()}
        simulation = simulate(noisy(dimensions=len(cells), grid=grid, precision=precision), threads=threads)
    finally:
        cache_block_bytes.cache_clear()
    sweep = simulation.thermal._sweep
    assert sweep.threads == threads
    assert len(sweep._rows) > 2
    assert sweep._n0 % sweep.block_rows
    found = simulation.thermal.of_step(3, 0.2, np.array([0.4]))
    white = normal_field(simulation.grid.shape, seed=7, stream="thermal:c", step=3, dtype=sweep.dtype)
    expected = sweep.empty_hat()
    sweep.forward(white[None], expected)
    expected = sweep.real_view(expected)
    expected[0] *= simulation.thermal._amplitude(0.2, 0.4, 0.0)
    assert found.tobytes() == expected.tobytes()


def test_looking_changes_nothing_and_seeds_differ(simulate):
    data = noisy()
    runs = [simulate(data), simulate(data), simulate({**data, "seed": 8})]
    runs[1].advance(on_step=lambda s: s.state)
    for simulation in (runs[0], runs[2]):
        simulation.advance()
    bits = [simulation.stepper.state_hat.tobytes() for simulation in runs]
    assert bits[0] == bits[1] != bits[2]


def test_a_step_that_ends_early_has_its_own_noise(simulate):
    """Output times need not be multiples of the step."""
    simulation = simulate(noisy())
    full, short = (np.abs(drawn(simulation, 0, dt, 0.4)[1, 1]) for dt in (0.2, 0.05))
    k2 = symbol(simulation.grid, "spectral")[1, 1]
    a = 0.8 * k2 * np.array([0.2, 0.05])
    growth = closed_form("imex1", a, 0.7, 0.4, 2.0 * k2)
    assert short / full == pytest.approx(np.sqrt((1 - growth[1] ** 2) / (1 - growth[0] ** 2)), rel=1e-9)
    # Rounding of the clock is no other step.
    again = np.abs(drawn(simulation, 0, 0.2 * (1.0 + 1e-13), 0.4)[1, 1])
    assert again == full


def test_single_precision(simulate):
    """The same noise, rounded."""
    double, single = (simulate(noisy(precision=p, scheme="etdrk2")) for p in ("double", "single"))
    for simulation in (double, single):
        simulation.advance(until=4.0)
    assert single.state["c"].dtype == np.float32
    np.testing.assert_allclose(single.state["c"], double.state["c"], atol=2e-6)


# Refusals -------------------------------------------------------------------------------------------------------------

REFUSED = [
    ({"scheme": "sbdf2"}, {}, "time.scheme: noise needs a one-step scheme: etdrk2, etdrk4, imex1"),
    ({"step": {"tolerance": 1e-3}}, {}, "time.step: noise needs a fixed step"),
    ({"scheme": "etdrk2"}, {"noise_correction": False}, "model.noise_correction: etdrk2 has no variance without"),
    ({}, {"thermal_energy": -1.0}, "model.thermal_energy"),
]


@pytest.mark.parametrize(("time", "model", "message"), REFUSED)
def test_refused(time, model, message):
    data = noisy(model_=model)
    data["time"] = {**data["time"], **time}
    with pytest.raises(InputError) as caught:
        load_scenario(data)
    assert message in str(caught.value)


def test_without_noise_every_scheme_is_allowed():
    data = noisy(model_={"thermal_energy": 0.0, "noise_correction": False}, scheme="sbdf2")
    assert load_scenario(data).model.loses_energy


def test_a_scheme_that_does_not_damp_is_told(simulate):
    """S = 0 and a long step: G < −1, and no variance keeps the mode in equilibrium."""
    with pytest.raises(InputError, match=r"scenario: time\.step: a step of 4 with S = 0 does not damp"):
        simulate(noisy("allen_cahn", step=4.0, stabilisation=0.0))


@needs_compiler
def test_not_on_a_gpu(monkeypatch):
    fake_cupy.install(monkeypatch)
    try:
        with pytest.raises(InputError, match=r"scenario: model\.thermal_energy: noise runs on the CPU only"):
            Simulation.from_scenario(noisy(), device="gpu")
    finally:
        fake_cupy.forget()
