"""Conditions on the faces of a box: what is prescribed there, displacement or traction, component by component.

```yaml
faces:
  y: {low: clamped, high: {displacement: {x: 0.0, y: 0.01}}}      # the two ends of an axis
  x: free                                                          # both ends; faces that are not named are free
```
| form | displacement | traction |
|---|---|---|
| `clamped` | all components 0 | – |
| `sliding` | the normal component 0 | the others 0 |
| `free` | – | 0 |
| `{displacement: {x: …}}` | the named components | the others 0 |
| `{traction: {x: …}}` | – | force per area on the named components, the others 0 |
| `{displacement: {…}, traction: {…}}` | the components named first | those named second, the others 0 |

A displacement is a number, or `{value: v, slope: {x: s}}`: v + s x, with x measured from the low end of the box, along the face.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

import numpy as np

from phasefield.errors import InputError, unknown
from phasefield.mechanics.rigid_motions import free_motion
from phasefield.spectral.grid import AXIS_NAMES, Grid

ENDS = ("low", "high")
# Displacements that differ by less than this fraction of the largest one agree.
_SAME = 1e-9
# The components (0 for x) that a form without numbers holds at 0, on a face across `axis` in d dimensions.
_FORMS: dict[str, Callable[[int, int], tuple[int, ...]]] = {
    "clamped": lambda axis, d: tuple(range(d)),
    "sliding": lambda axis, d: (axis,),
    "free": lambda axis, d: (),
}


@dataclass(frozen=True)
class Prescribed:
    """A displacement value + Σ_j slope_j x_j on a face; one slope per axis of the box, that along the normal is 0."""

    value: float
    slope: tuple[float, ...]

    def at(self, points: np.ndarray) -> np.ndarray:
        """At points (…, d), components x first."""
        return self.value + points @ np.array(self.slope)


@dataclass(frozen=True)
class Face:
    """One face: for every component a displacement, or None and a traction."""

    displacement: tuple[Prescribed | None, ...]
    traction: tuple[float, ...]


@dataclass(frozen=True)
class FaceConditions:
    """The conditions on all faces of a box; `faces[axis][end]` with axis 0 for x and end 0 for low.

    Raises:
        InputError: two faces prescribe different displacements for the edge where they meet.
    """

    lengths: tuple[float, ...]
    faces: tuple[tuple[Face, Face], ...]

    def __post_init__(self) -> None:
        self._check_edges()

    @classmethod
    def of(cls, setting: Mapping[str, Any], grid: Grid, place: str = "faces") -> FaceConditions:
        """Read the dictionary that the module describes; `place` is the key path of messages.

        Raises:
            InputError: unknown names, values that are no finite numbers, a component with both displacement and traction, a
                slope across the face, edges where faces contradict each other.
        """
        names = AXIS_NAMES[: grid.dimensions]
        for name in _mapping(setting, place, "faces by axis"):
            if name not in names:
                raise InputError(f"{place}.{name}: {unknown('axis', name, names)}")
        faces = []
        for axis, name in enumerate(names):
            both = setting.get(name, "free")
            if not isinstance(both, Mapping) or not both.keys() & set(ENDS):
                both = dict.fromkeys(ENDS, both)
            for end in both:
                if end not in ENDS:
                    raise InputError(f"{place}.{name}.{end}: {unknown('end', end, ENDS)}")
            ends = [_read_face(both.get(end, "free"), axis, names, f"{place}.{name}.{end}") for end in ENDS]
            faces.append((ends[0], ends[1]))
        return cls(tuple(a.length for a in grid.axes), tuple(faces))

    @property
    def dimensions(self) -> int:
        return len(self.faces)

    def ends(self, component: int) -> tuple[tuple[bool, bool], ...]:
        """Per axis, whether the displacement of a component is prescribed at the low and at the high end."""
        return tuple((low.displacement[component] is not None, high.displacement[component] is not None)
                     for low, high in self.faces)  # fmt: skip

    def prescribed(self) -> Iterator[tuple[int, int, int, Prescribed]]:
        """Every (axis, end, component, displacement) that is prescribed."""
        for axis, pair in enumerate(self.faces):
            for end, face in enumerate(pair):
                for component, given in enumerate(face.displacement):
                    if given is not None:
                        yield axis, end, component, given

    def tractions(self) -> Iterator[tuple[int, int, int, float]]:
        """Every (axis, end, component, traction) that is not zero."""
        for axis, pair in enumerate(self.faces):
            for end, face in enumerate(pair):
                for component, value in enumerate(face.traction):
                    if value != 0.0:
                        yield axis, end, component, value

    def check_support(self, held: tuple[np.ndarray, np.ndarray] | None = None) -> None:
        """Refuse conditions under which the body can move as a whole.

        Args:
            held: points (M, d) and their components (M,) that are held besides the faces.

        Raises:
            InputError: it names the motion.
        """
        points, components = [], []
        for axis, end, component, _ in self.prescribed():
            corners = self._corners({axis: end})
            points.append(corners)
            components.append(np.full(len(corners), component))
        if held is not None:
            points.append(held[0])
            components.append(held[1])
        empty = np.zeros((0, self.dimensions)), np.zeros(0, int)
        motion = free_motion(np.concatenate([empty[0], *points]), np.concatenate([empty[1], *components]), self.lengths)
        if motion is not None:
            raise InputError(f"faces: the body can {motion} as a whole; prescribe a displacement that prevents it")

    def _corners(self, fixed: dict[int, int]) -> np.ndarray:
        """The corners of the box (M, d) with the given ends of the given axes."""
        ends = [(fixed[a],) if a in fixed else (0, 1) for a in range(self.dimensions)]
        return np.array(list(product(*ends)), float) * np.array(self.lengths)

    def _check_edges(self) -> None:
        size = max([float(np.abs(p.at(self._corners({a: e}))).max()) for a, e, _, p in self.prescribed()], default=0.0)
        for (a, end_a, c, first), (b, end_b, other, second) in combinations(self.prescribed(), 2):
            if a == b or c != other:
                continue
            edge = self._corners({a: end_a, b: end_b})
            if np.abs(first.at(edge) - second.at(edge)).max() > _SAME * size:
                raise InputError(
                    f"faces.{AXIS_NAMES[a]}.{ENDS[end_a]} and faces.{AXIS_NAMES[b]}.{ENDS[end_b]}: "
                    f"the displacements along {AXIS_NAMES[c]} differ on the edge where the faces meet "
                    f"({first.at(edge)[0]:g} and {second.at(edge)[0]:g})"
                )


def _mapping(value: Any, place: str, expected: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{place}: expected {expected}, got {value!r}")
    return value


def _number(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"{place}: must be a finite number (got {value!r})")
    return float(value)


def _read_face(setting: Any, axis: int, names: tuple[str, ...], place: str) -> Face:
    d = len(names)
    if isinstance(setting, str):
        if setting not in _FORMS:
            raise InputError(f"{place}: {unknown('form', setting, _FORMS)}")
        held = _FORMS[setting](axis, d)
        zero = Prescribed(0.0, (0.0,) * d)
        return Face(tuple(zero if c in held else None for c in range(d)), (0.0,) * d)
    expected = f"one of {', '.join(_FORMS)}, or {{displacement: …}}, {{traction: …}}"
    for key in _mapping(setting, place, expected):
        if key not in ("displacement", "traction"):
            raise InputError(f"{place}.{key}: {unknown('key', key, ('displacement', 'traction'))}")
    displacement: list[Prescribed | None] = [None] * d
    traction = [0.0] * d
    for key in ("displacement", "traction"):
        for name, value in _mapping(setting.get(key, {}), f"{place}.{key}", "values by component").items():
            here = f"{place}.{key}.{name}"
            if name not in names:
                raise InputError(f"{here}: {unknown('component', name, names)}")
            component = names.index(name)
            if key == "displacement":
                displacement[component] = _read_displacement(value, axis, names, here)
            elif displacement[component] is not None:
                raise InputError(f"{here}: contradicts {place}.displacement.{name}; give one of them")
            else:
                traction[component] = _number(value, here)
    return Face(tuple(displacement), tuple(traction))


def _read_displacement(setting: Any, axis: int, names: tuple[str, ...], place: str) -> Prescribed:
    if not isinstance(setting, Mapping):
        return Prescribed(_number(setting, place), (0.0,) * len(names))
    for key in setting:
        if key not in ("value", "slope"):
            raise InputError(f"{place}.{key}: {unknown('key', key, ('value', 'slope'))}")
    slope = [0.0] * len(names)
    for name, rate in _mapping(setting.get("slope", {}), f"{place}.slope", "slopes by axis").items():
        if name not in names:
            raise InputError(f"{place}.slope.{name}: {unknown('axis', name, names)}")
        if names.index(name) == axis:
            raise InputError(f"{place}.slope.{name}: the face is at one {name}, nothing varies along {name} there")
        slope[names.index(name)] = _number(rate, f"{place}.slope.{name}")
    return Prescribed(_number(setting.get("value", 0.0), f"{place}.value"), tuple(slope))
