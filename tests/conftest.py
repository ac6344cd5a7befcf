"""Shared builders of small grids, scenarios and simulations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import fake_cupy
import pytest
from cuda_on_cpu import needs_compiler

from phasefield.errors import InputError
from phasefield.kernels import gpu
from phasefield.simulation import Simulation

# Unequal cells and lengths on every axis, even and odd counts.
BOXES: dict[int, dict[str, dict[str, float]]] = {
    1: {"x": {"cells": 64, "length": 70.0}},
    2: {"x": {"cells": 32, "length": 37.0}, "y": {"cells": 27, "length": 25.0}},
    3: {"x": {"cells": 15, "length": 17.0}, "y": {"cells": 16, "length": 15.0}, "z": {"cells": 12, "length": 16.0}},
}


def scenario(model: str = "cahn_hilliard", dimensions: int = 2, **sections: Any) -> dict[str, Any]:
    """A small scenario as a dict; keyword arguments replace whole sections, `model_` extra keys of the model."""
    field = {"cahn_hilliard": "c", "allen_cahn": "phi"}[model]
    base: dict[str, Any] = {
        "model": {"name": model, "gradient_energy": 2.0, **sections.pop("model_", {})},
        "grid": BOXES[dimensions],
        "initial": {field: {"mean": 0.1, "noise": 0.05}},
        "time": {"end": 1.0, "step": 0.1},
        "seed": 7,
    }
    return {**base, **sections}


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulation]]:
    """Make simulations whose threads are ended with the test."""
    made: list[Simulation] = []

    def make(data: dict[str, Any], **options: Any) -> Simulation:
        made.append(Simulation.from_scenario(data, device="cpu", **options))
        return made[-1]

    yield make
    for simulation in made:
        simulation.close()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=[pytest.param("double", marks=needs_compiler), pytest.param("device", marks=pytest.mark.gpu)])
def cupy(request, monkeypatch):
    """The double of CuPy on the CPU; with `-m gpu` CuPy and a real device."""
    if request.param == "double":
        yield fake_cupy.install(monkeypatch)
    else:
        try:
            gpu.require_device()
        except InputError as error:
            pytest.skip(f"no GPU: {error}")
        yield gpu.load_cupy()
    fake_cupy.forget()
