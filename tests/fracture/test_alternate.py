"""Alternate minimisation: the same state whatever the acceleration, a minimum, and given dissipation against given load."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from bounded_reference import assemble
from crack_scenarios import GC, LAME, SHEAR, E, cell, crack_of, plate, problem_of

from phasefield.errors import NumericalError
from phasefield.registry import lookup
from phasefield.stepping.acceleration import Acceleration, Anderson, Plain
from phasefield.stepping.alternate import Alternation, CrackProblem, GivenDissipation, GivenLoad, TooFar

TOLERANCE = 1e-6
# Loads of the plate below: its crack goes through at about 0.16.
WHOLE, NEAR, RUNNING = 0.08, 0.13, 0.25


@cache
def start(dissipation: str = "AT1", **model) -> tuple[CrackProblem, np.ndarray]:
    """A plate with a crack, and the damage of this crack without a load."""
    problem = problem_of(scenario := plate(dissipation=dissipation, **model))
    phi = crack_of(scenario)
    return problem, problem.solve_damage(phi, phi, np.zeros_like(phi), 1e-9)


def given_load(problem, phi, load, name="anderson", accepted=None, tolerance=TOLERANCE, **options):
    accepted = phi if accepted is None else accepted
    control = GivenLoad(problem, accepted, load, tolerance, variational=True)
    return Alternation(tolerance, **options).run(problem, control, lookup("acceleration", name)(), phi, accepted, None)


def given_dissipation(problem, phi, step, load=0.0, name="anderson", tolerance=TOLERANCE):
    target = problem.cracks.energy(phi) + step
    control = GivenDissipation(problem, phi, target, step, load, tolerance)
    return Alternation(tolerance).run(problem, control, lookup("acceleration", name)(), phi, phi, None)


def rate_of(problem, phi, load) -> float:
    """λ of plain passes |G(φ) − φ| → λ |G(φ) − φ|, from the last of them."""
    residuals: list[float] = []
    control = GivenLoad(problem, phi, load, TOLERANCE, variational=True)
    Alternation(TOLERANCE).run(problem, control, Plain(), phi, phi, None, lambda _, r: residuals.append(r))
    return residuals[-1] / residuals[-2]


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("load", [WHOLE, NEAR])
def test_all_accelerations_reach_the_same_state(dissipation, load):
    problem, phi = start(dissipation)
    found = {name: given_load(problem, phi, load, name) for name in ("none", "over_relaxation", "anderson")}
    # An iterate with |G(φ) − φ| ≤ δ is within δ λ/(1 − λ) of the fixed point; two of them within twice that.
    rate = rate_of(problem, phi, load)
    assert 0.0 < rate < 1.0
    allowed = 2.0 * TOLERANCE * max(rate / (1.0 - rate), 1.0)
    for name, other in found.items():
        assert other.residual <= TOLERANCE, name
        assert np.abs(other.phi - found["none"].phi).max() < allowed, name
    assert np.abs(found["none"].phi - phi).max() > 1e3 * allowed


def mechanical_residual(problem, found) -> float:
    """Largest nodal force out of balance over that of a cell of a whole body, from an assembled matrix."""
    body, response = problem.body, found.response
    u = response.solution.displacement
    g = problem.degradation.value(found.phi)
    forces = (assemble(body.grid, LAME, SHEAR, g) @ u.ravel()).reshape(u.shape)
    free = ~body._solver.loads.constrained
    # Of a cell of a whole body.
    return float(np.abs(forces[free]).max() / (E / body.grid.axes[1].length))


def damage_residual(problem, found, lower) -> float:
    """max |φ − P(φ − r/d)| of r = ∂E/∂φ per volume in plain NumPy, h = 1, no flux through the faces."""
    phi, drive, ell, eta = found.phi, found.load**2 * found.response.drive, problem.cracks.ell, 1e-9
    first = problem.cracks.model.name == "AT1"
    c1, c2 = (3 * GC / (8 * ell), 0.0) if first else (0.0, GC / ell)
    kappa = (0.75 if first else 1.0) * GC * ell
    gradient, neighbours = -2.0 * (1.0 - eta) * (1.0 - phi) * drive + c1 + c2 * phi, np.zeros_like(phi)
    for axis in range(phi.ndim):
        padded = np.pad(phi, [(int(a == axis),) * 2 for a in range(phi.ndim)], mode="edge")
        n = phi.shape[axis]
        across = np.take(padded, range(2, n + 2), axis=axis) + np.take(padded, range(n), axis=axis)
        gradient -= kappa * (across - 2.0 * phi)
        neighbours += kappa * 2.0
    diagonal = c2 + 2.0 * drive + neighbours
    return float(np.abs(phi - np.clip(phi - gradient / diagonal, lower, 1.0)).max())


@pytest.mark.parametrize("name", ["none", "over_relaxation", "anderson"])
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_what_it_ends_at_is_a_minimum_of_both_problems(dissipation, name):
    problem, phi = start(dissipation)
    for load in (WHOLE, RUNNING):
        found = given_load(problem, phi, load, name)
        assert mechanical_residual(problem, found) < 1e-5
        assert damage_residual(problem, found, phi) < 2.0 * TOLERANCE
        # A state next to it is none: the checks can fail.
        broken = np.clip(found.phi + 1e-3 * (found.phi < 0.9), 0.0, 1.0)
        off = type(found)(broken, found.response, found.load, 0.0, 0)
        assert damage_residual(problem, off, phi) > 10.0 * TOLERANCE
        assert np.all(found.phi >= phi)
    # The last one is broken.
    assert found.phi.max(axis=0)[-1] > 0.9


def test_the_minimum_is_lower_than_its_neighbours():
    problem, phi = start()
    found = given_load(problem, phi, WHOLE)
    control = GivenLoad(problem, phi, WHOLE, TOLERANCE, variational=True)
    least = control.potential(found.response, problem.cracks.energy(found.phi))
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1):
        other = np.clip(found.phi + size * rng.uniform(-1.0, 1.0, phi.shape), phi, 1.0)
        response = problem.respond(other, 1.0, found.response, 1e-8)
        assert control.potential(response, problem.cracks.energy(other)) > least


class Wild(Acceleration):
    """Breaks the whole body in its fourth proposal."""

    def __init__(self):
        super().__init__()
        self.proposals = self.resets = 0

    def reset(self):
        self.resets += 1

    def propose(self, x, image):
        self.proposals += 1
        return np.ones_like(image) if self.proposals == 4 else image


@pytest.mark.parametrize("variational", [True, False])
def test_a_proposal_that_raises_the_energy_is_taken_back(variational):
    problem, phi = start()
    control = GivenLoad(problem, phi, WHOLE, TOLERANCE, variational)
    before, wild = problem.effort.taken_back, Wild()
    found = Alternation(TOLERANCE).run(problem, control, wild, phi, phi, None)
    # Without a potential it is the residual that tells: all of it broken, nothing is left to strain the body there.
    assert problem.effort.taken_back == before + 1
    assert wild.resets == 2
    np.testing.assert_allclose(found.phi, given_load(problem, phi, WHOLE).phi, rtol=0, atol=10.0 * TOLERANCE)


def test_passes_of_accelerations_never_climb():
    """The potential falls from one accepted iterate to the next, up to the slack that sees no rounding."""
    problem, phi = start()
    for name in ("none", "over_relaxation", "anderson"):
        seen: list[float] = []

        class Watched(GivenLoad):
            def potential(self, response, dissipation, seen=seen):
                seen.append(super().potential(response, dissipation))
                return seen[-1]

        before = problem.effort.taken_back
        control = Watched(problem, phi, RUNNING, 1e-4, True)
        Alternation(1e-4).run(problem, control, lookup("acceleration", name)(), phi, phi, None)
        climbs = np.flatnonzero(np.diff(seen) > 1e-7 * np.abs(seen[:-1]))
        assert climbs.size <= problem.effort.taken_back - before, name
        assert seen[-1] < seen[0]


def test_proposals_stay_between_the_bounds():
    problem, phi = start("AT1")
    worst: list[float] = []
    respond = problem.body.respond

    class Body:
        def __getattr__(self, name):
            return getattr(problem.body, name)

        def respond(self, g, *arguments):
            worst.append(float(g.min()))
            assert np.all(g <= problem.degradation.value(phi) + 1e-15)
            return respond(g, *arguments)

    watched = CrackProblem(Body(), problem.damage)
    given_load(watched, phi, RUNNING, "over_relaxation")
    assert min(worst) >= 1e-9 * (1 - 1e-12)


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
@pytest.mark.parametrize("step", [0.05, 0.5, 3.0])
def test_given_dissipation_is_met_and_its_state_is_that_of_the_load(dissipation, step):
    """From a whole load of 0: D to 1e-4 of the step, and a pass under the load that was found changes nothing."""
    problem, phi = start(dissipation)
    found = given_dissipation(problem, phi, step)
    dissipated = problem.cracks.energy(found.phi) - problem.cracks.energy(phi)
    assert abs(dissipated - step) <= 1.01e-4 * step
    assert found.load > 0.0
    assert damage_residual(problem, found, phi) < 3.0 * TOLERANCE
    assert mechanical_residual(problem, found) < 1e-5
    control = GivenLoad(problem, phi, found.load, TOLERANCE, True)
    again = control.damage(found.phi, found.response, TOLERANCE)
    assert np.abs(again - found.phi).max() < 3.0 * TOLERANCE


@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_before_the_peak_both_controls_agree(dissipation):
    """Under displacement the crack of this plate starts stably: the load found leads to the same damage from the start."""
    problem, phi = start(dissipation)
    found = given_dissipation(problem, phi, 0.02, tolerance=1e-7)
    same = given_load(problem, phi, found.load, tolerance=1e-7)
    # The load is known to 1e-4 of the step in D; what that means for φ follows from a load that differs by as much.
    near = given_load(problem, phi, found.load * (1.0 + 1e-3), tolerance=1e-7)
    slope = np.abs(near.phi - same.phi).max() / abs(problem.cracks.energy(near.phi) - problem.cracks.energy(same.phi))
    assert np.abs(same.phi - found.phi).max() < 1e-5 + 2.0 * slope * 1e-4 * 0.02


def test_accelerations_agree_under_given_dissipation():
    problem, phi = start()
    loads = [given_dissipation(problem, phi, 0.5, name=n).load for n in ("none", "over_relaxation", "anderson")]
    np.testing.assert_allclose(loads, loads[0], rtol=1e-4)


def test_snap_back_is_followed():
    """D grows all the time; the load of this high plate falls, and at every state a pass changes nothing."""
    problem = problem_of(scenario := plate((16, 32), 0.2))
    phi = crack_of(scenario)
    phi = problem.solve_damage(phi, phi, np.zeros_like(phi), 1e-9)
    loads: list[float] = []
    x, load = phi, 0.0
    for _ in range(4):
        found = given_dissipation(problem, x, 1.0, load)
        assert damage_residual(problem, found, x) < 3.0 * TOLERANCE
        x, load = found.phi, found.load
        loads.append(load)
    assert np.all(np.diff(loads) < 0.0)


def test_negative_loads_of_a_body_without_split_are_mirror_images():
    problem, phi = start()
    pulled, pressed = given_load(problem, phi, WHOLE), given_load(problem, phi, -WHOLE)
    np.testing.assert_allclose(pressed.phi, pulled.phi, rtol=0, atol=1e-9)
    assert pressed.load == -WHOLE
    assert math.isclose(pressed.response.force, -pulled.response.force, rel_tol=1e-6)
    assert math.isclose(pressed.response.energy, pulled.response.energy, rel_tol=1e-6)
    down, up = (given_dissipation(problem, phi, 0.5, load) for load in (-0.1, 0.1))
    assert math.isclose(down.load, -up.load, rel_tol=1e-6)
    np.testing.assert_allclose(down.phi, up.phi, rtol=0, atol=1e-5)


def test_a_split_tells_pressure_from_tension():
    problem, phi = start(split="spectral")
    pulled, pressed = given_load(problem, phi, RUNNING), given_load(problem, phi, -RUNNING)
    assert pulled.phi.max(axis=0)[-1] > 0.9
    # Pressed between clamped faces it only bulges at the sides.
    assert np.abs(pressed.phi - phi).max() < 0.1
    assert pressed.response.energy > 1.2 * pulled.response.energy


def test_load_zero_leaves_the_damage():
    problem, phi = start()
    found = given_load(problem, phi, 0.0)
    np.testing.assert_allclose(found.phi, phi, rtol=0, atol=1e-9)
    assert found.load == 0.0
    assert found.response.energy > 0.0


def test_steps_that_go_too_far_are_refused():
    problem, phi = start()
    control = GivenLoad(problem, phi, RUNNING, TOLERANCE, True)
    with pytest.raises(TooFar):
        Alternation(TOLERANCE).run(problem, control, Anderson(), phi, phi, None, None, 0.5)
    gentle = GivenLoad(problem, phi, 0.01, TOLERANCE, True)
    Alternation(TOLERANCE).run(problem, gentle, Anderson(), phi, phi, None, None, 0.5)


def test_too_few_passes_are_said():
    problem, phi = start()
    with pytest.raises(NumericalError, match=r"has not converged in 3 passes \(residual .*use smaller steps"):
        given_load(problem, phi, RUNNING, most_passes=3)


def test_more_than_the_body_can_dissipate_finds_no_load():
    problem, phi = start()
    everything = problem.cracks.energy(np.ones_like(phi))
    with pytest.raises(NumericalError, match=r"no load was found for which the cracks have the energy"):
        given_dissipation(problem, phi, 2.0 * everything)


def test_a_body_that_is_not_strained_has_no_dissipation():
    problem = problem_of(cell(mean={"strain": {"xx": 0.0}}))
    phi = np.zeros(problem.body.grid.shape)
    with pytest.raises(NumericalError, match="the load strains nothing that could break"):
        given_dissipation(problem, phi, 1.0)


@pytest.mark.parametrize("cells", [(8, 8), (32, 32)])
@pytest.mark.parametrize("step", [1e-7, 1e-4, 1e-2, 1.0])
def test_next_to_the_elastic_limit_the_load_is_that_of_the_limit(cells, step):
    """AT1, everywhere alike: φ = D/(c₁V), and s² ψ₁ = c₁/(2(1 − φ)) barely above the elastic limit c₁/2."""
    scenario = cell(cells)
    problem = problem_of(scenario)
    phi = np.zeros(problem.body.grid.shape)
    found = given_dissipation(problem, phi, step)
    c1, volume = 3.0 * GC / (8.0 * 4.0), float(np.prod(cells))
    assert abs(problem.cracks.energy(found.phi) - step) <= 1.01e-4 * step
    damage = step / (c1 * volume)
    np.testing.assert_allclose(found.phi, damage, rtol=2e-4)
    # The damage solver's residual is over the diagonal, in which 4κ = 3Gcℓ stands: φ, and with it ln s², is known 3Gcℓ/c₁ times
    # less well.
    np.testing.assert_allclose(found.load**2 * (LAME + 2 * SHEAR), c1 / (1.0 - damage), rtol=TOLERANCE * 12.0 / c1)
    assert np.ptp(found.phi) < 1e-12


def test_between_two_loads_that_are_almost_the_same():
    """The damage in between has D exactly."""
    problem = problem_of(cell())
    shape = problem.body.grid.shape
    control = GivenDissipation(problem, np.zeros(shape), 0.02, 0.02, 0.0, TOLERANCE)
    low, high = np.zeros(shape), np.full(shape, 0.01)
    found = control._between((math.log(4.0), low), (math.log(4.0) + 1e-9, high))
    assert math.isclose(problem.cracks.energy(found), 0.02, rel_tol=1e-12)
    assert 2.0 <= control.load <= 2.0 * (1 + 1e-9)
