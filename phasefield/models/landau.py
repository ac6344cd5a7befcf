"""What models with a Landau polynomial share: a temperature, which may change with time."""

from __future__ import annotations

from functools import cached_property

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.landau_martensite import LandauBase, LandauPolynomial
from phasefield.energy.term import Term
from phasefield.errors import InputError
from phasefield.mechanics.loading import HistorySetting
from phasefield.models.base import Strict
from phasefield.models.temperature import TemperatureModel


class LandauParams(Strict):
    """Temperature and polynomial: the polynomial has coefficients at all temperatures of the run."""

    # First in a resolved scenario; every model puts its own in its place.
    name: str
    temperature: HistorySetting | None = Field(
        None, description="T: a number or pairs [time, T], for polynomials that depend on temperature"
    )
    landau: LandauPolynomial = Field(description="f: landau_246, landau_234 or landau_24")

    @field_validator("landau")
    @classmethod
    def _at_every_temperature(cls, landau: LandauBase, info: ValidationInfo) -> LandauBase:
        if "temperature" not in info.data:
            return landau
        history = info.data["temperature"]
        try:
            for T in [None] if history is None else [v for _, v in history]:
                landau.parameter_values(T)
        except InputError as error:
            raise PydanticCustomError("temperature", "{message}", {"message": str(error)}) from None
        return landau


class LandauModel(TemperatureModel):
    """A model whose `Params` are `LandauParams`."""

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        return self.terms_at(0.0)

    @property
    def temperature_dependent(self) -> bool:
        return self.parameters.landau.temperature_dependent

    def parameters_at(self, time: float) -> dict[str, float]:
        return self.parameters.landau.parameter_values(self.temperature(time))
