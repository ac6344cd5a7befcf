"""Martensite with nonlinear coupling or several stiffnesses: the implicit model as a limit, energies, loads, closed forms."""

from __future__ import annotations

import math
import tracemalloc
from itertools import pairwise

import fake_cupy
import numpy as np
import pytest
from cuda_on_cpu import needs_compiler

from phasefield.analysis.conditions import steady
from phasefield.analysis.driving_force import DrivingForce
from phasefield.errors import InputError, NumericalError
from phasefield.mechanics.stiffness import mandel_matrix, to_mandel
from phasefield.models.martensite import Martensite
from phasefield.registry import names
from phasefield.scenario import load_scenario
from phasefield.simulation import Simulation
from phasefield.stepping.stepper import Stepper

AUSTENITE = {"cubic": {"C11": 1.0, "C12": 0.6, "C44": 0.2}}
STIFFER = {"cubic": {"C11": 2.0, "C12": 1.1, "C44": 0.5}}
SCHEMES = [n for n in names("scheme") if n in ("imex1", "sbdf2", "etdrk2", "etdrk4")]
# A region of the same stiffness makes no difference, but equilibria are searched for.
SAME_EVERYWHERE = {"region": {"stiffness": AUSTENITE}}
# What is special, by name.
KINDS = {
    "levitas": {"coupling": "levitas"},
    "quadratic": {"coupling": "quadratic"},
    "variants": {"inhomogeneity": {"variants": STIFFER}},
    "all": {
        "coupling": {"name": "levitas", "p": 2.0},
        "inhomogeneity": {"variants": STIFFER, "region": {"stiffness": {"isotropic": {"young": 3.0, "poisson": 0.3}}}},
    },
}


def scenario(kind: dict, cells: tuple[int, ...] = (20, 18), zeta: float = 10.0, **more):
    """Two variants of a square parent."""
    model = {
        "name": "martensite",
        "gradient_energy": 4.0,
        "landau": {"name": "landau_234", "A": -0.5},
        "stiffness": AUSTENITE,
        "transformation": {"generate": {"strain": [1.0, -1.0], "parent": "square"}, "scale": math.sqrt(zeta)},
        "load": more.pop("load", "strain"),
        **kind,
    }
    data = {
        "model": model,
        "grid": {a: {"cells": n, "length": float(n)} for a, n in zip("xyz", cells, strict=False)},
        "initial": {f"eta_{p}": {"mean": 0.1 * p, "noise": 0.2} for p in (1, 2)},
        "time": {"end": 1.0, "scheme": "sbdf2", "step": 0.05},
        "verify": False,
        "seed": 3,
    }
    if "region" in (kind.get("inhomogeneity") or {}):
        disc = {
            "shapes": [{"disc": {"centre": [0.4 * n for n in cells[:2]], "radius": 4.0}}],
            "inside": 1.0,
            "outside": 0.0,
        }
        waves = {"expression": "0.5 + 0.5*cos(2*pi*x/Lx)"}
        data["fixed"] = {"region": {**disc, "interface_width": 2.0} if len(cells) == 2 else waves}
    return data | more


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", [{"inhomogeneity": {"variants": AUSTENITE}}, {"inhomogeneity": SAME_EVERYWHERE}])
def test_one_stiffness_and_linear_coupling_are_the_implicit_model(simulate, scheme, kind):
    """Through ramps, phases and a fixed eigenstrain, to rounding: Λ takes on the implicit side what the force has."""
    load = [
        {"until": 0.4, "strain": {"xx": 0.05}},
        {"until": 0.8, "stress": {"xx": 0.02, "xy": 0.01}},
        {"until": 1.2, "stress": {"xx": 0.02, "xy": 0.03}},
    ]
    more = {"load": load, "stabilisation": 14.0, "time": {"end": 1.1, "scheme": scheme, "step": 0.05}}
    eigenstrain = {"eigenstrain_xx": {"expression": "0.1*cos(2*pi*x/Lx)"}, "eigenstrain_xy": 0.02}
    found = []
    for extra in ({}, kind):
        data = scenario(extra, (15, 13), **more)
        data["fixed"] = {**data.get("fixed", {}), **eigenstrain}
        found.append(simulate(data))
    plain, explicit = found
    assert plain.stepper.force is None
    assert explicit.stepper.force is not None
    offset = explicit.energies.total - plain.energies.total
    for until in (0.25, 0.4, 0.65, 1.1):
        for simulation in found:
            simulation.advance(until=until)
        for name, u in plain.state.items():
            np.testing.assert_allclose(explicit.state[name], u, atol=1e-9)
        assert explicit.energies.gradient == pytest.approx(plain.energies.gradient, rel=1e-9)
        assert explicit.records() == pytest.approx(plain.records(), abs=1e-9)
        assert explicit.dissipation == pytest.approx(plain.dissipation, rel=1e-8)
        if until < 0.4:
            # The energy of the eigenstrain alone, which depends on the control, is left out with one stiffness.
            assert explicit.energies.total - plain.energies.total == pytest.approx(offset, abs=1e-8)


