"""∂c/∂t = ∇·M(c)∇μ in every scheme: against plain NumPy, exact discrete factors, conservation, dissipation, orders."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import BOXES, scenario

from phasefield.registry import lookup, names

KAPPA = 2.0
STEPS = 20


def wavenumbers(dimensions: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """k along each axis, x first, in full FFT order and shaped to broadcast; the same with 0 at Nyquist modes."""
    even, odd = [], []
    for axis, box in enumerate(BOXES[dimensions].values()):
        cells = int(box["cells"])
        n = np.fft.fftfreq(cells, 1.0 / cells)
        shape = [1] * dimensions
        shape[-1 - axis] = cells
        k = 2.0 * np.pi * n / box["length"]
        even.append(k.reshape(shape))
        odd.append(np.where(2 * np.abs(n) == cells, 0.0, k).reshape(shape))
    return even, odd


def plain_rate(c: np.ndarray, M: np.ndarray, slope: np.ndarray, M0: float) -> tuple[np.ndarray, np.ndarray, list]:
    """(R̂, k², ∇μ): ∇·M∇μ by full complex transforms; what first derivatives do not see of a Nyquist mode moves with M₀."""
    even, odd = wavenumbers(c.ndim)
    k2, k2_odd = sum(k * k for k in even), sum(k * k for k in odd)
    mu_hat = np.fft.fftn(slope) + KAPPA * k2 * np.fft.fftn(c)
    gradient = [np.fft.ifftn(1j * k * mu_hat).real for k in odd]
    R = sum(1j * k * np.fft.fftn(M * g) for k, g in zip(odd, gradient, strict=True)) - M0 * (k2 - k2_odd) * mu_hat
    return R, k2, gradient


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_one_step_of_imex1(simulate, dimensions, precision):
    """ĉ⁺ = ĉ + Δt R̂/(1 + Δt M₀k²(S+K)) on random data, every mode."""
    dt, S = 0.3, 0.7
    data = scenario(
        dimensions=dimensions,
        model_={"mobility": {"formula": "0.2 + D*c*(1 - c)", "parameters": {"D": 3.0}}},
        initial={"c": {"mean": 0.4, "noise": 0.3, "distribution": "uniform"}},
        time={"end": dt, "step": dt, "scheme": "imex1"},
        precision=precision,
    )
    simulation = simulate(data)
    c = simulation.state["c"].astype(float)
    M0 = simulation.stepper.reference_mobility
    # The largest value of 0.2 + 3c(1−c) lies at c = ½, inside the range.
    assert c.min() < 0.5 < c.max()
    assert abs(M0 - 0.95) < 1e-4
    R, k2, _ = plain_rate(c, np.maximum(0.2 + 3.0 * c * (1.0 - c), 0.0), c**3 - c, M0)
    expected = np.fft.ifftn(np.fft.fftn(c) + dt * R / (1.0 + dt * M0 * k2 * (S + KAPPA * k2))).real
    simulation.stepper.attempt(dt, np.array([S]))
    simulation.stepper.accept()
    tolerance = {"double": 1e-13, "single": 3e-5}[precision]
    np.testing.assert_allclose(simulation.state["c"], expected, atol=tolerance)
    assert np.abs(expected - c).max() > 0.05


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_constant_formula_is_constant_mobility(simulate, scheme, dimensions):
    """Nyquist modes included, with adaptive steps."""
    states, sizes = [], []
    for M in (0.8, "0.8"):
        data = scenario(dimensions=dimensions, model_={"mobility": M}, initial={"c": {"mean": 0.1, "noise": 0.3}})
        simulation = simulate({**data, "time": {"end": 3.0, "step": {"tolerance": 1e-3}, "scheme": scheme}})
        simulation.advance()
        states.append(simulation.state["c"])
        sizes.append(simulation.counters.steps)
    assert sizes[0] == sizes[1]
    np.testing.assert_allclose(states[0], states[1], atol=1e-13)


def test_with_misfit(simulate):
    """The matrix symbol of elastic misfit is a part of μ: a constant formula is the constant mobility, and M(c) is not."""
    misfit = {
        "stiffness": {"cubic": {"C11": 10.0, "C12": 6.0, "C44": 5.0}},
        "strain": 0.2,
    }
    states = []
    for M in (0.8, "0.8", "0.8 + 0.3*c"):
        data = scenario(model_={"mobility": M, "misfit": misfit}, initial={"c": {"mean": 0.1, "noise": 0.3}})
        simulation = simulate({**data, "time": {"end": 3.0, "step": 0.1, "scheme": "sbdf2"}})
        simulation.advance()
        states.append(simulation.state["c"])
    np.testing.assert_allclose(states[1], states[0], atol=1e-13)
    assert np.abs(states[2] - states[0]).max() > 1e-3


@pytest.mark.parametrize("M0", [0.8, 1.3])
@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_growth_factors(simulate, scheme, dimensions, M0):
    """z from M₀, n from both mobilities; M′(c̄) = 0 and f quadratic, so that modes do not see each other at amplitude 1e-8."""
    data = scenario(
        dimensions=dimensions,
        model_={"free_energy": "-0.35*c**2", "mobility": "0.8 + c**2"},
        initial={"c": {"mean": 0.0, "noise": 1e-8}},
        time={"end": 1.0, "step": 0.1, "scheme": scheme},
    )
    table = lookup("scheme", scheme)
    for dt, S in ((0.02, 0.0), (0.25, 1.3), (0.6, 0.7)):
        simulation = simulate(data)
        stepper, sweep = simulation.stepper, simulation.sweep
        stepper.refer_to(M0)
        k2 = stepper.modes.k2
        x, middle = sweep.mode_index
        odd = k2 - nyquist_part(simulation.grid, x, middle, k2.shape)
        K = KAPPA * k2
        # What the first derivatives do not see moves with M₀.
        m = 0.8 * odd + M0 * (k2 - odd)
        z, n = -dt * M0 * k2 * (S + K), dt * (M0 * k2 * (S + K) - m * (-0.7 + K))
        G = table.growth_factor(z, n)
        if scheme == "imex1":
            s = -m * (-0.7 + K)
            np.testing.assert_allclose(G, 1.0 + dt * s / (1.0 + dt * M0 * k2 * (S + K)), rtol=1e-10, atol=1e-12)
        known = (stepper.modes.weight > 0.0)[None, :] & (k2 > 0.0)
        steps, before = STEPS, sweep.by_mode(stepper.state_hat)[0]
        if table.multistep:
            # A pair of complex factors has no modulus that holds step by step.
            one, zero = np.ones_like(z), np.zeros_like(z)
            a, b = table.linear_step(z, n, one, zero), table.linear_step(z, n, zero, one)
            known &= a * a + 4.0 * b >= 0.0
            stepper.attempt(dt, np.array([S]))
            stepper.accept()
            exact = sweep.by_mode(stepper.state_hat)
            exact[0][known] = (before * G)[known]
            stepper.state_hat[...] = sweep.from_modes(exact)
            stepper.restore()
            steps -= 1
        for _ in range(steps):
            stepper.attempt(dt, np.array([S]))
            stepper.accept()
        after = sweep.by_mode(stepper.state_hat)[0]
        kept = known & (np.abs(G) ** STEPS > 1e-2)
        assert kept.sum() >= 3
        expected = (G**STEPS * before)[kept]
        rounding = STEPS * len(table.stages) * 2.3e-16 * np.abs(expected).max()
        assert np.all(np.abs(after[kept] - expected) <= 1e-10 * np.abs(expected) + rounding)


def nyquist_part(grid, x, middle, shape) -> np.ndarray:
    """The part of k² of stored modes that belongs to Nyquist modes of an axis."""
    result = np.zeros(shape)
    places = [np.broadcast_to(x, shape)]
    places += [np.broadcast_to(middle, shape)] if grid.dimensions == 3 else []
    places += [np.broadcast_to(np.arange(shape[0])[:, None], shape)] if grid.dimensions > 1 else []
    for axis, place in zip(grid.axes, places, strict=True):
        if axis.cells % 2 == 0:
            result += np.where(place == axis.cells // 2, (np.pi * axis.cells / axis.length) ** 2, 0.0)
    return result


def test_energy_falls_as_the_flux_dissipates(simulate):
    """(F(Δt) − F(0))/Δt → −∫ M |∇μ|² dV, at first order."""
    rates = []
    for dt in (2e-4, 1e-4):
        data = scenario(
            model_={"mobility": "1 - 0.7*c**2"},
            initial={"c": "0.1 + 0.5*sin(2*pi*x/Lx)*cos(2*pi*y/Ly) + 0.2*cos(4*pi*y/Ly)"},
            time={"end": dt, "step": dt, "scheme": "imex1"},
        )
        simulation = simulate(data)
        c, start = simulation.state["c"], simulation.energies.total
        M = 1.0 - 0.7 * c**2
        *_, gradient = plain_rate(c, M, c**3 - c, 1.0)
        simulation.advance()
        expected = -simulation.grid.cell_volume * np.sum(M * sum(g * g for g in gradient))
        rates.append((simulation.energies.total - start) / dt / expected)
    assert rates[1] == pytest.approx(1.0, abs=1e-3)
    assert abs(rates[1] - 1.0) == pytest.approx(0.5 * abs(rates[0] - 1.0), rel=0.1)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_mean_and_energy(simulate, scheme, dimensions):
    """Adaptive steps through demixing: the mean keeps its bits, the energy never grows."""
    data = scenario(
        dimensions=dimensions,
        model_={"mobility": "1 - 0.9*c**2"},
        initial={"c": {"mean": 0.1, "noise": 0.3}},
        time={"end": 10.0, "step": {"tolerance": 1e-3}, "scheme": scheme},
    )
    simulation = simulate(data)
    energies = [simulation.energies.total]
    simulation.advance(on_step=lambda s: energies.append(s.energies.total))
    assert simulation.counters.largest_mean_drift[0] == 0.0
    assert abs(float(simulation.state["c"].mean()) - 0.1) < 1e-13
    assert np.all(np.diff(energies) <= 1e-12 * abs(energies[0]))
    assert energies[-1] < 0.95 * energies[0]


def test_degenerate_mobility(simulate):
    """M = c(1−c)₊: nothing moves in the pure phases; the run stays stable and close to [0, 1]."""
    data = scenario(
        model_={
            "mobility": "c*(1 - c)",
            "gradient_energy": 1.0,
            "free_energy": {"name": "double_well", "barrier": 4.0, "low": 0.0, "high": 1.0},
        },
        grid={"x": {"cells": 48, "length": 36.0}, "y": {"cells": 48, "length": 36.0}},
        initial={"c": {"mean": 0.45, "noise": 0.05}},
        time={"end": 200.0, "step": {"tolerance": 1e-3}},
    )
    simulation = simulate(data)
    energies = [simulation.energies.total]
    simulation.advance(on_step=lambda s: energies.append(s.energies.total))
    (low, high), *_ = simulation.stepper.ranges
    assert low > -0.05
    assert high < 1.05
    assert low < 0.05
    assert high > 0.95
    assert np.all(np.diff(energies) <= 1e-12 * abs(energies[0]))
    assert simulation.stepper.reference_mobility == pytest.approx(0.25, rel=0.05)


@pytest.mark.parametrize("mobility", ["1 - 0.6*c**2", "0.5 + 0.2*c"])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_order_in_time(simulate, scheme, mobility):
    """As with constant mobility, by comparison with tiny steps of the fourth-order scheme; M₀ is chosen anew on the way."""

    def state(name, count):
        data = scenario(
            "cahn_hilliard",
            1,
            model_={"mobility": mobility},
            # An odd number of cells: a Nyquist mode moves with M₀, another one for every choice of it.
            grid={"x": {"cells": 25, "length": 100.0}},
            initial={"c": "0.1 + 0.6*sin(2*pi*x/Lx) + 0.2*cos(4*pi*x/Lx + 1)"},
            time={"end": 32.0, "step": 32.0 / count, "scheme": name},
            stabilisation=1.0,
        )
        simulation = simulate(data)
        simulation.advance()
        assert simulation.counters.rejected == 0
        return simulation.state["c"]

    reference = state("etdrk4", 4096)
    counts = (128, 256, 512) if scheme == "etdrk4" else (512, 1024, 2048)
    errors = [np.abs(state(scheme, n) - reference).max() for n in counts]
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([lookup("scheme", scheme).order] * 2, abs=0.1)


def test_new_reference_costs_no_accuracy(simulate):
    """M₀ doubled and halved in the middle of a run of sbdf2: what it keeps is made anew, and its order stays 2."""

    def state(name, count, change):
        data = scenario(
            "cahn_hilliard",
            1,
            model_={"mobility": "1 - 0.6*c**2"},
            grid={"x": {"cells": 25, "length": 50.0}},
            initial={"c": "0.1 + 0.6*sin(2*pi*x/Lx) + 0.2*cos(4*pi*x/Lx + 1)"},
            time={"end": 8.0, "step": 8.0 / count, "scheme": name},
            stabilisation=1.0,
        )
        simulation = simulate(data)
        for i in range(count):
            if change and i in (count // 4, count // 2):
                simulation.stepper.refer_to(2.0 if i < count // 2 else 1.0)
            simulation.stepper.attempt(8.0 / count, np.array([1.0]))
            simulation.stepper.accept()
        return simulation.state["c"]

    reference = state("etdrk4", 4096, False)
    errors = [np.abs(state("sbdf2", n, True) - reference).max() for n in (256, 512, 1024)]
    assert np.log2(np.divide(errors[:-1], errors[1:])) == pytest.approx([2.0, 2.0], abs=0.1)


def growing(scheme, step):
    """M grows with the range of c, so that M₀ is chosen anew several times."""
    return scenario(
        model_={"mobility": "0.2 + (c + 0.9)**2/2"},
        initial={"c": {"mean": -0.1, "noise": 0.3}},
        time={"end": 12.0, "step": step, "scheme": scheme},
    )


@pytest.mark.parametrize("step", [0.1, {"tolerance": 1e-3}])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_checkpoint(simulate, scheme, step):
    """Bit for bit, M₀ included, which the state alone does not tell."""
    simulation, other = simulate(growing(scheme, step)), simulate(growing(scheme, step))
    start = simulation.stepper.reference_mobility
    simulation.advance(until=6.0)
    arrays, meta = simulation.checkpoint()
    assert simulation.stepper.reference_mobility != start
    kept = {name: a.copy() for name, a in arrays.items()}
    simulation.advance()
    other.restore(kept, meta)
    other.advance()
    assert other.stepper.state_hat.tobytes() == simulation.stepper.state_hat.tobytes()
    assert other.counters.steps == simulation.counters.steps


@pytest.mark.parametrize("scheme", names("scheme"))
def test_rejected_step_leaves_no_trace(simulate, scheme):
    data = growing(scheme, {"tolerance": 1e-3, "max": 0.05})
    simulation, undisturbed = simulate(data), simulate(data)
    for s in (simulation, undisturbed):
        s.advance(until=2.0)
    S = simulation.stabilisation.values
    assert simulation.stepper.attempt(5.0, S, np.array([1e-30])) > 1.0
    simulation.stepper.restore()
    simulation.stepper.attempt(2.0, S)
    simulation.stepper.restore()
    for s in (simulation, undisturbed):
        s.advance(until=4.0)
    assert simulation.stepper.state_hat.tobytes() == undisturbed.stepper.state_hat.tobytes()


def test_threads_do_not_change_bits(simulate):
    states = []
    for threads in (1, 2):
        data = scenario(
            model_={"mobility": "1 - 0.9*c**2"},
            grid={"x": {"cells": 300, "length": 300.0}, "y": {"cells": 256, "length": 200.0}},
            initial={"c": {"mean": 0.1, "noise": 0.3}},
            time={"end": 0.5, "step": 0.1, "scheme": "etdrk2"},
        )
        simulation = simulate(data, threads=threads)
        assert simulation.sweep.threads == threads
        simulation.advance()
        states.append(simulation.stepper.state_hat.tobytes())
    assert states[0] == states[1]
