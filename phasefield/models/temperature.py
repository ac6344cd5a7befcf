"""What models with a temperature share: its history, and the parameters of f that change with it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from phasefield.mechanics.loading import History
from phasefield.models.base import Model


class TemperatureModel(Model):
    """A model whose `Params` may have a `temperature`; `load_corners` are the times at which its load has a corner."""

    parameters: Any

    @cached_property
    def _temperature(self) -> History | None:
        pairs = self.parameters.temperature
        return None if pairs is None else History.of(pairs)

    def temperature(self, time: float) -> float | None:
        """T at `time`, or None where the scenario has no temperature."""
        return None if self._temperature is None else self._temperature(time)

    @property
    def temperatures(self) -> tuple[float, ...]:
        """T at the corners of its history; empty without one."""
        return () if self._temperature is None else self._temperature.values

    @property
    def temperature_dependent(self) -> bool:
        """Whether a parameter of f depends on temperature."""
        return True

    @property
    def changing(self) -> bool:
        history = self._temperature
        return history is not None and not history.constant and self.temperature_dependent

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
