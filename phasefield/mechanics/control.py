"""Which mean strains and stresses of a body are prescribed, as scenarios and programs say it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError, did_you_mean
from phasefield.mechanics.stiffness import COMPONENTS, Section, complaint

# Axes of the six components: those beyond the grid's dimensions lie out of its plane.
_HIGHEST_AXIS = np.array([0, 1, 2, 2, 2, 1])

Component = Literal["xx", "yy", "zz", "yz", "xz", "xy"]


class Control(Section):
    """Which mean strains and which mean stresses are prescribed, component by component, and their values.

    Written `strain` or `stress` (all components within the grid's axes, value 0), as six of these words in the order
    xx, yy, zz, yz, xz, xy, or with values, `{strain: {xx: 0.01}, stress: {yy: 0.0}}`: tensor components. A lone `strain:` or
    `stress:` section speaks for all components within the grid's axes, those it does not name having the value 0.
    Everything else has zero mean strain: a component of which an axis is missing from the grid (zz, yz, xz in 2-D: plane
    strain; in 1-D all but xx), unless it is named, and what neither of two sections names.
    """

    strain: dict[Component, float] | None = Field(default=None, description="mean strains: tensor components by name")
    stress: dict[Component, float] | None = Field(default=None, description="mean stresses by name, pressure")

    @model_validator(mode="after")
    def _consistent(self) -> Control:
        if self.strain is None and self.stress is None:
            raise complaint("missing_kind", "needs a section strain or stress")
        if both := sorted(set(self.strain or ()) & set(self.stress or ())):
            raise complaint("twice", f"{both[0]} is prescribed both as a mean strain and as a mean stress")
        return self

    def stress_controlled(self, dimensions: int) -> np.ndarray:
        """True for the components (6,) whose mean stress is prescribed on a grid of 1, 2 or 3 dimensions."""
        flags = np.zeros(6, bool)
        if self.strain is None:
            flags = dimensions > _HIGHEST_AXIS
        for i, name in enumerate(COMPONENTS):
            flags[i] |= name in (self.stress or ())
        return flags

    def values(self) -> np.ndarray:
        """The prescribed mean strains and stresses (6,), tensor components in the order xx, yy, zz, yz, xz, xy."""
        given = {**(self.strain or {}), **(self.stress or {})}
        return np.array([given.get(name, 0.0) for name in COMPONENTS])  # type: ignore[call-overload]


def read_control(value: Any) -> Any:
    """The section that a word or six words stand for; a section is left as it is."""
    if isinstance(value, str):
        value = _word(value)
        return Control(strain={}) if value == "strain" else Control(stress={})
    if isinstance(value, list | tuple):
        if len(value) != 6:
            raise complaint("control", f"needs six words, for {', '.join(COMPONENTS)} (got {len(value)})")
        kinds = dict(zip(COMPONENTS, map(_word, value), strict=True))
        parts = {kind: {name: 0.0 for name in COMPONENTS if kinds[name] == kind} for kind in ("strain", "stress")}
        return Control.model_validate(parts)
    return value


def _word(value: Any) -> str:
    if value not in ("strain", "stress"):
        hint = f"; {did_you_mean(value, ('strain', 'stress'))}" if isinstance(value, str) else ""
        raise complaint("control", f"unknown control '{value}'{hint}")
    return value


ControlSetting = Annotated[
    Control,
    BeforeValidator(
        read_control,
        json_schema_input_type=Literal["strain", "stress"] | list[Literal["strain", "stress"]] | Control,
    ),
]


def resolve_control(control: Any, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Stress-control flags and prescribed values, (6,) each."""
    if isinstance(control, str) or (isinstance(control, list | tuple) and any(isinstance(c, str) for c in control)):
        try:
            control = read_control(control)
        except PydanticCustomError as error:
            raise InputError(str(error)) from None
    if isinstance(control, Control):
        return control.stress_controlled(dimensions), control.values()
    flags = np.asarray(control)
    if flags.shape != (6,) or flags.dtype != bool:
        raise InputError(f"control is 'strain', 'stress', or six words or flags for {', '.join(COMPONENTS)}")
    return flags, np.zeros(6)