@pytest.mark.parametrize("kind", KINDS)
def test_energies_forces_and_what_can_be_looked_at(simulate, kind):
    """The run against its terms: energies to 1e-12, one small step against the right-hand side, fields that follow from it."""
    simulation = simulate(scenario(KINDS[kind], load={"strain": {"xx": 0.02}, "stress": {"yy": 0.01, "xy": 0.0}}))
    simulation.advance(until=0.5)
    model, grid = simulation.model, simulation.grid
    state = {**simulation.state, **model.frozen_fields(grid, simulation.fixed)}
    terms = model.terms_at(0.5)
    total = sum(t.energy(state, grid) for t in terms)
    assert simulation.energies.total == pytest.approx(total, rel=1e-12)
    derivative = [sum(t.derivative(state, grid).get(n, 0.0) for t in terms) for n in model.fields]
    force = DrivingForce(simulation)()
    np.testing.assert_allclose(force, derivative, atol=2e-6 * np.abs(force).max())
    records = simulation.records()
    assert records["mean_strain_xx"] == pytest.approx(0.02, abs=1e-12)
    assert records["mean_stress_yy"] == pytest.approx(0.01, abs=1e-7)
    derived = simulation.derived(
        ["stress_yy", "strain_xx", "displacement_x", "elastic_energy_density", "potential_eta_1"]
    )
    assert derived["stress_yy"].mean() == pytest.approx(0.01, abs=1e-7)
    assert derived["strain_xx"].mean() == pytest.approx(0.02, abs=1e-9)
    np.testing.assert_allclose(derived["potential_eta_1"], derivative[0], atol=1e-9)
    assert derived["elastic_energy_density"].min() >= 0.0
    assert model.coupling is None
    assert model.explicit


