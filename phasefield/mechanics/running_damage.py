"""The damage of a run in time, with the energies that drive it, wherever the body is."""

from __future__ import annotations

from typing import Any

import numpy as np

from phasefield.mechanics.damage import DamageSolver
from phasefield.mechanics.damage_gpu import GpuDamageOperator
from phasefield.mechanics.damage_methods import mprgp
from phasefield.mechanics.damage_preconditioners import Jacobi
from phasefield.mechanics.damage_steps import DamageSteps
from phasefield.mechanics.dynamics import MovingBody
from phasefield.registry import register


@register("running_damage", "cpu")
class RunningDamage:
    """φ after every step of a body that moves, by `DamageSteps`.

    Args:
        solver: of the damage at given strains.
        rule: the name of its irreversibility.
        threads: the most that are used; results have the same bits for any number.

    Attributes: `phi`, where the body is; `before`, φ of the step before; `drive`, ψ⁺ of the strains.
    """

    def __init__(self, solver: DamageSolver, rule: str, threads: int = 1):
        self.solver = solver
        shape = solver.cracks.grid.shape
        self.phi, self.before, self.drive = (np.zeros(shape) for _ in range(3))
        self._steps: DamageSteps | None = self._make_steps(threads)
        self._change = np.zeros(shape)

    def _make_steps(self, threads: int) -> DamageSteps | None:
        return DamageSteps(self.solver, threads)

    def put(self, phi: np.ndarray, before: np.ndarray | None = None) -> None:
        """Replace φ, and that of the step before, by arrays on the host."""
        self.phi = np.array(phi, float, order="C")
        self.before = np.array(phi if before is None else before, float, order="C")

    def follow_strains(self, body: MovingBody) -> None:
        """ψ⁺ at the displacements of the body."""
        body.energies(self.drive, driving=True)

    def follow(self, tolerance: float, rate: float) -> tuple[int, float]:
        """φ of a step, which is accepted; returns the count of `DamageSteps`, and how much any cell has healed."""
        assert self._steps is not None
        result = self._steps.follow(self.before, self.phi, self.drive, tolerance, rate=rate)
        self.before, self.phi = self.phi, result.phi
        np.subtract(self.before, self.phi, out=self._change)
        self.solver.accept(self.drive)
        return result.iterations, float(self._change.max())

    def on_host(self, name: str) -> np.ndarray:
        """`phi`, `before` or `drive` (*grid.shape), not to be written to."""
        return getattr(self, name)

    @property
    def history(self) -> np.ndarray | None:
        """The largest ψ⁺ so far, on the host, where the rule of irreversibility keeps it."""
        return getattr(self.solver.irreversibility, "largest", None)

    def put_history(self, values: np.ndarray) -> None:
        """Replace it."""
        self.solver.irreversibility.largest[...] = values  # type: ignore[attr-defined]

    def close(self) -> None:
        """End the threads."""
        if self._steps is not None:
            self._steps.close()


@register("running_damage", "gpu")
class GpuRunningDamage(RunningDamage):
    """The same on the device, by `mprgp` on all cells; φ that a run begins with is found on the host."""

    def __init__(self, solver: DamageSolver, rule: str, threads: int = 1):
        self.operator = GpuDamageOperator(solver, rule)
        super().__init__(solver, rule, threads)
        self._preconditioner: Any = Jacobi(solver.operator)
        self._host: np.ndarray | None = None
        self._xp = self.operator._xp
        self.phi, self.before, self.drive = (self._xp.asarray(a) for a in (self.phi, self.before, self.drive))

    def _make_steps(self, threads: int) -> DamageSteps | None:
        return None

    def put(self, phi: np.ndarray, before: np.ndarray | None = None) -> None:
        super().put(phi, before)
        self.phi, self.before = self._xp.asarray(self.phi), self._xp.asarray(self.before)
        self._host = None
        # What `DamageSolver.begin` has made of φ.
        if (largest := super().history) is not None:
            self.put_history(largest)

    def follow(self, tolerance: float, rate: float) -> tuple[int, float]:
        operator = self.operator
        operator.prepare(self.phi, self.before, self.drive, rate)
        mprgp(operator, self._preconditioner, tolerance)  # type: ignore[arg-type]
        healing = operator.settle(self.phi, self.before)
        operator.keep(self.drive)
        self._host = None
        return operator.products, healing

    def on_host(self, name: str) -> np.ndarray:
        if name != "phi":
            return self._xp.asnumpy(getattr(self, name))
        # Histories look at φ many times.
        found: np.ndarray = self._xp.asnumpy(self.phi) if self._host is None else self._host
        self._host = found
        return found

    @property
    def history(self) -> np.ndarray | None:
        kept = super().history
        return None if kept is None else self._xp.asnumpy(self.operator.history).reshape(kept.shape)

    def put_history(self, values: np.ndarray) -> None:
        self.operator.history[...] = self._xp.asarray(np.reshape(values, self.operator.x.shape))
