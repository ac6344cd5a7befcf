"""Bulk free-energy densities of a scenario: ready-made ones by name, or a formula.

```yaml
free_energy: 0.25*(c**2 - 1)**2
free_energy: {formula: W*c**2*(1 - c)**2, parameters: {W: 2.0}}
free_energy: {name: double_well, barrier: 5.0, low: 0.3, high: 0.7}
free_energy:
  formula: A*(c - h)**2 + W*eta**2*(1 - eta)**2
  parameters: {A: 2.0, W: 1.0}
  definitions: {h: eta**3*(6*eta**2 - 15*eta + 10)}       # named parts, each may use the ones before it
```
Numbers of ready-made energies reach the kernels at run time, so a parameter study compiles once.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    SerializeAsAny,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from phasefield.errors import InputError, did_you_mean
from phasefield.kernels.expressions import Expression, check_name, parse
from phasefield.registry import lookup, names, register

MAX_POWER = 12
MAX_DEFINITIONS = 100
_NAME = re.compile(r"[A-Za-z_]\w*")


class PlacedError(InputError):
    """A mistake at a key of a free energy; `place`: the path of that key below the free energy."""

    def __init__(self, message: str, *place: str):
        super().__init__(message)
        self.place = place


class FreeEnergyBase(BaseModel, ABC):
    """A free-energy density f(fields): `expression(variables)` and the values of its parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    # Valid arguments, for documentation and for the tests that every entry of the registry has to pass.
    example: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def expression(self, variables: Sequence[str] = ("c",)) -> Expression:
        """f as a function of `variables`; raises `InputError` where it does not fit them."""

    @abstractmethod
    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        """Values of the expression's parameters, at the temperature of the model where it has one.

        Raises:
            InputError: a temperature is missing, or there are two.
        """

    @property
    def temperature_dependent(self) -> bool:
        """Whether a parameter depends on temperature."""
        return False

    def _of_one(self, template: str, variables: Sequence[str], parameters: Iterable[str]) -> Expression:
        name = getattr(self, "name", type(self).__name__)
        if len(variables) != 1:
            raise InputError(
                f"free energy '{name}' is a function of one field, not of {', '.join(variables) or 'none'};"
                " give a formula instead"
            )
        return parse(
            template.replace("@", variables[0]),
            variables=variables,
            parameters=parameters,
            what=f"free energy '{name}'",
        )


@register("free_energy", "double_well")
class DoubleWell(FreeEnergyBase):
    """f = W (c−a)² (b−c)²: two wells of zero energy at a and b, and a barrier of W ((b−a)/2)⁴ between them.

    The default is ¼ (c²−1)². W = 5, a = 0.3, b = 0.7 is PFHub benchmark 1 (Jokisaari et al. 2017,
    doi:10.1016/j.commatsci.2016.09.022).
    """

    example: ClassVar[dict[str, Any]] = {"barrier": 5.0, "low": 0.3, "high": 0.7}

    name: Literal["double_well"] = "double_well"
    barrier: PositiveFloat = Field(default=0.25, description="W in W (c−a)² (b−c)², energy per volume")
    low: float = Field(default=-1.0, description="a, the lower well")
    high: float = Field(default=1.0, description="b, the upper well; above `low`", validate_default=True)

    @field_validator("high")
    @classmethod
    def _above_low(cls, high: float, info: ValidationInfo) -> float:
        if "low" in info.data and not high > info.data["low"]:
            raise PydanticCustomError("order", "must be above low = {low}", {"low": info.data["low"]})
        return high

    def expression(self, variables: Sequence[str] = ("c",)) -> Expression:
        return self._of_one("barrier*(@ - low)**2*(high - @)**2", variables, ("barrier", "low", "high"))

    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        return {"barrier": self.barrier, "low": self.low, "high": self.high}


class Interaction(BaseModel):
    """χ = a + b/T."""

    model_config = FreeEnergyBase.model_config

    a: float = Field(default=0.0, description="part of χ that does not depend on temperature")
    b: float = Field(default=0.0, description="part of χ that falls as 1/T, in kelvin")

    @model_serializer(mode="wrap")
    def _shortest(self, whole: Any) -> Any:
        return whole(self) if self.b else self.a


