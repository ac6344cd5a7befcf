"""Seeds of a new phase: places and times, what they do to a field, how a run goes on from them, and its bookkeeping."""

from __future__ import annotations

import shutil

import h5py
import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.quasi_static import QuasiStatic
from phasefield.analysis.verify import FAIL, PASS
from phasefield.initial.nuclei import Nucleus, added, nuclei_of
from phasefield.initial.seeds import NucleationSection
from phasefield.registry import names
from phasefield.scenario.fields import initial_fields
from phasefield.simulation import Simulation
from phasefield.spectral.grid import Axis, Grid

FORMULA = "phi**2*(1 - phi)**2 - D*phi**3*(10 - 15*phi + 6*phi**2)"
SHAPE = {"radius": 2.2, "interface_width": 1.4142}
LATER = {"seeds": [{"time": 0.5, "centre": [20.0, 8.0]}, {"time": 1.25, "centre": [1.0, 14.0], "radius": 3.0}]}


def seeded(nucleation, *, driving_force=0.2357, **sections):
    """Allen–Cahn with wells 0 and 1, the critical radius of which is 1/(3√2)/driving_force."""
    return {
        "model": {
            "name": "allen_cahn",
            "gradient_energy": 1.0,
            "free_energy": {"formula": FORMULA, "parameters": {"D": driving_force}},
        },
        "grid": {"x": {"cells": 48, "length": 30.0}, "y": {"cells": 32, "length": 20.0}},
        "initial": {"phi": 0.0},
        "nucleation": {"phi": {**SHAPE, **nucleation}},
        "time": {"end": 2.0},
        "output": {"history": {"every": 0.1}},
        "seed": 11,
        **sections,
    }


def box(nx, ny, boundary="periodic"):
    return Grid((Axis("x", nx, 30.0, boundary), Axis("y", ny, 20.0, boundary)))


def sections(**given):
    return {"phi": NucleationSection.model_validate({**SHAPE, **given})}


