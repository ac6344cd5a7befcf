"""Landau polynomials of martensite, the section `landau:` of a scenario, and how variants couple to the strain, `coupling:`.

```yaml
landau: {name: landau_234, A: 0.15, delta_f: {scale: 3.5e8, temperature_0: 405.0}}
landau: {name: landau_246, a: {tau: 0.5}, b: 1.0, c: 1.0}
landau: {name: landau_246, a: {slope: 8.0e8, temperature_A: 265.0}, b: 1.7e13, c: 3.0e16}
coupling: {name: levitas, p: 3.0}
```
Austenite is η = 0. What depends on temperature is one parameter of the formula, `a` or `delta_f`, so that a temperature
history is a new number and no new code. Energies are densities in the units of the coefficients.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveFloat,
    SerializeAsAny,
    ValidationInfo,
    field_validator,
    model_serializer,
)
from pydantic_core import PydanticCustomError

from phasefield.errors import InputError, did_you_mean
from phasefield.kernels.expressions import Expression, parse


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class LandauBase(_Section, ABC):
    """A Landau polynomial of the order parameters: its formula, its parameters at a temperature, and its well.

    A temperature is needed where `temperature_dependent` says so, otherwise it has no effect; the methods raise
    `InputError` without it.
    """

    # Names of the expression's parameters; valid arguments, for documentation and tests.
    parameters: ClassVar[tuple[str, ...]]
    example: ClassVar[dict[str, Any]] = {}

    @abstractmethod
    def expression(self, variables: Sequence[str] = ("eta",), shift: str | None = None) -> Expression:
        """f(η₁, …, η_N), one variable per order parameter.

        With `shift`, ½ shift Ση² is added, in units of f, and `shift` is a further variable, the last one: a frozen field
        that makes single places easier or harder to transform, not an order parameter.

        Raises:
            InputError: the polynomial does not fit the variables, or a variable has the name of a parameter.
        """

    @abstractmethod
    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        """Values of the expression's parameters."""

    @abstractmethod
    def well(self, temperature: float | None = None) -> float:
        """η > 0 at the minimum of f that is martensite, stable or metastable; 0 where there is none."""

    @abstractmethod
    def range(self, temperature: float | None = None) -> tuple[float, float]:
        """Lowest and highest η to be expected without a load: a first guess of where f″ matters for the stabilisation."""

    @property
    def temperature_dependent(self) -> bool:
        """Whether a parameter depends on temperature."""
        return False

    def _parse(self, polynomial: str, variables: Sequence[str], shift: str | None) -> Expression:
        """`polynomial` with {S2}, {S3}, {S4} written out as Ση², Ση³, Ση⁴."""
        if not variables:
            raise InputError(f"{self._what} needs at least one order parameter")
        sums = {f"S{n}": "(" + " + ".join(f"{v}**{n}" for v in variables) + ")" for n in (2, 3, 4)}
        text = polynomial.format(**sums) + (f" + 0.5*{shift}*{sums['S2']}" if shift is not None else "")
        names = (*variables, shift) if shift is not None else variables
        return parse(text, variables=names, parameters=self.parameters, what=self._what)

    def _checked(self, temperature: float | None, formula: str) -> float:
        if temperature is None:
            raise InputError(f"{self._what}: {formula} needs a temperature, and none is given")
        if not math.isfinite(temperature):
            raise InputError(f"{self._what}: {formula} needs a temperature, got {temperature}")
        return float(temperature)

    @property
    def _what(self) -> str:
        return type(self).model_fields["name"].default


class ReducedTemperature(_Section):
    """a = τ b²/4c: τ = 0 austenite spinodal, 3/4 coexistence, 1 martensite spinodal, 9/5 end of the hysteresis."""

    tau: float = Field(description="τ in a = τ b²/4c, a temperature without units")


class LinearCoefficient(_Section):
    """a = α₀ (T − T_A)."""

    slope: PositiveFloat = Field(description="α₀ in a = α₀ (T − T_A), energy per volume and kelvin")
    temperature_A: float = Field(description="T_A, the temperature of the austenite spinodal")  # noqa: N815


class DrivingForce(_Section):
    """Δf = Δf₀ (T₀ − T)/T₀."""

    scale: PositiveFloat = Field(description="Δf₀ in Δf = Δf₀ (T₀ − T)/T₀, energy per volume")
    temperature_0: PositiveFloat = Field(description="T₀, where austenite and martensite have the same energy")


def _read_a(value: Any) -> Any:
    return _number_or(value, (ReducedTemperature, LinearCoefficient), "{tau: …} or {slope: …, temperature_A: …}")


def _read_delta_f(value: Any) -> Any:
    return _number_or(value, (DrivingForce,), "{scale: …, temperature_0: …}")


