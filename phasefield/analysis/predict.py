"""What can be said about a scenario before running it: the contents of `check`."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import numpy as np

from phasefield.analysis.crack_prediction import CrackPrediction, predict_cracks
from phasefield.analysis.dynamic_prediction import predict_motion
from phasefield.analysis.interface import Interface, flat_interface
from phasefield.analysis.mixture import MixturePhases, mixture_phases
from phasefield.analysis.stability import LinearStability
from phasefield.analysis.thinnest_wall import ThinnestWall, thinnest_wall
from phasefield.errors import InputError
from phasefield.kernels.coupled import components
from phasefield.kernels.stages import kept_slots
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.models.fracture import Fracture
from phasefield.scenario import LoadedScenario
from phasefield.scenario.fields import initial_fields
from phasefield.scenario.schema import StepSection
from phasefield.stepping.forcing import KEPT
from phasefield.stepping.schemes import find_scheme

# Fewer cells than this across an interface (width as in `analysis.interface`) are too few to trust its energy.
LEAST_CELLS_PER_INTERFACE = 4.0
# The same for walls of martensite, 10–90 %: the grid pins thinner ones. Two cells, with room for κ = 2 in units h = Δf = 1 of
# 2-3-4, whose walls are 1.8 to 2 cells wide and moved freely in every run.
LEAST_CELLS_PER_WALL = 1.75


@dataclass(frozen=True)
class Prediction:
    """Theory and cost of a scenario: `interface` between phases in general, under the conditions at the end where there are no
    phases at the start; `mixture`, its phase diagram; `wall` of a martensite.
    """

    stability: LinearStability
    interface: Interface | None
    cells_per_interface: float
    mixture: tuple[MixturePhases, ...]
    wall: ThinnestWall | None
    cells_per_wall: float
    memory_bytes: int
    steps: int | None
    frames: int | None
    warnings: tuple[str, ...]


def predict(loaded: LoadedScenario) -> Prediction | CrackPrediction:
    """Everything `check` prints; evaluates the initial condition but takes no step.

    Raises:
        InputError: the initial condition does not fit the grid, or the grid does not fit into memory.
    """
    require_memory(loaded)
    if isinstance(loaded.model, Fracture):
        return predict_cracks(loaded)
    if isinstance(loaded.model, DynamicFracture):
        return predict_motion(loaded)
    fields = initial_fields(loaded)
    base = {name: float(u.mean()) for name, u in fields.items()}
    stability = LinearStability(loaded.model, base)
    interface, wall = None, thinnest_wall(loaded.model)
    if len(base) == 1 and wall is None:
        mean, end = next(iter(base.values())), float(loaded.settings.time.end)
        interface = flat_interface(loaded.model, mean) or flat_interface(loaded.model, mean, end)
    coarsest = max(loaded.grid.spacing)
    cells = interface.width / coarsest if interface is not None else math.nan
    cells_per_wall = wall.width / coarsest if wall is not None else math.nan
    settings = loaded.settings
    step = settings.time.step
    steps = None if isinstance(step, StepSection) else math.ceil(settings.time.end / float(step) - 1e-9)
    every = settings.output.fields.every
    at = settings.output.fields.at or []
    frames = len({0.0, *map(float, at), float(settings.time.end)})
    if every is not None:
        frames = 1 + math.ceil(settings.time.end / every - 1e-9)
    mixture = mixture_phases(loaded.model)
    warnings = tuple(_warnings(loaded, stability, cells, cells_per_wall, mixture))
    memory = memory_estimate(loaded)
    return Prediction(stability, interface, cells, mixture, wall, cells_per_wall, memory, steps, frames, warnings)


def require_memory(loaded: LoadedScenario) -> None:
    """Raise `InputError` when this machine has less memory than a run needs, before the system kills it."""
    needed, present = memory_estimate(loaded), _physical_memory()
    if needed > present:
        cells = " × ".join(str(a.cells) for a in loaded.grid.axes)
        text = (
            f"grid: {cells} cells need {needed / 2**30:.1f} GiB of memory, this machine has {present / 2**30:.1f} GiB"
        )
        raise loaded.located(InputError(text))


def _physical_memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def memory_estimate(loaded: LoadedScenario) -> int:
    """Bytes of the arrays of a run: state, candidate, work array, what the scheme keeps beside them, the numbers of a coupling,
    what an explicit force or a variable mobility needs, fields that do not move, and one frame.
    """
    if isinstance(loaded.model, Fracture | DynamicFracture):
        return loaded.model.memory_bytes(loaded.grid)
    scheme = find_scheme(loaded.settings.time.scheme, loaded.model)
    if not isinstance(loaded.settings.time.step, StepSection):
        scheme = scheme.without_error()
    item = 8 if loaded.settings.precision == "double" else 4
    nx, *others = (a.cells for a in loaded.grid.axes)
    modes = (nx // 2 + 1) * int(np.prod(others, dtype=np.int64))
    arrays = 3 + kept_slots(scheme.stages, scheme.multistep) + (1 if scheme.multistep else 0)
    frame = loaded.grid.cells * (item + 8)
    model, fields = loaded.model, len(loaded.model.fields)
    # Every number of a coupling stands twice, for the real and the imaginary part.
    coupling = 0 if model.coupling is None else components(fields) * 2 * modes * item
    # Noise that is drawn mode by mode: itself, its transform, two sets of amplitudes and the work array of its own.
    noise = 0
    if model.thermal_energy and model.noise_correction is not None:
        noise = 4 * 2 * modes * item + loaded.grid.cells * item
    given = len(model.frozen) * loaded.grid.cells * item + model.explicit_bytes(loaded.grid)
    # Sources at two times, and the work array of the sweep that transforms them.
    arrays += KEPT + 1 if loaded.forced else 0
    if model.variable_mobility is not None:
        # μ̂, the components of its flux, the work arrays of the sweeps that transform them along other waves, and M.
        own = sum(axis.boundary == "no_flux" for axis in loaded.grid.axes)
        given += (1 + loaded.grid.dimensions + own) * 2 * modes * item + loaded.grid.cells * item
    if any(np.any(loaded.grid.lift_values(name)) for name in model.fields):
        given += fields * loaded.grid.cells * item
    return fields * (arrays * 2 * modes * item + frame) + coupling + noise + given


def _warnings(
    loaded: LoadedScenario, stability: LinearStability, cells: float, wall: float, mixture: tuple[MixturePhases, ...]
) -> list[str]:
    result = []
    for phases in mixture:
        if phases.continued and phases.binodal is not None:
            result.append(
                f"the phases {phases.binodal[0]:.3g} and 1 − {1.0 - phases.binodal[1]:.3g} lie beyond the continuation "
                f"{phases.continuation:g} of the logarithms: the run finds other ones; lower free_energy.continuation"
            )
    if wall < LEAST_CELLS_PER_WALL:
        result.append(
            f"only {wall:.2g} cells across a wall (10–90 %): the grid will pin it; use more cells or a larger "
            "gradient_energy (2 cells or more)"
        )
    if cells < 0.99 * LEAST_CELLS_PER_INTERFACE:
        result.append(
            f"only {cells:.2g} cells across an interface: use more cells or a larger gradient_energy "
            f"(at least {LEAST_CELLS_PER_INTERFACE:g}), or distrust interface energies"
        )
    # Between faces half a wave fits into an axis.
    longest = max(a.length * (1.0 if a.boundary == "periodic" else 2.0) for a in loaded.grid.axes)
    if stability.unstable and stability.cutoff_wavelength > longest:
        result.append(
            f"no wave that fits into the box grows: the cut-off wavelength is {stability.cutoff_wavelength:.4g}, "
            f"the longest wave of an axis {longest:.4g}"
        )
    return result
