"""A mobility that depends on composition: M(c) ≥ 0, as a scenario writes it and as theory and time schemes use it.

```yaml
mobility: 1.0
mobility: c*(1 - c)
mobility: {formula: D*c*(1 - c), parameters: {D: 2.0}}
```
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    PositiveFloat,
    Tag,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError, NumericalError
from phasefield.kernels.expressions import Expression, check_name, parse
from phasefield.models.base import Strict

# The largest M on a range is looked for among so many values.
SAMPLES = 257


class MobilityFormula(Strict):
    """A mobility written as a formula in the composition and in named parameters; where it is negative, M = 0."""

    formula: str = Field(description="for example c*(1 - c)")
    parameters: dict[str, float] = Field(default_factory=dict, description="values of the names in the formula")

    @field_validator("parameters")
    @classmethod
    def _valid_names(cls, parameters: dict[str, float]) -> dict[str, float]:
        for name in parameters:
            _as_validation_error(check_name, name, "parameter")
        return parameters

    @model_serializer(mode="wrap")
    def _shortest(self, whole: Any) -> Any:
        return whole(self) if self.parameters else self.formula

    def of(self, variable: str) -> Mobility:
        """M as a function of `variable`.

        Raises:
            InputError: the formula contains something else.
        """
        expression = parse(self.formula, variables=(variable,), parameters=self.parameters, what="mobility")
        unused = [name for name in self.parameters if name not in expression.names_used]
        if unused:
            raise InputError(f"mobility: parameter '{unused[0]}' does not occur in '{self.formula}'")
        return Mobility(expression, dict(self.parameters))


@dataclass(frozen=True)
class Mobility:
    """M(c) = max(0, formula), with the values of the formula's parameters."""

    expression: Expression
    parameters: Mapping[str, float]

    @property
    def variable(self) -> str:
        return self.expression.variables[0]

    @property
    def values(self) -> np.ndarray:
        """Values of the parameters in the order `expression.parameters`."""
        return np.array([self.parameters[n] for n in self.expression.parameters], dtype=float)

    def at(self, c: np.ndarray | float) -> np.ndarray:
        """M(c), any shape; nan where the formula has no value."""
        return np.maximum(self.expression.evaluate(**{self.variable: c}, **self.parameters), 0.0)

    def largest(self, low: float, high: float) -> float:
        """max M(c) on low ≤ c ≤ high.

        Raises:
            NumericalError: M is not finite somewhere on the range.
        """
        largest = float(np.max(self.at(np.linspace(low, high, SAMPLES))))
        if not np.isfinite(largest):
            raise NumericalError(
                f"the mobility {self.expression.text} is not finite everywhere between "
                f"{self.variable} = {low:.6g} and {high:.6g}, where the field is"
            )
        return largest


def check_mobility(value: float | MobilityFormula, variable: str) -> float | MobilityFormula:
    """For a validator of a model: the setting, if it is a number or a function of `variable`."""
    if isinstance(value, MobilityFormula):
        _as_validation_error(value.of, variable)
    return value


def _as_validation_error(call: Any, *arguments: Any) -> None:
    try:
        call(*arguments)
    except InputError as error:
        raise PydanticCustomError("formula", "{message}", {"message": str(error)}) from None


def _as_section(value: Any) -> Any:
    return {"formula": value} if isinstance(value, str) else value


# The tags are those of `scenario.schema`, which keep out of the paths in messages.
def _kind(value: Any) -> str | None:
    if isinstance(value, Mapping | BaseModel):
        return "{section}"
    return "{number}" if isinstance(value, int | float) and not isinstance(value, bool) else None


MobilitySetting = Annotated[
    Annotated[PositiveFloat, Tag("{number}")] | Annotated[MobilityFormula, Tag("{section}")],
    Discriminator(
        _kind,
        custom_error_type="kind",
        custom_error_message="must be a number, a formula in the field, or {formula: …, parameters: …}",
    ),
    BeforeValidator(_as_section, json_schema_input_type=PositiveFloat | str | MobilityFormula),
]