def _number_or(value: Any, sections: tuple[type[_Section], ...], shapes: str) -> Any:
    """A finite number or one of `sections`; one message where the union of types would give one for each of them."""
    if isinstance(value, sections):
        return value
    for section in sections:
        if isinstance(value, dict) and value.keys() & section.model_fields.keys():
            return section.model_validate(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    raise PydanticCustomError("coefficient", "must be a number, or {shapes}", {"shapes": shapes})


class Landau246(LandauBase):
    """f = ½a Ση² − ¼b Ση⁴ + ⅙c (Ση²)³: a first-order transition; the sign of η tells two variants apart.

    Wells at η = ±e₀ on each axis, e₀² = (b + √(b² − 4ac))/2c, as long as τ = 4ac/b² ≤ 1; the last term keeps several order
    parameters from coexisting: at a well the others have the curvature b e₀² > 0. b and c are taken as they stand
    in f: the elastic constants A₂, A₄, A₆ of ½A₂e₂² − ¼A₄e₂⁴ + ⅙A₆e₂⁶ are a, b, c.

    One field: F. Falk, Acta Metall. 28 (1980) 1773, doi:10.1016/0001-6160(80)90030-9.
    Several: A. Artemev, Y. Jin, A. G. Khachaturyan, Acta Mater. 49 (2001) 1165, doi:10.1016/S1359-6454(01)00021-0.
    """

    parameters: ClassVar[tuple[str, ...]] = ("a", "b", "c")
    example: ClassVar[dict[str, Any]] = {"a": {"slope": 0.8, "temperature_A": 265.0}, "b": 2.0, "c": 3.0}

    name: Literal["landau_246"] = "landau_246"
    a: Annotated[
        float | ReducedTemperature | LinearCoefficient,
        BeforeValidator(_read_a, json_schema_input_type=float | ReducedTemperature | LinearCoefficient),
    ] = Field(
        description="a in ½a Ση²: a number, {tau: …} for a = τ b²/4c, or {slope: …, temperature_A: …} for a = α₀ (T − T_A)"
    )
    b: PositiveFloat = Field(description="b in −¼b Ση⁴, energy per volume")
    c: PositiveFloat = Field(description="c in ⅙c (Ση²)³, energy per volume")

    @property
    def temperature_dependent(self) -> bool:
        return isinstance(self.a, LinearCoefficient)

    def expression(self, variables: Sequence[str] = ("eta",), shift: str | None = None) -> Expression:
        return self._parse("0.5*a*{S2} - 0.25*b*{S4} + c/6*{S2}**3", variables, shift)

    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        return {"a": self.quadratic(temperature), "b": self.b, "c": self.c}

    def quadratic(self, temperature: float | None = None) -> float:
        """a, the curvature of austenite."""
        if isinstance(self.a, ReducedTemperature):
            return self.a.tau * self.b**2 / (4.0 * self.c)
        if isinstance(self.a, LinearCoefficient):
            return self.a.slope * (self._checked(temperature, "a = slope (T − temperature_A)") - self.a.temperature_A)
        return self.a

    def tau(self, temperature: float | None = None) -> float:
        """τ = 4ac/b²: below 0 martensite only, below 3/4 martensite is stable, above 1 austenite only."""
        return 4.0 * self.quadratic(temperature) * self.c / self.b**2

    def well(self, temperature: float | None = None) -> float:
        tau = self.tau(temperature)
        return math.sqrt(0.5 * self.b / self.c * (1.0 + math.sqrt(1.0 - tau))) if tau <= 1.0 else 0.0

    def range(self, temperature: float | None = None) -> tuple[float, float]:
        # Above the martensite spinodal a load may still bring the strains of martensite about: its last well stands in.
        reach = 1.1 * (self.well(temperature) or math.sqrt(0.5 * self.b / self.c))
        return -reach, reach


class Landau234(LandauBase):
    """f = Δf [½A Ση² − ⅓B Ση³ + ¼C (Ση²)²]: one well per variant, at η = 1 with f = −Δf for the default coefficients.

    These are B = 3A + 12 and C = 2A + 12 with A > −4. For A > 0 austenite is metastable, behind a barrier at η = A/C; there is
    no temperature at which it becomes unstable. For A < 0 it is unstable, and A/C < 0 is a shallow well at negative η
    that belongs to no variant. Coefficients of one's own need B, C > 0 and B² > 4AC for the well to exist, which
    then is at η = (B + √(B² − 4AC))/2C; with B² < 4.5 AC it lies above austenite.
    Δf has to be positive, because f has no minimum otherwise: with Δf = Δf₀ (T₀ − T)/T₀ only T < T₀ is possible.
    Y. Wang, A. G. Khachaturyan, Acta Mater. 45 (1997) 759, doi:10.1016/S1359-6454(96)00180-2.
    """

    parameters: ClassVar[tuple[str, ...]] = ("delta_f", "A", "B", "C")
    example: ClassVar[dict[str, Any]] = {"A": 0.15, "delta_f": {"scale": 2.0, "temperature_0": 405.0}}

    name: Literal["landau_234"] = "landau_234"
    B: float | None = Field(default=None, description="B in −⅓B Ση³; 3A + 12 by default")
    C: float | None = Field(
        default=None, description="C in ¼C (Ση²)²; 2A + 12 by default; B and C go together", validate_default=True
    )
    A: float = Field(description="A in ½A Ση²; the barrier grows with it")
    delta_f: Annotated[
        float | DrivingForce, BeforeValidator(_read_delta_f, json_schema_input_type=float | DrivingForce)
    ] = Field(
        default=1.0, description="Δf, energy per volume: a number, or {scale: …, temperature_0: …} for Δf₀ (T₀ − T)/T₀"
    )

    @field_validator("C")
    @classmethod
    def _together(cls, C: float | None, info: ValidationInfo) -> float | None:
        if "B" in info.data and (info.data["B"] is None) is not (C is None):
            raise PydanticCustomError("both", "B and C have to be given together, or neither of them")
        return C

    @field_validator("A")
    @classmethod
    def _has_a_well(cls, A: float, info: ValidationInfo) -> float:
        B, C = info.data.get("B"), info.data.get("C")
        if B is None or C is None:
            wrong = "" if A > -4.0 else f"no well of martensite with A = {A:g}: needs A > -4"
        else:
            exists = B > 0.0 and C > 0.0 and B**2 > 4.0 * A * C
            wrong = "" if exists else f"no well of martensite with B = {B:g}, C = {C:g}: needs B, C > 0 and B^2 > 4 A C"
        if wrong:
            raise PydanticCustomError("well", "{message}", {"message": wrong})
        return A

    @field_validator("delta_f")
    @classmethod
    def _positive(cls, delta_f: float | DrivingForce) -> float | DrivingForce:
        if isinstance(delta_f, float) and delta_f <= 0.0:
            raise PydanticCustomError("positive", "must be greater than 0: the energy has no minimum otherwise")
        return delta_f

    @property
    def coefficients(self) -> tuple[float, float, float]:
        """A, B, C, the default ones filled in."""
        if self.B is None or self.C is None:
            return self.A, 3.0 * self.A + 12.0, 2.0 * self.A + 12.0
        return self.A, self.B, self.C

    @property
    def temperature_dependent(self) -> bool:
        return isinstance(self.delta_f, DrivingForce)

    def expression(self, variables: Sequence[str] = ("eta",), shift: str | None = None) -> Expression:
        return self._parse("delta_f*(0.5*A*{S2} - B/3*{S3} + 0.25*C*{S2}**2)", variables, shift)

    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        return {"delta_f": self.driving_force(temperature), **dict(zip("ABC", self.coefficients, strict=True))}

    def driving_force(self, temperature: float | None = None) -> float:
        """Δf; raises `InputError` for temperatures at which it is not positive."""
        if not isinstance(self.delta_f, DrivingForce):
            return self.delta_f
        T0 = self.delta_f.temperature_0
        T = self._checked(temperature, "delta_f = scale (temperature_0 − T)/temperature_0")
        if not T < T0:
            raise InputError(
                f"{self._what}: needs a temperature below temperature_0 = {T0:g} for delta_f > 0, got {T:g}"
            )
        return self.delta_f.scale * (T0 - T) / T0

    def well(self, temperature: float | None = None) -> float:
        A, B, C = self.coefficients
        return (B + math.sqrt(B**2 - 4.0 * A * C)) / (2.0 * C)

    def range(self, temperature: float | None = None) -> tuple[float, float]:
        A, _, C = self.coefficients
        well = self.well(temperature)
        # A/C is the product of the stationary points, so that A/C / well is the other one: a well when negative.
        return min(-0.1 * well, 1.1 * A / (C * well)), 1.1 * well


class Landau24(LandauBase):
    """f = W/4 (η² − 1)² of one order parameter: two variants η = ±1 with f = 0, no austenite. For twins alone, and tests."""

    parameters: ClassVar[tuple[str, ...]] = ("W",)
    example: ClassVar[dict[str, Any]] = {"W": 2.0}

    name: Literal["landau_24"] = "landau_24"
    W: PositiveFloat = Field(default=1.0, description="W in W/4 (η² − 1)², energy per volume")

    def expression(self, variables: Sequence[str] = ("eta",), shift: str | None = None) -> Expression:
        if len(variables) != 1:
            raise InputError(f"landau_24 is a function of one order parameter, not of {', '.join(variables) or 'none'}")
        return self._parse("0.25*W*({S2} - 1)**2", variables, shift)

    def parameter_values(self, temperature: float | None = None) -> dict[str, float]:
        return {"W": self.W}

    def well(self, temperature: float | None = None) -> float:
        return 1.0

    def range(self, temperature: float | None = None) -> tuple[float, float]:
        return -1.1, 1.1


_POLYNOMIALS: dict[str, type[LandauBase]] = {
    cls.model_fields["name"].default: cls for cls in (Landau24, Landau234, Landau246)
}


def read_landau(value: Any) -> LandauBase:
    """The polynomial that a scenario's value describes; raises what pydantic turns into a located error."""
    if isinstance(value, LandauBase):
        return value
    name = value.get("name") if isinstance(value, dict) else None
    if not isinstance(name, str):
        message = f"needs 'name' ({', '.join(_POLYNOMIALS)})"
    elif name not in _POLYNOMIALS:
        message = f"unknown Landau polynomial '{name}'; {did_you_mean(name, _POLYNOMIALS)}"
    else:
        return _POLYNOMIALS[name].model_validate(value)
    raise PydanticCustomError("landau", "{message}", {"message": message})


LandauPolynomial = Annotated[
    SerializeAsAny[LandauBase],
    BeforeValidator(read_landau, json_schema_input_type=Landau246 | Landau234 | Landau24),
]


class Coupling(_Section):
    """h(η) in the transformation strain ε* = Σ ε⁰_p h(η_p).

    | name | h | |
    |---|---|---|
    | `linear` | η | keeps the elastic energy quadratic in η; the only one that can be treated implicitly |
    | `quadratic` | η² | blind to the sign of η |
    | `levitas` | p η² + (4 − 2p) η³ + (p − 3) η⁴, 0 ≤ p ≤ 6 | h(1) = 1, h′(0) = h′(1) = 0: a well at η = 1 does not move |

    The last one is for wells at 1 (`landau_234`). A stress leaves η = 0 and 1 stationary; they remain minima as long as
    f″ − σ:ε⁰ h″ > 0 with h″(0) = 2p, h″(1) = 2(p − 6). p = 3 is the symmetric 3η² − 2η³; outside 0 … 6 h is not monotone.
    V. I. Levitas, D. L. Preston, Phys. Rev. B 66 (2002) 134206, doi:10.1103/PhysRevB.66.134206.
    """

    name: Literal["linear", "quadratic", "levitas"] = "linear"
    p: float = Field(default=3.0, ge=0, le=6, description="p of `levitas`: half of h″(0)")

    @field_validator("p")
    @classmethod
    def _of_levitas(cls, p: float, info: ValidationInfo) -> float:
        if info.data.get("name", "levitas") != "levitas":
            raise PydanticCustomError("levitas", "belongs to coupling 'levitas' only")
        return p

    @model_serializer(mode="wrap")
    def _shortest(self, whole: Any) -> Any:
        return whole(self) if self.name == "levitas" and self.p != 3.0 else self.name

    @property
    def linear(self) -> bool:
        """Whether h(η) = η."""
        return self.name == "linear"

    def expression(self, variable: str = "eta") -> Expression:
        """h as a function of `variable`; h′ is its derivative."""
        levitas = "@**2*(p + (4 - 2*p)*@ + (p - 3)*@**2)"
        text = {"linear": "@", "quadratic": "@**2", "levitas": levitas}[self.name]
        what = f"coupling '{self.name}'"
        return parse(text.replace("@", variable), variables=(variable,), parameters=self.parameter_values(), what=what)

    def parameter_values(self) -> dict[str, float]:
        """Values of the expression's parameters."""
        return {"p": self.p} if self.name == "levitas" else {}

    @property
    def coefficients(self) -> tuple[float, float, float, float]:
        """c₁ … c₄ of h = c₁η + c₂η² + c₃η³ + c₄η⁴."""
        levitas = (0.0, self.p, 4.0 - 2.0 * self.p, self.p - 3.0)
        return {"linear": (1.0, 0.0, 0.0, 0.0), "quadratic": (0.0, 1.0, 0.0, 0.0), "levitas": levitas}[self.name]


def _read_coupling(value: Any) -> Any:
    valid = ("linear", "quadratic", "levitas")
    if isinstance(value, Coupling):
        return value
    name = value.get("name") if isinstance(value, dict) else value
    if isinstance(name, str) and name in valid:
        return value if isinstance(value, dict) else {"name": name}
    if isinstance(name, str):
        message = f"unknown coupling '{name}'; {did_you_mean(name, valid)}"
    else:
        message = f"must be {', '.join(valid)}, or {{name: levitas, p: …}}"
    raise PydanticCustomError("coupling", "{message}", {"message": message})


CouplingFunction = Annotated[
    Coupling,
    BeforeValidator(_read_coupling, json_schema_input_type=Literal["linear", "quadratic", "levitas"] | Coupling),
]
