"""What models with a Landau polynomial share: a temperature, which may change with time."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from phasefield.energy.landau_martensite import LandauBase, LandauPolynomial
from phasefield.energy.term import Term
from phasefield.errors import InputError
from phasefield.mechanics.loading import History, HistorySetting
from phasefield.models.base import Model, Strict


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


class LandauModel(Model):
    """A model whose `Params` are `LandauParams`; `load_corners` are the times at which its load has a corner."""

    parameters: Any

    @cached_property
    def _temperature(self) -> History | None:
        pairs = self.parameters.temperature
        return None if pairs is None else History.of(pairs)

    def temperature(self, time: float) -> float | None:
        """T at `time`, or None where the scenario has no temperature."""
        return None if self._temperature is None else self._temperature(time)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        return self.terms_at(0.0)

    @property
    def changing(self) -> bool:
        history = self._temperature
        return history is not None and not history.constant and self.parameters.landau.temperature_dependent

    def parameters_at(self, time: float) -> dict[str, float]:
        return self.parameters.landau.parameter_values(self.temperature(time))

    @property
    def load_corners(self) -> tuple[float, ...]:
        """Times at which the load has a corner."""
        return ()

    @cached_property
    def events(self) -> tuple[float, ...]:
        temperature = () if self._temperature is None else self._temperature.corners
        return tuple(sorted({*temperature, *self.load_corners}))

    def record_names(self) -> tuple[str, ...]:
        return () if self._temperature is None else ("temperature",)

    def records(self, time: float, means: Any, phase: int = 0) -> dict[str, float]:
        return {} if self._temperature is None else {"temperature": self._temperature(time)}