@pytest.mark.parametrize("cells", [(24,), (9, 8, 10)])
@pytest.mark.parametrize("kind", KINDS)
def test_one_and_three_dimensions(simulate, kind, cells):
    simulation = simulate(scenario(KINDS[kind], cells, time={"end": 1.0, "step": {"tolerance": 1e-3}}))
    energies = [simulation.energies.total]
    simulation.advance(on_step=lambda s: energies.append(s.energies.total))
    assert np.diff(energies).max() <= 0.0
    model, grid = simulation.model, simulation.grid
    state = {**simulation.state, **model.frozen_fields(grid, simulation.fixed)}
    assert simulation.energies.total == pytest.approx(sum(t.energy(state, grid) for t in model.terms), rel=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", KINDS)
def test_energy_never_grows(simulate, kind, scheme):
    """Adaptive steps from noise into the wells, and long fixed ones."""
    adaptive = scenario(KINDS[kind], time={"end": 8.0, "scheme": scheme, "step": {"tolerance": 1e-2}})
    fixed = [scenario(KINDS[kind], time={"end": 20 * dt, "scheme": scheme, "step": dt}) for dt in (0.01, 1.0, 100.0)]
    for data in (adaptive, *(fixed if scheme == "imex1" else ())):
        simulation = simulate(data)
        energies = [simulation.energies.total]
        simulation.advance(on_step=lambda s, energies=energies: energies.append(s.energies.total))
        scale = max(np.abs(energies))
        assert np.diff(energies).max() <= 1e-13 * scale
        assert simulation.counters.largest_energy_increase < 1e-13
        assert simulation.counters.rejected_energy <= 0.3 * simulation.counters.steps
        simulation.close()


@pytest.mark.parametrize(("scheme", "order"), [("imex1", 1), ("sbdf2", 2), ("etdrk2", 2), ("etdrk4", 4)])
@pytest.mark.parametrize("kind", ["levitas", "variants"])
def test_orders_of_accuracy(simulate, kind, scheme, order):
    finals = []
    for steps in (20, 40, 80):
        data = scenario(
            KINDS[kind], (15, 12), zeta=2.0, load="stress", time={"end": 0.4, "scheme": scheme, "step": 0.4 / steps}
        )
        data |= {
            "initial": {f"eta_{p}": {"expression": f"0.3 + 0.2*cos(2*pi*x/Lx)*sin(2*pi*{p}*y/Ly)"} for p in (1, 2)}
        }
        simulation = simulate(data | {"stabilisation": 15.0})
        simulation.advance()
        finals.append(np.stack(list(simulation.state.values())))
    coarse, fine = (np.abs(a - b).max() for a, b in pairwise(finals))
    assert math.log2(coarse / fine) == pytest.approx(order, abs=0.35)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", ["levitas", "all"])
def test_a_checkpoint_restores_every_bit_and_looking_changes_none(simulate, kind, scheme):
    data = scenario(KINDS[kind], time={"end": 2.0, "scheme": scheme, "step": {"tolerance": 1e-3}}, load="stress")
    quiet, watched = simulate(data), simulate(data)
    quiet.advance(until=0.6)
    watched.advance(until=0.6, on_step=lambda s: s.state)
    assert quiet.stepper.state_hat.tobytes() == watched.stepper.state_hat.tobytes()
    assert quiet.energies == watched.energies
    arrays, numbers = quiet.stepper.checkpoint()
    again = Stepper(quiet.split, quiet.scheme, simulate(data).sweep, quiet.backend, quiet.fixed)
    again.restore_checkpoint({name: a.copy() for name, a in arrays.items()}, **numbers)
    assert again.energies.total == quiet.energies.total
    for i in range(4):
        for stepper in (quiet.stepper, again):
            stepper.attempt(0.01, np.array([20.0, 20.0]))
            # A rejected step leaves no trace.
            (stepper.restore if i == 1 else stepper.accept)()
        assert again.state_hat.tobytes() == quiet.stepper.state_hat.tobytes()
        assert again.energies == quiet.stepper.energies


def test_threads_do_not_change_bits(simulate):
    data = scenario(KINDS["all"], (280, 260), time={"end": 0.15, "step": 0.05, "scheme": "sbdf2"})
    one, two = (simulate(data, threads=n) for n in (1, 2))
    for simulation in (one, two):
        simulation.advance()
    assert one.stepper.state_hat.tobytes() == two.stepper.state_hat.tobytes()
    assert one.energies == two.energies


@needs_compiler
@pytest.mark.parametrize("kind", ["levitas", "variants"])
def test_the_rest_of_a_step_may_be_on_a_gpu(monkeypatch, simulate, kind):
    data = scenario(KINDS[kind], time={"end": 0.5, "scheme": "sbdf2", "step": 0.05})
    fake_cupy.install(monkeypatch)
    cpu, gpu = simulate(data), Simulation.from_scenario(data, device="gpu")
    for simulation in (cpu, gpu):
        simulation.advance()
    for name, u in cpu.state.items():
        np.testing.assert_allclose(gpu.state[name], u, atol=1e-10)
    assert gpu.energies.total == pytest.approx(cpu.energies.total, rel=1e-11)
    fake_cupy.forget()


@pytest.mark.parametrize("kind", ["levitas", "variants"])
def test_a_step_allocates_no_array(simulate, kind):
    data = scenario(KINDS[kind], (64, 64), time={"end": 9.0, "scheme": "imex1", "step": 0.05}, stabilisation=20.0)
    simulation = simulate(data)
    simulation.advance(until=1.0)
    tracemalloc.start()
    try:
        simulation.advance(until=1.2)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        simulation.advance(until=1.4)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < 64 * 64 * 8


def uniform(kind: dict, stress: dict[str, float], start: float, **more):
    data = scenario(kind, (4, 4), load={"stress": stress}, **more)
    data["initial"] = {"eta_1": start, "eta_2": 0.0}
    return data | {"time": {"end": 40.0, "scheme": "imex1", "step": 0.1}}


@pytest.mark.parametrize("p", [0.0, 3.0, 6.0])
def test_levitas_wells_do_not_move_under_stress(simulate, p):
    """η = 1 and η = 0 stay where they are as long as f″ − σ:ε⁰ h″ > 0; with a linear coupling they move."""
    stress = {"xx": 0.05, "yy": -0.05}
    ends = {}
    for name, coupling in (("linear", "linear"), ("levitas", {"name": "levitas", "p": p})):
        for start in (0.97, 1.02):
            simulation = simulate(
                uniform({"coupling": coupling, "landau": {"name": "landau_234", "A": 0.15}}, stress, start)
            )
            simulation.advance()
            ends[name, start] = simulation.state["eta_1"]
            assert np.ptp(ends[name, start]) < 1e-12
    for start in (0.97, 1.02):
        np.testing.assert_allclose(ends["levitas", start], 1.0, atol=1e-9)
        assert ends["linear", start].mean() > 1.01
    # η = 0 of a polynomial with a barrier high enough for this stress.
    high = {"coupling": {"name": "levitas", "p": 1.0}, "landau": {"name": "landau_234", "A": 8.0}}
    simulation = simulate(uniform(high, stress, 0.02))
    simulation.advance()
    np.testing.assert_allclose(simulation.state["eta_1"], 0.0, atol=1e-9)


@pytest.mark.parametrize("load", ["strain", "stress"])
def test_uniform_body_with_stiffness_of_its_own(simulate, load):
    """δF/δη of a uniform body under a load: σ̄, ε̄ and ½ e:C′(η):e by hand."""
    inhomogeneity = {"variants": STIFFER, "interpolation": "linear"}
    kind = {"coupling": "quadratic", "inhomogeneity": inhomogeneity}
    data = uniform(kind, {}, 0.7)
    data["model"]["load"] = {load: {"xx": 0.3, "xy": -0.1}}
    simulation = simulate(data)
    model = simulation.model
    C0, C1 = (mandel_matrix(C) for C in (model.elastic.body.stiffness, model.elastic.body.variants[0]))
    strain, C = to_mandel(model.strains[0]), C0 + 0.7 * (C1 - C0)
    given = np.zeros(6)
    given[0], given[5] = 0.3, -0.1 * math.sqrt(2.0)
    e = given - 0.49 * strain
    if load == "stress":
        # In the plane stresses are prescribed, across it the strains 0.
        inside, across = [0, 1, 5], [2, 3, 4]
        e[across] = -0.49 * strain[across]
        e[inside] = np.linalg.solve(C[np.ix_(inside, inside)], given[inside] - C[np.ix_(inside, across)] @ e[across])
    expected = -2.0 * 0.7 * strain @ C @ e + 0.5 * e @ (C1 - C0) @ e
    np.testing.assert_allclose(simulation.stepper.force.forces[0], expected, rtol=1e-10)
    work = given @ (e + 0.49 * strain) if load == "stress" else 0.0
    assert simulation.energies.coupling == pytest.approx(16.0 * (0.5 * e @ C @ e - work), rel=1e-11)


def test_stiffer_martensite_relaxes_its_twins(simulate):
    """Fully twinned, compatible variants are free of stress whatever their stiffness: the same energy as with one stiffness."""
    energies = []
    for kind in ({}, {"inhomogeneity": {"variants": STIFFER}}):
        data = scenario(kind, (32, 32), time={"end": 60.0, "scheme": "sbdf2", "step": {"tolerance": 1e-2}})
        wave = "0.5*(1 {} tanh(6*cos(2*pi*(x + y)/Lx)))"
        data["initial"] = {"eta_1": {"expression": wave.format("+")}, "eta_2": {"expression": wave.format("-")}}
        simulation = simulate(data)
        simulation.advance()
        energies.append(simulation.energies)
    assert abs(energies[1].coupling) < 1e-6 * abs(energies[1].total)
    assert energies[1].total == pytest.approx(energies[0].total, rel=1e-4)


def test_stiffness_of_generated_variants():
    """One stiffness is turned with the strain of its variant; crystal orientation turns both."""
    tetragonal = {
        "voigt": [
            [3.0, 1.0, 1.2, 0, 0, 0],
            [1.0, 3.0, 1.2, 0, 0, 0],
            [1.2, 1.2, 4.0, 0, 0, 0],
            [0, 0, 0, 0.9, 0, 0],
            [0, 0, 0, 0, 0.9, 0],
            [0, 0, 0, 0, 0, 0.7],
        ]
    }
    model = scenario({}, (8, 8, 8))["model"]
    model["transformation"] = {"generate": {"strain": [-0.1, -0.1, 0.2], "parent": "cubic"}}
    for orientation in (None, [30.0, 40.0, 10.0]):
        stiffness = AUSTENITE if orientation is None else {**AUSTENITE, "orientation": orientation}
        parameters = {**model, "stiffness": stiffness, "inhomogeneity": {"variants": tetragonal}}
        body = Martensite(Martensite.Params.model_validate(parameters), 3).elastic.body
        for e, C in zip(body.strains, body.variants, strict=True):
            # The stiff direction is that of the large strain.
            axis = np.linalg.eigh(e)[1][:, -1]
            assert np.einsum("i,j,k,l,ijkl", axis, axis, axis, axis, C) == pytest.approx(4.0)
    wrong = {**model, "inhomogeneity": {"variants": {**tetragonal, "orientation": [0.0, 90.0, 0.0]}}}
    with pytest.raises(Exception, match="keep the symmetry"):
        Martensite(Martensite.Params.model_validate(wrong), 3).elastic  # noqa: B018


BAD = [
    ({"coupling": "levitaz"}, "did you mean 'levitas'"),
    ({"coupling": {"name": "quadratic", "p": 1.0}}, "levitas"),
    ({"inhomogeneity": {}}, "needs variants or region"),
    ({"inhomogeneity": {"variants": [AUSTENITE]}}, "one stiffness for each of 2 variants (got 1)"),
    ({"inhomogeneity": {"variants": []}}, "a list with one for each variant"),
    ({"inhomogeneity": {"variants": {"cubic": {"C11": 1.0, "C12": 2.0, "C44": 0.1}}}}, "not positive definite"),
    ({"inhomogeneity": {"variant": STIFFER}}, "variants"),
    ({"inhomogeneity": {"region": {"stiffness": STIFFER}, "interpolation": "linear"}}, "belongs to variants"),
    ({"inhomogeneity": {"region": STIFFER}}, "inhomogeneity.region"),
    (
        {
            "landau": {"name": "landau_246", "a": -1.0, "b": 1.0, "c": 1.0},
            "inhomogeneity": {"variants": STIFFER, "interpolation": "linear"},
        },
        "interpolate otherwise",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_bad_input_is_named(change, message):
    data = scenario({})
    data["model"] |= change
    with pytest.raises(InputError) as caught:
        load_scenario(data)
    assert message in str(caught.value)


def test_a_region_has_to_be_somewhere(simulate):
    data = scenario(KINDS["all"])
    del data["fixed"]
    with pytest.raises(InputError, match=r"fixed\.region: is missing"):
        load_scenario(data)
    with pytest.raises(InputError, match="unknown fixed field 'region'"):
        load_scenario(scenario({}) | {"fixed": {"region": 1.0}})
    with pytest.raises(InputError, match="between 0 and 1"):
        simulate(scenario(KINDS["all"]) | {"fixed": {"region": 2.0}})


def test_no_equilibrium_is_a_numerical_failure(simulate):
    """Order parameters far beyond their wells make the stiffness negative: the initial state is refused, by name."""
    data = scenario(
        {"inhomogeneity": {"variants": {"cubic": {"C11": 0.2, "C12": 0.1, "C44": 0.05}}, "interpolation": "linear"}}
    )
    data["initial"] = {f"eta_{p}": {"mean": 1.0 * (p == 1), "noise": 0.6} for p in (1, 2)}
    with pytest.raises(NumericalError, match="weights of the variants add up to"):
        simulate(data)


def test_loads_that_change_are_noticed():
    still, moving = (load_scenario(scenario(KINDS["levitas"], load=x)).model for x in (
        {"stress": {"xx": 0.1}}, [{"until": 1.0, "stress": {"xx": 0.1}}, {"until": 2.0, "stress": {"xx": 0.1}}]
    ))  # fmt: skip
    assert steady(still, 0.0, 5.0)
    assert not steady(moving, 0.0, 1.0)
    assert steady(moving, 1.0, 5.0)
