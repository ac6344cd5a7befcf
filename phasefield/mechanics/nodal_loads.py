"""What single loads do to the velocities of nodes, step by step: forces, prescribed motions, rigid bodies that strike.

At time t a step has brought u(t) = u(t − Δt) + Δt v, and the body's own forces have made v into ṽ. A load acts at the same moment
with nodal forces F(t) along one axis,

    v⁺ = ṽ + Δt F/(M (1 + ½Δt C/M)),

C the dampers. With forces F the energy T + U of a body as `dynamics` defines it grows in a step by exactly

    ½ (F(t − Δt) + F(t))·Δt v,

the work. Where the velocity is prescribed F follows from it.

A rigid body of mass m with velocity V along the normal touches nodes that are flush with it. It exchanges with them the impulses
P ≥ 0 that are needed so that none lies inside it after the next step: m̃ᵢ max(0, V⁺ − aᵢ), m̃ᵢ = Mᵢ(1 + ½Δt Cᵢ/Mᵢ), with aᵢ the
velocity with which node i would just come to touch it. With m V⁺ = m V − Σ Pᵢ that is one equation for V⁺, monotone and piecewise
linear. In all momentum is conserved; energy is lost where a node is struck, as in a plastic impact of its own mass: ½ P·(V − v).
(N. J. Carpenter, R. L. Taylor, M. G. Katona, Int. J. Numer. Methods Eng. 32 (1991) 103, doi:10.1002/nme.1620320107, likewise put
the condition at the end of an explicit step.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from phasefield.mechanics.dynamic_load_sections import DynamicLoad
from phasefield.mechanics.dynamics import MovingBody


class NodalLoad(ABC):
    """Forces of some nodes along one axis.

    Args:
        load: what the scenario says; None for nodes at rest.
        component: 0 for x.
        nodes: True for those it acts on (*nodes), no copies.

    Attributes: `now`, forces at the last time; `work` on the body and `impulse` since the start.
    """

    def __init__(self, body: MovingBody, load: DynamicLoad | None, component: int, nodes: np.ndarray):
        self.body, self.load, self.component = body, load, component
        where = np.nonzero(nodes)
        self.index = (component, *where)
        self.place = body.place(self.index)
        self.mass, self.damping = body.mass[where], body.damping[self.index]
        # Velocities before and after the last push.
        self.now, self.path, self.before, self.after = (np.zeros(len(where[0])) for _ in range(4))
        self.work = self.impulse = 0.0

    @property
    def loads(self) -> list[DynamicLoad]:
        """The section of the load, if there is one."""
        return [] if self.load is None else [self.load]

    def moved(self, step: float) -> None:
        """After `MovingBody.move`."""
        self.before = self.body.velocity_at(self.place)
        self.path = step * self.before

    @abstractmethod
    def response(
        self, free: np.ndarray, weight: np.ndarray, time: float, step: float, following: float, correction: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Velocities, and the forces F, of nodes whose velocities are `free` without them; weight: M + ½Δt C."""

    def jump(self, following: float) -> np.ndarray | None:
        """Velocities that nodes have from time 0 on; None for those of before."""
        return None

    def start(self, following: float) -> None:
        """Velocities that are there at once at time 0: an impulse."""
        free = self.body.velocity_at(self.place)
        target = self.jump(following)
        if target is not None:
            self.body.set_velocity(self.place, target)
            change = self.mass * (target - free)
            self.impulse += float(change.sum())
            self.work += 0.5 * float((change * (target + free)).sum())
        self.before = self.after = self.body.velocity_at(self.place)

    def push(self, time: float, step: float, following: float, correction: bool) -> None:
        """After `MovingBody.push`; `correction` for one that only changes the time to which velocities belong."""
        body, free = self.body, self.body.velocity_at(self.place)
        weight = self.mass * (1.0 + 0.5 * step * self.damping)
        new, forces = self.response(free, weight, time, step, following, correction)
        body.set_velocity(self.place, new)
        self.impulse += step * float(forces.sum())
        if not correction:
            mass, before, change = self.mass, self.before, new - free
            self.work += 0.5 * float(((self.now + forces) * self.path).sum())
            body.kinetic += 0.5 * float((mass * before * change).sum())
            # Dampers act at the mean of the velocities before and after.
            mean = (mass * self.damping * change * (2.0 * before + free + new)).sum()
            body.lost += 0.25 * step * float(mean)
        self.now, self.after = forces, new

    def records(self) -> dict[str, float]:
        """Scalars for the history."""
        return {}

    def keep(self) -> tuple[np.ndarray, dict[str, float]]:
        """An array and numbers from which `recall` goes on bit for bit."""
        return np.stack([self.now, self.before, self.after]), {"work": self.work, "impulse": self.impulse}

    def recall(self, arrays: np.ndarray, numbers: dict[str, Any]) -> None:
        """The opposite of `keep`."""
        self.now, self.before, self.after = np.array(arrays)
        for name in self.keep()[1]:
            setattr(self, name, float(numbers[name]))


