"""What a scenario may say: the strict schema, section by section.

Unknown keys, wrong types and impossible values are errors before anything is computed. Names are full words; the
symbols of the papers stand in the descriptions, from which the reference page and the JSON Schema are generated.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal, Union

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    Tag,
    ValidationInfo,
    create_model,
    field_validator,
)
from pydantic_core import PydanticCustomError

import phasefield.models
import phasefield.stepping.schemes  # noqa: F401 - fills the registry of schemes
from phasefield.errors import did_you_mean
from phasefield.initial import InitialField
from phasefield.initial.seeds import NucleationSection
from phasefield.models.base import Model, Strict
from phasefield.registry import lookup, names
from phasefield.scenario.kinds import Number, Off, by_kind
from phasefield.scenario.space_time import SpaceTime
from phasefield.scenario.verify_sections import VerifySection
from phasefield.spectral.grid import Axis, Grid

MAX_CELLS = 2**33
# Rows of the history when nothing is asked for.
HISTORY_ROWS = 200
MAX_AXIS = 2**20
# Benchmarks that a scenario can be; `output/pfhub.py` knows what each of them asks for.
BENCHMARKS = ("pfhub/1a", "pfhub/1b", "pfhub/2a", "pfhub/7a", "pfhub/8a", "pfhub/8b", "pfhub/8c")


def _number_or_pair(value: Any) -> str | None:
    if isinstance(value, list | tuple):
        return "{pair}"
    return "{number}" if isinstance(value, int | float) and not isinstance(value, bool) else None


# What a field is held at on the two faces of an axis.
Ends = Annotated[
    Annotated[float, Tag("{number}")] | Annotated[list[float], Field(min_length=2, max_length=2), Tag("{pair}")],
    Discriminator(
        _number_or_pair,
        custom_error_type="kind",
        custom_error_message="must be a number, or two of them: [at 0, at the length]",
    ),
]


def _refuse(message: str) -> PydanticCustomError:
    # A template, so that braces in a value are not taken for a placeholder.
    return PydanticCustomError("scenario", "{text}", {"text": message})


class AxisSection(Strict):
    """One axis of the box."""

    cells: int = Field(ge=4, le=MAX_AXIS, description="number of cells N; products of small primes are fastest")
    length: PositiveFloat = Field(description="length L of the box along this axis")
    boundary: Literal["periodic", "no_flux", "fixed"] = Field(
        default="periodic",
        description="what happens at the two ends: the axis closes on itself, nothing passes, or fields have given values",
    )
    values: dict[str, Ends] = Field(
        default={},
        description="values at the ends of a fixed axis, by field name: a number, or [at 0, at the length]; 0 when absent",
    )

    @field_validator("values")
    @classmethod
    def _of_fixed(cls, values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        boundary = info.data.get("boundary", "fixed")
        if values and boundary != "fixed":
            raise _refuse(f"values need boundary: fixed (this axis is {boundary})")
        return values

    @property
    def ends(self) -> tuple[tuple[str, float, float], ...]:
        """(field, value at 0, value at the length)."""
        pairs = {n: v if isinstance(v, list) else [v, v] for n, v in self.values.items()}
        return tuple((n, float(low), float(high)) for n, (low, high) in pairs.items())


class GridSection(Strict):
    """The box: x alone, x and y, or x, y and z."""

    x: AxisSection = Field(description="first axis, contiguous in memory")
    y: AxisSection | None = Field(default=None, description="second axis")
    z: AxisSection | None = Field(default=None, description="third axis")

    @field_validator("z")
    @classmethod
    def _after_y(cls, z: AxisSection | None, info: ValidationInfo) -> AxisSection | None:
        if z is not None and info.data.get("y", z) is None:
            raise _refuse("axis z is given but y is missing; a box has x, or x and y, or x, y and z")
        return z

    def build(self) -> Grid:
        """The grid this section describes."""
        sections = {"x": self.x, "y": self.y, "z": self.z}
        given = {n: s for n, s in sections.items() if s is not None}
        return Grid(tuple(Axis(n, s.cells, float(s.length), s.boundary, s.ends) for n, s in given.items()))


class StepSection(Strict):
    """Adaptive steps."""

    tolerance: float = Field(
        default=1e-4,
        gt=0.0,
        lt=1.0,
        description="local error allowed per step, rms, relative to the rms fluctuation of the field",
    )
    min: PositiveFloat | None = Field(
        default=None, description="smallest step; a smaller one wanted ends the run with exit code 3"
    )
    max: PositiveFloat | None = Field(default=None, description="largest step")
    first: PositiveFloat | None = Field(
        default=None,
        description="first step tried, by multistep schemes at most the default: the relaxation time of the shortest wave",
    )

    @field_validator("max")
    @classmethod
    def _above_min(cls, value: float | None, info: ValidationInfo) -> float | None:
        smallest = info.data.get("min")
        if value is not None and smallest is not None and smallest > value:
            raise _refuse(f"must be at least time.step.min = {smallest:g} (got {value:g})")
        return value

    @field_validator("first")
    @classmethod
    def _within(cls, value: float | None, info: ValidationInfo) -> float | None:
        smallest, largest = info.data.get("min"), info.data.get("max")
        if value is not None and not (smallest or 0.0) <= value <= (largest or value):
            raise _refuse(f"must lie between time.step.min and time.step.max (got {value:g})")
        return value


class TimeSection(Strict):
    """How time advances."""

    end: PositiveFloat = Field(description="time at which the run ends; it starts at 0")
    step: Annotated[
        Number | Annotated[StepSection, Tag("{section}")],
        by_kind("a number, which is a fixed step, or a section such as {tolerance: 1.0e-4}"),
    ] = Field(default=StepSection(), description="a fixed step, or {tolerance, min, max, first} for adaptive steps")
    scheme: str = Field(default="sbdf2", description="time scheme; leapfrog for models with inertia")

    @field_validator("scheme")
    @classmethod
    def _known(cls, value: str) -> str:
        known = [*names("scheme"), "leapfrog"]
        if value not in known:
            raise _refuse(f"unknown scheme '{value}'; {did_you_mean(value, known)}")
        return value


class FieldsOutput(Strict):
    """Frames of the fields."""

    every: PositiveFloat | None = Field(
        default=None, description="interval between frames; t = 0 and the end are always written"
    )
    at: Annotated[list[NonNegativeFloat], Field(max_length=100_000)] | None = Field(
        default=None, description="times of the frames, increasing"
    )
    precision: Literal["single", "double"] = Field(default="single", description="floating-point precision on disk")
    names: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None, description="fields to write; all when absent"
    )

    @field_validator("at")
    @classmethod
    def _increasing(cls, at: list[float] | None, info: ValidationInfo) -> list[float] | None:
        if at is None:
            return at
        if info.data.get("every") is not None:
            raise _refuse("give either every or at, not both")
        for a, b in pairwise(at):
            if b <= a:
                raise _refuse(f"the times must increase (got {b:g} after {a:g})")
        return at

    @field_validator("names")
    @classmethod
    def _once(cls, value: list[str] | None) -> list[str] | None:
        for name in value or []:
            if value is not None and value.count(name) > 1:
                raise _refuse(f"'{name}' stands in the list twice")
        return value


class HistoryOutput(Strict):
    """Rows of scalar histories."""

    every: PositiveFloat | None = Field(
        default=None, description=f"interval between rows; {HISTORY_ROWS} rows over the run when absent"
    )


class OutputSection(Strict):
    """What is written while the run goes on."""

    fields: FieldsOutput = Field(default=FieldsOutput(), description="frames of the fields")
    history: HistoryOutput = Field(default=HistoryOutput(), description="scalar histories")


class CheckpointSection(Strict):
    """The full-precision state from which a run can be continued."""

    every_seconds: PositiveFloat = Field(default=600.0, description="wall-clock seconds between checkpoints")


class _ScenarioBase(Strict):
    """A simulation, completely."""

    title: str | None = Field(default=None, max_length=200, description="one line for plots and reports")
    benchmark: str | None = Field(
        default=None,
        description="the benchmark this is, such as pfhub/1a, for `export --pfhub`",
        json_schema_extra={"enum": list(BENCHMARKS)},
    )
    grid: GridSection = Field(description="the box")
    initial: dict[str, InitialField] = Field(
        default={}, description="initial condition of every field, by field name; left out beside manufactured:"
    )
    fixed: dict[str, InitialField] = Field(
        default={}, description="fields of the model that are given and do not move, such as defects, by name"
    )
    source: dict[str, SpaceTime] = Field(
        default={}, description="s in ∂φ/∂t = … + s, a formula in x, y, z, t and Lx, Ly, Lz, by field name"
    )
    manufactured: dict[str, SpaceTime] = Field(
        default={},
        description="exact solution of every field, a formula in x, y, z, t and Lx, Ly, Lz; its source is derived",
    )
    nucleation: dict[str, NucleationSection] = Field(
        default={}, description="seeds of a new phase, by field name; fields whose mean is not conserved"
    )
    time: TimeSection = Field(description="end, step and scheme")
    output: OutputSection = Field(default=OutputSection(), description="what is written")
    checkpoint: CheckpointSection = Field(default=CheckpointSection(), description="when the state is saved")
    seed: NonNegativeInt = Field(default=0, le=2**63 - 1, description="seed of all noise")
    precision: Literal["double", "single"] = Field(
        default="double", description="floating-point precision of the computation"
    )
    stabilisation: NonNegativeFloat | None = Field(
        default=None, description="S, overriding the value chosen from f″ on the range in use"
    )
    verify: Annotated[
        Off | Annotated[VerifySection, Tag("{section}")],
        by_kind("false or a section such as {linear_stability: {wavelength: 0.03}}"),
    ] = Field(default=VerifySection(), description="checks at the end; false turns them off")
    test: dict[str, Any] = Field(default={}, description="overrides (dotted paths) that make the scenario a quick test")

    @field_validator("benchmark")
    @classmethod
    def _known_benchmark(cls, value: str | None) -> str | None:
        if value is not None and value not in BENCHMARKS:
            raise _refuse(f"unknown benchmark '{value}'; {did_you_mean(value, BENCHMARKS)}")
        return value


@cache
def scenario_class() -> type[_ScenarioBase]:
    """The scenario schema with one alternative per registered model, told apart by `model.name`."""
    parameters: tuple[Any, ...] = tuple(lookup("model", n).Params for n in names("model"))
    if len(parameters) == 1:
        model: Any = parameters[0]
    else:
        model = Annotated[Union[parameters], Field(discriminator="name")]  # noqa: UP007 - built at run time
    return create_model(
        "Scenario", __base__=_ScenarioBase, model=(model, Field(description="the physics: a model and its parameters"))
    )


Scenario = _ScenarioBase


def build_model(scenario: Any) -> Model:
    """The model a validated scenario describes."""
    dimensions = scenario.grid.build().dimensions
    return lookup("model", scenario.model.name)(scenario.model, dimensions, frozenset(scenario.fixed))
