"""Loads of bodies that move: waves in closed form, exact balances of energy and momentum, absorbing faces and layers, impacts.

Bodies here do not break: Gc is enormous. Units: ρ = 1, E = 1, ν = 0 (c_d = 1) or λ = μ = 1 (c_d = √3, c_s = 1).
"""

from __future__ import annotations

import numpy as np
import pytest

from phasefield.errors import InputError
from phasefield.mechanics.absorbing import absorb_in_layer
from phasefield.mechanics.body_surface import Surface
from phasefield.mechanics.dynamic_load_sections import DynamicLoad, Layer
from phasefield.mechanics.dynamic_loads import DynamicLoads
from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.splits import make_split
from phasefield.simulation import Simulation
from phasefield.spectral.grid import Axis, Grid

ROUNDING = 1e-12
MATERIALS = {1.0: {"young_modulus": 1.0, "poisson_ratio": 0.0}, 3.0: {"young_modulus": 2.5, "poisson_ratio": 0.25}}


def simulation(cells, length, end, *, periodic=(), modulus=1.0, **model):
    """A body of cells[0] × cells[1]; modulus: λ + 2μ."""
    axes = {
        name: {"cells": n, "length": size, "boundary": "periodic" if name in periodic else "no_flux"}
        for name, n, size in zip("xy", cells, length, strict=True)
    }
    section = {
        "name": "dynamic_fracture",
        "dissipation": "AT1",
        "split": "none",
        "length": 4.0 * max(size / n for n, size in zip(cells, length, strict=True)),
        "toughness": 1e12,
        "density": 1.0,
        **MATERIALS[modulus],
        **model,
    }
    scenario = {"model": section, "grid": axes, "initial": {"phi": 0.0}, "time": {"end": end}, "verify": False}
    return Simulation.from_scenario(scenario, threads=1)


def history(sim, until=None):
    rows = []
    sim.advance(until=until, on_step=lambda s: rows.append(s.history_row()))
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def rod(cells, end, **model):
    """Length 1, uniaxial strain: v is a function of x and t only."""
    h = 1.0 / cells
    return simulation((cells, 4), (1.0, 4 * h), end, faces={"y": "sliding"} | model.pop("faces", {}), **model)


def body_of(cells=(6, 5), length=(6.0, 5.0), periodic=(), void=None):
    grid = Grid(
        tuple(
            Axis(name, n, size, "periodic" if name in periodic else "no_flux")
            for name, n, size in zip("xy", cells, length, strict=True)
        )
    )
    solid = np.ones(grid.shape, bool)
    if void is not None:
        solid[void] = False
    lam = np.where(solid, 1.0, 0.0)
    return MovingBody(grid, make_split("none", lam, lam, 2), 1.0)


def loads_of(body, *loads, faces=None, **more):
    return DynamicLoads(body, faces or {}, [DynamicLoad.model_validate(load) for load in loads], **more)


def part_nodes(part):
    """(x, y) numbers of the nodes of a part."""
    _, rows, columns = part.index
    return set(zip(columns.tolist(), rows.tolist(), strict=True))


# --- waves and balances -----------------------------------------------------------------------------------------------


