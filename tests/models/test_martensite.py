"""Martensite against closed forms: walls, critical stresses, dissipation, load phases, defects, fixed eigenstrains, bad input."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from phasefield.analysis.landau import austenite_martensite_wall, critical_stresses, martensite_strain, twin_wall
from phasefield.errors import InputError
from phasefield.mechanics.homogeneous import HomogeneousElasticity
from phasefield.models.martensite import Martensite
from phasefield.scenario import load_scenario
from phasefield.simulation import Simulation

SCENARIOS = Path(__file__).parents[2] / "scenarios"
STIFFNESS = {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}}
SQUARE = {"strains": [[[1.0, 0.0], [0.0, -1.0]]], "scale": math.sqrt(10.0)}


def scenario(cells, length, a, **more):
    """One order parameter, b = c = 1, in a free box unless `more` says otherwise."""
    model = {
        "name": "martensite",
        "gradient_energy": more.pop("kappa", 1.0),
        "landau": {"name": "landau_246", "a": a, "b": 1.0, "c": 1.0},
        "stiffness": more.pop("stiffness", STIFFNESS),
        "transformation": more.pop("transformation", SQUARE),
        "load": more.pop("load", "stress"),
    }
    if "temperature" in more:
        model["temperature"] = more.pop("temperature")
    grid = {x: {"cells": n, "length": s} for x, n, s in zip("xyz", cells, length, strict=False)}
    return {"model": model, "grid": grid, "initial": {"eta": 0.0}, "verify": False, **more}


def relaxed_wall(a: float, profile, length: float, cells: int = 512) -> float:
    """Energy of one of the two walls in a periodic 1-D box along ⟨11⟩, where misfit costs nothing."""
    free = ["stress"] * 6
    data = scenario([cells], [length], a, load=free, stiffness={**STIFFNESS, "orientation": [45.0, 0.0, 0.0]})
    data |= {"time": {"end": 1e9, "scheme": "imex1", "step": 20.0}, "stabilisation": 3.0}
    simulation = Simulation.from_scenario(data, device="cpu")
    x = simulation.grid.axes[0].centres
    simulation.set_state({"eta": profile(x - 0.25 * length) * profile(0.75 * length - x)})
    energies = []
    for _ in range(40):
        simulation.advance(until=simulation.time + 4000.0)
        energies.append(simulation.energies)
        if len(energies) > 1 and abs(energies[-1].total - energies[-2].total) < 1e-11:
            break
    assert abs(energies[-1].coupling) < 1e-10
    simulation.close()
    return energies[-1].total


@pytest.mark.parametrize("a", [-0.5, 0.0, 0.1, 0.15])
def test_twin_wall(a):
    e0 = float(martensite_strain(a, 1.0, 1.0))
    length = 60.0

    def half(x):
        return math.sqrt(e0) * np.tanh(x)

    well = 0.5 * a * e0**2 - 0.25 * e0**4 + e0**6 / 6.0
    energy = relaxed_wall(a, half, length)
    expected = {-0.5: 1.501415, 0.0: 0.637410, 0.1: 0.424318, 0.15: 0.297083}[a]
    assert 0.5 * (energy - length * well) == pytest.approx(twin_wall(a, 1.0, 1.0, 1.0).energy, abs=1e-6)
    assert 0.5 * (energy - length * well) == pytest.approx(expected, abs=2e-6)


def test_austenite_martensite_wall():
    wall = austenite_martensite_wall(1.0, 1.0, 1.0)
    e0, width = math.sqrt(0.75), math.sqrt(3.0) / 0.75

    def half(x):
        return np.sqrt(e0 / np.sqrt(1.0 + np.exp(-2.0 * x / width)))

    energy = relaxed_wall(3.0 / 16.0, half, 120.0, 768)
    assert 0.5 * energy == pytest.approx(wall.energy, abs=1e-6)
    assert wall.energy == pytest.approx(math.sqrt(1.0 / 3.0) * e0**4 / 4.0, rel=1e-12)


def uniform(a, load, **more):
    return scenario([4, 4], [4.0, 4.0], a, load=load, **more)


@pytest.mark.parametrize("step", [0.01, 0.02])
def test_loop_area_is_what_the_stabilised_scheme_dissipates(step):
    """∮σ dε = Σ (1/(LΔt) + S) ‖δη‖² over a pseudoelastic loop of a uniform body."""
    a, S = 1.2 / 4.0, 1.5
    top = 2.0 * critical_stresses(a, 1.0, 1.0).loading / (2.0 * math.sqrt(10.0))
    load = [
        {"until": 40.0, "stress": {"xx": top, "yy": -top}},
        {"until": 80.0, "stress": {}},
        {"until": 120.0, "stress": {}},
    ]
    data = uniform(a, load, time={"end": 120.0, "scheme": "imex1", "step": step}, stabilisation=S)
    simulation = Simulation.from_scenario(data, device="cpu")
    means, strains, stresses = [0.0], [np.zeros(6)], [np.zeros(6)]

    def record(sim):
        mean = sim.stepper.mean(0)
        records = sim.model.records(sim.time, np.array([mean]), sim.stepper.phase)
        means.append(mean)
        strains.append([records[f"mean_strain_{c}"] for c in ("xx", "yy")])
        stresses.append([records[f"mean_stress_{c}"] for c in ("xx", "yy")])

    simulation.advance(on_step=record)
    strain, stress = (np.array([np.zeros(2), *x[1:]]) for x in (strains, stresses))
    area = float(np.sum(0.5 * (stress[1:] + stress[:-1]) * np.diff(strain, axis=0)))
    scheme = float(np.sum((1.0 / step + S) * np.diff(means) ** 2))
    assert area > 0.02
    assert means[-1] == pytest.approx(0.0, abs=1e-4)
    assert scheme == pytest.approx(area, rel=1e-3 if step <= 0.02 else 1.0)
    assert simulation.dissipation / simulation.grid.volume == pytest.approx(area, rel=1e-3)
    simulation.close()


def test_phases_of_the_load():
    """Clamped first, then free: the mean stress becomes what is prescribed, and energies are those of the closed form."""
    stress = {"xx": 0.01, "yy": -0.02, "xy": 0.005}
    load = [{"until": 2.0, "strain": {"xx": 0.1}}, {"until": 4.0, "stress": stress}, {"until": 6.0, "stress": stress}]
    data = scenario([16, 12], [16.0, 12.0], -0.2, load=load, kappa=2.0)
    data |= {"time": {"end": 6.0}, "initial": {"eta": {"mean": 0.3, "noise": 0.1}}}
    simulation = Simulation.from_scenario(data, device="cpu")
    seen = {}
    for until in (1.0, 2.0, 3.0, 4.0, 5.5):
        simulation.advance(until=until)
        mean = np.array([simulation.stepper.mean(0)])
        seen[until] = simulation.model.records(until, mean, simulation.stepper.phase)
        term = simulation.model.terms_at(until)[-1]
        assert simulation.energies.coupling == pytest.approx(term.energy(simulation.state, simulation.grid), rel=1e-10)
    assert seen[1.0]["mean_strain_xx"] == pytest.approx(0.05)
    assert seen[1.0]["mean_strain_yy"] == pytest.approx(0.0, abs=1e-15)
    # At a corner the later phase holds, and its components start from 0.
    assert seen[2.0]["mean_stress_xx"] == pytest.approx(0.0, abs=1e-15)
    assert seen[3.0]["mean_stress_yy"] == pytest.approx(-0.01)
    for name, value in stress.items():
        assert seen[4.0][f"mean_stress_{name}"] == pytest.approx(value)
        assert seen[5.5][f"mean_stress_{name}"] == pytest.approx(value)
    simulation.close()


@pytest.mark.parametrize("load", ["strain", "stress"])
def test_fixed_eigenstrain_pulls_like_its_stress(load):
    """With a fixed eigenstrain the force on η is that of the closed form with both strains."""
    data = scenario([24, 20], [24.0, 20.0], -0.2, load=load)
    data |= {
        "time": {"end": 1.0, "scheme": "imex1", "step": 0.05},
        "initial": {"eta": {"mean": 0.1, "noise": 0.1}},
        "fixed": {
            "eigenstrain_xx": {"shapes": [{"disc": {"centre": [8.0, 9.0], "radius": 4.0}}], "inside": 0.2, "outside": 0.0,
                               "interface_width": 1.0},
            "eigenstrain_xy": 0.05,
        },
    }  # fmt: skip
    simulation = Simulation.from_scenario(data, device="cpu")
    before = simulation.state["eta"]
    S = float(simulation.stabilisation.values[0])
    simulation.advance(until=0.05)
    after = simulation.state["eta"]
    grid, model = simulation.grid, simulation.model
    loaded = load_scenario(data)
    from phasefield.scenario.fields import fixed_fields

    fixed = np.zeros((6, *grid.shape))
    fixed[0], fixed[5] = fixed_fields(loaded)["eigenstrain_xx"], fixed_fields(loaded)["eigenstrain_xy"]
    solver = HomogeneousElasticity(model.elastic.stiffness, model.strains, load, 2)
    y, x = (np.fft.fftfreq(n) * 2.0 * np.pi for n in grid.shape)
    k2 = y[:, None] ** 2 + x[None, :] ** 2
    # (1/Δt + S + κk² + B) (u⁺ − u) = −δF/δη(u)
    stress = solver.fields(grid, before[None], None, fixed)["stress"]
    local = -0.2 * before - before**3 + before**5
    force = local + np.fft.ifft2(k2 * np.fft.fft2(before)).real - np.einsum("ij,ijyx->yx", model.strains[0], stress)
    mx, my = np.meshgrid(np.fft.fftfreq(24, 1 / 24).astype(int), np.fft.fftfreq(20, 1 / 20).astype(int))
    B = solver.symbol(grid, (mx, my))[..., 0, 0]
    change = np.fft.ifft2(np.fft.fft2(-force) / (1.0 / 0.05 + S + k2 + B)).real
    np.testing.assert_allclose(after - before, change, atol=2e-13)
    simulation.close()


def test_shift_of_the_transformation_temperature():
    data = scenario([16, 16], [16.0, 16.0], 0.3)
    data |= {"time": {"end": 0.1, "scheme": "imex1", "step": 0.05}, "initial": {"eta": 0.1}}
    data["fixed"] = {"transformation_shift": {"expression": "-0.2*cos(2*pi*x/Lx)"}}
    simulation = Simulation.from_scenario(data, device="cpu")
    x = simulation.grid.coordinates()["x"]
    local = 0.5 * (0.3 - 0.2 * np.cos(2 * np.pi * x / 16.0)) * 0.01 - 0.25 * 1e-4 + 1e-6 / 6.0
    bulk = float(np.broadcast_to(local, (16, 16)).sum())
    assert simulation.energies.bulk == pytest.approx(bulk, rel=1e-12)
    assert simulation.stabilisation.values[0] >= 0.5 * 0.5
    simulation.advance()
    state = simulation.state["eta"]
    assert state[0, 0] > state[0, 8]
    simulation.close()


def test_energy_never_grows_for_any_step():
    rises = []
    for step in (0.01, 0.1, 1.0, 10.0, 100.0):
        data = {
            **scenario([32, 32], [32.0, 32.0], 0.0, load="strain", kappa=4.0),
            "initial": {f"eta_{p}": {"mean": 0.0, "noise": 0.3} for p in (1, 2)},
            "time": {"end": 150 * step, "scheme": "imex1", "step": step},
        }
        data["model"]["landau"] = {"name": "landau_234", "A": -0.5}
        data["model"]["transformation"] = {"generate": {"strain": [1.0, -1.0], "parent": "square"}, "scale": 3.16}
        simulation = Simulation.from_scenario(data, device="cpu")
        simulation.advance()
        rises.append(simulation.counters.rejected)
        assert simulation.counters.largest_energy_increase < 1e-12
        simulation.close()
    assert rises == [0] * 5


BAD = [
    ({"stiffness": {"cubic": {"C11": 1.0, "C12": 1.2, "C44": 0.2}}}, "must be greater than 0"),
    ({"transformation": {"strains": [[[1.0, 0.5], [0.0, -1.0]]]}}, "symmetric"),
    ({"transformation": {"strains": [[1.0, 2.0]]}}, "transformation.strains"),
    ({"temperature": [[0, 1.0], [10, 2.0], [5, 3.0]]}, "the times must increase"),
    ({"load": {"stress": {"zx": 1.0}}}, "zx"),
    ({"load": "stres"}, "stress"),
    ({"load": 3}, "model.load: must be strain, stress, a section of mean strains and stresses, or a list of phases"),
    (
        {"load": [{"until": 5, "strain": {}}, {"until": 9, "stress": {"xq": 0.1}}]},
        "scenario: model.load.1.stress.xq: must be 'xx', 'yy', 'zz', 'yz', 'xz' or 'xy' (got 'xq')",
    ),
    ({"load": [{"until": 5, "stress": {}}, {"until": 3, "stress": {}}]}, "one after the other"),
    ({"landau": {"name": "landau_246", "a": {"slope": 1.0, "temperature_A": 3.0}, "b": 1.0, "c": 1.0}}, "temperature"),
    ({"landau": {"name": "landau_24"}, "transformation": {"strains": [[1, -1, 0], [-1, 1, 0]]}}, "one order parameter"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_named(change, message):
    data = scenario([8, 8], [8.0, 8.0], 0.0)
    data["model"] |= change
    data["time"] = {"end": 1.0}
    with pytest.raises(InputError) as caught:
        load_scenario(data)
    assert message in str(caught.value)


def test_fixed_fields_are_checked():
    data = scenario([8, 8], [8.0, 8.0], 0.0) | {"time": {"end": 1.0}, "fixed": {"transformation_shif": 0.1}}
    with pytest.raises(InputError, match="did you mean 'transformation_shift'"):
        load_scenario(data)
    plain = {"model": {"name": "cahn_hilliard"}, "grid": data["grid"], "initial": {"c": 0.0}, "time": {"end": 1.0}}
    with pytest.raises(InputError, match="has no fixed fields"):
        load_scenario(plain | {"fixed": {"shift": 0.1}})


def test_names_of_order_parameters():
    data = scenario([8, 8], [8.0, 8.0], 0.0)["model"]
    model = Martensite(Martensite.Params.model_validate(data), 2)
    assert list(model.fields) == ["eta"]
    generate = {"generate": {"stretch": [1.1, 0.9, 0.9], "parent": "cubic"}}
    model = Martensite(Martensite.Params.model_validate({**data, "transformation": generate}), 3)
    assert list(model.fields) == ["eta_1", "eta_2", "eta_3"]


@pytest.mark.parametrize("step", [0.05, 0.2])
def test_langevin_noise_reaches_thermal_equilibrium(step):
    """⟨|η̂_k|²⟩ = kT/(V(A + κk² + B)) / (1 + ½ Δt L (2S − A + κk² + B)) of the stabilised scheme, mode by mode (χ²)."""
    A, S, kappa, kT, n = 1.0, 0.8, 1.0, 1e-6, 16
    data = scenario([n, n], [16.0, 16.0], A, kappa=kappa, load="strain")
    data |= {
        "time": {"end": 4000 * step, "scheme": "imex1", "step": step},
        "output": {"history": {"every": 4000 * step}},
        "stabilisation": S,
        "seed": 3,
    }
    data["model"]["thermal_energy"] = kT
    simulation = Simulation.from_scenario(data, device="cpu")
    power, samples = np.zeros((n, n)), 0

    def sample(sim):
        nonlocal power, samples
        if sim.counters.steps > 400 and sim.counters.steps % 10 == 0:
            power += np.abs(np.fft.fft2(sim.state["eta"]) / n**2) ** 2
            samples += 1

    simulation.advance(on_step=sample)
    simulation.close()
    mx = np.fft.fftfreq(n, 1.0 / n).astype(int)
    B = simulation.model.elastic.symbol(simulation.grid, tuple(np.meshgrid(mx, mx)))[..., 0, 0]
    k2 = (2.0 * np.pi * mx / 16.0) ** 2
    stiffness = kappa * (k2[:, None] + k2[None, :]) + B
    expected = kT / (256.0 * (A + stiffness)) / (1.0 + 0.5 * step * (2.0 * S - A + stiffness))
    ratio = power / samples / expected
    # Samples 10 steps apart are nearly independent for all but the slowest modes; half of the modes are conjugates.
    assert np.mean(ratio) == pytest.approx(1.0, abs=0.02)
    effective = samples * np.minimum(1.0, 10 * step * (A + stiffness) / (1.0 + step * (S + stiffness)))
    chi2 = float(np.sum(0.5 * effective * (ratio - 1.0) ** 2))
    assert chi2 == pytest.approx(0.5 * n * n, rel=0.5)


def test_noise_needs_steps_of_one_size():
    data = scenario([8, 8], [8.0, 8.0], 1.0)
    data["model"]["thermal_energy"] = 0.1
    with pytest.raises(InputError, match=r"noise needs time\.scheme: imex1 and a fixed time\.step"):
        load_scenario(data | {"time": {"end": 1.0}})
    with pytest.raises(
        InputError, match=r"output.history.every: with noise all times are multiples of time.step = 0.1"
    ):
        load_scenario(data | {"time": {"end": 1.0, "scheme": "imex1", "step": 0.1}})


def test_derived_fields_are_written(tmp_path):
    import phasefield as pf

    data = scenario([16, 12], [16.0, 12.0], -0.2, load={"stress": {"xx": 0.01}}, kappa=2.0)
    names = ["eta", "stress_xx", "strain_xy", "displacement_y", "elastic_energy_density", "variant", "potential_eta"]
    data |= {
        "time": {"end": 1.0, "step": 0.1},
        "initial": {"eta": {"mean": 0.5, "noise": 0.3}},
        "fixed": {"eigenstrain_yy": "0.05*cos(2*pi*y/Ly)"},
        "output": {"fields": {"names": names, "precision": "double"}},
    }
    run = pf.run(data, output=tmp_path / "run", device="cpu")
    assert set(names) <= set(run.names)
    frame = {name: np.asarray(run.frame(name, -1), float) for name in names}
    assert frame["stress_xx"].mean() == pytest.approx(0.01)
    assert frame["displacement_y"].mean() == pytest.approx(0.0, abs=1e-14)
    assert set(np.unique(frame["variant"])) <= {-1.0, 0.0, 1.0}
    # The potential is what drives: with S = 0 and a tiny step, ∂η/∂t = −δF/δη.
    data |= {"time": {"end": 1e-7, "step": 1e-7, "scheme": "imex1"}, "stabilisation": 0.0, "output": {}}
    simulation = Simulation.from_scenario(data, device="cpu")
    before, potential = simulation.state["eta"], simulation.derived(["potential_eta"])["potential_eta"]
    stress = simulation.derived(["stress_xx"])["stress_xx"]
    simulation.advance()
    np.testing.assert_allclose((simulation.state["eta"] - before) / 1e-7, -potential, atol=1e-4)
    assert stress.std() > 0.0
    simulation.close()
    data["output"] = {"fields": {"names": ["stres_xx"]}}
    with pytest.raises(InputError, match="stress_xx"):
        load_scenario(data)


def test_a_load_moves_a_field_that_is_zero():
    """Adaptive steps from η = 0 under a ramp of stress, and a state set later keeps the clock."""
    load = [{"until": 10.0, "stress": {"xx": 0.01, "yy": -0.01}}, {"until": 20.0, "stress": {"xx": 0.01, "yy": -0.01}}]
    simulation = Simulation.from_scenario(uniform(0.5, load, time={"end": 70.0}), device="cpu")
    simulation.advance(until=60.0)
    reached = float(simulation.state["eta"].mean())
    sigma = 0.02 * math.sqrt(10.0)
    assert 0.5 * reached - reached**3 + reached**5 == pytest.approx(sigma, rel=1e-4)
    energy = simulation.energies.total
    simulation.set_state(simulation.state)
    assert simulation.energies.total == pytest.approx(energy, rel=1e-13)
    simulation.close()


def small(name: str):
    """The test form of a shipped scenario, run in memory: times, means of η over ε⁰'s own scale, and the simulation."""
    loaded = load_scenario(SCENARIOS / f"{name}.yaml", test=True)
    simulation = Simulation.from_scenario(loaded, device="cpu")
    times, means = [0.0], [simulation.stepper.mean(0)]

    def record(sim):
        times.append(sim.time)
        means.append(sim.stepper.mean(0))

    simulation.advance(on_step=record)
    simulation.close()
    return np.array(times), np.array(means), simulation


