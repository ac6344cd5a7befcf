"""What acts on a body that moves, as a scenario writes it.

```yaml
faces: {x: {low: clamped, high: absorbing}, y: sliding}                    # faces that are not named are free
layers: [{face: x.high, width: 5.0e-3, reflection: 1.0e-2}]                # damping in front of a face, see `absorbing`
initial_velocity: {y: 2.0*sin(pi*x/Lx)}
mean_strain: {strain: {xx: 0.01}, history: [[0, 0], [1.0e-5, 1]]}           # of a body that is periodic along x
loads:
  - {face: y.high, traction: {y: 1.0e6}}                                    # force per area, all at once
  - {face: x.low, to: [0.0, 0.025], velocity: {x: 16.5}, ramp: 1.0e-6}      # a part of a face
  - {from: [0.0, 0.01], to: [0.0, 0.02], displacement: {y: 1.0e-5}, history: [[0, 0], [1.0e-5, 1], [2.0e-5, 0]]}
  - {face: x.low, impact: {velocity: {x: 16.5}, mass: 1.57}}                # a rigid body that flies against the face
```
Every load but an impact is its value times ramp(t) times history(t): ½(1 − cos πt/T) up to t = T, and a piecewise linear function
of time. Tractions on a part of a face act on what of it lies between `from` and `to`; displacements, velocities and impacts on
the nodes there. A load with `until` ends there: the force is gone, the nodes are free and keep their velocity.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from phasefield.initial.formulas import checked_formula
from phasefield.mechanics.loading import History, HistorySetting
from phasefield.mechanics.stiffness import Section, complaint

KINDS = ("traction", "velocity", "displacement", "impact")
# Times that differ by less than this share are the same.
SAME_TIME = 1e-9
AxisName = Literal["x", "y", "z"]
ComponentName = Literal["xx", "yy", "zz", "yz", "xz", "xy"]
Components = Annotated[dict[AxisName, float], Field(min_length=1)]


def _read_formula(value: Any) -> Any:
    return checked_formula(value, "formula") if isinstance(value, str) else value


# A number, or a formula in x, y, z.
Formula = Annotated[float | str, BeforeValidator(_read_formula)]


class Impact(Section):
    """A rigid body that flies against a face: it pushes the nodes it touches, never pulls, and slides without friction."""

    velocity: Components = Field(description="its velocity at time 0, along the normal of the face, into the body")
    mass: PositiveFloat = Field(description="its mass; in two dimensions per thickness")


class Layer(Section):
    """A layer in front of a face in which waves fade."""

    face: str = Field(description="x.low, x.high, y.low, …")
    width: PositiveFloat = Field(description="its thickness; two wavelengths of what is to fade, or more")
    reflection: float = Field(
        default=0.01, gt=0.0, lt=1.0, description="share of the amplitude of P waves that would return from a free face"
    )


class Course(Section):
    """How a load develops."""

    ramp: NonNegativeFloat = Field(default=0.0, description="time over which the load rises smoothly")
    history: HistorySetting | None = Field(default=None, description="pairs [time, factor], linear in between")

    def factor(self, time: float) -> float:
        """ramp(t) history(t)."""
        rise = 1.0 if time >= self.ramp else 0.5 - 0.5 * math.cos(math.pi * max(time, 0.0) / self.ramp)
        return rise if self.history is None else rise * History.of(self.history)(time)

    @property
    def corners(self) -> tuple[float, ...]:
        """Times at which the factor has a corner or the load ends."""
        times = () if self.history is None else History.of(self.history).corners
        return tuple(sorted(t for t in {self.ramp, *times} if t > 0.0))


class MeanStrain(Course):
    """A mean strain along periodic axes."""

    strain: dict[ComponentName, float] = Field(min_length=1, description="tensor components xx, yy, xy, …")


class DynamicLoad(Course):
    """A traction, velocity, displacement or impact on a part of a body."""

    face: str | None = Field(default=None, description="x.low, x.high, y.low, …; without it nodes between from and to")
    from_: list[float] | None = Field(
        default=None,
        alias="from",
        description="corner [x, y] or [x, y, z] of a box; the low end of the body when absent",
    )
    to: list[float] | None = Field(default=None, description="its opposite corner; the high end when absent")
    traction: Components | None = Field(default=None, description="force per area, on a face")
    velocity: Components | None = Field(default=None, description="velocity of the nodes")
    displacement: Components | None = Field(default=None, description="displacement of the nodes")
    impact: Impact | None = Field(default=None, description="a rigid body that flies against the face")
    until: PositiveFloat | None = Field(default=None, description="time at which the load ends")

    @model_validator(mode="after")
    def _complete(self) -> DynamicLoad:
        given = [k for k in KINDS if getattr(self, k) is not None]
        if len(given) != 1:
            some = f"not {' and '.join(given)}" if given else "and has none"
            raise complaint("kinds", f"a load needs exactly one of {', '.join(KINDS)}, {some}")
        if self.face is None and given[0] in ("traction", "impact"):
            raise complaint("face", f"{'an' if given[0] == 'impact' else 'a'} {given[0]} needs a face")
        if self.face is None and self.from_ is None and self.to is None:
            raise complaint("where", "a load needs a face, or a box of nodes from … to …")
        if given[0] == "displacement" and self.factor(0.0) != 0.0 and any((self.displacement or {}).values()):
            raise complaint(
                "jump", "a displacement cannot jump at time 0; give it a ramp, or a history that begins at 0"
            )
        timed = [k for k in ("history", "until") if getattr(self, k) is not None] + ["ramp"] * (self.ramp > 0.0)
        if given[0] == "impact" and timed:
            raise complaint("impact", f"an impact takes its own course; leave out {timed[0]}")
        return self

    @model_serializer(mode="wrap")
    def _as_written(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """With the key `from` of the scenario, which is no name in Python."""
        return {"from" if key == "from_" else key: value for key, value in handler(self).items()}

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return next(k for k in KINDS if getattr(self, k) is not None)

    @property
    def components(self) -> dict[AxisName, float]:
        """The values along the named axes."""
        value = getattr(self, self.kind)
        return value.velocity if isinstance(value, Impact) else value

    def acts(self, time: float) -> bool:
        """Whether the load has not ended."""
        return self.until is None or time < self.until * (1.0 - SAME_TIME)

    def same_course(self, other: DynamicLoad) -> bool:
        """Whether both prescribe the same quantity with the same factor at any time."""
        return self.kind == other.kind and all(
            getattr(self, name) == getattr(other, name) for name in ("ramp", "history", "until")
        )

    @property
    def corners(self) -> tuple[float, ...]:
        return tuple(sorted({*super().corners, *([] if self.until is None else [self.until])}))