class Force(NodalLoad):
    """Given forces (*nodes)."""

    def __init__(self, body: MovingBody, load: DynamicLoad, component: int, nodes: np.ndarray, forces: np.ndarray):
        super().__init__(body, load, component, nodes)
        self.load: DynamicLoad = load
        self.forces = forces[self.index[1:]]

    def response(
        self, free: np.ndarray, weight: np.ndarray, time: float, step: float, following: float, correction: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        # A push reaches half a step back: at the end of a load half of it is left.
        half = not correction and self.load.acts(time - 0.5 * step)
        share = 1.0 if self.load.acts(time) else 0.5 * half
        forces = self.forces * (share * self.load.factor(time))
        return free + step * forces / weight, forces


class Motion(NodalLoad):
    """A given velocity or displacement; nodes at rest where `load` is None."""

    def __init__(
        self, body: MovingBody, load: DynamicLoad | None, component: int, nodes: np.ndarray, value: float = 0.0
    ):
        super().__init__(body, load, component, nodes)
        self.value = value

    def response(
        self, free: np.ndarray, weight: np.ndarray, time: float, step: float, following: float, correction: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        if self.load is not None and not self.load.acts(time + 0.5 * following):
            return free, np.zeros(len(free))
        target = self._velocity(time, following)
        if correction:
            # Part of a jump of the velocity counts with the step that follows, of which `now` will not tell.
            before = target - following / step * (target - self.after)
            self.work += 0.5 * float((self.mass * (target * before - self.after * self.before)).sum())
        return target, (target - free) * weight / step

    def jump(self, following: float) -> np.ndarray | None:
        return self._velocity(0.0, 0.0 if self.load is not None and self.load.kind == "velocity" else following)

    def _velocity(self, time: float, step: float) -> np.ndarray:
        """Over the step from `time` on."""
        if self.load is None:
            return np.zeros(len(self.mass))
        if self.load.kind == "velocity":
            return np.full(len(self.mass), self.value * self.load.factor(time + 0.5 * step))
        return (self.value * self.load.factor(time + step) - self.body.displacement_at(self.place)) / step


class Projectile(NodalLoad):
    """A rigid body that flies with `velocity` along one axis against nodes, at time 0 flush with them.

    Attributes: `velocity`, `displacement`; `kinetic`, its energy at the time of u; `lost`, what plastic impacts took.
    """

    def __init__(self, body: MovingBody, load: DynamicLoad, component: int, nodes: np.ndarray, velocity: float):
        super().__init__(body, load, component, nodes)
        assert load.impact is not None
        self.projectile_mass = load.impact.mass
        self.velocity, self.displacement, self.lost = velocity, 0.0, 0.0
        self._sign = 1.0 if velocity > 0.0 else -1.0
        self.kinetic = 0.5 * self.projectile_mass * velocity**2
        self._flight = self._way = 0.0

    def moved(self, step: float) -> None:
        super().moved(step)
        self._flight, self._way = self.velocity, step * self.velocity
        self.displacement += self._way

    def start(self, following: float) -> None:
        free = self.body.velocity_at(self.place)
        kinetic, work = self.kinetic, self.work
        target = self._strike(free, self.mass, 0.0)
        change = self.mass * (target - free)
        self.body.set_velocity(self.place, target)
        self.velocity -= float(change.sum()) / self.projectile_mass
        self.impulse += float(change.sum())
        self.work += 0.5 * float((change * (target + free)).sum())
        self.kinetic = 0.5 * self.projectile_mass * self.velocity**2
        self.lost += kinetic - self.kinetic - (self.work - work)
        self.now = change

    def response(
        self, free: np.ndarray, weight: np.ndarray, time: float, step: float, following: float, correction: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        if correction:
            # Those in touch stay so: backwards in time none can be struck.
            mass, touching = self.projectile_mass, self.now != 0.0
            common = mass * self.velocity + float((weight * free)[touching].sum())
            target = np.where(touching, common / (mass + float(weight[touching].sum())), free)
        else:
            gap = self._sign * (self.body.displacement_at(self.place) - self.displacement)
            target = self._strike(free, weight, gap / following)
        forces = (target - free) * weight / step
        self.velocity -= step * float(forces.sum()) / self.projectile_mass
        if not correction:
            self.kinetic = 0.5 * self.projectile_mass * self._flight * self.velocity
            self.lost += 0.5 * float(((self.now + forces) * (self._way - self.path)).sum())
        return target, forces

    def _strike(self, free: np.ndarray, weight: np.ndarray, gap: np.ndarray | float) -> np.ndarray:
        """Velocities of the nodes; gap: their distance over the step in which it may be used up."""
        touch = self._sign * free + gap
        order = np.argsort(touch, kind="stable")
        a, share = touch[order], weight[order] / self.projectile_mass
        flight = self._sign * self.velocity
        # How far V⁺ − a must not be below 0 for all that are touched earlier than a.
        excess = a + (np.cumsum(share) * a - np.cumsum(share * a)) - flight
        count = int((excess < 0.0).sum())
        common = (flight + float((share * a)[:count].sum())) / (1.0 + float(share[:count].sum()))
        return np.where(touch < common, self._sign * (common - gap), free)

    def records(self) -> dict[str, float]:
        return {
            "projectile_velocity": self.velocity,
            "projectile_force": abs(float(self.now.sum())),
            "projectile_energy": self.kinetic,
            "projectile_lost": self.lost,
        }

    def keep(self) -> tuple[np.ndarray, dict[str, float]]:
        arrays, numbers = super().keep()
        own = {name: getattr(self, name) for name in ("velocity", "displacement", "lost", "kinetic")}
        return arrays, numbers | own
