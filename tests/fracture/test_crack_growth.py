"""Runs of cracking bodies through `Simulation`, against closed forms and conditions that every run satisfies."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from crack_scenarios import GC, LAME, NU, SHEAR, E, cell, plate

from phasefield.errors import NumericalError

ELL = 4.0
SPLITS = ("none", "volumetric_deviatoric", "star_convex", "spectral", "hybrid")


def rows(simulation, **options: Any) -> dict[str, np.ndarray]:
    """The history of a run, a row per step."""
    found = [simulation.history_row()]
    simulation.advance(on_step=lambda s: found.append(s.history_row()), **options)
    return {name: np.array([row[name] for row in found]) for name in found[0]}


def closed_form(dissipation: str, modulus: float, strain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """φ(ε) and σ(ε) of a body that is damaged everywhere alike, η = 1e-9."""
    H = (1.0 - 1e-9) * 0.5 * modulus * strain**2
    if dissipation == "AT2":
        phi = 2.0 * H / (GC / ELL + 2.0 * H)
    else:
        phi = np.maximum(0.0, 1.0 - 3.0 * GC / (16.0 * ELL * np.maximum(H, 1e-300)))
    return phi, ((1.0 - 1e-9) * (1.0 - phi) ** 2 + 1e-9) * modulus * strain


AXIAL = LAME + 2.0 * SHEAR


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("d", [2, 3])
def test_homogeneous_bar(simulate, d, dissipation, split):
    """Damage and stress to 1e-8, up to three times the strain of the strength and back."""
    data = cell((6, 6, 4)[:d], dissipation=dissipation, split=split, load=[[0, 0], [1, 0.04], [1.5, 0.02]])
    data["time"] = {"end": 1.5, "step": 0.125}
    if split == "none":
        # Sides free: E/(1 − ν²) in plane strain, E in space.
        free = ["xx"] if d == 2 else ["xx", "zz", "yz", "xz", "xy"]
        data["model"]["mean"] = {
            "strain": {"yy": 1.0, "xy": 0.0} if d == 2 else {"yy": 1.0},
            "stress": dict.fromkeys(free, 0.0),
        }
    modulus = AXIAL if split != "none" else E / (1.0 - NU**2) if d == 2 else E
    found = rows(simulate(data))
    strain = found["mean_strain_yy"]
    np.testing.assert_allclose(strain, found["load"], rtol=1e-12)
    phi, stress = closed_form(dissipation, modulus, np.maximum.accumulate(strain))
    assert phi[-1] > 0.8
    np.testing.assert_allclose(found["max_phi"], phi, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found["min_phi"], phi, rtol=0, atol=1e-8)
    # On the way back the damage stays: a straight line to 0.
    stress = stress * strain / np.maximum(np.maximum.accumulate(strain), 1e-300)
    np.testing.assert_allclose(found["mean_stress_yy"], stress, rtol=0, atol=1e-8 * stress.max())
    volume = float(np.prod((6, 6, 4)[:d]))
    np.testing.assert_allclose(found["energy_elastic"], 0.5 * volume * stress * strain, rtol=0, atol=1e-7)
    np.testing.assert_allclose(found["force"], volume * stress, rtol=0, atol=1e-7 * volume * stress.max())


@pytest.mark.parametrize(
    ("split", "d", "damaged"),
    [
        ("none", 2, True),
        ("none", 3, True),
        ("spectral", 2, False),
        ("spectral", 3, False),
        # ε_zz = 0 makes pressure in the plane a change of shape.
        ("volumetric_deviatoric", 2, True),
        ("volumetric_deviatoric", 3, False),
        ("star_convex", 3, False),
        ("hybrid", 3, False),
    ],
)
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_pressure_from_all_sides(simulate, dissipation, split, d, damaged):
    axes = ("xx", "yy", "zz")[:d]
    others = ("xy",) if d == 2 else ("yz", "xz", "xy")
    strain = {**dict.fromkeys(axes, -1.0), **dict.fromkeys(others, 0.0)}
    data = cell((6, 6, 4)[:d], dissipation=dissipation, split=split, mean={"strain": strain}, load=[[0, 0], [1, 0.05]])
    simulation = simulate(data)
    simulation.advance()
    assert (simulation.phi.max() > 0.1) == damaged
    assert damaged or np.all(simulation.phi == 0.0)


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_load_by_mean_stress(simulate, dissipation):
    """Up to 95 % of the strength the strain follows the same curve; beyond, nothing holds it."""
    modulus = E / (1.0 - NU**2)
    strength = (
        np.sqrt(3 * modulus * GC / (8 * ELL)) if dissipation == "AT1" else 9 / 16 * np.sqrt(modulus * GC / (3 * ELL))
    )
    data = cell(dissipation=dissipation, mean={"stress": {"yy": float(strength)}}, load=[[0, 0], [1, 0.95]])
    data["model"]["minimisation"] = {"tolerance": 1e-7}
    found = rows(simulate(data))
    np.testing.assert_allclose(found["mean_stress_yy"], strength * found["load"], rtol=1e-6)
    phi, stress = closed_form(dissipation, modulus, found["mean_strain_yy"])
    np.testing.assert_allclose(found["max_phi"], phi, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found["mean_stress_yy"], stress, rtol=0, atol=1e-4 * strength)
    assert np.all(found["force"] == 0.0)
    np.testing.assert_allclose(found["deflection"], 64 * strength * found["mean_strain_yy"], rtol=1e-9)
    assert (phi[-1] > 0.1) == (dissipation == "AT2")


def test_load_by_traction(simulate):
    """Between sliding sides: uniaxial strain, the curve of λ + 2μ."""
    strength = 9 / 16 * np.sqrt(AXIAL * GC / (3 * ELL))
    faces = {
        "x": "sliding",
        "y": {"low": "sliding", "high": {"displacement": {"x": 0.0}, "traction": {"y": float(strength)}}},
    }
    data = plate((8, 8), 0.0, dissipation="AT2", length=ELL, faces=faces, load=[[0, 0], [1, 0.95]])
    data["model"]["minimisation"] = {"tolerance": 1e-7}
    found = rows(simulate(data))
    strain = found["deflection"] / (strength * 8 * 8)
    phi, stress = closed_form("AT2", AXIAL, strain)
    np.testing.assert_allclose(found["max_phi"], phi, rtol=0, atol=1e-5)
    np.testing.assert_allclose(stress, strength * found["load"], rtol=0, atol=1e-4 * strength)
    np.testing.assert_allclose(found["reaction_y_low_y"], -8 * strength * found["load"], rtol=0, atol=1e-6 * strength)
    assert 0.05 < phi[-1] < 0.25


def test_a_strength_that_is_exceeded_breaks_the_body(simulate):
    """Dead load beyond the strength: what is left carries it on its residual stiffness."""
    strength = np.sqrt(3 * E / (1.0 - NU**2) * GC / (8 * ELL))
    data = cell(mean={"stress": {"yy": float(strength)}}, load=[[0, 0], [1, 1.05]], residual_stiffness=1e-3)
    simulation = simulate(data)
    simulation.advance()
    assert simulation.phi.min() > 0.9
    assert simulation.counters.jumps >= 1


def test_forces_beyond_the_strength_of_a_body_are_said(simulate):
    """Torn in two by tractions, with hardly any stiffness left: the run ends with the state before, and says why."""
    faces = {"y": {"low": "clamped", "high": {"traction": {"y": 10.0}}}}
    simulation = simulate(plate(load=[[0, 0], [1, 0.5]], faces=faces))
    with pytest.raises(NumericalError, match="a body that breaks cannot carry given forces: prescribe displacements"):
        simulation.advance()
    assert 0.3 <= simulation.time < 1.0
    assert simulation.phi[:, -1].max() < 0.9
    assert simulation.history_row()["load"] == pytest.approx(0.5 * simulation.time)


def test_what_cannot_dissipate_is_not_blamed_on_the_forces(simulate):
    """A body that is broken everywhere, under tractions and a given dissipation."""
    faces = {"y": {"low": "clamped", "high": {"traction": {"y": 10.0}}}}
    data = plate(crack=0.0, faces=faces, load=[{"until": 1.0, "dissipation": 1.0}], section={"initial": {"phi": 1.0}})
    with pytest.raises(NumericalError, match="the body may be in two, with nothing left to break") as found:
        simulate(data).advance()
    assert "prescribe displacements" not in str(found.value)


def test_equal_steps_stay_equal(simulate):
    """The last step before a corner is longer than the others by rounding, and yet one step."""
    found = rows(simulate(plate(load=[[0, 0], [1, 0.01], [2, 0.0]], section={"time": {"end": 2.0, "step": 0.1}})))
    assert found["time"].size == 21
    np.testing.assert_allclose(found["step_size"][1:], 0.1, rtol=1e-12)


def test_work_of_a_step_through_zero(simulate):
    """A closed crack is stiffer than an open one: work is a trapezium on either side."""
    data = plate(split="spectral", load=[{"until": 1.0, "factor": 0.005}, {"until": 2.0, "factor": -0.006}])
    data["time"] = {"end": 2.0, "step": 0.25}
    found = rows(simulate(data))
    across = np.flatnonzero(found["load"][1:] * found["load"][:-1] < 0.0)
    assert across.size == 1
    before, after = int(across[0]), int(across[0]) + 1
    work = 0.5 * (found["force"] * found["load"])
    stiffness = found["force"] / np.where(found["load"] == 0.0, 1.0, found["load"])
    assert stiffness[after] > 1.2 * stiffness[before]
    assert found["work"][after] - found["work"][before] == pytest.approx(work[after] - work[before], rel=1e-12)
    energy = found["energy_elastic"] + found["dissipated"]
    np.testing.assert_allclose(found["work"], energy, rtol=0, atol=1e-5 * energy.max())


def test_cyclic_loads(simulate):
    """Unloading leaves φ as it is and follows the straight line of a softer body; the second loading goes on where it stopped."""
    load = [[0, 0], [1, 0.12], [2, 0.0], [3, 0.12], [4, 0.14]]
    data = plate(
        load=load, dissipation="AT1", minimisation={"tolerance": 1e-7}, section={"time": {"end": 4.0, "step": 0.05}}
    )
    simulation = simulate(data)
    seen: dict[float, np.ndarray] = {}
    found = [simulation.history_row()]

    def on_step(s):
        found.append(s.history_row())
        seen[round(s.time, 9)] = s.phi

    simulation.advance(on_step=on_step)
    h = {name: np.array([row[name] for row in found]) for name in found[0]}
    first = float(h["force"][1] / h["load"][1])
    softer = float(h["force"][h["time"] == 1.0][0] / 0.12)
    assert softer < 0.99 * first
    back = (h["time"] > 1.0) & (h["time"] < 3.0)
    np.testing.assert_allclose(h["force"][back], softer * h["load"][back], rtol=0, atol=1e-5 * softer * 0.12)
    for time in (1.5, 2.0, 2.5, 3.0):
        np.testing.assert_allclose(seen[time], seen[1.0], rtol=0, atol=1e-5)
    assert np.abs(seen[4.0] - seen[1.0]).max() > 0.01
    assert np.all(np.diff(h["dissipated"]) > -1e-9)
    # Work = elastic energy + dissipated energy, at every row, to the trapezia of 20 steps per branch.
    assert np.all(np.abs(h["released"]) < 2e-3 * h["work"].max())
    at_zero = h["time"] == 2.0
    assert h["energy_elastic"][at_zero][0] < 1e-12
    assert np.isclose(h["work"][at_zero][0], h["dissipated"][at_zero][0], rtol=0.02)
    assert h["healing"][-1] == 0.0
    assert h["jumps"][-1] == 0.0


def test_loads_of_both_signs(simulate):
    """A crack that is pulled, closed and pressed: with `spectral` stiff again under pressure, the load passes 0 on a step."""
    data = plate((16, 16), 1.1, split="spectral", dissipation="AT2", load=[[0, 0], [1, 0.02], [3, -0.02]])
    data["time"] = {"end": 3.0, "step": 0.3}
    found = rows(simulate(data))
    assert 0.0 in found["load"][1:]
    pulled, pressed = found["load"] > 0.01, found["load"] < -0.01
    # A crack through the whole body: nothing under tension, almost all of λ + 2μ under pressure.
    assert np.all(found["force"][pulled] < 1e-2 * AXIAL * found["load"][pulled])
    assert np.all(found["force"][pressed] < 0.5 * AXIAL * found["load"][pressed])
    # Energies of tension and pressure both count: W = E + D.
    assert np.all(np.abs(found["released"]) < 0.02 * found["work"].max())


RULES = ("bounds", "history", "crack_set", "penalty", "reversible")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_irreversibility_of_a_bar(simulate, rule, dissipation):
    """Loaded and unloaded everywhere alike: damage stays, or follows the strain back."""
    data = cell(dissipation=dissipation, irreversibility=rule, load=[[0, 0], [1, 0.03], [2, 0.0]])
    data["time"]["end"] = 2.0
    simulation = simulate(data)
    simulation.advance(until=1.0)
    expected, _ = closed_form(dissipation, AXIAL, np.array(0.03))
    np.testing.assert_allclose(simulation.phi, expected, rtol=0, atol=1e-7)
    simulation.advance()
    left = {"bounds": expected, "history": expected, "crack_set": 0.0, "reversible": 0.0}
    if rule == "penalty":
        # To its tolerance of 1 %.
        np.testing.assert_allclose(simulation.phi, expected, rtol=0.02)
    else:
        np.testing.assert_allclose(simulation.phi, left[rule], rtol=0, atol=1e-6)
    assert (simulation.counters.healing > 0.1) == (rule in ("crack_set", "reversible"))


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_an_initial_crack_stays_unless_cracks_heal(simulate, rule, dissipation):
    data = plate(irreversibility=rule, dissipation=dissipation, load=[[0, 0], [1, 0.05]])
    simulation = simulate(data)
    simulation.advance()
    crack = simulation.phi[8, :6]
    assert np.all(crack > 0.97) == (rule != "reversible")


@pytest.mark.parametrize("name", ["none", "over_relaxation", "anderson"])
def test_a_body_without_potential_breaks_in_few_passes(simulate, name):
    """Just beyond the last load it bears, accelerations hover where its equilibrium was."""
    slit = {"initial": {"phi": {"shapes": [{"slit": {"from": [3.0, 8.5], "to": [11.0, 8.5]}}]}}}
    mean = {"strain": {"yy": 1.0, "xy": 0.0}, "stress": {"xx": 0.0}}
    data = cell(
        (16, 16), irreversibility="history", mean=mean, length=2.0, load=[[0, 0.0093], [1, 0.0096]], section=slit
    )
    data["model"]["minimisation"] = {"acceleration": name, "most_passes": 300}
    data["time"]["step"] = 1.0
    simulation = simulate(data)
    assert simulation.phi[8, -1] < 0.3
    simulation.advance()
    assert simulation.phi[8, -1] > 0.9


def test_a_history_knows_the_load_of_the_start(simulate):
    simulation = simulate(cell(irreversibility="history", load=[[0, 0.03], [1, 0.0]]))
    expected, _ = closed_form("AT1", AXIAL, np.array(0.03))
    simulation.advance()
    np.testing.assert_allclose(simulation.phi, expected, rtol=0, atol=1e-7)


def test_a_history_that_begins_with_damage_everywhere_keeps_it(simulate):
    """φ = 0.4 of the start is in equilibrium with the history made of it, and grows when ψ⁺ exceeds that."""
    for dissipation in ("AT1", "AT2"):
        data = cell(irreversibility="history", dissipation=dissipation, load=[[0, 0], [1, 0.04]])
        data["initial"] = {"phi": 0.4}
        found = rows(simulate(data))
        phi, _ = closed_form(dissipation, AXIAL, found["mean_strain_yy"])
        np.testing.assert_allclose(found["max_phi"], np.maximum(phi, 0.4), rtol=0, atol=1e-6)


@pytest.mark.parametrize("step", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize(("dissipation", "split"), [("AT1", "none"), ("AT2", "spectral")])
def test_viscous_damage_loses_energy_at_any_step(simulate, dissipation, split, step):
    """The load jumps before the first row and is held: E only falls, whatever the step."""
    data = plate(dissipation=dissipation, split=split, viscosity=1.0, load=0.3)
    data["time"] = {"end": 30.0 * step, "step": step}
    simulation = simulate(data)
    found = rows(simulation)
    assert np.all(np.diff(found["energy"]) < 1e-9 * found["energy"][0])
    assert found["energy"][-1] < found["energy"][0]
    assert np.all(found["work"] == 0.0)
    assert np.all(found["passes"][1:] == np.arange(1, 31))
    # A load that stands still from the start gives its damage no time before it.
    assert found["max_phi"][0] == 1.0
    assert found["dissipated"][0] == 0.0


def test_viscous_damage_comes_to_rest_in_equilibrium(simulate):
    load = [[0, 0], [1, 0.12]]
    data = plate(load=load, minimisation={"tolerance": 1e-8}, section={"time": {"end": 400.0, "step": 2.0}})
    rest = simulate(copy.deepcopy(data))
    rest.advance(until=1.0)
    data["model"]["viscosity"] = 0.2
    slow = simulate(data)
    slow.advance(until=4.0)
    early = np.abs(slow.phi - rest.phi).max()
    slow.advance()
    late = np.abs(slow.phi - rest.phi).max()
    assert early > 1e-3
    # The crack itself was given at once and relaxes around itself.
    assert late < 1e-4


def test_viscous_homogeneous_damage_follows_its_equation(simulate):
    """τφ̇ = 2H(1 − φ) − c₂φ under a load held from the start: φ = φ_∞ (1 − (1 + Δt (c₂ + 2H)/τ)^−n), step by step."""
    tau, step, strain = 2.0, 0.5, 0.02
    data = cell(dissipation="AT2", viscosity=tau, load=strain, section={"time": {"end": 5.0, "step": step}})
    found = rows(simulate(data))
    H = (1.0 - 1e-9) * 0.5 * AXIAL * strain**2
    rate = GC / ELL + 2.0 * H
    n = np.arange(found["time"].size)
    expected = 2.0 * H / rate * (1.0 - (1.0 + step * rate / tau) ** (-n.astype(float)))
    np.testing.assert_allclose(found["max_phi"], expected, rtol=0, atol=1e-6)


def test_plane_stress_bar(simulate):
    data = cell(
        plane="stress", mean={"strain": {"yy": 1.0, "xy": 0.0}, "stress": {"xx": 0.0}}, load=[[0, 0], [1, 0.03]]
    )
    found = rows(simulate(data))
    phi, stress = closed_form("AT1", E, found["mean_strain_yy"])
    np.testing.assert_allclose(found["max_phi"], phi, rtol=0, atol=1e-8)
    np.testing.assert_allclose(found["mean_stress_yy"], stress, rtol=0, atol=1e-8 * stress.max())


@pytest.mark.parametrize("split", ["none", "spectral"])
def test_voids(simulate, split):
    """An empty notch: no damage in it, less force than without, and cracks start at it."""
    notch = {"name": "notch", "shapes": [{"slit": {"from": [-0.5, 8.5], "to": [6.0, 8.5]}}], "void": True}
    data = plate(crack=0.0, split=split, load=[[0, 0], [1, 0.15]])
    whole = simulate(copy.deepcopy(data))
    data["model"]["regions"] = [notch]
    notched = simulate(data)
    for simulation in (whole, notched):
        simulation.advance()
    empty = ~notched.problem.cracks.solid
    assert empty.sum() == 6
    assert np.all(notched.phi[empty] == 0.0)
    assert notched.force < 0.8 * whole.force
    row, column = np.unravel_index(notched.phi.argmax(), notched.phi.shape)
    assert row in (7, 8, 9)
    assert 5 <= column <= 7
    fields = notched.derived(notched.model.derived_names())
    for name, values in fields.items():
        assert np.isfinite(values).all(), name
    assert np.all(fields["stress_yy"][empty] == 0.0)
    assert fields["driving_energy"].max() > 0.0


def test_an_initial_crack_in_a_void_is_no_crack(simulate):
    data = plate()
    data["model"]["regions"] = [{"name": "hole", "shapes": [{"box": {"from": [0, 6], "to": [3, 10]}}], "void": True}]
    simulation = simulate(data)
    assert np.all(simulation.phi[6:10, :3] == 0.0)
    assert simulation.phi[8, 4] == 1.0


def test_supports_bend_a_beam(simulate):
    """Three points: two supports below, a punch above. Forces balance, and the crack starts below the punch."""
    supports = [
        {"from": [2.0, 0.0], "to": [2.0, 0.0], "displacement": {"x": 0.0, "y": 0.0}},
        {"from": [23.0, 0.0], "to": [23.0, 0.0], "displacement": {"y": 0.0}},
        {"from": [12.0, 8.0], "to": [13.0, 8.0], "displacement": {"y": -1.0}},
    ]
    data = plate((25, 8), 0.0, faces={}, supports=supports, dissipation="AT2", split="spectral")
    data["model"]["load"] = [[0, 0], [1, 0.4]]
    simulation = simulate(data)
    found = rows(simulation)
    assert abs(found["reaction_held_y"][-1]) < 1e-3 * abs(found["force"][-1])
    assert found["force"][-1] > 0.0
    np.testing.assert_allclose(2.0 * found["energy_elastic"], found["load"] * found["force"], rtol=1e-4, atol=1e-12)
    below = simulation.phi[0]
    assert below.argmax() == 12
    assert below.max() > 0.05
    np.testing.assert_allclose(simulation.phi, simulation.phi[:, ::-1], rtol=0, atol=5e-3)


def test_stop_at_a_share_of_the_force(simulate):
    data = plate(load=[[0, 0], [1, 0.5]], stop={"force": 0.5})
    simulation = simulate(data)
    found = rows(simulation)
    assert simulation.finished
    assert simulation.time < 1.0
    assert simulation.stopped.startswith("the force has fallen to ")
    assert found["force"][-1] < 0.5 * found["force"].max()
    assert np.all(found["force"][1:-1] >= 0.5 * np.maximum.accumulate(found["force"][1:-1]))
    before = simulation.time
    simulation.advance()
    assert simulation.time == before


def test_stop_at_a_length(simulate):
    data = plate(stop={"crack": 8.0}, load=[{"until": 1.0, "dissipation": 8.0}])
    simulation = simulate(data)
    found = rows(simulation)
    assert simulation.stopped.startswith("the cracks have reached ")
    assert found["crack_length"][-1] > 8.0 >= found["crack_length"][-2]


def test_jumps_are_recorded_and_release_energy(simulate):
    """Under displacement the plate breaks at once: what it releases is not negative, and nothing else is released."""
    data = plate(load=[[0, 0], [1, 0.2]], section={"time": {"end": 1.0, "step": 0.02}})
    found = rows(simulate(data))
    assert found["jumps"][-1] >= 1.0
    jump = int(np.argmin(np.diff(found["force"]))) + 1
    assert found["jumps"][jump] == found["jumps"][jump - 1] + 1.0
    scale = found["work"].max()
    released = np.diff(found["released"])
    assert released[jump - 1] > 0.05 * scale
    assert np.all(found["released"] > -2e-3 * scale)
    assert np.all(np.abs(found["released"][: jump - 1]) < 2e-3 * scale)
    assert found["force"][jump] < 0.2 * found["force"][jump - 1]


def test_adaptive_steps(simulate):
    """Steps grow where little happens, are cut where φ changes by more than one half, and a jump is met by the smallest."""
    data = plate(
        load=[[0, 0], [1, 0.2]], section={"time": {"end": 1.0, "step": {"first": 0.05, "min": 0.005, "max": 0.2}}}
    )
    simulation = simulate(data)
    found = rows(simulation)
    sizes = found["step_size"][1:]
    assert sizes[0] == 0.05
    assert sizes.max() <= 0.2 * (1 + 1e-12)
    assert sizes.max() > 0.09
    assert found["rejected_steps"][-1] >= 1
    jump = int(np.argmax(found["jumps"] > 0))
    assert jump > 0
    assert found["step_size"][jump] <= 0.005 * (1 + 1e-9)
    assert found["time"][-1] == 1.0
    np.testing.assert_allclose(np.cumsum(sizes), found["time"][1:], rtol=0, atol=1e-12)


@pytest.mark.parametrize("step", [{}, {"max": 0.005}, {"min": 0.05}, {"min": 0.05, "max": 0.06}])
def test_step_sizes_that_are_not_given_keep_to_those_that_are(simulate, step):
    data = cell(load=[[0, 0], [1, 0.005]], section={"time": {"end": 1.0, "step": step}})
    found = rows(simulate(data))
    sizes = found["step_size"][1:-2]
    assert sizes.max() <= step.get("max", 1.0) * (1 + 1e-9)
    assert sizes.min() >= step.get("min", 0.0) * (1 - 1e-9)


def test_dissipation_phases_follow_what_is_prescribed(simulate):
    load = [{"until": 0.5, "factor": 0.1}, {"until": 1.5, "dissipation": 4.0}, {"until": 2.0, "factor": 0.0}]
    data = plate(load=load, section={"time": {"end": 2.0, "step": 0.1}})
    found = rows(simulate(data))
    time, dissipated = found["time"], found["dissipated"]
    at = int(np.flatnonzero(time == 0.5)[0])
    inside = (time >= 0.5) & (time <= 1.5)
    np.testing.assert_allclose(dissipated[inside] - dissipated[at], 4.0 * (time[inside] - 0.5), rtol=0, atol=1e-4)
    # The first steps are short and double.
    sizes = found["step_size"][at + 1 : at + 5]
    np.testing.assert_allclose(sizes, 0.1 / 64 * 2.0 ** np.arange(4), rtol=1e-9)
    assert found["load"][-1] == 0.0
    last = time >= 1.5
    assert np.ptp(dissipated[last]) < 1e-6
    assert found["jumps"][-1] == 0.0
    assert found["work"][-1] > 0.0


def test_given_dissipation_after_unloading(simulate):
    """The crack goes on from where it was, at the load it had: unloaded in between or not."""
    straight = simulate(plate(load=[{"until": 0.5, "dissipation": 2.0}, {"until": 1.0, "dissipation": 2.0}]))
    data = plate(
        load=[{"until": 0.5, "dissipation": 2.0}, {"until": 0.7, "factor": 0.0}, {"until": 1.2, "dissipation": 2.0}]
    )
    data["time"]["end"] = 1.2
    between = simulate(data)
    between.advance(until=0.7)
    assert between.load == 0.0
    for simulation in (straight, between):
        simulation.advance()
        assert abs(simulation.history_row()["dissipated"] - 4.0) < 4e-4
    assert abs(between.load - straight.load) < 1e-3 * straight.load
    np.testing.assert_allclose(between.phi, straight.phi, rtol=0, atol=0.02)


def test_given_dissipation_keeps_the_sign_of_the_load(simulate):
    data = plate(split="spectral", load=[{"until": 0.3, "factor": -0.05}, {"until": 1.0, "dissipation": 1.0}])
    found = rows(simulate(data))
    assert np.all(found["load"][1:] < 0.0)
    assert abs(found["dissipated"][-1] - 1.0) < 1e-3
    assert found["work"][-1] > 1.0


@pytest.mark.parametrize("split", ["none", "spectral"])
def test_broken_material_may_have_no_stiffness_at_all(simulate, split):
    found = rows(simulate(plate(split=split, residual_stiffness=0.0, load=[[0, 0], [1, 0.25]])))
    assert found["jumps"][-1] == 1.0
    assert found["force"][-1] < 0.05 * found["force"].max()


def test_an_initial_load_is_in_equilibrium_from_the_start(simulate):
    """load: a number. The damage at t = 0 is that of a run that comes there by small steps; its work is not counted."""
    at_once = simulate(plate(load=0.1, minimisation={"tolerance": 1e-7}))
    gradual = simulate(plate(load=[[0, 0], [1, 0.1]], minimisation={"tolerance": 1e-7}))
    gradual.advance()
    np.testing.assert_allclose(at_once.phi, gradual.phi, rtol=0, atol=1e-5)
    assert at_once.load == 0.1
    row = at_once.history_row()
    assert row["work"] == row["released"] == row["dissipated"] == 0.0
    at_once.advance()
    np.testing.assert_allclose(at_once.phi, gradual.phi, rtol=0, atol=1e-5)


def test_mirror_images(simulate):
    """Left and right, and x and y: the same body seen from elsewhere."""
    slit = {"phi": {"shapes": [{"slit": {"from": [-0.5, 8.5], "to": [6.0, 8.5]}}]}}
    common = {"load": [[0, 0], [1, 0.14]], "minimisation": {"tolerance": 1e-8}, "dissipation": "AT2"}
    first = simulate(plate((16, 17), section={"initial": slit}, **common))
    right = {"phi": {"shapes": [{"slit": {"from": [10.0, 8.5], "to": [16.5, 8.5]}}]}}
    second = simulate(plate((16, 17), section={"initial": right}, **common))
    turned = {"phi": {"shapes": [{"slit": {"from": [8.5, -0.5], "to": [8.5, 6.0]}}]}}
    faces = {"x": {"low": "clamped", "high": {"displacement": {"x": 1.0, "y": 0.0}}}}
    third = simulate(plate((17, 16), section={"initial": turned}, faces=faces, **common))
    for simulation in (first, second, third):
        simulation.advance()
    assert first.phi.max() == 1.0
    np.testing.assert_allclose(first.phi[:, ::-1], second.phi, rtol=0, atol=1e-6)
    np.testing.assert_allclose(first.phi.T, third.phi, rtol=0, atol=1e-6)
    # Above and below: pulled by one face or by the other, the strains are the same.
    np.testing.assert_allclose(first.phi, first.phi[::-1], rtol=0, atol=1e-6)


def test_the_order_of_regions_that_do_not_overlap_does_not_matter(simulate):
    regions = [
        {"name": "hard", "shapes": [{"disc": {"centre": [4, 4], "radius": 2.2}}], "young_modulus": 3000.0},
        {
            "name": "tough",
            "shapes": [{"disc": {"centre": [12, 12], "radius": 2.2}}],
            "toughness": 3.0,
            "poisson_ratio": 0.2,
        },
        {"name": "hole", "shapes": [{"disc": {"centre": [12, 4], "radius": 2.2}}], "void": True},
    ]
    found = []
    for order in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        simulation = simulate(plate(load=[[0, 0], [1, 0.1]], regions=[regions[i] for i in order]))
        simulation.advance()
        found.append((simulation.phi, simulation.force))
    for phi, force in found[1:]:
        np.testing.assert_array_equal(phi, found[0][0])
        assert force == found[0][1]


def test_refusal_of_the_gpu():
    import phasefield as pf

    with pytest.raises(pf.InputError, match=r"^scenario: model.name: fracture runs on the CPU only"):
        pf.Simulation.from_scenario(cell(), device="gpu")
