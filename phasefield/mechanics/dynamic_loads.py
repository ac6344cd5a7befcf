"""What acts on a body that moves, as a scenario writes it, and step by step.

```yaml
faces: {x: {low: clamped, high: absorbing}, y: sliding}                    # faces that are not named are free
loads:
  - {face: y.high, traction: {y: 1.0e6}}                                    # force per area, all at once
  - {face: x.low, to: [0.0, 0.025], velocity: {x: 16.5}, ramp: 1.0e-6}      # a part of a face
  - {from: [0.0, 0.01], to: [0.0, 0.02], displacement: {y: 1.0e-5}, history: [[0, 0], [1.0e-5, 1], [2.0e-5, 0]]}
```
Every load is its value times ramp(t) times history(t): ½(1 − cos πt/T) up to t = T, and a piecewise linear function of time.
Forces on a part of a face are those of the cells whose centres lie between `from` and `to`; displacements and velocities are
those of the nodes there, on a face or anywhere. A load with `until` ends there: the force is gone, the nodes are free.

Absorbing faces carry the traction −ρc_d v_n − ρc_s v_t of a plane wave that leaves: J. Lysmer, R. L. Kuhlemeyer, J. Eng. Mech.
Div. ASCE 95 (1969) 859, doi:10.1061/JMCEA3.0001144.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, model_validator

from phasefield.errors import InputError, unknown
from phasefield.mechanics.bounded_faces import ENDS
from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.loading import History, HistorySetting
from phasefield.mechanics.stiffness import Section, complaint
from phasefield.spectral.grid import AXIS_NAMES

KINDS = ("traction", "velocity", "displacement")
FORMS = ("free", "clamped", "sliding", "absorbing")
Axis_ = Literal["x", "y", "z"]


class DynamicLoad(Section):
    """A traction, velocity or displacement on a part of a body."""

    face: str | None = Field(default=None, description="x.low, x.high, y.low, …; without it nodes between from and to")
    from_: list[float] | None = Field(
        default=None,
        alias="from",
        description="corner [x, y] or [x, y, z] of a box; the low end of the body when absent",
    )
    to: list[float] | None = Field(default=None, description="its opposite corner; the high end when absent")
    traction: dict[Axis_, float] | None = Field(default=None, description="force per area, on a face")
    velocity: dict[Axis_, float] | None = Field(default=None, description="velocity of the nodes")
    displacement: dict[Axis_, float] | None = Field(default=None, description="displacement of the nodes")
    ramp: NonNegativeFloat = Field(default=0.0, description="time over which the load rises smoothly")
    history: HistorySetting | None = Field(default=None, description="pairs [time, factor], linear in between")
    until: PositiveFloat | None = Field(default=None, description="time at which the load ends")

    @model_validator(mode="after")
    def _one(self) -> DynamicLoad:
        given = [k for k in KINDS if getattr(self, k) is not None]
        if len(given) != 1:
            raise complaint(
                "kind", f"a load needs exactly one of {', '.join(KINDS)} (got {' and '.join(given) or 'none'})"
            )
        if not getattr(self, given[0]):
            raise complaint("components", f"{given[0]} names no component")
        if self.face is None and given[0] == "traction":
            raise complaint("face", "a traction needs a face")
        if self.face is None and self.from_ is None and self.to is None:
            raise complaint("where", "a load needs a face, or a box of nodes from … to …")
        return self

    @property
    def kind(self) -> str:
        """`traction`, `velocity` or `displacement`."""
        return next(k for k in KINDS if getattr(self, k) is not None)

    def factor(self, time: float) -> float:
        """ramp(t) history(t)."""
        rise = 1.0 if time >= self.ramp else 0.5 - 0.5 * math.cos(math.pi * max(time, 0.0) / self.ramp)
        return rise if self.history is None else rise * History.of(self.history)(time)

    def acts(self, time: float) -> bool:
        """Whether the load has not ended."""
        return self.until is None or time < self.until


class _Force:
    """A traction as forces of nodes."""

    def __init__(self, load: DynamicLoad, component: int, nodes: tuple[np.ndarray, ...], forces: np.ndarray):
        self.load, self.component = load, component
        self.index = (component, *nodes)
        self.nodes, self.forces = nodes, forces
        self.now, self.path = np.zeros(len(forces)), np.zeros(len(forces))


class _Motion:
    """Nodes whose velocity or displacement along one axis is given; `load` None: at rest."""

    def __init__(self, load: DynamicLoad | None, component: int, nodes: tuple[np.ndarray, ...], value: float = 0.0):
        self.load, self.component, self.value = load, component, value
        self.index = (component, *nodes)
        self.nodes = nodes
        self.now, self.path = np.zeros(len(nodes[0])), np.zeros(len(nodes[0]))

    def velocity(self, time: float, step: float, u: np.ndarray) -> np.ndarray | float:
        """Over the step from `time` on."""
        if self.load is None:
            return 0.0
        if self.load.kind == "velocity":
            return self.value * self.load.factor(time + 0.5 * step)
        return (self.value * self.load.factor(time + step) - u) / step


class DynamicLoads:
    """The loads of a body; after every `MovingBody.push` they act on the velocities of its nodes.

    Args:
        faces: by axis, or by axis and end: one of `FORMS`.
        loads: as the module describes.

    Attributes: `work` of all loads since the start; `impulse` (d) of their forces, up to the last velocities.

    Raises:
        InputError: unknown names, faces on periodic axes, boxes without nodes, nodes that are to move in two ways.
    """

    def __init__(self, body: MovingBody, faces: Mapping[str, Any], loads: list[DynamicLoad], place: str = "model"):
        self.body = body
        grid = body.grid
        self.dimensions = d = grid.dimensions
        self._forces: list[_Force] = []
        self._motions: list[_Motion] = []
        self.work, self.impulse = 0.0, np.zeros(d)
        self._taken: dict[int, np.ndarray] = {k: np.zeros(body.nodes, bool) for k in range(d)}
        self._read_faces(faces, f"{place}.faces")
        for number, load in enumerate(loads):
            self._read_load(load, f"{place}.loads.{number}")

    # --- reading ------------------------------------------------------------------------------------------------

    def _read_faces(self, faces: Mapping[str, Any], place: str) -> None:
        d, grid = self.dimensions, self.body.grid
        known = AXIS_NAMES[:d]
        for name, both in faces.items():
            if name not in known:
                raise InputError(f"{place}.{name}: {unknown('axis', name, known)}")
            axis = known.index(name)
            ends = both if isinstance(both, Mapping) else dict.fromkeys(ENDS, both)
            for end, form in ends.items():
                here = f"{place}.{name}.{end}" if isinstance(both, Mapping) else f"{place}.{name}"
                if end not in ENDS:
                    raise InputError(f"{here}: {unknown('end', end, ENDS)}")
                if form not in FORMS:
                    raise InputError(f"{here}: {unknown('form', str(form), FORMS)}")
                if grid.axes[axis].boundary == "periodic" and form != "free":
                    raise InputError(f"{here}: the axis {name} is periodic and has no faces")
                self._form(axis, ENDS.index(end), form)

    def _form(self, axis: int, end: int, form: str) -> None:
        held = {"clamped": range(self.dimensions), "sliding": (axis,)}.get(form, ())
        nodes = np.nonzero(self._on_face(axis, end) & (self.body.mass > 0.0))
        for c in held:
            # Where faces meet, a component is held once.
            fresh = ~self._taken[c][nodes]
            chosen = tuple(n[fresh] for n in nodes)
            self._motions.append(_Motion(None, c, chosen))
            self._taken[c][nodes] = True
        if form == "absorbing":
            self._absorb(axis, end)

    def _absorb(self, axis: int, end: int) -> None:
        body, grid = self.body, self.body.grid
        lam, mu = (np.broadcast_to(a, (grid.cells,)).reshape(grid.shape) for a in body.split.constants)
        rho = np.where(body.solid, body.density, 0.0)
        along = self.dimensions - 1 - axis
        for c in range(self.dimensions):
            impedance = np.sqrt(rho * (lam + 2.0 * mu if c == axis else mu))
            damper = self._on_nodes(np.take(impedance, -end, along), axis, end)
            ratio = np.zeros((self.dimensions, *body.nodes))
            ratio[c] = damper * body.inverse_mass
            body.damp(ratio)

    def _on_face(self, axis: int, end: int) -> np.ndarray:
        mask = np.zeros(self.body.nodes, bool)
        index: list[Any] = [slice(None)] * self.dimensions
        index[self.dimensions - 1 - axis] = -end
        mask[tuple(index)] = True
        return mask

    def _on_nodes(self, cells: np.ndarray, axis: int, end: int) -> np.ndarray:
        """Integrals over a face of one number per cell beside it: nodal values (*nodes)."""
        grid, d = self.body.grid, self.dimensions
        others = [a for a in range(d) if a != axis]
        share = cells * math.prod(grid.axes[a].spacing for a in others) / 2.0 ** (d - 1)
        for a in others:
            along = share.ndim - 1 - others.index(a)
            zero = np.zeros_like(np.take(share, [0], along))
            share = np.concatenate([zero, share], along) + np.concatenate([share, zero], along)
            if self.body.periodic[a]:
                both = np.take(share, [0], along) + np.take(share, [-1], along)
                self.body._set_ends(share, along, both)
        result = np.zeros(self.body.nodes)
        index: list[Any] = [slice(None)] * d
        index[d - 1 - axis] = -end
        result[tuple(index)] = share
        return result

    def _box(self, load: DynamicLoad, place: str) -> list[tuple[float, float]]:
        """Of every axis x, y[, z]: the ends of the box."""
        grid, d = self.body.grid, self.dimensions
        for name, corner in (("from", load.from_), ("to", load.to)):
            if corner is not None and len(corner) != d:
                raise InputError(f"{place}.{name}: needs {d} coordinates on this grid")
        low = load.from_ or [0.0] * d
        high = load.to or [axis.length for axis in grid.axes]
        return [(min(a, b), max(a, b)) for a, b in zip(low, high, strict=True)]

    def _read_load(self, load: DynamicLoad, place: str) -> None:
        d = self.dimensions
        values = getattr(load, load.kind)
        for name in values:
            if name not in AXIS_NAMES[:d]:
                raise InputError(f"{place}.{load.kind}.{name}: {unknown('component', name, AXIS_NAMES[:d])}")
        face = None if load.face is None else self._face(load.face, place)
        box = self._box(load, place)
        for name, value in values.items():
            c = AXIS_NAMES.index(name)
            if load.kind == "traction":
                assert face is not None
                self._add_force(load, c, float(value), face, box, place)
            else:
                self._add_motion(load, c, float(value), face, box, place)

    def _face(self, name: str, place: str) -> tuple[int, int]:
        known = [f"{axis.name}.{end}" for axis in self.body.grid.axes if axis.boundary != "periodic" for end in ENDS]
        if name not in known:
            raise InputError(f"{place}.face: {unknown('face', name, known)}")
        axis, end = name.split(".")
        return AXIS_NAMES.index(axis), ENDS.index(end)

    def _add_force(self, load: DynamicLoad, c: int, value: float, face: tuple[int, int], box: Any, place: str) -> None:
        axis, end = face
        grid, d = self.body.grid, self.dimensions
        inside = np.ones(grid.shape, bool)
        for a, (low, high) in enumerate(box):
            if a != axis:
                line = grid.axes[a].centres
                inside &= ((line >= low) & (line <= high)).reshape([-1 if k == d - 1 - a else 1 for k in range(d)])
        along = d - 1 - axis
        cells = np.take(inside & self.body.solid, -end, along)
        if not cells.any():
            raise InputError(f"{place}: no solid cell of the face lies between from and to")
        forces = self._on_nodes(np.where(cells, value, 0.0), axis, end)
        nodes = np.nonzero(forces * self.body.inverse_mass)
        self._forces.append(_Force(load, c, nodes, forces[nodes]))

    def _add_motion(self, load: DynamicLoad, c: int, value: float, face: Any, box: Any, place: str) -> None:
        grid, d = self.body.grid, self.dimensions
        inside = np.ones(self.body.nodes, bool) if face is None else self._on_face(*face)
        for a, (low, high) in enumerate(box):
            axis = grid.axes[a]
            line, slack = np.arange(axis.cells + 1) * axis.spacing, 1e-9 * axis.length
            chosen = (line >= low - slack) & (line <= high + slack)
            inside &= chosen.reshape([-1 if k == d - 1 - a else 1 for k in range(d)])
        inside &= self.body.mass > 0.0
        if not inside.any():
            raise InputError(f"{place}: no node lies between from and to; nodes are the corners of cells")
        if (self._taken[c] & inside).any():
            name = AXIS_NAMES[c]
            raise InputError(
                f"{place}.{load.kind}.{name}: a face or an earlier load holds some of these nodes along {name}"
            )
        self._taken[c] |= inside
        self._motions.append(_Motion(load, c, np.nonzero(inside), value))

    # --- step by step -------------------------------------------------------------------------------------------

    def moved(self, step: float) -> None:
        """After `MovingBody.move`: how far the loads have come."""
        for part in (*self._forces, *self._motions):
            part.path = step * self.body.v[part.index]
            part.before = self.body.v[part.index]

    def push(self, time: float, step: float, following: float, *, first: bool = False) -> None:
        """Forces at `time` act over `step`; prescribed nodes get their velocity over the step that follows, `following` long.

        first: a correction or a start, of which no work is told.
        """
        body = self.body
        for part in self._forces:
            forces = part.forces * part.load.factor(time) if part.load.acts(time) else 0.0 * part.forces
            half = 0.5 * step * body.damping[part.index]
            change = step * forces * body.inverse_mass[part.nodes] / (1.0 + half)
            free = body.v[part.index]
            body.v[part.index] = free + change
            self._account(part, forces, free, step, first)
        for part in self._motions:
            if part.load is not None and not part.load.acts(time + 0.5 * following):
                self._account(part, 0.0 * part.now, body.v[part.index], step, first)
                continue
            free = body.v[part.index]
            target = part.velocity(time, following, body.u[part.index])
            half = 0.5 * step * body.damping[part.index]
            forces = (target - free) * (1.0 + half) * body.mass[part.nodes] / step
            body.v[part.index] = target
            self._account(part, forces, free, step, first)
        if any(body.periodic):
            body.copy_periodic(body.v)

    def _account(self, part: Any, forces: np.ndarray, free: np.ndarray, step: float, first: bool) -> None:
        c = part.component
        self.impulse[c] += step * float(forces.sum())
        if not first:
            self.work += 0.5 * float(((part.now + forces) * part.path).sum())
            change = self.body.v[part.index] - free
            self.body.kinetic += 0.5 * float((self.body.mass[part.nodes] * part.before * change).sum())
        part.now = np.array(forces, float)

    @property
    def given(self) -> bool:
        """Whether anything is given beside faces at rest."""
        return any(part.load is not None for part in (*self._forces, *self._motions))

    def keep(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and numbers from which `recall` goes on bit for bit."""
        arrays = {f"load_{n}": part.now for n, part in enumerate((*self._forces, *self._motions))}
        return arrays, {"work": self.work, "impulse": self.impulse.tolist()}

    def recall(self, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> None:
        """The opposite of `keep`."""
        for n, part in enumerate((*self._forces, *self._motions)):
            part.now = np.array(arrays[f"load_{n}"])
        self.work, self.impulse = float(numbers["work"]), np.array(numbers["impulse"], float)

    @property
    def corners(self) -> tuple[float, ...]:
        """Times at which a history has a corner or a load ends."""
        found = set()
        for part in (*self._forces, *self._motions):
            if part.load is not None:
                found |= {part.load.until or 0.0, part.load.ramp}
                if part.load.history is not None:
                    found |= set(History.of(part.load.history).times)
        return tuple(sorted(t for t in found if t > 0.0))
