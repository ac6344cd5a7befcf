"""Square to rectangle: the compatibility kernel, underdamped motion, bad input."""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.scenario import load_scenario
from phasefield.simulation import Simulation


def scenario(**more):
    model = {
        "name": "square_rectangle",
        "gradient_energy": 1.5,
        "landau": {"name": "landau_246", "a": more.pop("a", 0.4), "b": 1.0, "c": 1.0},
        "bulk_modulus": 2.0,
        "shear_modulus": 5.0,
        **more.pop("model", {}),
    }
    grid = {"x": {"cells": 16, "length": 16.0}, "y": {"cells": 15, "length": 17.0}}
    base = {"model": model, "grid": grid, "initial": {"e2": {"mean": 0.0, "noise": 1e-7}}, "verify": False}
    return base | more


def modes(simulation):
    """(k², A₁U) of all modes, and their amplitudes."""
    ly, lx = simulation.grid.axes[1].length, simulation.grid.axes[0].length
    y, x = (2 * np.pi * np.fft.fftfreq(n, s / n) for n, s in ((15, ly), (16, lx)))
    kx, ky = np.meshgrid(x, y)
    k2 = kx**2 + ky**2
    with np.errstate(invalid="ignore"):
        U = (kx**2 - ky**2) ** 2 / (k2**2 + 8.0 * (2.0 / 5.0) * kx**2 * ky**2)
    return k2, np.where(k2 > 0.0, 2.0 * U, 0.0), np.fft.fft2(simulation.state["e2"]) / k2.size


@pytest.mark.parametrize("viscosity", [0.0, 0.3])
@pytest.mark.parametrize("a", [0.4, -0.5])
def test_every_mode_moves_as_the_scheme_says(viscosity, a):
    """(1 + Δt²m(S+K)/2 + Δt m A′/2) G² − (2 − Δt²m(f−S)) G + (1 + Δt²m(S+K)/2 − Δt m A′/2) = 0, from rest."""
    dt, S, density, steps = 0.2, 0.7, 0.8, 40
    model = {"inertia": {"density": density, "viscosity": viscosity}}
    data = scenario(a=a, model=model, time={"end": dt * steps, "scheme": "leapfrog", "step": dt}, stabilisation=S)
    simulation = Simulation.from_scenario(data, device="cpu")
    k2, B, start = modes(simulation)
    simulation.advance()
    *_, end = modes(simulation)
    simulation.close()
    m, K = 0.5 * k2 / density, 1.5 * k2 + B
    A, C = 1.0 + 0.5 * dt**2 * m * (S + K) + 0.5 * dt * m * viscosity, 2.0 - dt**2 * m * (a - S)
    E = 1.0 + 0.5 * dt**2 * m * (S + K) - 0.5 * dt * m * viscosity
    before, now = np.ones_like(k2), 0.5 * C / (1.0 + 0.5 * dt**2 * m * (S + K))
    for _ in range(steps - 1):
        before, now = now, (C * now - E * before) / A
    expected = now * start
    np.testing.assert_allclose(end, expected, atol=1e-7 * np.abs(expected).max())


def test_order_and_energy_of_free_motion():
    """Second order in time; without viscosity potential and kinetic energy together stay, with viscosity they fall."""
    initial = {"e2": "0.3*cos(2*pi*x/Lx)*cos(2*pi*y/Ly) + 0.1*sin(4*pi*x/Lx)"}

    def run(dt, viscosity):
        model = {"inertia": {"density": 1.0, "viscosity": viscosity}}
        data = scenario(initial=initial, model=model, time={"end": 8.0, "scheme": "leapfrog", "step": dt})
        simulation = Simulation.from_scenario(data, device="cpu")
        totals, last = [], simulation.state["e2"]
        k2 = modes(simulation)[0]

        def measure(sim):
            nonlocal last
            now = sim.state["e2"]
            rate = np.fft.fft2((now - last) / dt)[k2 > 0.0] / k2.size
            kinetic = sim.grid.volume * float(np.sum(np.abs(rate) ** 2 / k2[k2 > 0.0]))
            totals.append((sim.energies.total, kinetic))
            last = now

        simulation.advance(on_step=measure)
        state = simulation.state["e2"]
        simulation.close()
        return state, np.array(totals)

    finest = run(0.005, 0.0)[0]
    errors = [np.abs(run(dt, 0.0)[0] - finest).max() for dt in (0.08, 0.04)]
    assert np.log2(errors[0] / errors[1]) == pytest.approx(2.0, abs=0.1)
    # Kinetic energy belongs to the middle of a step: averaged over two steps it is that of the end.
    potential, kinetic = run(0.02, 0.0)[1].T
    total = potential[:-1] + 0.5 * (kinetic[:-1] + kinetic[1:])
    assert np.ptp(potential) > 0.1 * abs(potential[0])
    assert np.ptp(total) < 2e-3 * np.ptp(potential)
    potential, kinetic = run(0.02, 0.5)[1].T
    total = potential[:-1] + 0.5 * (kinetic[:-1] + kinetic[1:])
    assert np.all(np.diff(total) < 0.0)


def test_growth_rate_with_inertia():
    from phasefield.analysis.stability import linear_stability

    data = scenario(a=-0.5, model={"inertia": {"density": 2.0, "viscosity": 0.3}})
    theory = linear_stability(data | {"time": {"end": 1.0, "scheme": "leapfrog", "step": 0.1}})
    k2 = 0.2
    m = 0.25 * k2
    roots = np.roots([1.0, m * 0.3, m * (-0.5 + 1.5 * k2)])
    assert float(theory.growth_rate(np.sqrt(k2))) == pytest.approx(roots.real.max(), rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model": {"inertia": {"density": 1.0}}, "time": {"end": 1.0, "step": 0.1}},
            "a model with inertia needs leapfrog",
        ),
        ({"time": {"end": 1.0, "step": 0.1, "scheme": "leapfrog"}}, "leapfrog is for models with inertia"),
        ({"model": {"inertia": {"density": 1.0}}, "time": {"end": 1.0, "scheme": "leapfrog"}}, "a fixed step"),
        ({"grid": {"x": {"cells": 8, "length": 8.0}}, "time": {"end": 1.0}}, "needs two axes"),
        ({"model": {"landau": {"name": "landau_234", "A": 0.1}}, "time": {"end": 1.0}}, "is not even"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(InputError, match=message):
        load_scenario(scenario(**change))