def test_shape_memory_cycle():
    """Twinned without strain, detwinned by the load; the strain stays when it is gone and vanishes on heating."""
    times, means, _ = small("shape_memory")
    e0 = float(martensite_strain(-0.25, 1.0, 1.0))
    at = dict(
        zip((150.0, 500.0, 650.0, 850.0), np.interp((150.0, 500.0, 650.0, 850.0), times, means) / e0, strict=True)
    )
    assert abs(at[150.0]) < 1e-3
    assert at[500.0] > 1.0
    assert at[650.0] == pytest.approx(1.0, abs=1e-6)
    assert abs(at[850.0]) < 1e-3


def test_pseudoelastic_cycle():
    """Above the martensite spinodal the strain comes with the load through a jump and goes with it, at lower stress."""
    times, means, simulation = small("pseudoelastic")
    loaded = np.interp(1500.0, times, means)
    assert loaded > 0.8
    assert abs(means[-1]) < 1e-3
    # Both jumps, and their order: half of the strain is reached later, in stress, than it is lost.
    up = times[np.argmax(means > 0.5 * loaded)] / 1500.0
    down = 1.0 - (times[np.nonzero(means > 0.5 * loaded)[0][-1]] - 1500.0) / 1500.0
    assert up > down + 0.2
    assert simulation.dissipation > 0.0
