"""The plain NumPy form of a stage of coupled fields, and random data for it. For CPU and CUDA tests alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from stage_reference import DT, RATIO, Case, Data, cases, make_data

from phasefield.stepping.schemes import coefficient, function_values


def variants() -> list[tuple[Case, str, int, bool]]:
    """(case, precision, fields, conserved): every stage with one, two and three fields, and in single precision."""
    found = [(case, "double", fields, fields < 3) for case in cases() for fields in (1, 2, 3)]
    return found + [(case, "single", 1 + i % 3, i % 2 == 0) for i, case in enumerate(cases())]


@dataclass
class CoupledData:
    """Arrays of a stage; Λ (n0, columns, N, N), the driving force (N) and, from here, the mode k = 0 at [0, 0]."""

    plain: Data
    matrices: np.ndarray
    drive: np.ndarray

    @property
    def arrays(self) -> dict[str, Any]:
        return self.plain.arrays


def make_coupled_data(
    case: Case, real: Any, fields: int, conserved: bool, n0: int = 5, columns: int = 24
) -> CoupledData:
    """As `stage_reference.make_data`, all fields alike; Λ of every rank."""
    data = make_data(case, real, fields, n0, columns)
    data.rates = np.tile([0.0, 1.3, 0.7, 0.4] if conserved else [0.9, 0.0, 0.7, 0.4], (fields, 1))
    if conserved:
        # The mean of a conserved field has not moved so far.
        for name in data.arrays.keys() & {"slot0", "slot1", "slot2"}:
            data.arrays[name][:, 0, :2] = 0.0
        for name in data.arrays.keys() & {"value", "previous"}:
            data.arrays[name][:, 0, :2] = data.arrays["base"][:, 0, :2]
    rng = np.random.default_rng(21)
    factors = rng.normal(size=(n0, columns, fields, fields))
    factors *= np.arange(fields) < rng.integers(0, fields + 1, (n0, columns))[..., None, None]
    return CoupledData(data, factors @ np.swapaxes(factors, -1, -2), rng.normal(size=fields))


def apply(function: Any, data: CoupledData) -> np.ndarray:
    """A function of z = −Δt m (S + κk̃² + Λ) as a matrix at every mode, by its eigenvectors: (n0, columns, N, N)."""
    m, symbol = rate_and_symbol(data)
    values, vectors = np.linalg.eigh(data.matrices)
    z = -DT * m[..., None] * (data.plain.rates[0, 3] + symbol[..., None] + values)
    return (vectors * function(z)[..., None, :]) @ np.swapaxes(vectors, -1, -2)


def rate_and_symbol(data: CoupledData) -> tuple[np.ndarray, np.ndarray]:
    """m and κk̃² of every mode, (n0, columns)."""
    k2 = data.plain.k0[:, None] + data.plain.kr
    constant, laplacian, kappa, _ = data.plain.rates[0]
    return constant + laplacian * k2, kappa * k2


def quantities(case: Case, data: CoupledData, stabilising: bool = False) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What the table of a stage combines, and F̂ with its driving force; complex, (N, n0, columns).

    A symbol that is there for stability alone is taken off, as S is.
    """
    arrays = {name: np.ascontiguousarray(a.astype(float)).view(complex) for name, a in data.arrays.items()}
    m, S = rate_and_symbol(data)[0], data.plain.rates[0, 3]
    F = arrays["block"].copy()
    F[:, 0, 0] -= data.drive
    value = arrays["base"] if case.number == 0 else arrays["value"]

    def taken_off(v: np.ndarray) -> np.ndarray:
        return S * v + (np.einsum("abpq,qab->pab", data.matrices, v) if stabilising else 0.0)

    result = {"u": arrays["base"], f"N{case.number}": -m * (F - taken_off(value))}
    result |= {f"N{i}": arrays[f"slot{i}"] for i in range(case.number)}
    if case.multistep:
        previous = arrays["previous"]
        result |= {"u_previous": previous, "N_previous": -m * (arrays["slot0"] - taken_off(previous))}
    return result, F


def plain_coupled_stage(
    case: Case, data: CoupledData, stabilising: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(new value, what the stage keeps, [squared error per field …, gradient energy, energy of Λ]); arrays as real views."""
    known, F = quantities(case, data, stabilising)
    m, symbol = rate_and_symbol(data)

    def combine(table):
        total = np.zeros_like(F)
        for q, text in table.items():

            def entry(z, text=text):
                return coefficient(text, {**function_values(z), "ratio": np.full_like(z, RATIO)})

            factor = DT if q.startswith("N") else 1.0
            total += factor * np.einsum("abpq,qab->pab", apply(entry, data), known[q])
        return total

    # A mode that does not move keeps its bits.
    known["result"] = result = np.where(m == 0.0, known["u"], combine(case.stage.result))
    weight = data.plain.weight
    error = (weight * abs(combine(case.stage.error)) ** 2).sum(axis=(1, 2))
    gradient, energy = 0.0, 0.0
    if case.last:
        gradient = 0.5 * (weight * symbol * abs(result) ** 2).sum()
        if not stabilising:
            energy = 0.5 * np.einsum("b,pab,abpq,qab->", weight, result.conj(), data.matrices, result).real
    kept = F if case.multistep else known[f"N{case.number}"]
    return result.view(float), kept.view(float), np.array([*error, gradient, energy])
