"""What no section of a scenario can check alone: fields, grid, scheme, noise, sources and outputs against one another."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from phasefield.errors import InputError, unknown
from phasefield.models.manufactured import why_not_manufactured
from phasefield.registry import lookup, names
from phasefield.scenario.document import Path_
from phasefield.scenario.manufactured import check_manufactured
from phasefield.scenario.messages import Problem
from phasefield.scenario.nucleation import check_nucleation, seed_times
from phasefield.scenario.schema import HISTORY_ROWS, MAX_CELLS, StepSection
from phasefield.spectral.grid import Axis
from phasefield.stepping.forcing import why_not_forced

if TYPE_CHECKING:
    from phasefield.scenario.load import LoadedScenario


def check_whole(loaded: LoadedScenario) -> list[Problem]:
    """What no section can check alone."""
    settings, found = loaded.settings, []
    if loaded.grid.cells > MAX_CELLS:
        found.append(Problem(("grid",), f"{loaded.grid.cells} cells are more than {MAX_CELLS}"))
    fields = list(loaded.model.fields)
    if loaded.model.evolution != "gradient_flow" and (unused := _check_without_rates(loaded)):
        return unused
    found += _check_noise(loaded)
    found += _check_ends(loaded)
    inertia = loaded.model.viscosity is not None
    if inertia != (settings.time.scheme == "leapfrog"):
        text = (
            "a model with inertia needs leapfrog"
            if inertia
            else f"leapfrog is for models with inertia, not {settings.model.name}"
        )
        found.append(Problem(("time", "scheme"), text))
    elif inertia and not isinstance(settings.time.step, float | int):
        found.append(Problem(("time", "step"), "leapfrog needs a fixed step"))
    if (reason := loaded.model.unsuited(loaded.grid)) is not None:
        found.append(Problem(("grid",), reason))
    for name in settings.initial:
        if name not in fields:
            found.append(Problem(("initial", name), str(unknown("field", name, fields))))
    found += _check_sources(loaded)
    for name in fields:
        if name not in settings.initial and not settings.manufactured and not found:
            has = f"model {settings.model.name} has the field{'s' if len(fields) > 1 else ''} {', '.join(fields)}"
            found.append(Problem(("initial", name), f"is missing; {has}"))
    valid = loaded.model.fixed_names()
    for name in settings.fixed:
        if name not in valid:
            text = (
                str(unknown("fixed field", name, valid))
                if valid
                else f"model {settings.model.name} has no fixed fields"
            )
            found.append(Problem(("fixed", name), text))
    for name in loaded.model.fixed_needed():
        if name not in settings.fixed:
            found.append(Problem(("fixed", name), f"is missing; model {settings.model.name} needs it as it is set up"))
    found += check_nucleation(loaded)
    for i, name in enumerate(settings.output.fields.names or []):
        known = [*fields, *loaded.model.derived_names()]
        if name not in known:
            found.append(Problem(("output", "fields", "names", i), str(unknown("field", name, known))))
    times = settings.output.fields.at or []
    if times and times[-1] > settings.time.end:
        text = f"{times[-1]:g} lies after time.end = {settings.time.end:g}"
        found.append(Problem(("output", "fields", "at", len(times) - 1), text))
    return found


def _check_ends(loaded: LoadedScenario) -> list[Problem]:
    """Values at fixed ends belong to fields of the model, and agree where faces meet."""
    found, fields = [], list(loaded.model.fields)
    fixed = [axis for axis in loaded.grid.axes if axis.boundary == "fixed"]
    if fixed and loaded.model.variable_mobility is not None:
        text = "a mobility that depends on the field needs axes that are periodic or without flux"
        found.append(Problem(("grid", fixed[0].name, "boundary"), text))
    for axis in fixed:
        for name, *_ in axis.values:
            if name not in fields:
                found.append(Problem(("grid", axis.name, "values", name), str(unknown("field", name, fields))))
    for axis in fixed if not found else ():
        states = [{n: axis.ends(n)[side] for n in fields} for side in (0, 1)]
        found += [p for state in states for p in _check_state_at_end(loaded, axis, state)][:1]
    for name in fields if len(fixed) > 1 else ():
        values = {value for axis in fixed for value in axis.ends(name)}
        if len(values) > 1:
            given = ", ".join(f"{value:g}" for value in sorted(values))
            text = f"faces of several fixed axes meet, so {name} has one value on all of them (got {given})"
            found.append(Problem(("grid", fixed[-1].name, "values"), text))
    return found


def _check_without_rates(loaded: LoadedScenario) -> list[Problem]:
    """What bodies that crack have no use for, as their steps are equilibria, and grids they cannot be on."""
    settings, name = loaded.settings, loaded.settings.model.name
    found = [] if (reason := loaded.model.unsuited(loaded.grid)) is None else [Problem(("grid",), reason)]
    for section in ("source", "manufactured", "nucleation", "stabilisation"):
        if getattr(settings, section):
            found.append(Problem((section,), f"is not for the model {name}; leave it out"))
    if settings.precision == "single":
        text = f"the model {name} needs double: stiffness spans as many digits as model.residual_stiffness says"
        found.append(Problem(("precision",), text))
    if "scheme" in settings.time.model_fields_set:
        how = "every step ends in equilibrium, or is one pass with model.viscosity"
        if loaded.model.evolution == "crack_dynamics":
            how = "steps are those of leapfrog"
        text = f"the model {name} has none: {how}; leave it out"
        found.append(Problem(("time", "scheme"), text))
    step = settings.time.step
    if isinstance(step, StepSection) and "tolerance" in step.model_fields_set:
        text = f"steps of the model {name} are chosen by the passes they take; it has first, min, max"
        if loaded.model.evolution == "crack_dynamics":
            text = f"steps of the model {name} are as long as is stable; shorten them by a number for time.step, or model.safety"
        found.append(Problem(("time", "step", "tolerance"), text))
    if isinstance(step, StepSection) and loaded.model.evolution == "crack_dynamics":
        for key in sorted({"first", "min"} & step.model_fields_set):
            text = f"steps of the model {name} are as long as is stable, and all alike; it has max, or a number for time.step"
            found.append(Problem(("time", "step", key), text))
    axes = [axis.name for axis in loaded.grid.axes]
    for i, axis in enumerate(settings.verify.mirror if settings.verify else []):
        if axis not in axes:
            found.append(Problem(("verify", "mirror", i), str(unknown("axis", axis, axes))))
    return found


def _check_noise(loaded: LoadedScenario) -> list[Problem]:
    """Langevin noise is drawn for a step before its size could be chosen: all steps must be of one size."""
    settings, step = loaded.settings, loaded.settings.time.step
    if not loaded.model.thermal_energy:
        return []
    if loaded.model.noise_correction is not None:
        return _check_thermal_noise(loaded, loaded.model.noise_correction)
    if settings.time.scheme != "imex1" or not isinstance(step, float | int):
        return [Problem(("model", "thermal_energy"), "noise needs time.scheme: imex1 and a fixed time.step")]
    output, found = settings.output, []
    moments: list[tuple[Path_, Iterable[float | None]]] = [
        (("output", "fields", "every"), [output.fields.every]),
        (("output", "fields", "at"), output.fields.at or []),
        (("output", "history", "every"), [output.history.every or settings.time.end / HISTORY_ROWS]),
        (("time", "end"), [settings.time.end]),
        (("model", "thermal_energy"), loaded.model.events),
    ]
    for name, section in settings.nucleation.items():
        moments += [(path, [time]) for path, time in seed_times(section, ("nucleation", name))]
        if section.random is not None and section.random.start < section.random.to:
            found.append(
                Problem(("nucleation", name, "random"), "with noise all random seeds need one time: from = to")
            )
    for path, times in moments:
        off = [t for t in times if t is not None and abs(t / step - round(t / step)) > 1e-6]
        if off:
            text = f"with noise all times are multiples of time.step = {step:g} (got {off[0]:g})"
            found.append(Problem(path, text))
    return found


def _check_state_at_end(loaded: LoadedScenario, axis: Axis, state: dict[str, float]) -> list[Problem]:
    """f′ of the values at a face, which conserved fields exchange matter by, has to be a number."""
    path = ("grid", axis.name, "values")
    with np.errstate(all="ignore"):
        potentials = {name: loaded.model.potential_of_uniform(name, state) for name in state}
    return [
        Problem((*path, name) if axis.values else path, f"f′ is not finite where {name} = {state[name]:g}")
        for name, potential in potentials.items()
        if not math.isfinite(potential)
    ][:1]


def _check_thermal_noise(loaded: LoadedScenario, corrected: bool) -> list[Problem]:
    """Noise that is added to the result of a step knows its size, but a step's error would be that of the noise."""
    time, found = loaded.settings.time, []
    if loaded.model.variable_mobility is not None:
        return [Problem(("model", "thermal_energy"), "noise needs a mobility that is a number")]
    if time.scheme == "leapfrog":
        # Refused anyway, for want of inertia.
        return []
    one_step = [n for n in names("scheme") if not lookup("scheme", n).without_error().multistep]
    if time.scheme not in one_step:
        found.append(Problem(("time", "scheme"), f"noise needs a one-step scheme: {', '.join(one_step)}"))
    elif not corrected and time.scheme != "imex1":
        text = f"{time.scheme} has no variance without correction; noise in the explicit part is for imex1"
        found.append(Problem(("model", "noise_correction"), text))
    if not isinstance(time.step, float | int):
        found.append(
            Problem(("time", "step"), "noise needs a fixed step, such as 0.1: it is what error control would see")
        )
    return found


