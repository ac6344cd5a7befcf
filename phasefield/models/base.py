"""What a model states: its fields with their kinetics, and its free energy as a list of terms.

Conserved fields obey ∂φ/∂t = ∇·M∇ δF/δφ, non-conserved ones ∂φ/∂t = −L δF/δφ. In Fourier space both read
∂φ̂/∂t = −m(k) (δF/δφ)^ with m = M k̃² or m = L. Nothing here knows the device, the boundary, the time scheme or the output.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from phasefield.energy.term import State, Term

if TYPE_CHECKING:
    from phasefield.models.mobility import Mobility
    from phasefield.spectral.grid import Grid


class Strict(BaseModel):
    """Base of everything a scenario may contain: unknown keys are errors, values are frozen, and text or `true` is no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Kinetics:
    """m(k) = constant + laplacian · k̃²."""

    constant: float = 0.0
    laplacian: float = 0.0

    @property
    def conserved(self) -> bool:
        """True when the k = 0 mode, the mean of the field, cannot change."""
        return self.constant == 0.0

    def rate(self, k2: np.ndarray) -> np.ndarray:
        """m(k)."""
        return self.constant + self.laplacian * k2


def conserved(mobility: float) -> Kinetics:
    """∂φ/∂t = ∇·M∇ δF/δφ with constant mobility M: m = M k̃²."""
    return Kinetics(laplacian=mobility)


def non_conserved(mobility: float) -> Kinetics:
    """∂φ/∂t = −L δF/δφ with constant L: m = L."""
    return Kinetics(constant=mobility)


