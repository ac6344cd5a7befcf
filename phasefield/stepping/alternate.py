"""Alternate minimisation of the energy of a cracked body, over displacements and damage in turn, to a real tolerance.

    E(u, φ) = ∫ g(φ)ψ⁺(ε) + ψ⁻(ε) dV + D(φ),    φₙ ≤ φ ≤ 1.

A pass is an equilibrium at given φ and the damage G(φ) at its strains. Passes go on until max |G(φ) − φ| is below the tolerance,
with an acceleration between them (`acceleration`). Under a given load a proposal that raised the potential E − W is taken back:
passes then never climb. Where the model has no potential, and under given dissipation, proposals are taken back when the residual
has grown by a factor.

*Given dissipation*: D(φ) = D* is prescribed and the load factor s is its multiplier. As ψ⁺ = s² ψ⁺₁ with the equilibrium at
s = 1, the damage problem alone is solved for several s² until D fits; no equilibrium is needed for that. The path is followed
through snap-back: it is one of equilibria, whatever the load does.

B. Bourdin, G. A. Francfort, J.-J. Marigo, J. Mech. Phys. Solids 48 (2000) 797, doi:10.1016/S0022-5096(99)00028-9.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from scipy.optimize import brentq

from phasefield.energy.fracture import CrackEnergy, Degradation
from phasefield.errors import NumericalError
from phasefield.mechanics.cracked_body import CrackedBody, Response
from phasefield.mechanics.damage import DamageSolver
from phasefield.stepping.acceleration import Acceleration

# A proposal may raise the potential by this share of it: a larger slack lets the iteration cycle, a smaller one sees rounding.
SLACK = 1e-7
# Without a potential, a proposal is taken back when its residual is this many times the last one.
GROWTH = 4.0
# Where a load is just beyond what the body can bear, accelerations hover where equilibria were last. Without a potential that
# falls, this many passes in which the residual has not halved are followed by as many plain ones.
PATIENCE = 50
# Tolerance of equilibria: this share of the last change of φ, at most, and at least the share `FINEST` of the tolerance.
SHARE, COARSEST, FINEST = 0.005, 1e-4, 0.01
# The damage problem is solved to this share of the tolerance, in early passes of the last change of φ.
DAMAGE_SHARE, EARLY_DAMAGE_SHARE = 0.01, 0.001
# Tries for the load of a given dissipation, and the first and the longest step of ln s² between them.
MOST_LOADS, SHORTEST, LONGEST = 80, 0.02, 1.0
# Of the elastic energy under s = 1 that a body has at the start of a step, it keeps this much unless it comes apart.
LEFT = 1e-5
# Two loads are the same where ln s² differs by less than this share of the last change of φ, or by this at least.
NARROW, NARROWEST = 0.1, 1e-8


@dataclass
class Effort:
    """What it has cost so far."""

    passes: int = 0
    taken_back: int = 0
    elastic_iterations: int = 0
    damage_iterations: int = 0


@dataclass(frozen=True, eq=False)
class Equilibrium:
    """The end of an iteration: damage, the response of the body with it, load factor, residual, and the passes it took."""

    phi: np.ndarray
    response: Response
    load: float
    residual: float
    passes: int


class LoadControl(Protocol):
    """What is prescribed."""

    sign: float

    def damage(self, x: np.ndarray, response: Response, residual: float) -> np.ndarray:
        """G: the damage that belongs to a response of the body; x, where to begin."""
        ...

    @property
    def load(self) -> float:
        """s of the last damage."""
        ...

    def potential(self, response: Response, dissipation: float) -> float | None:
        """E − W of a response with its damage; None where there is none to go by."""
        ...


def damage_tolerance(tolerance: float, residual: float) -> float:
    """Of a damage problem between two equilibria, where φ changed by `residual` in the last pass."""
    return max(DAMAGE_SHARE * tolerance, EARLY_DAMAGE_SHARE * residual)


class Separated(Exception):
    """Nothing is left of the body that a load could break."""


class TooFar(Exception):
    """Damage has changed by more than a step is allowed to."""


@dataclass(eq=False)
class CrackProblem:
    """A body, its damage solver and what they have in common."""

    body: CrackedBody
    damage: DamageSolver
    effort: Effort = field(default_factory=Effort)

    @property
    def cracks(self) -> CrackEnergy:
        return self.damage.cracks

    @property
    def degradation(self) -> Degradation:
        return self.damage.degradation

    def respond(self, phi: np.ndarray, sign: float, start: Response | None, tolerance: float) -> Response:
        """The equilibrium with the damage φ."""
        response = self.body.respond(self.degradation.value(phi), sign, start, tolerance)
        self.effort.elastic_iterations += response.iterations
        return response

    def solve_damage(self, start: np.ndarray, accepted: np.ndarray, psi: np.ndarray, tolerance: float) -> np.ndarray:
        """The damage at given energies."""
        result = self.damage.solve(start, accepted, psi, tolerance)
        self.effort.damage_iterations += result.iterations
        return result.phi


class GivenLoad:
    """The load factor s is prescribed."""

    def __init__(self, problem: CrackProblem, accepted: np.ndarray, load: float, tolerance: float, variational: bool):
        self._problem, self._accepted, self._tolerance = problem, accepted, tolerance
        self.load, self.variational = load, variational
        self.sign = -1.0 if load < 0.0 else 1.0

    def damage(self, x: np.ndarray, response: Response, residual: float) -> np.ndarray:
        psi = self.load**2 * response.drive
        return self._problem.solve_damage(x, self._accepted, psi, damage_tolerance(self._tolerance, residual))

    def potential(self, response: Response, dissipation: float) -> float | None:
        """s² (U − q) + D, with U and q at |s| = 1."""
        if not self.variational:
            return None
        return self.load**2 * (response.energy - self.sign * response.deflection) + dissipation


class GivenDissipation:
    """The energy of cracks D is prescribed; s follows, from `load` on. The sign of s stays.

    `step`: how much D grows in the step, to which the accuracy of D refers.
    """

    def __init__(
        self,
        problem: CrackProblem,
        accepted: np.ndarray,
        target: float,
        step: float,
        load: float,
        tolerance: float,
        variational: bool = False,
    ):
        self._problem, self._accepted, self._tolerance = problem, accepted, tolerance
        self.target, self.step, self.variational = target, step, variational
        self._whole: float | None = None
        self.sign = -1.0 if load < 0.0 else 1.0
        self._square = load**2

    @property
    def load(self) -> float:
        return self.sign * math.sqrt(self._square)

    def potential(self, response: Response, dissipation: float) -> float | None:
        """U − q at |s| = 1 + (D − D*)/s²: minimal where D = D*, with the multiplier 1/s²; both parts of a pass lower it."""
        if not self.variational or self._square == 0.0:
            return None
        return response.energy - self.sign * response.deflection + (dissipation - self.target) / self._square

    def damage(self, x: np.ndarray, response: Response, residual: float) -> np.ndarray:
        """The damage with D = target: a bracketed secant for ln s²."""
        self._whole = response.energy if self._whole is None else self._whole
        if response.energy < LEFT * self._whole:
            raise Separated
        accuracy = self.step * min(1e-2, max(0.1 * residual, 1e-4))
        largest = float((self._problem.degradation.value(x) * response.drive).max())
        if not largest > 0.0:
            raise NumericalError("dissipation control: the load strains nothing that could break")
        cracks = self._problem.cracks
        if self._square == 0.0:
            # Where the largest energy is about that of a crack of the width ℓ.
            self._square = float(np.max(cracks.toughness)) / (16.0 * cracks.ell * largest)
        a, tolerance = math.log(self._square), damage_tolerance(self._tolerance, residual)
        width = max(NARROWEST, NARROW * residual)
        seen: list[tuple[float, float]] = []
        below: tuple[float, np.ndarray] | None = None
        above: tuple[float, np.ndarray] | None = None
        for _ in range(MOST_LOADS):
            psi = math.exp(a) * response.drive
            x = self._problem.solve_damage(x, self._accepted, psi, tolerance)
            miss = cracks.energy(x) - self.target
            seen.append((a, miss))
            if abs(miss) <= accuracy:
                self._square = math.exp(a)
                return x
            if miss < 0.0 and (below is None or a > below[0]):
                below = a, x
            elif miss > 0.0 and (above is None or a < above[0]):
                above = a, x
            if below is not None and above is not None and above[0] - below[0] <= width:
                return self._between(below, above)
            a = self._next(seen)
        raise NumericalError(
            f"dissipation control: no load was found for which the cracks have the energy {self.target:.6g}"
        )

    def _between(self, below: tuple[float, np.ndarray], above: tuple[float, np.ndarray]) -> np.ndarray:
        """A damage between two whose loads are almost the same: D is that steep where a body is close to its elastic limit."""
        energy = self._problem.cracks.energy
        (a, x), (b, y) = below, above

        def miss(share: float) -> float:
            return energy(x + share * (y - x)) - self.target

        share = float(brentq(miss, 0.0, 1.0, xtol=1e-12))  # type: ignore[arg-type]
        self._square = math.exp(a + share * (b - a))
        return x + share * (y - x)

    @staticmethod
    def _next(seen: list[tuple[float, float]]) -> float:
        """The next ln s², after pairs of ln s² and what was too much: a secant, kept between what was too little and too much.

        Until both are known, steps away from the last one double: below its elastic limit a body dissipates nothing, however the
        load changes.
        """
        below = max((a for a, miss in seen if miss < 0.0), default=-math.inf)
        above = min((a for a, miss in seen if miss > 0.0), default=math.inf)
        last, miss = seen[-1]
        away = last - math.copysign(min(LONGEST, SHORTEST * 2.0 ** (len(seen) - 1)), miss)
        if len(seen) == 1:
            return away
        before, miss_before = seen[-2]
        sloped = miss != miss_before and last != before
        secant = last - miss * (last - before) / (miss - miss_before) if sloped else away
        if math.isfinite(below) and math.isfinite(above):
            return secant if below < secant < above else 0.5 * (below + above)
        # Not further than `away`, and not the other way.
        return min(max(secant, min(last, away)), max(last, away)) if sloped else away


@dataclass(frozen=True)
class Alternation:
    """How passes are made.

    tolerance: of max |G(φ) − φ|; most_passes: after which the step is given up; energy_tolerance: relative change of the
    potential in the last pass; equilibrium: relative residual of the last equilibrium.
    """

    tolerance: float = 1e-4
    energy_tolerance: float = 1e-6
    most_passes: int = 5000
    equilibrium: float = 1e-6

    def run(
        self,
        problem: CrackProblem,
        control: LoadControl,
        acceleration: Acceleration,
        phi: np.ndarray,
        accepted: np.ndarray,
        response: Response | None,
        watch: Callable[[int, float], None] | None = None,
        largest_change: float = math.inf,
    ) -> Equilibrium:
        """Pass until converged, from φ and a response nearby.

        Args:
            watch: called with the number of passes and the residual after each.
            largest_change: of φ against `accepted`, beyond which `TooFar` ends the iteration.

        Raises:
            NumericalError: not converged in `most_passes`.
        """
        lower = problem.damage.irreversibility.lower(accepted)
        acceleration.reset()
        x, fallback = phi, None
        residual, last, potential = 1e-3, math.inf, None
        smallest, since = math.inf, 0
        effort = problem.effort
        for number in range(1, self.most_passes + 1):
            effort.passes += 1
            tolerance = min(COARSEST, max(SHARE * residual, FINEST * self.tolerance))
            response = problem.respond(x, control.sign, response, tolerance)
            now = control.potential(response, problem.cracks.energy(x))
            climbed = now is not None and potential is not None and now > potential + SLACK * abs(potential)
            if fallback is not None and climbed:
                x, fallback = fallback, None
                acceleration.reset()
                effort.taken_back += 1
                continue
            image = control.damage(x, response, residual)
            # Solved to a share of the last change, a pass may find nothing to do, although there is.
            accurate = residual <= self.tolerance
            residual = float(np.abs(image - x).max())
            if not math.isfinite(residual):
                raise NumericalError("alternate minimisation: the damage is not finite")
            if fallback is not None and now is None and residual > GROWTH * last:
                x, fallback, residual = fallback, None, last
                acceleration.reset()
                effort.taken_back += 1
                continue
            settled = now is None or potential is None or abs(now - potential) <= self.energy_tolerance * abs(now)
            # Problems solved too coarsely stand still where they are.
            settled = settled and tolerance <= self.tolerance
            potential, last = now, residual
            if watch is not None:
                watch(number, residual)
            if residual <= self.tolerance and settled and accurate:
                response = problem.respond(
                    image, control.sign, response, min(self.equilibrium, FINEST * self.tolerance)
                )
                return Equilibrium(image, response, control.load, residual, number)
            if largest_change < 1.0 and float((image - accepted).max()) > largest_change:
                raise TooFar
            if residual < 0.5 * smallest:
                smallest, since = residual, number
            plain = now is None and (number - since) // PATIENCE % 2 == 1
            if plain:
                acceleration.reset()
            proposal = image if plain else acceleration.propose(x, image)
            # There is nothing to fall back on from the image itself.
            fallback = None if proposal is image else image
            x = np.clip(proposal, lower, 1.0)
        raise NumericalError(
            f"alternate minimisation has not converged in {self.most_passes} passes (residual {residual:.2g}): "
            "use smaller steps, or dissipation control where a crack runs"
        )