def test_a_traction_sends_a_wave_of_known_velocity():
    """Behind the ramp of a traction p the velocity is p/ρc; what is different, the tail of a ramp's corners, falls with h."""
    errors = []
    for cells in (100, 200):
        sim = rod(cells, 0.8, loads=[{"face": "x.low", "traction": {"x": 1e-3}, "ramp": 0.2}])
        h = history(sim)
        line = sim.body.v[0, 2]
        errors.append(np.abs(line[: (4 * cells) // 10] - 1e-3).max() / 1e-3)
        assert np.abs(line[(9 * cells) // 10 :]).max() < 1e-9
        assert np.abs(h["imbalance"]).max() < ROUNDING * h["work"][-1]
        assert np.abs(h["momentum_x"] - h["impulse_x"]).max() < ROUNDING * h["impulse_x"][-1]
        # ∫ p A dt of the ramp, half a step ahead.
        whole = 1e-3 * (4 / cells) * (0.8 - 0.1 + 0.5 * h["step_size"][-1])
        assert h["impulse_x"][-1] == pytest.approx(whole, rel=1e-6)
    assert errors[0] < 5e-4
    assert errors[1] < 0.5 * errors[0]


@pytest.mark.parametrize(
    "load",
    [
        {"face": "x.low", "traction": {"x": 1e-3}},
        {"face": "x.low", "velocity": {"x": 1e-3}},
        {"face": "x.low", "velocity": {"x": 1e-3}, "history": [[0, 0], [0.11, 1], [0.23, -1], [0.3, 0.5]]},
        {"face": "x.low", "displacement": {"x": 1e-3}, "ramp": 0.1},
        {"face": "x.low", "displacement": {"x": 1e-3}, "history": [[0, 0], [0.2, 1], [0.3, 0]]},
        {"from": [0.3, 0.0], "to": [0.4, 1.0], "velocity": {"x": 1e-3}, "ramp": 0.1},
        {"face": "x.low", "impact": {"velocity": {"x": 1e-3}, "mass": 0.01}},
    ],
    ids=["traction", "velocity", "velocities", "displacement", "displacements", "inside", "impact"],
)
@pytest.mark.parametrize("scheme", ["full", "rotated"])
def test_energy_and_momentum_are_balanced_exactly(load, scheme):
    """T + U = W and Σ M v = impulse to rounding, with jumps at time 0, corners, and steps of several lengths."""
    h = history(rod(30, 1.3, loads=[load], elements=scheme))
    corners = load.get("ramp", 0.0) > 0.0 or "history" in load
    assert (np.ptp(h["step_size"]) > 1e-6) == corners
    assert np.abs(h["imbalance"]).max() < ROUNDING * np.abs(h["work"]).max()
    assert np.abs(h["momentum_x"] - h["impulse_x"]).max() < ROUNDING * np.abs(h["impulse_x"]).max()


def test_a_velocity_that_is_there_at_once_is_an_impulse():
    """At time 0 the nodes of the face, M = ρh/2 per area, have the velocity v and the energy ½Mv²; then the wave takes ρcv².

    The momentum of the wave is ρcvAt from the start, that of the nodes included: W = A(ρcv²t − ½Mv²).
    """
    v, cells = 1e-3, 50
    h = history(rod(cells, 0.5, loads=[{"face": "x.low", "velocity": {"x": v}}]))
    height, nodes = 4 / cells, 0.5 / cells
    assert h["work"][-1] == pytest.approx(height * v**2 * (0.5 - 0.5 * nodes), rel=1e-3)
    assert h["energy_kinetic"][0] > 0.0
    assert h["impulse_x"][0] >= height * nodes * v


@pytest.mark.parametrize("kind", ["velocity", "displacement", "traction"])
def test_a_load_that_ends_leaves_the_body_free(kind):
    """After `until` neither energy nor momentum change; nodes keep the velocity they have."""
    load = {"face": "x.low", kind: {"x": 1e-3}, "history": [[0, 0], [0.4, 1]], "until": 0.2}
    sim = rod(50, 1.5, loads=[load])
    h = history(sim)
    after = h["time"] > 0.2 + 1e-9
    assert h["time"][~after][-1] == pytest.approx(0.2, rel=1e-12)
    for name in ("work", "impulse_x"):
        assert np.ptp(h[name][after]) == 0.0
    assert h["momentum_x"][after] == pytest.approx(np.full(after.sum(), h["impulse_x"][-1]), rel=1e-10)
    assert np.abs(h["imbalance"]).max() < ROUNDING * h["work"][-1]


@pytest.mark.parametrize("size", [0.02, 0.005, None])
def test_a_traction_that_ends_gives_the_impulse_of_its_time(size):
    """∫ F dt = F·until to rounding, whatever the step, also where it changes at the end of the load."""
    sim = rod(20, 0.5, loads=[{"face": "x.low", "traction": {"x": 1e-3}, "until": 0.23}])
    sim.longest = size or sim.longest
    h = history(sim)
    assert h["impulse_x"][-1] == pytest.approx(1e-3 * (4 / 20) * 0.23, rel=1e-12)
    assert np.abs(h["imbalance"]).max() < ROUNDING * h["work"][-1]


def test_a_history_that_ends_between_steps_is_hit():
    """Corners are ends of steps; a time within rounding of one is that time."""
    load = {"face": "x.low", "traction": {"x": 1.0}, "history": [[0, 1], [0.05, 1], [0.31, 0]], "ramp": 0.02}
    sim = rod(20, 0.5, loads=[load])
    h = history(sim)
    for corner in (0.02, 0.05, 0.31):
        assert np.abs(h["time"] - corner).min() < 1e-15
    sim = rod(20, 0.5, loads=[load])
    sim.advance(until=0.31 * (1.0 - 1e-13))
    assert min(sim._corners(), default=1.0) == 1.0


# --- forces, nodes, voids -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("periodic", [(), ("y",)])
def test_the_force_of_a_traction_is_its_area(periodic):
    """Whatever part of the face it covers; copies of nodes along periodic axes are not counted twice."""
    body = body_of(periodic=periodic)
    (part,) = loads_of(body, {"face": "x.high", "traction": {"y": 2.0}}).parts
    assert part.forces.sum() == pytest.approx(2.0 * 5.0, rel=1e-14)
    box = {"from": [0.0, 1.3], "to": [6.0, 4.1]}
    (part,) = loads_of(body, {"face": "x.high", "traction": {"y": 2.0}, **box}).parts
    assert part.forces.sum() == pytest.approx(2.0 * 2.8, rel=1e-14)
    assert part_nodes(part) == {(6, k) for k in ((1, 2, 3, 4, 5) if not periodic else (0, 1, 2, 3, 4))}


def test_voids_at_a_face_carry_nothing():
    """Tractions act on solid cells; nodes without mass are never moved."""
    body = body_of(void=(slice(2, 4), slice(5, 6)))
    force, motion = loads_of(
        body, {"face": "x.high", "traction": {"x": 1.0}}, {"face": "x.high", "velocity": {"y": 1.0}}
    ).parts
    assert force.forces.sum() == pytest.approx(3.0, rel=1e-14)
    assert part_nodes(force) == part_nodes(motion) == {(6, k) for k in (0, 1, 2, 4, 5)}
    with pytest.raises(InputError, match=r"model.loads.0: no solid part of the face lies between from and to"):
        loads_of(body, {"face": "x.high", "traction": {"x": 1.0}, "from": [6.0, 2.0], "to": [6.0, 4.0]})


def test_nodes_of_a_box():
    """A box takes nodes in it and on its edge; along a periodic axis first and last nodes are one."""
    (part,) = loads_of(body_of(), {"from": [2.0, 1.0], "to": [3.0, 2.5], "velocity": {"x": 1.0}}).parts
    assert part_nodes(part) == {(2, 1), (2, 2), (3, 1), (3, 2)}
    body = body_of(periodic=("x",))
    (part,) = loads_of(body, {"face": "y.low", "from": [5.5, 0.0], "to": [6.0, 0.0], "velocity": {"y": 1.0}}).parts
    assert part_nodes(part) == {(0, 0)}
    loads_of(body, {"from": [6.0, 0.0], "to": [6.0, 1.0], "velocity": {"y": 0.5}}).start(1.0)
    assert body.v[1, :2, [0, -1]] == pytest.approx(0.5)


# --- where loads meet -----------------------------------------------------------------------------------------------


def test_a_face_at_rest_keeps_the_nodes_it_shares():
    """A sliding bottom and a velocity of the left face: the corner moves along x, and along y it is held."""
    body = body_of()
    loads = loads_of(body, {"face": "x.low", "velocity": {"x": 1.0, "y": 2.0}}, faces={"y": {"low": "sliding"}})
    loads.start(1.0)
    assert body.v[0, :, 0] == pytest.approx(np.ones(6))
    assert body.v[1, :, 0] == pytest.approx([0.0, 2.0, 2.0, 2.0, 2.0, 2.0])


@pytest.mark.parametrize(
    ("faces", "loads", "message"),
    [
        (
            {"x": {"low": "clamped"}},
            [{"face": "x.low", "velocity": {"y": 1.0}}],
            "model.loads.0.velocity.y: faces hold all of these nodes at rest along y",
        ),
        (
            {},
            [{"face": "x.low", "velocity": {"x": 1.0}}, {"face": "y.low", "velocity": {"x": 2.0}}],
            "model.loads.1.velocity.x: an earlier load moves some of these nodes in another way along x",
        ),
        (
            {},
            [
                {"face": "x.low", "velocity": {"x": 1.0}},
                {"face": "x.low", "impact": {"velocity": {"x": 1.0}, "mass": 1.0}},
            ],
            "model.loads.1.impact.velocity.x: an earlier load moves some of these nodes in another way along x",
        ),
        (
            {},
            [{"face": "x.low", "impact": {"velocity": {"x": 1.0}, "mass": 1.0}}] * 2,
            "model.loads.1.impact.velocity.x: two rigid bodies hit the same nodes",
        ),
    ],
)
def test_contradictions(faces, loads, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        loads_of(body_of(), *loads, faces=faces)


def test_motions_of_one_course_are_one():
    """Two faces that move alike meet in a node; other components and tractions go with anything."""
    body = body_of()
    ramp = {"ramp": 0.1}
    loads = loads_of(
        body,
        {"face": "x.low", "velocity": {"x": 1.0}, **ramp},
        {"face": "y.low", "velocity": {"x": 1.0}, **ramp},
        {"face": "y.low", "displacement": {"y": 1.0}, **ramp},
        {"face": "y.low", "traction": {"x": 1.0}},
    )
    nodes = [part_nodes(part) for part in loads.parts if part.component == 0][1:]
    assert nodes[0] & nodes[1] == set()
    assert nodes[0] | nodes[1] == {(0, k) for k in range(6)} | {(k, 0) for k in range(7)}


def test_work_on_nodes_that_loads_share_is_told_once():
    """A traction on a face that also moves with a velocity: T + U = W still holds to rounding."""
    loads = [
        {"face": "x.low", "traction": {"x": 3e-3}},
        {"face": "x.low", "velocity": {"x": 1e-3}, "to": [0.0, 0.1]},
        {"face": "x.low", "from": [0.0, 0.2], "impact": {"velocity": {"x": 2e-3}, "mass": 0.05}},
    ]
    h = history(simulation((24, 12), (0.8, 0.4), 1.0, loads=loads, faces={"y": {"high": "clamped"}}))
    assert np.abs(h["imbalance"]).max() < 1e-11 * h["work"][-1]
    assert np.ptp(h["step_size"]) < 1e-12


# --- damping and absorption -----------------------------------------------------------------------------------------


def test_a_loaded_face_may_be_damped():
    """What dampers take at loaded nodes is counted at the velocities the loads leave them: second order in Δt."""
    errors = []
    for safety in (0.8, 0.4):
        loads = [{"face": "x.low", "traction": {"x": 1e-3}, "ramp": 0.3}]
        faces = {"x": {"low": "absorbing", "high": "clamped"}}
        h = history(rod(40, 2.2, loads=loads, faces=faces, damping=0.5, safety=safety))
        errors.append(abs(h["imbalance"][-1]) / h["work"][-1])
        assert h["damped"][-1] > 0.5 * h["work"][-1]
    assert errors[0] < 2e-3
    assert errors[1] < 0.6 * errors[0]


def absorbed(kind, angle, *, dashpot, layer=None, reflection=0.01):
    """Share of the energy of plane waves that is back, when all of it would be: wavelength 1, 12 cells, y periodic."""
    k = 2.0 * np.pi * np.array([np.cos(angle), np.sin(angle)])
    length = 12.0
    height = 2.0 * np.pi / k[1] if angle else 0.5
    ny = round(height * 12)
    nx = round(length / height * ny)
    length = nx * height / ny
    direction = k if kind == "P" else np.array([-k[1], k[0]])
    direction = direction / np.hypot(*direction)
    speed = (np.sqrt(3.0) if kind == "P" else 1.0) * np.cos(angle)
    wave = f"exp(-((x-Lx/2)/1.2)**2)*cos({k[0]}*(x-Lx/2)+{k[1]}*y)"
    velocity = {name: f"{c}*{wave}" for name, c in zip("xy", direction, strict=True) if abs(c) > 1e-9}
    model: dict = {"faces": {"x": "absorbing" if dashpot else "free"}, "initial_velocity": velocity, "modulus": 3.0}
    if layer:
        model["layers"] = [{"face": f"x.{end}", "width": layer, "reflection": reflection} for end in ("low", "high")]
    sim = simulation((nx, ny), (length, height), length / speed, periodic=("y",), **model)
    sim.advance()
    return sim.energy / sim.loads.work


@pytest.mark.parametrize("kind", ["P", "S"])
def test_dashpots_take_up_waves_along_the_normal(kind):
    """As the energy of an incoming wave is back without them."""
    assert absorbed(kind, 0.0, dashpot=False) == pytest.approx(1.0, abs=1e-9)
    assert absorbed(kind, 0.0, dashpot=True) < 4e-4


def test_a_layer_before_a_free_face_reflects_as_it_is_told():
    """The amplitude of P waves along the normal fades by R there and back, that of S waves by R^(c_d/c_s).

    With 12 cells per wavelength waves are some 1.5 % slower on the way, and fade by so much more in the exponent.
    """
    for R in (0.3, 0.1):
        for kind, slower in (("P", 1.0), ("S", 3.0**0.5)):
            share = absorbed(kind, 0.0, dashpot=False, layer=4.0, reflection=R)
            assert np.log(share) / np.log(R**2) == pytest.approx(slower, rel=0.03)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "alone", "limit"), [("P", 0.009, 0.0015), ("S", 0.03, 0.0008)])
def test_a_layer_takes_up_waves_at_an_angle(kind, alone, limit):
    """At 45° dashpots alone reflect 1 % (P) and 3 % (S) of the energy; with a layer of two wavelengths far less."""
    assert absorbed(kind, np.pi / 4, dashpot=True) == pytest.approx(alone, rel=0.3)
    assert absorbed(kind, np.pi / 4, dashpot=True, layer=2.0) < limit


def test_layers_leave_the_rest_alone():
    """Before waves reach it a layer changes nothing to the last bit, and faces behind layers absorb unless they are named."""
    pulse = {"face": "x.low", "traction": {"x": 1e-3}, "ramp": 0.1, "until": 0.2}
    plain = rod(100, 0.5, loads=[pulse])
    damped = rod(100, 0.5, loads=[pulse], layers=[{"face": "x.high", "width": 0.3}])
    plain.advance()
    damped.advance()
    # u is one cell per step away from being exactly 0: what differs are the tails of numerical dispersion.
    assert np.array_equal(plain.body.u[0, :, :20], damped.body.u[0, :, :20])
    assert np.abs(plain.body.u - damped.body.u).max() < 1e-9 * np.abs(plain.body.u).max()
    body = body_of((20, 5), (20.0, 5.0))
    DynamicLoads(body, {}, [], [Layer(face="x.high", width=5.0)])
    c = np.sqrt(3.0)
    at_face = body.damping[0, 2, -1]
    assert at_face == pytest.approx(3.0 * c * np.log(100.0) / 5.0 + c / 0.5, rel=1e-12)
    assert body.damping[0, 2, 15] == 0.0
    named = body_of((20, 5), (20.0, 5.0))
    DynamicLoads(named, {"x": {"high": "free"}}, [], [Layer(face="x.high", width=5.0)])
    assert named.damping[0, 2, -1] == pytest.approx(3.0 * c * np.log(100.0) / 5.0, rel=1e-12)


def test_layers_that_do_not_fit():
    surface = Surface(body_of((20, 5), (20.0, 5.0)))
    for width, message in ((20.0, "must be less than the length 20 of the body along x"), (2.0, "is 2 cells; a layer")):
        with pytest.raises(InputError, match=f"^model.layers.0.width: {message}"):
            absorb_in_layer(surface, Layer(face="x.high", width=width), "model.layers.0")


def test_mirrored_loads_move_a_body_alike():
    """To the last bit: tractions, layers, dashpots and rigid bodies on opposite faces, with lengths that do not round."""
    loads = [
        {"face": "y.low", "traction": {"x": 1e-3, "y": -2e-3}, "ramp": 0.1},
        {"face": "y.high", "traction": {"x": 1e-3, "y": 2e-3}, "ramp": 0.1},
        {"face": "x.low", "impact": {"velocity": {"x": 1e-3}, "mass": 0.3}},
    ]
    layers = [{"face": name, "width": 0.25} for name in ("y.high", "x.high", "y.low")]
    sim = simulation((21, 14), (1.1, 0.7), 1.5, loads=loads, layers=layers, modulus=3.0)
    sim.advance()
    assert np.array_equal(sim.body.v[0], sim.body.v[0, ::-1])
    assert np.array_equal(sim.body.v[1], -sim.body.v[1, ::-1])
    assert np.abs(sim.body.v).max() > 0.0
    (part,) = loads_of(body_of((7, 3), (0.7, 0.3)), {"face": "y.low", "traction": {"y": 1.0}}).parts
    assert np.array_equal(part.forces, part.forces[::-1])
    assert np.ptp(part.forces[1:-1]) == 0.0


# --- rigid bodies ---------------------------------------------------------------------------------------------------


def struck(cells, mass, end, **more):
    """A rod struck at its left end by a mass per area, with the velocity 1."""
    load = {"face": "x.low", "impact": {"velocity": {"x": 1.0}, "mass": mass * 4.0 / cells}}
    return history(rod(cells, end, loads=[load], **more))


def test_a_rigid_body_slows_as_the_wave_takes_its_momentum():
    """m v̇ = −ρcA v: v = v₀ exp(−ρcAt/m) until the wave is back at 2L/c; first order in h, as the struck nodes have a mass."""
    errors = []
    for cells in (50, 100):
        h = struck(cells, 0.5, 1.9)
        time = h["time"] + 0.5 * h["step_size"]
        errors.append(np.abs(h["projectile_velocity"] - np.exp(-time / 0.5)).max())
    assert errors[1] < 2e-3
    assert errors[1] < 0.6 * errors[0]


def test_a_rigid_body_leaves_when_the_wave_is_back():
    """A free far end sends tension back: contact ends at 2L/c, and the body flies on with v₀ exp(−2ρAL/m)."""
    h = struck(100, 1.0, 3.5)
    gone = h["projectile_force"] == 0.0
    assert h["time"][gone][0] == pytest.approx(2.0, abs=0.03)
    assert gone[h["time"] > 2.05].all()
    assert (h["projectile_force"][h["time"] < 1.95] > 0.0).all()
    assert np.ptp(h["projectile_velocity"][gone]) == 0.0
    assert h["projectile_velocity"][-1] == pytest.approx(np.exp(-2.0), abs=0.01)


def test_what_a_rigid_body_loses():
    """Momentum goes over to rounding; energy too, up to the plastic impact on M = ρh/2 per area: the share M/(m + M)."""
    cells, mass = 40, 0.25
    h = struck(cells, mass, 3.0)
    area = 4.0 / cells
    whole = 0.5 * mass * area
    assert mass * area * (1.0 - h["projectile_velocity"]) == pytest.approx(h["momentum_x"], rel=1e-12)
    lost = whole - h["projectile_energy"] - h["work"]
    assert np.abs(lost - h["projectile_lost"]).max() < ROUNDING * whole
    nodes = 0.5 / cells
    assert h["projectile_lost"] == pytest.approx(np.full(len(lost), whole * nodes / (mass + nodes)), rel=1e-9)
    assert np.abs(h["imbalance"]).max() < ROUNDING * whole


def test_a_rigid_body_can_be_struck_again():
    """A clamped far end sends pressure back and throws the body out: it never pulls, the gap is never negative."""
    load = {"face": "x.low", "impact": {"velocity": {"x": 1e-2}, "mass": 3.0 * 0.08}}
    sim = rod(50, 14.0, loads=[load], faces={"x": {"high": "clamped"}})
    projectile = next(part for part in sim.loads.parts if part.records())
    gaps, forces, whole = [], [], 0.5 * 0.24 * 1e-4

    def watch(s):
        gaps.append(float((s.body.u[projectile.index] - projectile.displacement).min()))
        forces.append(float(projectile.now.min()))
        balance = projectile.kinetic + s.loads.work + projectile.lost
        # A clamped face does no work, so that all is that of the impact.
        assert balance == pytest.approx(whole, rel=1e-11)

    sim.advance(on_step=watch)
    assert min(gaps) > -1e-14
    assert min(forces) >= 0.0
    assert projectile.velocity < -0.5e-2
    assert projectile.lost < 0.02 * whole


def test_a_rigid_body_touches_what_it_reaches():
    """A body that hits a part of a face leaves the nodes of the rest free; those on the axis of symmetry slide along."""
    load = {"face": "x.high", "from": [1.0, 0.0], "to": [1.0, 0.2], "impact": {"velocity": {"x": -1.0}, "mass": 0.1}}
    sim = simulation((40, 20), (1.0, 0.5), 0.05, loads=[load], faces={"y": {"low": "sliding"}}, modulus=3.0)
    h = history(sim)
    struck_rows = sim.body.v[0, :9, -1]
    assert np.ptp(struck_rows) < 1e-12
    assert struck_rows[0] == pytest.approx(h["projectile_velocity"][-1], rel=1e-12)
    assert h["projectile_velocity"][-1] < 0.0
    assert abs(sim.body.v[0, -1, -1]) < 0.2
    assert h["momentum_x"] == pytest.approx(0.1 * (-1.0 - h["projectile_velocity"]), rel=1e-11)


def test_several_rigid_bodies_have_numbers():
    loads = [
        {"face": "x.low", "impact": {"velocity": {"x": 1.0}, "mass": 0.1}},
        {"face": "x.high", "impact": {"velocity": {"x": -2.0}, "mass": 0.2}},
    ]
    sim = rod(20, 0.3, loads=loads)
    h = history(sim)
    assert {"projectile_velocity_1", "projectile_velocity_2", "projectile_lost_2"} <= set(h)
    assert 0.1 * h["projectile_velocity_1"] + 0.2 * h["projectile_velocity_2"] + h["momentum_x"] == pytest.approx(
        np.full(len(h["time"]), -0.3), rel=1e-12
    )


def test_loads_of_a_body_in_space():
    """A block with faces and a periodic axis: areas of tractions, a rigid body, a mean strain; T + U = W to rounding."""
    boundary = {"x": "no_flux", "y": "periodic", "z": "no_flux"}
    cells = {"x": 8, "y": 5, "z": 6}
    loads = [
        {"face": "x.low", "impact": {"velocity": {"x": 1e-3}, "mass": 0.3}, "to": [0.0, 0.5, 0.3]},
        {"face": "x.high", "traction": {"z": 1e-3}, "from": [0.8, 0.0, 0.15]},
    ]
    scenario = {
        "model": {
            "name": "dynamic_fracture",
            "dissipation": "AT1",
            "length": 0.4,
            "toughness": 1e12,
            "density": 1.0,
            **MATERIALS[3.0],
            "faces": {"z": {"low": "sliding"}},
            "loads": loads,
            "mean_strain": {"strain": {"yy": 1e-3}, "ramp": 0.3},
        },
        "grid": {a: {"cells": n, "length": 0.1 * n, "boundary": boundary[a]} for a, n in cells.items()},
        "initial": {"phi": 0.0},
        "time": {"end": 1.0},
        "verify": False,
    }
    sim = Simulation.from_scenario(scenario, threads=1)
    force = sim.loads.parts[0]
    assert force.forces.sum() == pytest.approx(1e-3 * 0.5 * 0.45, rel=1e-13)
    h = history(sim)
    assert np.abs(h["imbalance"]).max() < ROUNDING * h["work"].max()
    assert np.abs(h["momentum_x"] - h["impulse_x"]).max() < ROUNDING * np.abs(h["impulse_x"]).max()
    assert h["momentum_x"][-1] == pytest.approx(0.3 * (1e-3 - h["projectile_velocity"][-1]), rel=1e-11)
    assert h["projectile_velocity"][-1] < 0.9e-3


# --- initial velocity, restart -----------------------------------------------------------------------------------------


def test_an_initial_velocity_is_a_standing_wave():
    """v = cos(πx) in a free rod of length 1: the velocity is cos(πx) cos(πct); it counts as work from the start."""
    sim = rod(64, 1.0, initial_velocity={"x": "1e-3*cos(pi*x)"})
    assert sim.history_row()["imbalance"] == 0.0
    h = history(sim)
    ahead = sim.time + 0.5 * h["step_size"][-1]
    x = np.arange(65) / 64.0
    assert sim.body.v[0, 2] == pytest.approx(1e-3 * np.cos(np.pi * x) * np.cos(np.pi * ahead), abs=2e-6)
    assert h["work"] == pytest.approx(np.full(len(h["work"]), 1e-6 * 0.25 * 4 / 64), rel=1e-12)
    assert np.abs(h["imbalance"]).max() < 1e-11 * h["work"][0]


def test_initial_velocities_stop_at_faces_at_rest():
    """A rod that flies against a wall: its face stops at once, which takes work ½Mv² and momentum from it."""
    sim = rod(40, 0.5, initial_velocity={"x": -1e-3}, faces={"x": {"low": "clamped"}})
    h = history(sim)
    assert np.abs(h["imbalance"]).max() < 1e-11 * h["work"][0]
    assert h["momentum_x"] == pytest.approx(h["impulse_x"], abs=1e-12 * 0.1)
    assert sim.body.v[0, 2, :15] == pytest.approx(np.zeros(15), abs=1.5e-4)
    assert h["work"][-1] == pytest.approx(0.5e-6 * 0.1 * (1.0 - 0.5 / 40), rel=1e-10)


# --- mean strain ----------------------------------------------------------------------------------------------------


def test_the_work_of_a_mean_strain_is_its_energy():
    """A homogeneous cell: W = U = ½V(λ(tr ε̄)² + 2μ ε̄:ε̄) to rounding, up and down again, and nothing moves."""
    strain = {"xx": 0.01, "yy": -0.004, "xy": 0.003}
    section = {"strain": strain, "history": [[0, 0], [0.2, 1], [0.5, -0.5], [0.8, -0.5]]}
    sim = simulation((12, 8), (1.2, 0.8), 0.8, periodic=("x", "y"), mean_strain=section, modulus=3.0)
    h = history(sim)
    energy = 0.96 * 0.5 * (0.006**2 + 2.0 * (0.01**2 + 0.004**2 + 2.0 * 0.003**2))
    assert h["work"][np.argmin(np.abs(h["time"] - 0.2))] == pytest.approx(energy, rel=1e-12)
    assert h["work"][-1] == pytest.approx(0.25 * energy, rel=1e-11)
    assert np.abs(h["imbalance"]).max() < ROUNDING * energy
    assert np.abs(sim.body.u).max() < 1e-15


def test_a_mean_strain_of_an_uneven_body_balances_exactly():
    """Two materials, a free face, a mean strain that begins with a jump: waves, and T + U = W to rounding."""
    soft = {"name": "soft", "shapes": [{"box": {"from": [0.0, 0.0], "to": [0.5, 0.4]}}], "young_modulus": 0.3}
    section = {"strain": {"xx": 0.01}, "ramp": 0.4}
    sim = simulation((12, 8), (1.2, 0.8), 1.5, periodic=("x",), mean_strain=section, regions=[soft])
    h = history(sim)
    assert h["energy_kinetic"].max() > 1e-3 * h["work"][-1]
    assert np.abs(h["imbalance"]).max() < ROUNDING * h["work"][-1]
    assert np.ptp(h["work"][h["time"] > 0.4 + 1e-9]) == 0.0
    begun = simulation((12, 8), (1.2, 0.8), 1.5, periodic=("x",), mean_strain={"strain": {"xx": 0.01}}, regions=[soft])
    assert begun.body.elastic(begun.phi) > 0.0
    h = history(begun)
    assert (h["work"] == 0.0).all()
    assert np.abs(h["imbalance"]).max() < ROUNDING * h["energy"][0]


@pytest.mark.parametrize("at", [0.13, 0.4])
@pytest.mark.parametrize("kind", ["faces", "cell"])
def test_a_restart_goes_on_bit_for_bit(kind, at):
    loads = [
        {"face": "x.low", "impact": {"velocity": {"x": 1e-2}, "mass": 0.03}},
        {"face": "x.high", "displacement": {"x": 1e-3}, "history": [[0, 0], [0.3, 1]], "until": 0.45},
        {"face": "y.high", "traction": {"x": 1e-3}, "ramp": 0.2},
    ]

    bodies = {
        "faces": {
            "loads": loads,
            "faces": {"y": {"low": "absorbing"}},
            "initial_velocity": {"y": "1e-3*x"},
        },
        "cell": {
            "mean_strain": {"strain": {"yy": 0.01}, "ramp": 0.7},
            "periodic": ("y",),
            "loads": loads[:1],
        },
    }

    def make():
        return simulation((24, 12), (0.8, 0.4), 0.8, **bodies[kind])

    whole, first, second = make(), make(), make()
    whole.advance(until=at)
    whole.advance()
    first.advance(until=at)
    second.restore(*first.checkpoint())
    second.advance()
    assert np.array_equal(whole.body.v, second.body.v)
    assert whole.loads.work == second.loads.work != 0.0
    assert np.array_equal(list(whole.history_row().values()), list(second.history_row().values()), equal_nan=True)