def profile(grid, centre, radius=2.2, width=1.4142):
    """½[1 − tanh((r − r₀)/δ)], the nearest of nine images."""
    x, y = grid.coordinates()["x"], grid.coordinates()["y"]
    images = [np.hypot(x - centre[0] - 30.0 * i, y - centre[1] - 20.0 * j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
    return 0.5 * (1.0 - np.tanh((np.min(images, axis=0) - radius) / width))


# --- places and times ---------------------------------------------------------------------------------------------


def test_places_and_times_do_not_depend_on_the_grid():
    random = sections(random={"count": 40, "from": 3.0, "to": 8.0})
    coarse, fine = nuclei_of(random, box(16, 12), 5), nuclei_of(random, box(64, 81), 5)
    assert coarse == fine
    assert len(coarse) == 40


def test_places_and_times_depend_on_seed_field_and_number_alone():
    def found(count=20, seed=5, field="phi"):
        random = {field: sections(random={"count": count, "from": 0.0, "to": 8.0})["phi"]}
        return {(n.time, n.centre) for n in nuclei_of(random, box(16, 12), seed)}

    assert found(20) < found(30)
    assert not found() & found(seed=6)
    assert not found() & found(field="eta")


def test_random_numbers_are_uniform_in_box_and_interval():
    found = nuclei_of(sections(random={"count": 4000, "from": 2.0, "to": 6.0}), box(16, 12), 1)
    times, centres = np.array([n.time for n in found]), np.array([n.centre for n in found])
    assert np.all(np.diff(times) >= 0.0)
    for values, low, high in ((times, 2.0, 6.0), (centres[:, 0], 0.0, 30.0), (centres[:, 1], 0.0, 20.0)):
        assert low <= values.min()
        assert values.max() < high
        share = (np.sort(values) - low) / (high - low)
        # Kolmogorov and Smirnov: 1.63/√N is passed in one of a hundred samples.
        assert np.abs(share - (np.arange(4000) + 0.5) / 4000).max() < 1.63 / np.sqrt(4000)
    correlation = np.corrcoef(np.column_stack([times, centres]).T)
    assert np.abs(correlation - np.eye(3)).max() < 0.06


def test_equal_ends_of_the_interval_are_one_moment():
    found = nuclei_of(sections(random={"count": 9, "from": 4.0, "to": 4.0}), box(16, 12), 1)
    assert {n.time for n in found} == {4.0}


def test_listed_and_random_seeds_side_by_side_in_order_of_time():
    seeds = [{"time": 7.0, "centre": [1.0, 2.0]}, {"time": 0.0, "centre": [3.0, 4.0], "radius": 5.0}]
    found = nuclei_of(sections(seeds=seeds, random={"count": 1, "from": 1.0, "to": 2.0}), box(16, 12), 1)
    assert [n.radius for n in found] == [5.0, 2.2, 2.2]
    assert (found[0].time, found[2].time, found[2].centre) == (0.0, 7.0, (1.0, 2.0))


# --- what a seed does to a field ----------------------------------------------------------------------------------


@pytest.mark.parametrize("centre", [(12.0, 7.0), (29.5, 0.3), (0.0, 20.0)])
def test_profile_of_one_seed(centre):
    """Exactly the formula, across the edges of the box too."""
    data = seeded({"seeds": [{"time": 0.0, "centre": list(centre)}]})
    loaded = pf.load_scenario(data)
    np.testing.assert_allclose(initial_fields(loaded)["phi"], profile(loaded.grid, centre), atol=1e-15)


def test_no_image_beyond_an_edge_that_is_not_periodic():
    nucleus = Nucleus("phi", 0.0, (29.5, 10.0), 2.2, 1.4142, 1.0, 1.0)
    there, here = nucleus.values(box(48, 32, "no_flux")), nucleus.values(box(48, 32))
    assert here[16, 0] > 0.5
    assert there[16, 0] < 1e-12
    np.testing.assert_array_equal(there[:, 24:], here[:, 24:])


def test_sum_of_seeds_is_cut_at_largest_and_never_lowers_the_field():
    grid = box(48, 32)
    shape = (2.2, 1.4142, 0.8, 0.9)
    seeds = [Nucleus("phi", 0.0, c, *shape) for c in ((10.0, 10.0), (12.0, 10.0), (20.0, 10.0))]
    u = np.random.default_rng(2).uniform(-0.2, 1.3, grid.shape)
    total = 0.8 * sum(profile(grid, s.centre) for s in seeds)
    expected = np.maximum(u, np.minimum(u + total, 0.9))
    np.testing.assert_allclose(u + added({"phi": u}, seeds, grid)["phi"], expected, atol=1e-14)
    assert (expected == 0.9).any()
    assert (expected > 0.9).any()


def test_initial_condition_and_seed_add_up():
    seeds = {"seeds": [{"time": 0.0, "centre": [10.0, 10.0]}]}
    plain = seeded(seeds, initial={"phi": {"mean": 0.05, "noise": 0.01}})
    both = initial_fields(pf.load_scenario(plain))["phi"]
    plain.pop("nucleation")
    alone = initial_fields(pf.load_scenario(plain))["phi"]
    expected = np.maximum(alone, np.minimum(alone + profile(box(48, 32), (10.0, 10.0)), 1.0))
    np.testing.assert_allclose(both, expected, atol=1e-14)


# --- runs ---------------------------------------------------------------------------------------------------------


class Times:
    """Step listener: times at the ends of steps, and sizes."""

    def __init__(self, simulation):
        self.ends, self.sizes = [], []
        simulation.step_listeners.append(self)

    def __call__(self, simulation, step):
        self.ends.append(simulation.time)
        self.sizes.append(step.size)


@pytest.mark.parametrize("step", [0.2, {"tolerance": 1e-3}])
@pytest.mark.parametrize("scheme", names("scheme"))
def test_a_step_ends_on_the_time_and_the_state_is_that_before_with_the_seed(simulate, scheme, step):
    time = {"end": 2.0, "step": step, "scheme": scheme}
    simulation, before = (simulate(seeded({"seeds": LATER["seeds"][:n]}, time=time)) for n in (2, 1))
    steps = Times(simulation)
    for s in (simulation, before):
        s.advance(until=1.2)
    simulation.advance(until=1.25)
    before.advance(until=1.25)
    assert simulation.time == 1.25
    assert {0.5, 1.25} <= set(steps.ends)
    old = before.state["phi"]
    assert old.max() > 0.3
    expected = np.maximum(old, np.minimum(old + profile(simulation.grid, (1.0, 14.0), radius=3.0), 1.0))
    np.testing.assert_allclose(simulation.state["phi"], expected, atol=1e-13)
    assert (simulation.nuclei.placed, before.nuclei.placed) == (2, 1)


def test_scheme_and_step_control_start_anew(simulate):
    """The run behind a seed is that of a new simulation which begins with its state."""
    simulation = simulate(seeded({"seeds": LATER["seeds"][:1]}))
    steps = Times(simulation)
    simulation.advance(until=0.5)
    fresh = seeded({"seeds": LATER["seeds"][:1]})
    fresh.pop("nucleation")
    other = simulate(fresh)
    other.set_state(simulation.state)
    assert simulation.control.size == pytest.approx(other.control.size, rel=1e-9)
    assert simulation.control.size < 0.5 * steps.sizes[-2]
    np.testing.assert_allclose(simulation.stabilisation.values, other.stabilisation.values, rtol=1e-9)
    simulation.advance(until=0.9)
    other.advance(until=0.4)
    np.testing.assert_allclose(simulation.state["phi"], other.state["phi"], atol=1e-11)


def test_seeds_at_rounding_of_an_output_time_are_placed_once(simulate):
    """7 · 0.1 and 0.7 are one moment."""
    simulation = simulate(seeded({"seeds": [{"time": 0.1 * 7, "centre": [5.0, 5.0]}]}, time={"end": 1.0, "step": 0.1}))
    simulation.advance(until=0.7)
    assert simulation.nuclei.placed == 1
    steps = simulation.counters.steps
    simulation.advance(until=0.8)
    assert (simulation.nuclei.placed, simulation.counters.steps) == (1, steps + 1)


def test_same_bits_on_any_number_of_threads(simulate, monkeypatch):
    monkeypatch.setattr("phasefield.spectral.sweep.SERIAL_CELLS", 0)
    monkeypatch.setattr("phasefield.spectral.sweep.cache_block_bytes", lambda: 2048)
    data = seeded({"random": {"count": 6, "from": 0.0, "to": 2.0}})
    states = []
    for threads in (1, 2, 3):
        simulation = simulate(data, threads=threads)
        assert simulation.sweep.threads == threads
        simulation.advance()
        assert simulation.nuclei.placed == 6
        states.append(simulation.stepper.state_hat.tobytes())
    assert states[0] == states[1] == states[2]


def test_single_precision(simulate):
    states = {}
    for precision in ("double", "single"):
        simulation = simulate(seeded(LATER, precision=precision, time={"end": 2.0, "step": 0.05}))
        simulation.advance()
        states[precision] = simulation.state["phi"]
    assert states["single"].dtype == np.float32
    assert 1e-9 < np.abs(states["single"] - states["double"]).max() < 1e-4


def test_reference_mobility_follows_a_seed(simulate):
    """M(c) = 0.001 + c² is small before the seed: a step with that M₀ would overshoot. The mean may change because a source
    drives c."""
    seed = {"time": 0.5, "centre": [16.0, 16.0]}
    simulation = simulate(
        {
            "model": {"name": "cahn_hilliard", "mobility": "0.001 + c**2"},
            "grid": {axis: {"cells": 32, "length": 32.0} for axis in "xy"},
            "initial": {"c": {"mean": 0.0, "noise": 0.01}},
            "source": {"c": "1e-6*sin(2*pi*x/Lx)"},
            "nucleation": {"c": {"radius": 4.0, "interface_width": 2.0, "largest": 0.9, "seeds": [seed]}},
            "time": {"end": 1.0, "step": 0.5},
        }
    )
    simulation.advance(until=0.5)
    assert simulation.state["c"].max() > 0.8
    largest = simulation.model.variable_mobility.largest(*simulation.stepper.ranges[0])
    assert simulation.stepper.reference_mobility >= largest / 1.05 > 0.5
    simulation.advance()
    assert simulation.state["c"].max() < 1.0


def test_fields_without_a_seed_keep_their_bits(simulate):
    """Two variants of martensite; the seed is of the second."""
    strains = [[[1.0, 0.0], [0.0, -1.0]], [[-1.0, 0.0], [0.0, 1.0]]]
    data = {
        "model": {
            "name": "martensite",
            "gradient_energy": 2.0,
            "landau": {"name": "landau_246", "a": {"tau": 0.8}, "b": 1.0, "c": 1.0},
            "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
            "transformation": {"strains": strains, "scale": 0.1},
        },
        "grid": {"x": {"cells": 24, "length": 24.0}, "y": {"cells": 16, "length": 16.0}},
        "initial": {f"eta_{i}": {"mean": 0.1, "noise": 0.02} for i in (1, 2)},
        "nucleation": {
            "eta_2": {"radius": 3.0, "interface_width": 2.0, "seeds": [{"time": 0.4, "centre": [3.0, 3.0]}]}
        },
        "time": {"end": 1.0, "step": 0.1},
    }
    simulation = simulate(data)
    kept = []
    place = simulation._nucleate

    def watched():
        before = simulation.stepper.state_hat.copy()
        placed = simulation.nuclei.placed
        place()
        if simulation.nuclei.placed > placed:
            kept.append((before, simulation.stepper.state_hat.copy()))

    simulation._nucleate = watched
    simulation.advance()
    ((before, after),) = kept
    assert before[0].tobytes() == after[0].tobytes()
    assert before[1].tobytes() != after[1].tobytes()


@pytest.mark.parametrize("moment", [0.3, 0.5, 0.8])
@pytest.mark.parametrize("scheme", ["sbdf2", "etdrk2"])
def test_checkpoint_continues_bit_for_bit_and_places_no_seed_twice(simulate, scheme, moment):
    data = seeded(LATER, time={"end": 2.0, "step": {"tolerance": 1e-3}, "scheme": scheme})
    simulation, other = simulate(data), simulate(data)
    simulation.advance(until=moment)
    arrays, meta = simulation.checkpoint()
    kept = {name: a.copy() for name, a in arrays.items()}
    simulation.advance()
    other.restore(kept, meta)
    other.advance()
    assert other.stepper.state_hat.tobytes() == simulation.stepper.state_hat.tobytes()
    assert other.counters.steps == simulation.counters.steps
    assert other.nuclei.state() == simulation.nuclei.state() == {**simulation.nuclei.state(), "placed": 2}


@pytest.mark.parametrize(("radius", "grows"), [(4.5, False), (5.5, True)])
def test_only_seeds_above_the_critical_radius_grow(simulate, radius, grows):
    """r* = 1/(3√2)/Δf = 5 (PFHub benchmark 8a); the seed appears during the run."""
    box = {"x": {"cells": 64, "length": 40.0}, "y": {"cells": 64, "length": 40.0}}
    seeds = {"radius": radius, "seeds": [{"time": 1.0, "centre": [20.0, 20.0]}]}
    data = seeded(seeds, driving_force=2.0**0.5 / 30.0, grid=box, time={"end": 101.0})
    simulation = simulate(data)
    simulation.advance(until=1.0)
    before = simulation.stepper.mean(0)
    assert before == pytest.approx(np.pi * radius**2 / 1600.0, rel=0.1)
    simulation.advance()
    after = simulation.stepper.mean(0)
    assert after > 1.5 * before if grows else after < 0.3 * before


# --- bookkeeping --------------------------------------------------------------------------------------------------


def by_name(verdict):
    return {c.name: c for c in verdict.checks}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    seeds = {**LATER, "random": {"count": 5, "from": 0.0, "to": 1.9}}
    output = {"history": {"every": 0.05}, "fields": {"every": 0.25, "precision": "double"}}
    # Seeds below the critical radius, which cost energy.
    return pf.run(seeded(seeds, output=output, driving_force=0.1), output=tmp_path_factory.mktemp("nucleation") / "run")


def test_history_tells_seeds_and_their_energy(run):
    history = run.history
    times, seeds = history["time"].values, history["seeds"].values
    nuclei = pf.load_scenario(run.scenario).nuclei
    assert list(seeds) == [sum(n.time <= t * (1.0 + 1e-12) for n in nuclei) for t in times]
    energy, put_in = history["energy"].values, history["energy_added"].values
    # The energy itself grows where a seed appears; less what seeds put in, it only falls.
    assert np.diff(energy).max() > 1.0
    assert np.diff(energy - put_in).max() <= 0.0
    np.testing.assert_allclose(energy - put_in + history["dissipation"].values, energy[0], atol=1e-11)
    assert set(np.nonzero(np.diff(put_in))[0]) == set(np.nonzero(np.diff(seeds))[0])


def test_verdict_knows_about_seeds(run):
    verdict = pf.verify(run)
    checks = by_name(verdict)
    assert verdict.passed, str(verdict)
    for name in ("energy decay", "dissipation", "energy balance", "energy of the frames"):
        assert checks[name].status == PASS
    assert checks["energy balance"].error < 1e-13
    assert "they fall" in checks["energy of the frames"].detail


def test_a_wrong_account_is_found(run, tmp_path):
    folder = tmp_path / "spoilt"
    shutil.copytree(run.folder, folder)
    with h5py.File(folder / "fields.vtkhdf", "r+") as file:
        # As if the last seed had put in a little less.
        column = file["history/energy_added"]
        column[...] = column[:] - 1e-3 * (file["history/seeds"][:] == 7)
    checks = by_name(pf.verify(str(folder)))
    assert checks["energy balance"].status == FAIL


def test_resolved_scenario_reproduces_the_run(run, tmp_path):
    again = pf.run(run.folder / "scenario.yaml", output=tmp_path / "again")
    assert np.array_equal(again.frame("phi"), run.frame("phi"))


def test_a_scenario_without_seeds_has_no_columns_of_theirs(tmp_path):
    data = seeded(LATER, initial={"phi": {"mean": 0.5, "noise": 0.1}}, time={"end": 0.2})
    data.pop("nucleation")
    assert not {"seeds", "energy_added"} & set(pf.run(data, output=tmp_path / "run").history.variables)


def test_linear_regime_ends_before_the_first_seed(tmp_path):
    """Fluctuations about φ = 0 between the wells ±1, growing as theory says until a seed appears at a sampling time."""
    data = {
        "model": {"name": "allen_cahn", "mobility": 0.5, "gradient_energy": 1.3},
        "grid": {"x": {"cells": 96, "length": 120.0}, "y": {"cells": 96, "length": 100.0}},
        "initial": {"phi": {"mean": 0.0, "noise": 1e-3}},
        "nucleation": {
            "phi": {
                "radius": 6.0,
                "interface_width": 2.0,
                "amplitude": 2.0,
                "seeds": [{"time": 8.0, "centre": [60.0, 50.0]}],
            }
        },
        "time": {"end": 12.0, "step": {"tolerance": 1e-4}},
    }
    run = pf.run(data, output=tmp_path / "run")
    verdict = pf.verify(run)
    assert run.growth["time"].values.max() == 7.5
    assert verdict.passed, str(verdict)
    assert by_name(verdict)["cut-off wavelength"].status == PASS


def test_holds_place_no_seed():
    """Quasi-static holds have no time; seeds at t = 0 are in the state they begin with."""
    seeds = {"seeds": [{"time": 0.0, "centre": [10.0, 10.0]}, {"time": 0.5, "centre": [25.0, 10.0]}]}
    body = QuasiStatic(seeded(seeds), rest=1e-4)
    np.testing.assert_allclose(body.state["phi"], profile(box(48, 32), (10.0, 10.0)), atol=1e-15)
    assert not body.scenario.nuclei
    body.hold()


# --- mistakes -----------------------------------------------------------------------------------------------------


def test_noise_wants_seeds_at_multiples_of_the_step():
    noisy = {
        "model": {
            "name": "martensite",
            "gradient_energy": 2.0,
            "thermal_energy": 0.01,
            "landau": {"name": "landau_246", "a": {"tau": 1.05}, "b": 1.0, "c": 1.0},
            "stiffness": {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}},
            "transformation": {"strains": [[[1.0, 0.0], [0.0, -1.0]]]},
        },
        "initial": {"eta": 0.0},
        "time": {"end": 2.0, "step": 0.1, "scheme": "imex1"},
        "verify": False,
    }

    def seeds(**given):
        return {**seeded({}, **noisy), "nucleation": {"eta": {**SHAPE, **given}}}

    pf.load_scenario(seeds(seeds=[{"time": 0.5, "centre": [1.0, 1.0]}]))
    with pytest.raises(pf.InputError, match=r"nucleation\.eta\.seeds\.0\.time: with noise all times are multiples"):
        pf.load_scenario(seeds(seeds=[{"time": 0.55, "centre": [1.0, 1.0]}]))
    with pytest.raises(pf.InputError, match=r"nucleation\.eta\.random: with noise all random seeds need one time"):
        pf.load_scenario(seeds(random={"count": 2, "from": 0.0, "to": 1.0}))


def test_from_python_a_state_of_ones_own_has_no_seeds_in_it(simulate):
    """`set_state` replaces the initial condition, seeds at t = 0 included; later ones come."""
    seeds = {"seeds": [{"time": 0.0, "centre": [10.0, 10.0]}, {"time": 0.5, "centre": [25.0, 10.0]}]}
    simulation: Simulation = simulate(seeded(seeds))
    simulation.set_state({"phi": np.zeros(simulation.grid.shape)})
    simulation.advance(until=0.4)
    assert np.abs(simulation.state["phi"]).max() < 1e-14
    simulation.advance(until=0.5)
    np.testing.assert_allclose(simulation.state["phi"], profile(simulation.grid, (25.0, 10.0)), atol=1e-14)


def test_seed_between_fixed_faces(simulate):
    """Only the change is transformed: the values given at the faces stay what they are."""
    axis = {"cells": 40, "length": 40.0}
    box = {"x": {**axis, "boundary": "no_flux"}, "y": {**axis, "boundary": "fixed", "values": {"phi": [0.2, 0.4]}}}
    seed = {"time": 0.5, "centre": [39.0, 20.0]}
    simulation = simulate(
        {
            "model": {"name": "allen_cahn", "free_energy": "0.0*phi"},
            "grid": box,
            "initial": {"phi": "0.2 + 0.2*y/Ly"},
            "nucleation": {"phi": {"radius": 5.0, "interface_width": 1.5, "largest": 2.0, "seeds": [seed]}},
            "time": {"end": 1.0, "step": 0.5},
        }
    )
    linear = simulation.state["phi"]
    simulation.advance(until=0.5)
    c = simulation.grid.coordinates()
    r = np.hypot(c["x"] - 39.0, c["y"] - 20.0)
    np.testing.assert_allclose(simulation.state["phi"] - linear, 0.5 * (1.0 - np.tanh((r - 5.0) / 1.5)), atol=1e-12)