def _check_sources(loaded: LoadedScenario) -> list[Problem]:
    """Sources and manufactured solutions: of fields that exist, in axes that the grid has, of models that can take them."""
    settings, model, found = loaded.settings, loaded.model, []
    for section in ("source", "manufactured"):
        given = getattr(settings, section)
        found += [Problem((section, n), str(unknown("field", n, model.fields))) for n in given if n not in model.fields]
    if settings.source and (reason := why_not_forced(model)):
        found.append(Problem(("source",), f"{reason} (model {settings.model.name})"))
    if not settings.manufactured:
        sections, wanted = (("source",), "sources")
    else:
        sections, wanted = (("manufactured",), "exact")
        if settings.source:
            found.append(Problem(("source",), "is derived from manufactured: give one of the two"))
        if settings.initial:
            found.append(Problem(("initial",), "is taken from manufactured: at t = 0; leave it out"))
        if settings.nucleation:
            found.append(Problem(("nucleation",), "a manufactured solution knows no seeds: leave one of the two out"))
        # A name that is misspelt is reported already.
        missing = [name for name in model.fields if name not in settings.manufactured and not found]
        found += [Problem((*sections, n), "is missing; a manufactured solution has all fields") for n in missing]
        if reason := why_not_manufactured(model):
            found.append(Problem(sections, f"{reason} (model {settings.model.name})"))
    if not found:
        try:
            getattr(loaded, wanted)
            loaded.sources  # noqa: B018 - derived here, so that what cannot be is reported with the rest
        except InputError as error:
            path, _, text = str(error).partition(": ")
            found.append(Problem(tuple(path.split(".")), text))
        else:
            found += check_manufactured(loaded)
    return found
