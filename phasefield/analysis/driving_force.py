"""The driving forces δF/δφ of a state, from the formulas: how far it is from rest.

    δF/δφ_p = ∂f/∂φ_p − κ_p ∇²φ_p + Σ_q Λ_pq φ_q,   at k = 0 with M φ̄ − g for the last term,

Λ, M and g being symbol, mean symbol and load of the coupling (`models.base.Coupling`), in whose place there may be an explicit
force. A state is at rest where it vanishes, of a conserved field where it is uniform. For non-conserved fields with mobility L
the energy falls at the rate L V ⟨Σ_p (δF/δφ_p)²⟩; the root mean square taken here is therefore √(rate/LV), without the part of it
that a step of a stabilised scheme delays.
"""

from __future__ import annotations

import numpy as np

from phasefield.gradient_flow import GradientFlow
from phasefield.scenario.fields import fixed_fields
from phasefield.spectral.waves import backward, forward, symbol_on_grid


class DrivingForce:
    """δF/δφ of any state of one simulation; what does not change from state to state is evaluated once."""

    def __init__(self, simulation: GradientFlow):
        self._simulation = simulation
        model, grid = simulation.model, simulation.grid
        self._frozen = model.frozen_fields(grid, fixed_fields(simulation.scenario)) if model.frozen else {}
        self._gradient = symbol_on_grid(grid, model.laplacian)
        self._lift = np.stack([np.broadcast_to(grid.lift_values(n), grid.shape) for n in simulation.split.names])
        self._symbol = None
        if model.coupling is not None:
            self._symbol = model.coupling.symbol(grid, _mode_numbers(grid.shape))

    def __call__(self) -> np.ndarray:
        """δF/δφ_p of the present state under the present loads, (N, *grid.shape); of a conserved field less its mean."""
        simulation = self._simulation
        model, split, grid, time = simulation.model, simulation.split, simulation.grid, simulation.time
        state = simulation.state
        values = {
            **state,
            **self._frozen,
            **dict(zip(split.density.parameters, split.parameters_at(time), strict=True)),
        }
        phi = forward(np.stack([np.asarray(state[n], float) for n in split.names]) - self._lift, grid)
        result = split.kappa.reshape(-1, *[1] * grid.dimensions) * self._gradient * phi
        if self._symbol is not None:
            assert model.coupling is not None
            phase = simulation.stepper.phase
            result += np.einsum("...pq,q...->p...", self._symbol, phi)
            # Of a sum over the cells, as k = 0 of `rfftn` is.
            means = np.real(phi.reshape(len(phi), -1)[:, 0])
            load = grid.cells * model.coupling.drive(time, phase)
            result.reshape(len(phi), -1)[:, 0] = model.coupling.mean_symbol(phase) @ means - load
        force = backward(result, grid)
        if simulation.stepper.force is not None:
            force += simulation.stepper.force.forces
        for p, (name, kinetics) in enumerate(model.fields.items()):
            force[p] += split.derivatives[split.names.index(name)].evaluate(**values)
            if kinetics.conserved:
                force[p] -= force[p].mean()
        return force

    def rms(self) -> float:
        """√⟨Σ_p (δF/δφ_p)²⟩."""
        return float(np.sqrt(np.sum(self() ** 2) / self._simulation.grid.cells))


def force_scale(simulation: GradientFlow) -> float:
    """A driving force that is large for the model: max |f″| times the largest |φ|, on the range of its Landau polynomial.

    For models without one, on the range of the present state.
    """
    landau = getattr(simulation.model.parameters, "landau", None)
    ranges = simulation.stepper.ranges
    if landau is not None:
        temperature = simulation.model.temperature(simulation.time)  # type: ignore[attr-defined]
        ranges = [landau.range(temperature)] * len(simulation.split.names)
    curvature = simulation.split.curvature(
        ranges, magnitude=True, frozen=simulation.stepper.frozen_ranges, time=simulation.time
    )
    return float(curvature.max() * np.abs(ranges).max())


def _mode_numbers(shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """Signed mode numbers of x[, y[, z]] over the half spectrum of `np.fft.rfftn`, to be broadcast."""
    result = []
    for position, cells in enumerate(reversed(shape)):
        numbers = np.fft.rfftfreq(cells, 1.0 / cells) if position == 0 else np.fft.fftfreq(cells, 1.0 / cells)
        form = [1] * len(shape)
        form[len(shape) - 1 - position] = -1
        result.append(np.rint(numbers).astype(int).reshape(form))
    return tuple(result)
