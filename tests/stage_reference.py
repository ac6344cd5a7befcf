"""The plain NumPy form of a stage, read off its table, and random data to try kernels on. For CPU and CUDA tests alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from phasefield.kernels.stages import Stage, kept_slots
from phasefield.registry import lookup, names
from phasefield.stepping.schemes import coefficient, function_values

# Not a scheme of ours: plain fractions must not be divided as integers.
FRACTIONS = (
    Stage({"u": "1/(1 - 1/2*z)", "N0": "1/2*phi2"}),
    Stage({"u": "exp_z", "N0": "1/3", "N1": "2/3*phi3_h - 1/4"}, error={"N0": "-1/2", "N1": "1/2", "result": "1/7"}),
)
RATIO, DT = 0.83, 0.11


@dataclass(frozen=True)
class Case:
    """One stage of one table."""

    name: str
    stages: tuple[Stage, ...]
    number: int
    multistep: bool

    @property
    def stage(self) -> Stage:
        return self.stages[self.number]

    @property
    def last(self) -> bool:
        return self.number == len(self.stages) - 1

    def __str__(self) -> str:
        return f"{self.name}-{self.number}"


def cases() -> list[Case]:
    """Every stage of every registered scheme, of the starting steps, and of `FRACTIONS`."""
    tables = [(n, lookup("scheme", n).stages, lookup("scheme", n).multistep) for n in names("scheme")]
    tables += [(f"{n}-start", lookup("scheme", n).start, True) for n in names("scheme") if lookup("scheme", n).start]
    tables.append(("fractions", FRACTIONS, False))
    return [Case(name, stages, i, multistep) for name, stages, multistep in tables for i in range(len(stages))]


@dataclass
class Data:
    """Arrays of a stage by the names of `stage_arguments`; geometry and rates."""

    arrays: dict[str, Any]
    k0: np.ndarray
    kr: np.ndarray
    weight: np.ndarray
    rates: np.ndarray


def make_data(case: Case, real: Any, fields: int = 2, n0: int = 5, columns: int = 24) -> Data:
    """Random numbers for the arrays a kernel of the case takes, in its order."""
    rng = np.random.default_rng(8)
    slots = min(case.number + 1, kept_slots(case.stages, case.multistep))
    wanted = ["block", "base", "out" if case.number == 0 else "value", *(f"slot{i}" for i in range(slots))]
    wanted += ["previous"] if case.multistep else []
    arrays = {name: rng.normal(size=(fields, n0, 2 * columns)).astype(real) for name in wanted}
    k0, kr = rng.uniform(0.0, 4.0, n0), rng.uniform(0.0, 9.0, columns)
    k0[0] = kr[0] = 0.0
    rates = np.array([[0.0, 1.3, 0.7, 0.4], [0.9, 0.2, 1.1, 2.0]])[:fields]
    return Data(arrays, k0, kr, rng.choice([0.0, 1.0, 2.0], columns), rates)


def plain_stage(case: Case, data: Data) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(new value, what the stage keeps, [squared error per field …, gradient energy]) as the table reads."""
    arrays = {name: a.astype(float) for name, a in data.arrays.items()}
    k2 = np.repeat(data.k0[:, None] + data.kr, 2, axis=1)
    m = data.rates[:, 0, None, None] + data.rates[:, 1, None, None] * k2
    S, symbol = data.rates[:, 3, None, None], data.rates[:, 2, None, None] * k2
    functions = function_values(-DT * m * (S + symbol))
    functions["ratio"] = np.full_like(m, RATIO)
    value = arrays["base"] if case.number == 0 else arrays["value"]
    N = -m * (arrays["block"] - S * value)
    quantities = {"u": arrays["base"], f"N{case.number}": N}
    quantities |= {f"N{i}": arrays[f"slot{i}"] for i in range(case.number)}
    if case.multistep:
        # The slot holds F̂ of the step before, whatever S was then.
        previous = arrays["previous"]
        quantities |= {"u_previous": previous, "N_previous": -m * (arrays["slot0"] - S * previous)}

    def combine(table):
        total = np.zeros_like(N)
        for q, text in table.items():
            total += coefficient(text, functions) * quantities[q] * (DT if q.startswith("N") else 1.0)
        return total

    # A mode that does not move keeps its bits.
    result = np.where(m == 0.0, arrays["base"], combine(case.stage.result))
    quantities["result"] = result
    weight = np.repeat(data.weight, 2)
    error = (weight * combine(case.stage.error) ** 2).sum(axis=(1, 2))
    gradient = 0.5 * (weight * symbol * result**2).sum() if case.last else 0.0
    return result, arrays["block"] if case.multistep else N, np.array([*error, gradient])
