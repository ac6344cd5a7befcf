"""What the section `nucleation:` cannot check alone: fields, places and times against model, box and run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from phasefield.errors import unknown
from phasefield.initial.seeds import NucleationSection
from phasefield.scenario.document import Path_
from phasefield.scenario.messages import Problem

if TYPE_CHECKING:
    from phasefield.scenario.load import LoadedScenario

# Cells along the smallest radius.
LEAST_CELLS = 2.0


def check_nucleation(loaded: LoadedScenario) -> list[Problem]:
    """Every mistake, at its key."""
    found: list[Problem] = []
    fields = list(loaded.model.fields)
    for name, section in loaded.settings.nucleation.items():
        if name not in fields:
            found.append(Problem(("nucleation", name), str(unknown("field", name, fields))))
        elif loaded.keeps_mean(name):
            text = f"the mean of {name} is conserved, and a seed would change it"
            found.append(Problem(("nucleation", name), text))
        else:
            found += _check_field(loaded, section, ("nucleation", name))
    return found


def seed_times(section: NucleationSection, path: Path_) -> Iterator[tuple[Path_, float]]:
    """Key path and time of every seed that is listed, and of the interval of the random ones."""
    for i, seed in enumerate(section.seeds):
        yield (*path, "seeds", i, "time"), seed.time
    if section.random is not None:
        yield (*path, "random", "from"), section.random.start
        yield (*path, "random", "to"), section.random.to


def _check_field(loaded: LoadedScenario, section: NucleationSection, path: Path_) -> Iterator[Problem]:
    end = loaded.settings.time.end
    for where, time in seed_times(section, path):
        # Random times lie below `to`, which may be the end, unless all are equal.
        last = where[-1] == "to" and section.random is not None and section.random.start < section.random.to
        if time > end or (time == end and not last):
            yield Problem(where, f"{time:g} is not {'within' if last else 'before'} time.end = {end:g}")
    axes = loaded.grid.axes
    for i, seed in enumerate(section.seeds):
        where = (*path, "seeds", i, "centre")
        if len(seed.centre) != len(axes):
            needed = ", ".join(a.name for a in axes)
            yield Problem(where, f"needs {len(axes)} numbers, [{needed}] (got {len(seed.centre)})")
            continue
        for axis, place in zip(axes, seed.centre, strict=True):
            if not 0.0 <= place <= axis.length:
                yield Problem(where, f"{axis.name} = {place:g} lies outside the box, 0 to {axis.length:g}")
    radii = [((*path, "radius"), section.radius)]
    radii += [((*path, "seeds", i, "radius"), s.radius) for i, s in enumerate(section.seeds) if s.radius is not None]
    coarsest, shortest = max(loaded.grid.spacing), min(a.length for a in axes)
    if 2.0 * section.interface_width > shortest:
        text = f"an interface of width {section.interface_width:g} does not fit into a box of {shortest:g}"
        yield Problem((*path, "interface_width"), text)
    for where, radius in radii:
        if radius < LEAST_CELLS * coarsest:
            yield Problem(where, f"{radius:g} is less than {LEAST_CELLS:g} cells of {coarsest:g}: use more cells")
        if 2.0 * radius > shortest:
            yield Problem(where, f"a seed of radius {radius:g} does not fit into a box of {shortest:g}")
