"""The section `nucleation:` of a scenario: which field gets seeds of a new phase, of what shape, where and when.

```yaml
nucleation:
  phi:
    radius: 2.2
    interface_width: 1.4142
    seeds: [{time: 0.0, centre: [50.0, 50.0]}, {time: 3.0, centre: [10.0, 20.0], radius: 3.0}]
    random: {count: 100, from: 0.0, to: 600.0}
```
Listed and random seeds may stand side by side. What they do to the field is in `nuclei`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator
from pydantic import model_validator as validator
from pydantic_core import PydanticCustomError

from phasefield.initial.base import NonNegative, Number, Positive, Spec

MOST_SEEDS = 1_000_000


class SeedSection(Spec):
    """One seed."""

    time: NonNegative = Field(description="time at which the seed appears; 0: it belongs to the initial condition")
    centre: tuple[Number, ...] = Field(min_length=1, max_length=3, description="[x, y, …] of the centre, in the box")
    radius: Positive | None = Field(None, description="r₀ of this seed, if not that of the field")


class RandomSection(Spec):
    """Seeds at random places, uniform in the box, and random times; both depend on seed, field and number alone."""

    count: Annotated[int, Field(strict=True)] = Field(ge=1, le=MOST_SEEDS, description="how many seeds")
    start: NonNegative = Field(alias="from", description="beginning of the interval of times")
    to: NonNegative = Field(
        description="its end: times are uniform between the two; where they are equal, all seeds appear at once"
    )

    @field_validator("to")
    @classmethod
    def _after_start(cls, to: float, info: ValidationInfo) -> float:
        start = info.data.get("start")
        if start is not None and to < start:
            text = f"must be at least from = {start:g} (got {to:g})"
            raise PydanticCustomError("order", "{text}", {"text": text})
        return to


class NucleationSection(Spec):
    """Seeds of one field: φ becomes min(φ + Σ A ½[1 − tanh((r − r₀)/δ)], largest), and nowhere less than it was."""

    radius: Positive = Field(description="r₀, where a seed has half its height")
    interface_width: Positive = Field(description="δ in ½[1 − tanh((r − r₀)/δ)]")
    seeds: tuple[SeedSection, ...] = Field((), description="seeds at given places and times")
    random: RandomSection | None = Field(None, description="seeds at random places and times")
    amplitude: Positive = Field(1.0, description="A, what a seed adds far inside")
    largest: Number = Field(1.0, description="value that seeds never lift the field above, that of the new phase")

    @validator(mode="after")
    def _some(self) -> NucleationSection:
        if not self.seeds and self.random is None:
            raise PydanticCustomError("nothing", "needs seeds or random, or both")
        return self