def _read_interaction(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Interaction(a=value)
    if isinstance(value, dict | Interaction):
        return value
    raise PydanticCustomError("interaction", "must be a number χ, or {a: …, b: …} for χ = a + b/T")


@register("free_energy", "flory_huggins")
class FloryHuggins(FreeEnergyBase):
    """f = c ln c / N₁ + (1−c) ln(1−c) / N₂ + χ c (1−c), in units of kT per lattice site: entropy of mixing of
    chains, and their interaction. c is the volume fraction of species 1; N₁ = N₂ = 1 is the regular solution.

    Below c = δ and above 1−δ each logarithm is continued by its quadratic Taylor polynomial: f″ stays finite.
    Flory 1942, doi:10.1063/1.1723621; Huggins 1942, doi:10.1021/j150415a018.
    """

    example: ClassVar[dict[str, Any]] = {
        "length_1": 2.0,
        "interaction": {"a": 0.5, "b": 600.0},
        "temperature": 300.0,
    }

    name: Literal["flory_huggins"] = "flory_huggins"
    length_1: float = Field(default=1.0, ge=1, description="N₁, chain length of the species whose fraction is c")
    length_2: float = Field(default=1.0, ge=1, description="N₂, chain length of the other species")
    interaction: Annotated[
        Interaction, BeforeValidator(_read_interaction, json_schema_input_type=float | Interaction)
    ] = Field(description="χ: a number, or {a: …, b: …} for χ = a + b/T")
    temperature: PositiveFloat | None = Field(
        default=None,
        description="T in χ = a + b/T, in kelvin; needed when b is given, unless the model has a temperature",
    )
    continuation: float = Field(default=1e-4, gt=0, lt=0.5, description="δ, where the logarithms are continued")

    @property
    def temperature_dependent(self) -> bool:
        return self.interaction.b != 0.0

    def chi(self, temperature: float | None = None) -> float:
        """χ = a + b/T, T the temperature of the model or the one given here; raises `InputError` unless there is one."""
        if temperature is not None and self.temperature is not None:
            raise PlacedError("is given twice, here and in model.temperature; leave one of them out", "temperature")
        T = self.temperature if temperature is None else temperature
        if T is None and self.temperature_dependent:
            raise PlacedError("is needed because the interaction depends on temperature", "temperature")
        return self.interaction.a + (self.interaction.b / T if T is not None else 0.0)

    def expression(self, variables: Sequence[str] = ("c",)) -> Expression:
        mixing = "xlogx(@, delta)/length_1 + xlogx(1 - @, delta)/length_2"
        return self._of_one(f"{mixing} + chi*@*(1 - @)", variables, ("length_1", "length_2", "chi", "delta"))

    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        return {
            "length_1": self.length_1,
            "length_2": self.length_2,
            "chi": self.chi(temperature),
            "delta": self.continuation,
        }


def _read_powers(value: Any) -> Any:
    # JSON has no integer keys: {"2": -0.5} is what a resolved scenario may come back with.
    if not isinstance(value, dict):
        return value
    return {int(k) if isinstance(k, str) and k.isdecimal() and k.isascii() else k: v for k, v in value.items()}


@register("free_energy", "landau")
class Landau(FreeEnergyBase):
    """f = Σₙ aₙ cⁿ: a Landau polynomial in one order parameter, such as {2: −0.5, 4: 0.25}.

    The highest power must be even with a positive coefficient, otherwise f has no minimum.
    Landau 1937, doi:10.1016/B978-0-08-010586-4.50034-1.
    """

    example: ClassVar[dict[str, Any]] = {"coefficients": {2: 0.4, 4: -1.5, 6: 1.0}}

    name: Literal["landau"] = "landau"
    coefficients: Annotated[dict[Annotated[int, Field(ge=1, le=MAX_POWER)], float], BeforeValidator(_read_powers)] = (
        Field(description=f"coefficient aₙ of each power n, 1 ≤ n ≤ {MAX_POWER}")
    )

    @field_validator("coefficients")
    @classmethod
    def _bounded(cls, coefficients: dict[int, float]) -> dict[int, float]:
        highest = max((n for n, a in coefficients.items() if a), default=None)
        if highest is None:
            raise PydanticCustomError("empty", "needs at least one power with a coefficient that is not zero")
        if highest % 2 or coefficients[highest] < 0:
            raise PydanticCustomError(
                "unbounded",
                "the energy has no minimum: the highest power ({highest}) must be even, with a positive coefficient",
                {"highest": highest},
            )
        return dict(sorted(coefficients.items()))

    def expression(self, variables: Sequence[str] = ("c",)) -> Expression:
        polynomial = " + ".join(f"a_{n}*@**{n}" for n in self.coefficients)
        return self._of_one(polynomial, variables, self.parameter_values())

    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        return {f"a_{n}": value for n, value in self.coefficients.items()}


@register("free_energy", "formula")
class Formula(FreeEnergyBase):
    """A density written by the user, in the fields of the model, in named parameters and in named parts of itself.

    What a formula may contain: `phasefield.kernels.expressions`. A definition may use the ones before it.
    """

    example: ClassVar[dict[str, Any]] = {
        "formula": "W*g + 0.1*c",
        "parameters": {"W": 2.0},
        "definitions": {"g": "c**2*(1 - c)**2"},
    }

    name: Literal["formula"] = "formula"
    formula: str = Field(description="for example 0.25*(c**2 - 1)**2")
    parameters: dict[str, float] = Field(default_factory=dict, description="values of the names in the formula")
    definitions: Annotated[dict[str, str], Field(max_length=MAX_DEFINITIONS)] = Field(
        default_factory=dict, description="parts of the formula by name; each may use the ones before it"
    )

    @field_validator("parameters", "definitions")
    @classmethod
    def _valid_names(cls, values: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for name in values:
            _as_validation_error(check_name, name, str(info.field_name).removesuffix("s"))
        return values

    @model_serializer(mode="wrap")
    def _shortest(self, whole: Any) -> Any:
        if not self.parameters and not self.definitions:
            return self.formula
        return {key: value for key, value in whole(self).items() if value != {}}

    def expression(self, variables: Sequence[str] = ("c",)) -> Expression:
        definitions = self._parse_definitions(variables)
        result = parse(
            self.formula,
            variables=variables,
            parameters=self.parameters,
            definitions=definitions,
            what="free energy",
        )
        used = set(_NAME.findall(" ".join([self.formula, *self.definitions.values()])))
        for name in definitions:
            if name not in used:
                raise PlacedError("does not occur in the formula", "definitions", name)
        unused = [name for name in self.parameters if name not in used]
        if unused:
            raise InputError(f"free energy: parameter '{unused[0]}' does not occur in '{self.formula}'")
        return result

    def _parse_definitions(self, variables: Sequence[str]) -> dict[str, Expression]:
        """The definitions one after the other, as trees: text is never put into text."""
        parts: dict[str, Expression] = {}
        taken = {**dict.fromkeys(self.parameters, "parameter"), **dict.fromkeys(variables, "field")}
        for name in self.definitions:
            if name in taken:
                raise PlacedError(f"has the name of a {taken[name]}; choose another name", "definitions", name)
        for name, text in self.definitions.items():
            later = [n for n in self.definitions if n not in parts and n in _NAME.findall(text)]
            if later:
                which = "itself" if later[0] == name else f"'{later[0]}', which is defined later"
                raise PlacedError(f"uses {which}; a definition may use the ones before it", "definitions", name)
            try:
                parts[name] = parse(text, variables=variables, parameters=self.parameters, definitions=parts, what=name)
            except InputError as error:
                raise PlacedError(str(error), "definitions", name) from None
        return parts

    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        return dict(self.parameters)


def read_free_energy(value: Any) -> FreeEnergyBase:
    """The free energy that a scenario's value describes; raises what pydantic turns into a located error."""
    if isinstance(value, FreeEnergyBase):
        return value
    if isinstance(value, str):
        return Formula(formula=value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Formula(formula=repr(value))
    if not isinstance(value, dict):
        raise PydanticCustomError("free_energy", "must be a formula, {formula: …} or {name: …}")
    name = value.get("name", "formula" if "formula" in value else None)
    valid = names("free_energy")
    if not isinstance(name, str):
        message = f"needs 'name' ({', '.join(valid)}) or 'formula'"
        raise PydanticCustomError("free_energy", "{message}", {"message": message})
    if name not in valid:
        message = f"unknown free energy '{name}'; {did_you_mean(name, valid)}"
        raise PydanticCustomError("free_energy", "{message}", {"message": message})
    return lookup("free_energy", name).model_validate(value)


def check_variables(
    free_energy: FreeEnergyBase, variables: Sequence[str], temperatures: Sequence[float] | None = None
) -> FreeEnergyBase:
    """For a validator of a model: `free_energy`, if it is a function of the model's `variables` and has parameters.

    temperatures: those at the corners of the model's temperature history, None where the model has none.

    Raises an error that pydantic reports at the place of the validated key, or of the one below it that is wrong.
    """
    _as_validation_error(free_energy.expression, tuple(variables))
    if temperatures is not None and not free_energy.temperature_dependent:
        raise PydanticCustomError("temperature", "does not depend on temperature: leave model.temperature out")
    for temperature in [None] if temperatures is None else temperatures:
        _as_validation_error(free_energy.parameter_values, temperature)
    return free_energy


def _as_validation_error(call: Any, *arguments: Any) -> None:
    try:
        call(*arguments)
    except InputError as error:
        complaint = PydanticCustomError("formula", "{message}", {"message": str(error)})
        if not isinstance(error, PlacedError):
            raise complaint from None
        details = InitErrorDetails(type=complaint, loc=error.place, input=None)
        raise ValidationError.from_exception_data("free energy", [details]) from None


# Any registered energy is accepted; the JSON schema lists these.
FreeEnergy = Annotated[
    SerializeAsAny[FreeEnergyBase],
    BeforeValidator(read_free_energy, json_schema_input_type=str | Formula | DoubleWell | FloryHuggins | Landau),
]
