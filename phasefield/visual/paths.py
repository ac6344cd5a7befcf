"""Histories of mean stress, mean strain and temperature: which of them vary, and which components tell the story."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.mechanics.stiffness import COMPONENTS
from phasefield.output.reader import Run
from phasefield.visual.style import scenario_of

# Changes smaller than this, relative to the largest value of any component, are rounding.
ROUNDING = 1e-6
# Shown are the component on which most work is done, and those that come near it.
SHARE = 0.5
# Two components that agree to this, up to the sign, are drawn once.
SAME = 0.01
# Components shown together at most.
MOST = 3


@dataclass(frozen=True)
class Paths:
    """What varies among mean stresses and strains, by component, and the temperature; all against `time`.

    A field that is a strain itself, such as e2, is a component of its own: its mean, and the stress that works on it.
    """

    time: np.ndarray
    stress: dict[str, np.ndarray]
    strain: dict[str, np.ndarray]
    temperature: np.ndarray | None

    @property
    def driven(self) -> bool:
        """True when temperature, or stress and strain of one component, vary: more than a response at a constant load."""
        return self.temperature is not None or bool(self.stress.keys() & self.strain.keys())

    @property
    def loaded(self) -> list[str]:
        """Components whose stress and strain vary, those on which the loads do most work."""
        both = {c: (self.stress[c], self.strain[c]) for c in self.strain if c in self.stress}
        return _leading(both, {c: _work(c, *pair) for c, pair in both.items()})

    def largest(self, kind: dict[str, np.ndarray]) -> list[str]:
        """Components of `stress` or `strain` that vary most."""
        return _leading({c: (v,) for c, v in kind.items()}, {c: float(np.ptp(v)) for c, v in kind.items()})


def _work(component: str, stress: np.ndarray, strain: np.ndarray) -> float:
    """∫ |σ| |dε|, twice for a shear: it stands in the double contraction two times."""
    times = 2.0 if component in COMPONENTS[3:] else 1.0
    return times * float(np.sum(np.abs(0.5 * (stress[1:] + stress[:-1]) * np.diff(strain))))


def _leading(curves: dict[str, tuple[np.ndarray, ...]], size: dict[str, float]) -> list[str]:
    """Names of comparable size to the largest, without those whose curves only repeat another's."""
    chosen: list[str] = []
    for name, values in curves.items():
        repeats = any(all(_alike(a, b) for a, b in zip(values, curves[other], strict=True)) for other in chosen)
        if size[name] >= SHARE * max(size.values()) and not repeats:
            chosen.append(name)
    return chosen[:MOST]


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two histories agree but for their sign."""
    limit = SAME * max(np.ptp(a), np.ptp(b))
    return bool(min(np.abs(a - b).max(), np.abs(a + b).max()) <= limit)


def paths_of(run: Run) -> Paths:
    """The history of a run as `Paths`; empty where its model has no such columns."""
    history, model = run.history, scenario_of(run).model
    columns = {str(n): np.asarray(history[n].values, float) for n in history}
    own = [name for name in model.fields if f"stress_{name}" in columns]
    stress = {c: columns[f"mean_stress_{c}"] for c in COMPONENTS if f"mean_stress_{c}" in columns}
    strain = {c: columns[f"mean_strain_{c}"] for c in COMPONENTS if f"mean_strain_{c}" in columns}
    stress |= {name: columns[f"stress_{name}"] for name in own}
    strain |= {name: columns[f"mean_{name}"] for name in own}
    # A strain far below those of the variants is one of rounding: a box of balanced variants has no other.
    least = float(np.abs(model.variants.strains).max()) if model.variants is not None else 0.0
    temperature = _varying({"": columns["temperature"]}) if "temperature" in columns else {}
    time = np.asarray(history["time"].values, float)
    return Paths(time, _varying(stress), _varying(strain, least), temperature.get(""))


def _varying(values: dict[str, np.ndarray], least: float = 0.0) -> dict[str, np.ndarray]:
    """Those that change by more than rounding, in units of the largest value or of `least`."""
    scale = max((np.abs(v).max() for v in values.values() if v.size), default=0.0)
    return {n: v for n, v in values.items() if v.size and np.ptp(v) > ROUNDING * max(scale, least)}


def driven(run: Run) -> bool:
    """Whether a load or the temperature of a run changes."""
    return paths_of(run).driven


def varies(run: Run) -> bool:
    """Whether there is anything for `figure_loop` to show."""
    paths = paths_of(run)
    return bool(paths.stress or paths.strain or paths.temperature is not None)
