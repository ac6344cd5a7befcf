"""The Avrami exponent of a transformation by nucleation and growth.

With growth at a constant velocity v from places that know nothing of each other, the transformed fraction is

    Y = 1 − exp(−K tⁿ),      log[−log(1 − Y)] = n log t + log K,

n = d and K = N ω v^d for N seeds per volume that are all there at t = 0, n = d + 1 and K = J ω v^d/(d + 1) for J seeds per volume
and time; ω = 2, π, 4π/3 is the volume of the unit ball in d = 1, 2, 3 dimensions. Seeds of finite radius, slow while
they are small, and the scatter of a few places move n away from that.

Sources: A. N. Kolmogorov, Izv. Akad. Nauk SSSR Ser. Mat. 1 (1937) 355; M. Avrami, J. Chem. Phys. 7 (1939) 1103,
doi:10.1063/1.1750380, and 8 (1940) 212, doi:10.1063/1.1750631.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.analysis.modes import NotApplicable
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario

# −2 < log₁₀[−log₁₀(1 − Y)] < 0, the window of PFHub benchmark 8.
WINDOW = (1.0 - 10.0**-0.01, 0.9)
LEAST_ROWS = 8


@dataclass(frozen=True)
class Avrami:
    """A line through log[−log(1 − Y)] against log t: n, log K, how many rows it goes through, and the range of their Y."""

    exponent: float
    log_rate: float
    rows: int
    fractions: tuple[float, float]

    def fraction(self, times: np.ndarray) -> np.ndarray:
        """1 − exp(−K tⁿ)."""
        return -np.expm1(-np.exp(self.log_rate) * np.asarray(times, float) ** self.exponent)


def avrami(times: np.ndarray, fraction: np.ndarray, window: tuple[float, float] = WINDOW) -> Avrami:
    """Fit the exponent, every row counting alike.

    Args:
        times: since nucleation began, (rows,).
        fraction: Y at these times.
        window: fractions between which rows are used.

    Raises:
        NotApplicable: fewer than 8 rows lie in the window.
    """
    times, fraction = np.asarray(times, float), np.asarray(fraction, float)
    used = (times > 0.0) & (fraction > window[0]) & (fraction < window[1])
    rows = int(np.count_nonzero(used))
    if rows < LEAST_ROWS:
        raise NotApplicable(
            f"only {rows} rows of the history have a transformed fraction between {window[0]:.3g} and {window[1]:.3g}"
        )
    x, y = np.log(times[used]), np.log(-np.log1p(-fraction[used]))
    exponent, log_rate = np.polyfit(x, y, 1)
    return Avrami(float(exponent), float(log_rate), rows, (float(fraction[used].min()), float(fraction[used].max())))


def expected_exponent(scenario: LoadedScenario) -> tuple[int, float, str]:
    """n of the seeds of a scenario, when nucleation begins, and the field that is seeded.

    Raises:
        NotApplicable: no seeds, more than one field, or seeds that appear neither all at once nor at a constant rate.
    """
    sections = scenario.settings.nucleation
    if len(sections) != 1:
        raise NotApplicable(
            "the scenario has no seeds" if not sections else "seeds of several fields are not told apart"
        )
    ((name, section),) = sections.items()
    times = {nucleus.time for nucleus in scenario.nuclei}
    dimensions = scenario.grid.dimensions
    if len(times) == 1:
        return dimensions, times.pop(), name
    random = section.random
    if section.seeds or random is None:
        raise NotApplicable("seeds appear neither all at once nor at a constant rate")
    return dimensions + 1, random.start, name


def transformed_fraction(run: Run, scenario: LoadedScenario) -> tuple[np.ndarray, np.ndarray]:
    """Times since nucleation began, and Y = (φ̄ − a)/(b − a): b is the value at which seeds stop, b − a their amplitude.

    Raises:
        NotApplicable: as `expected_exponent`.
    """
    _, start, name = expected_exponent(scenario)
    section = scenario.settings.nucleation[name]
    times, mean = (np.asarray(run.history[column]) for column in ("time", f"mean_{name}"))
    return times - start, (mean - section.largest + section.amplitude) / section.amplitude


def avrami_of_run(run: Run, scenario: LoadedScenario) -> tuple[Avrami, int]:
    """The fit to a run, and n expected.

    Raises:
        NotApplicable: as `avrami` and `expected_exponent`, or the rows go beyond the interval in which seeds appear.
    """
    expected, start, name = expected_exponent(scenario)
    times, fraction = transformed_fraction(run, scenario)
    if expected > scenario.grid.dimensions:
        until = scenario.settings.nucleation[name].random.to
        if np.any((times + start > until) & (fraction < WINDOW[1])):
            raise NotApplicable(f"the rate is constant until t = {until:g} only, and the fraction then below 0.9")
    return avrami(times, fraction), expected
