"""The loads of a body that moves: its faces, layers, initial velocity, and the list of loads (`dynamic_load_sections`).

Where two of them meet in a node:

| | along one axis |
|---|---|
| two faces at rest | the node is at rest |
| a face at rest and a load | it is at rest; the load has what else it names, and that must not be nothing |
| two motions of one course (same value, ramp, history, until) | they are one |
| two other motions, or a motion and a rigid body | contradict each other |
| a traction and anything | both act |
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from phasefield.errors import InputError, unknown
from phasefield.initial.formulas import formula_values
from phasefield.mechanics.absorbing import absorb_at_face, absorb_in_layer
from phasefield.mechanics.body_surface import Box, Surface
from phasefield.mechanics.bounded_faces import ENDS
from phasefield.mechanics.dynamic_load_sections import DynamicLoad, Layer, MeanStrain
from phasefield.mechanics.dynamics import MovingBody
from phasefield.mechanics.nodal_loads import Force, Motion, NodalLoad, Projectile
from phasefield.mechanics.stiffness import COMPONENTS, IN_PLANE
from phasefield.spectral.grid import AXIS_NAMES

FORMS = ("free", "clamped", "sliding", "absorbing")


class DynamicLoads:
    """After every `MovingBody.push` they act on the velocities of its nodes.

    A body starts from rest: the velocities it has at time 0, by `initial_velocity`, by loads that begin with a velocity, or by
    a rigid body that strikes, count as impulse and work.

    Args:
        faces: by axis, or by axis and end: one of `FORMS`.
        loads, layers, initial_velocity, mean_strain: as the sections describe; `place` is the key path of what holds them.

    Attributes: `parts`, what acts, in this order: forces, rigid bodies, motions; `mean_work`, that of the mean strain, which who
    moves the body adds up.

    Raises:
        InputError: unknown names, faces on periodic axes, boxes without nodes, nodes that are to move in two ways.
    """

    def __init__(
        self,
        body: MovingBody,
        faces: Mapping[str, Any],
        loads: list[DynamicLoad],
        layers: list[Layer] | None = None,
        initial_velocity: Mapping[str, float | str] | None = None,
        mean_strain: MeanStrain | None = None,
        place: str = "model",
    ):
        self.body, self.dimensions = body, body.grid.dimensions
        self.surface = Surface(body)
        self.initial = self._initial(initial_velocity or {}, f"{place}.initial_velocity")
        self._mean, self._course = self._mean_strain(mean_strain, f"{place}.mean_strain"), mean_strain
        self.mean_work = 0.0
        self.initial_work, self.initial_impulse = 0.0, np.zeros(self.dimensions)
        forms = self._read_faces(faces, f"{place}.faces")
        for number, layer in enumerate(layers or []):
            forms.setdefault(absorb_in_layer(self.surface, layer, f"{place}.layers.{number}"), "absorbing")
        self._rest = np.zeros((self.dimensions, *body.nodes), bool)
        self._motions: list[Motion] = []
        self._forces: list[Force] = []
        self._projectiles: list[Projectile] = []
        # In one order, so that dampers of mirrored corners add up alike.
        for face, form in sorted(forms.items()):
            if form == "absorbing":
                absorb_at_face(self.surface, face)
            self._hold(face, form)
        # Which part moves a node, counted from 1; 0 for none.
        self._mover = np.zeros((self.dimensions, *body.nodes), int)
        self._movers: list[tuple[DynamicLoad, float]] = []
        for number, load in enumerate(loads):
            self._read_load(load, f"{place}.loads.{number}")
        self.parts: tuple[NodalLoad, ...] = (*self._forces, *self._projectiles, *self._motions)

    # --- reading ------------------------------------------------------------------------------------------------

    def _initial(self, values: Mapping[str, float | str], place: str) -> np.ndarray | None:
        """Velocities of the nodes (d, *nodes)."""
        if not values:
            return None
        d, grid = self.dimensions, self.body.grid
        result = np.zeros((d, *self.body.nodes))
        for name, value in values.items():
            here = f"{place}.{name}"
            if name not in AXIS_NAMES[:d]:
                raise InputError(f"{here}: {unknown('component', name, AXIS_NAMES[:d])}")
            if isinstance(value, str):
                lines = [np.arange(axis.cells + 1) * axis.spacing for axis in grid.axes]
                shaped = {
                    axis.name: line.reshape([-1 if k == d - 1 - a else 1 for k in range(d)])
                    for a, (axis, line) in enumerate(zip(grid.axes, lines, strict=True))
                }
                value = formula_values(value, grid, here, shaped)
            result[AXIS_NAMES.index(name)] = value
        result = np.where(self.body.mass > 0.0, result, 0.0)
        if not np.isfinite(result).all():
            raise InputError(f"{place}: is not a finite number at {int((~np.isfinite(result)).sum())} nodes")
        self.body.copy_periodic(result)
        return result

    def _mean_strain(self, section: MeanStrain | None, place: str) -> np.ndarray | None:
        """Components as those of `MovingBody.strain`."""
        if section is None:
            return None
        names = [COMPONENTS[k] for k in (IN_PLANE if self.dimensions == 2 else range(6))]
        result = np.zeros(len(names))
        for name, value in section.strain.items():
            here = f"{place}.strain.{name}"
            if name not in names:
                raise InputError(f"{here}: {unknown('component', name, names)}")
            for axis in dict.fromkeys(name):
                if not self.body.periodic[AXIS_NAMES.index(axis)]:
                    raise InputError(f"{here}: the axis {axis} is not periodic; move its faces instead")
            result[names.index(name)] = value
        return result

    def _read_faces(self, faces: Mapping[str, Any], place: str) -> dict[tuple[int, int], str]:
        """The form of every face that is named."""
        d, grid = self.dimensions, self.body.grid
        known, forms = AXIS_NAMES[:d], {}
        for name, both in faces.items():
            if name not in known:
                raise InputError(f"{place}.{name}: {unknown('axis', name, known)}")
            axis, each = known.index(name), isinstance(both, Mapping)
            for end, form in (both if each else dict.fromkeys(ENDS, both)).items():
                here = f"{place}.{name}.{end}" if each else f"{place}.{name}"
                if end not in ENDS:
                    raise InputError(f"{here}: {unknown('end', end, ENDS)}")
                if isinstance(form, Mapping):
                    raise InputError(f"{here}: is one of {', '.join(FORMS)}; what moves a face is one of the loads")
                if form not in FORMS:
                    raise InputError(f"{here}: {unknown('form', str(form), FORMS)}")
                if grid.axes[axis].boundary == "periodic" and form != "free":
                    raise InputError(f"{here}: the axis {name} is periodic and has no faces")
                forms[axis, ENDS.index(end)] = form
        return forms

    def _hold(self, face: tuple[int, int], form: str) -> None:
        held = {"clamped": range(self.dimensions), "sliding": (face[0],)}.get(form, ())
        nodes = self.surface.nodes(face)
        for c in held:
            fresh = nodes & ~self._rest[c]
            if fresh.any():
                self._motions.append(Motion(self.body, None, c, fresh))
            self._rest[c] |= nodes

    def _read_load(self, load: DynamicLoad, place: str) -> None:
        known = AXIS_NAMES[: self.dimensions]
        here = f"{place}.impact.velocity" if load.impact is not None else f"{place}.{load.kind}"
        for name in load.components:
            if name not in known:
                raise InputError(f"{here}.{name}: {unknown('component', name, known)}")
        box = self.surface.box(load.from_, load.to, place)
        face = None
        if load.face is not None:
            face = self.surface.face(load.face, f"{place}.face")
            self.surface.check_meets(face, box, place)
        if load.impact is not None:
            self._check_impact(load, here)
        for name, value in load.components.items():
            c = AXIS_NAMES.index(name)
            if load.kind == "traction":
                assert face is not None
                self._add_force(load, c, float(value), face, box, place)
            else:
                self._add_motion(load, c, float(value), face, box, f"{here}.{name}", place)

    def _check_impact(self, load: DynamicLoad, here: str) -> None:
        axis, end = str(load.face).split(".")
        values = dict(load.components)
        if set(values) != {axis}:
            raise InputError(f"{here}: a rigid body hits {load.face} along {axis} (got {', '.join(values)})")
        into = 1.0 if end == "low" else -1.0
        if values[axis] * into <= 0.0:  # type: ignore[index]
            raise InputError(f"{here}.{axis}: must be {'greater' if into > 0.0 else 'less'} than 0, into the body")

    def _add_force(self, load: DynamicLoad, c: int, value: float, face: tuple[int, int], box: Box, place: str) -> None:
        shares = self.surface.shares(face, box)
        if not shares.any():
            raise InputError(f"{place}: no solid part of the face lies between from and to")
        forces = self.surface.integrals(value * shares, face)
        nodes = self.surface.nodes(face) & (self.surface.integrals(shares, face) > 0.0)
        if not (nodes & ~self._rest[c]).any():
            name = AXIS_NAMES[c]
            raise InputError(f"{place}.traction.{name}: faces hold all of these nodes at rest along {name}")
        self._forces.append(Force(self.body, load, c, nodes, forces))

    def _add_motion(
        self, load: DynamicLoad, c: int, value: float, face: tuple[int, int] | None, box: Box, here: str, place: str
    ) -> None:
        inside = self.surface.nodes(face, box)
        if not inside.any():
            raise InputError(f"{place}: no node lies between from and to; nodes are the corners of cells")
        axis = AXIS_NAMES[c]
        inside &= ~self._rest[c]
        if not inside.any():
            raise InputError(f"{here}: faces hold all of these nodes at rest along {axis}")
        for number in np.unique(self._mover[c][inside]):
            if number and not (load.same_course(self._movers[number - 1][0]) and value == self._movers[number - 1][1]):
                raise InputError(f"{here}: an earlier load moves some of these nodes in another way along {axis}")
            if number and load.impact is not None:
                raise InputError(f"{here}: two rigid bodies hit the same nodes")
        inside &= self._mover[c] == 0
        if not inside.any():
            return
        self._movers.append((load, value))
        self._mover[c][inside] = len(self._movers)
        if load.impact is not None:
            self._projectiles.append(Projectile(self.body, load, c, inside, value))
        else:
            self._motions.append(Motion(self.body, load, c, inside, value))

    # --- step by step -------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Give a body at rest its initial velocity."""
        body = self.body
        if self.initial is not None:
            body.put(0.0, self.initial)
            self.initial_impulse = body.momentum()
            index = (slice(None), *body.own)
            body.kinetic = self.initial_work = 0.5 * float((body.mass * self.initial**2)[index].sum())

    def mean_strain(self, time: float) -> np.ndarray | None:
        """What `MovingBody.strain` is at a time; None if that is what it is."""
        if self._mean is None or self._course is None:
            return None
        strain = self._mean * self._course.factor(time)
        return None if np.array_equal(strain, self.body.strain) else strain

    def start(self, following: float) -> None:
        """At time 0, before the first step, `following` long: velocities that are there at once."""
        for part in self.parts:
            part.start(following)
        self._copy()

    def moved(self, step: float) -> None:
        """After `MovingBody.move`: how far the loads have come."""
        for part in self.parts:
            part.moved(step)

    def push(self, time: float, step: float, following: float, *, correction: bool = False) -> None:
        """Forces at `time` act over `step`; prescribed nodes get their velocity over the step that follows, `following` long.

        correction: velocities only come to belong to another time, and no work is told.
        """
        for part in self.parts:
            part.push(time, step, following, correction)
        self._copy()

    def _copy(self) -> None:
        if any(self.body.periodic):
            self.body.copy_periodic(self.body.v)

    # --- what they did ------------------------------------------------------------------------------------------

    @property
    def given(self) -> bool:
        """Whether anything is given beside faces at rest."""
        return self.initial is not None or self._mean is not None or any(part.loads for part in self.parts)

    @property
    def work(self) -> float:
        """Of all loads on the body, since the start."""
        return self.initial_work + self.mean_work + sum(part.work for part in self.parts)

    @property
    def impulse(self) -> np.ndarray:
        """Of all loads (d), up to the last velocities; that of dampers is not in it."""
        result = self.initial_impulse.copy()
        for part in self.parts:
            result[part.component] += part.impulse
        return result

    def records(self) -> dict[str, float]:
        """Scalars for the history: of rigid bodies; with a number if there are several."""
        result: dict[str, float] = {}
        for number, part in enumerate(self._projectiles, 1):
            for name, value in part.records().items():
                result[name if len(self._projectiles) == 1 else f"{name}_{number}"] = value
        return result

    @property
    def corners(self) -> tuple[float, ...]:
        """Times at which a history has a corner or a load ends."""
        courses = [load for part in self.parts for load in part.loads] + [self._course] * (self._course is not None)
        return tuple(sorted({t for course in courses if course is not None for t in course.corners}))

    def keep(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Arrays and numbers from which `recall` goes on bit for bit."""
        kept = [part.keep() for part in self.parts]
        arrays = {f"load_{n}": now for n, (now, _) in enumerate(kept)}
        initial = {"work": self.initial_work, "impulse": self.initial_impulse.tolist(), "mean": self.mean_work}
        return arrays, {"initial": initial, "parts": [numbers for _, numbers in kept]}

    def recall(self, arrays: Mapping[str, np.ndarray], numbers: Mapping[str, Any]) -> None:
        """The opposite of `keep`."""
        self.initial_work = float(numbers["initial"]["work"])
        self.initial_impulse = np.array(numbers["initial"]["impulse"], float)
        self.mean_work = float(numbers["initial"]["mean"])
        for n, (part, own) in enumerate(zip(self.parts, numbers["parts"], strict=True)):
            part.recall(arrays[f"load_{n}"], own)