class Coupling(Protocol):
    """A matrix symbol Λ_pq(k) and the uniform loads that go with it.

    The energy of a state is V [½ Σ_{k≠0} φ̂*·Λ(k)·φ̂ + ½ φ̄·M φ̄ − g·φ̄ + c]: M the symbol at k = 0, g and c the loads,
    which may depend on time.
    """

    def symbol(self, grid: Grid, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        """Λ (…, N, N) at signed mode numbers along x[, y[, z]]; what it holds at k = 0 is not used."""
        ...

    def phase(self, time: float) -> int:
        """Number of the stretch of time with one M that `time` lies in; a corner belongs to the later one."""
        ...

    def mean_symbol(self, phase: int) -> np.ndarray:
        """M (N, N)."""
        ...

    def drive(self, time: float, phase: int) -> np.ndarray:
        """g (N)."""
        ...

    def constant(self, time: float, phase: int) -> float:
        """c."""
        ...


class ExplicitForce(Protocol):
    """A part of the free energy that is neither a formula of local values nor a matrix symbol: evaluated state by state.

    Attributes: `forces`, δF/δφ_p of the last state, (N, *grid.shape); `energy`, its F; `energy_before`, its F under the loads of
    another time; `stabilising`: whether a Λ (`symbol`, `mean_symbol`) is added on the implicit side and taken off the explicit
    one, as S is.
    """

    stabilising: bool
    forces: np.ndarray
    energy: float
    energy_before: float

    def update(self, fields: np.ndarray, time: float, phase: int, before: float) -> None:
        """Evaluate at a state (N, *grid.shape), under the loads at `time` and, for the energy, those at `before`.

        Raises:
            NumericalError: the state has none.
        """
        ...

    def curvature(self, values: Sequence[np.ndarray]) -> list[np.ndarray]:
        """How much it adds to the second derivative of f for each field, at most and about the last state, at given values."""
        ...

    def symbol(self, grid: Grid, indices: tuple[np.ndarray, ...]) -> np.ndarray:
        """Λ (…, N, N), as of a `Coupling`."""
        ...

    def mean_symbol(self, phase: int) -> np.ndarray:
        """Λ at k = 0."""
        ...

    def phase(self, time: float) -> int:
        """As of a `Coupling`."""
        ...

    def jumps(self, phase: int, following: int) -> bool:
        """Whether the forces jump where one phase goes over to another."""
        ...

    def records(self, time: float) -> dict[str, float]:
        """What it adds to the history about the last state."""
        ...

    def keep(self) -> None:
        """The last state is the one that `rewind` comes back to: evaluated again it gives the same bits."""
        ...

    def rewind(self) -> None: ...

    def checkpoint(self) -> dict[str, np.ndarray]:
        """Arrays that evaluations after `rewind` depend on."""
        ...

    def restore(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take them from a checkpoint, or forget all states where there are none."""
        ...

    def close(self) -> None: ...

    @property
    def memory_bytes(self) -> int: ...


@dataclass(frozen=True, eq=False)
class Variants:
    """What the fields of a model stand for, where they are order parameters of the variants of one phase.

    fields: names of the order parameters η_p; strains: their transformation strains (N, 3, 3); well: η in a variant at a
    time; signed: whether −η_p is a variant too, with the strain −ε⁰_p; parent: name of the phase at η = 0, empty where none is.
    """

    fields: tuple[str, ...]
    strains: np.ndarray
    well: Callable[[float], float]
    signed: bool
    parent: str


class Model(ABC):
    """A free energy and the kinetics of its fields; built from validated parameters.

    Class attributes: `Params`, the scenario section with the model's parameters; `equation`, one line of text;
    `reference`, where it comes from.
    """

    Params: ClassVar[type[Strict]]
    # Parameters of a small scenario, where the defaults are not enough: for starters and for tests of every model.
    example: ClassVar[dict[str, Any]] = {}
    # Means of fields from which something happens in the starter, where that is not 0.
    example_means: ClassVar[dict[str, float]] = {}
    equation: ClassVar[str]
    reference: ClassVar[str]
    # What a step is: `gradient_flow`, `crack_growth` or `crack_dynamics` (see `simulation`).
    evolution: ClassVar[str] = "gradient_flow"
    # Whether the history has a row for every step where the scenario does not say how often.
    history_every_step: ClassVar[bool] = False

    def __init__(self, parameters: Any, dimensions: int = 3, fixed: frozenset[str] = frozenset()):
        """`dimensions` of the grid; `fixed`, names of the fixed fields that the scenario gives."""
        self.parameters, self.dimensions, self.fixed = parameters, dimensions, fixed

    @property
    @abstractmethod
    def fields(self) -> dict[str, Kinetics]:
        """Kinetics of every field, in storage order."""

    @property
    @abstractmethod
    def terms(self) -> tuple[Term, ...]:
        """The free energy, term by term."""

    def unsuited(self, grid: Grid) -> str | None:
        """Why the model cannot run on a grid, or None."""
        if (self.coupling is not None or self.explicit) and not grid.periodic:
            return "elastic strains need periodic axes"
        return None

    def potential_of_uniform(self, field: str, state: Mapping[str, float], time: float = 0.0) -> float:
        """∂f/∂φ of a field in a uniform state, with frozen fields at 0 and parameters as they are at `time`."""
        local = next(t for t in self.terms if t.pointwise is not None)
        values = {**dict.fromkeys(self.frozen, 0.0), **local.parameter_values(), **self.parameters_at(time), **state}
        assert local.pointwise is not None
        return float(local.pointwise.derivative(field).evaluate(**values))

    # --- what only some models have -----------------------------------------------------------------------------

    @property
    def variable_mobility(self) -> Mobility | None:
        """M(c) of a model with one conserved field whose mobility depends on that field; None where it is constant."""
        return None

    def kinetics_at(self, base: Mapping[str, float]) -> dict[str, Kinetics]:
        """Kinetics of small fluctuations of a uniform state: `fields`, unless they depend on the state."""
        return self.fields

    @property
    def coupling(self) -> Coupling | None:
        """A matrix symbol that couples all fields, such as elastic misfit; they then share kinetics and κ."""
        return None

    def explicit_force(self, grid: Grid, fixed: Mapping[str, np.ndarray], threads: int = 1) -> ExplicitForce | None:
        """A part of the free energy that is treated explicitly, made for one run; `fixed`: what `frozen_fields` returns.

        A model has this or a coupling; fields then share kinetics, κ and S.
        """
        return None

    @property
    def explicit(self) -> bool:
        """Whether there is an explicit force."""
        return False

    def explicit_bytes(self, grid: Grid) -> int:
        """About how many bytes it needs."""
        return 0

    def load_at(self, time: float, within: float) -> np.ndarray:
        """Numbers that tell loads apart: at `time`, in the phase that `within` lies in; nothing without loads."""
        if self.coupling is None:
            return np.zeros(0)
        phase = self.coupling.phase(within)
        means, drive = self.coupling.mean_symbol(phase).ravel(), self.coupling.drive(time, phase)
        return np.array([*means, *drive, self.coupling.constant(time, phase)])

    @property
    def variants(self) -> Variants | None:
        """How to show the fields as variants in one picture."""
        return None

    def fixed_names(self) -> tuple[str, ...]:
        """Fields a scenario may give which do not move, such as defects."""
        return ()

    def fixed_needed(self) -> tuple[str, ...]:
        """Those among them which a scenario has to give."""
        return ()

    @property
    def frozen(self) -> tuple[str, ...]:
        """Names of what stands in the pointwise formula behind the model's fields and does not move."""
        return ()

    def frozen_fields(self, grid: Grid, fixed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Their values, in grid shape, from the fixed fields that the scenario gives."""
        return {}

    @property
    def changing(self) -> bool:
        """Whether `parameters_at` depends on time."""
        return False

    def parameters_at(self, time: float) -> dict[str, float]:
        """Parameters of the pointwise formula that change with time; the others keep their values."""
        return {}

    @property
    def thermal_energy(self) -> float:
        """kT of Langevin noise, 0 for none: ∂φ/∂t gains ζ with ⟨ζζ′⟩ = 2 kT L δ(x−x′) δ(t−t′)."""
        return getattr(self.parameters, "thermal_energy", 0.0)

    @property
    def noise_correction(self) -> bool | None:
        """Whether noise has the variance with which the time scheme reaches equilibrium (True) or that of the equation (False).

        Either is drawn mode by mode; None, of a model that does not say, is noise drawn cell by cell, uncorrected.
        """
        return getattr(self.parameters, "noise_correction", None)

    @property
    def viscosity(self) -> float | None:
        """A′ of a field with inertia, ∂²φ/∂t² = −m (δF/δφ + A′ ∂φ/∂t), which needs scheme leapfrog; None without inertia."""
        return None

    @property
    def loses_energy(self) -> bool:
        """Whether F can only decrease: not with thermal noise or inertia."""
        return not self.thermal_energy and self.viscosity is None

    @property
    def events(self) -> tuple[float, ...]:
        """Times at which a schedule has a corner: a step ends there."""
        return ()

    def record_names(self) -> tuple[str, ...]:
        """Names of what the model adds to the history."""
        return ()

    def records(self, time: float, means: np.ndarray, phase: int = 0) -> dict[str, float]:
        """Their values, from the time, the means of the fields and the phase of the coupling."""
        return {}

    def derived_names(self) -> tuple[str, ...]:
        """Fields that follow from the state and can be written on request: `potential_<field>` = δF/δφ, and a model's own."""
        return tuple(f"potential_{name}" for name in self.fields)

    def derived_fields(self, names: Sequence[str], state: State, grid: Grid, time: float) -> dict[str, np.ndarray]:
        """The values of some of `derived_names`, in grid shape; `state` also holds frozen fields."""
        potentials: dict[str, np.ndarray] = {}
        wanted = {f"potential_{f}": f for f in self.fields if f"potential_{f}" in names}
        for term in self.terms_at(time) if wanted else ():
            derivative = term.derivative(state, grid)
            for name, field in wanted.items():
                potentials[name] = potentials.get(name, 0.0) + derivative.get(field, np.zeros(grid.shape))
        return potentials

    def terms_at(self, time: float) -> tuple[Term, ...]:
        """The free energy under the loads and with the parameters at `time`."""
        return self.terms

    @property
    def laplacian(self) -> str:
        """Name of the discrete Laplacian all symbols of this model use."""
        return getattr(self.parameters, "laplacian", "spectral")

    def growth_matrix(
        self, base: Mapping[str, float], k2: np.ndarray, direction: np.ndarray | None = None
    ) -> np.ndarray:
        """Linearised right-hand side about a uniform state: ∂φ̂/∂t = G φ̂, shape (*k2.shape, N, N).

        G_pq = −m_p(k) Σ_terms ∂²F/∂φ_p∂φ_q (k̃², n): n (3,) matters to elastic terms alone, which take the softest
        direction when it is not given.
        """
        names, kinetics = list(self.fields), self.kinetics_at(base)
        matrix = np.zeros((*np.shape(k2), len(names), len(names)))
        for term in self.terms:
            for (p, q), symbol in term.hessian(base, k2, direction).items():
                i, j = names.index(p), names.index(q)
                matrix[..., i, j] -= kinetics[p].rate(k2) * symbol
        return matrix
