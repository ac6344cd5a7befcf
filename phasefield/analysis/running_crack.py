"""How the crack of a run moved: when it started, how fast it ran, where it forked and when it arrived.

The tip is that of the longest crack from the notch (`mechanics.crack_tips`), row by row of the history. The crack has started
once a cell with φ > ¾ is ℓ away from the notch; it has arrived once its tip is within ℓ of a face. Speeds are slopes over windows
of time in which Rayleigh waves travel 4ℓ, or over five rows of the history if that is longer; there are none of windows in which
the crack forked, where one tip becomes two further back, and none of windows in which the tip jumped further than waves travel,
because it met another crack or another one became the longest. The time of a fork is that at which the tip passed it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phasefield.analysis.dynamic_prediction import bulk_speeds
from phasefield.analysis.modes import NotApplicable
from phasefield.analysis.wave_speeds import WaveSpeeds
from phasefield.crack_dynamics import PROMINENCE
from phasefield.errors import InputError
from phasefield.mechanics.crack_motion import tip_speed
from phasefield.mechanics.crack_tips import Fork, crack_angle, find_forks
from phasefield.models.dynamic_fracture import DynamicFracture
from phasefield.output.reader import Run
from phasefield.scenario import LoadedScenario
from phasefield.scenario.fields import initial_fields

# Of ℓ: how far from the notch a crack has started, and how far Rayleigh waves travel in a window.
STARTED, WINDOW = 1.0, 4.0
# Of ℓ: a tip that is this much further away than P waves travel between two rows is that of another crack; so is one of a crack
# that is shorter by ℓ, as no crack heals.
JUMP = 2.0


@dataclass(frozen=True, eq=False)
class RunningCrack:
    """Times are nan where something did not happen.

    time, length: of rows of the history; middle, speed: of windows; start, arrival: times; forks: of the last frame, first those
    near the notch; branching: when the first of them was passed; angle: from the notch to the crack, degrees.
    """

    time: np.ndarray
    length: np.ndarray
    middle: np.ndarray
    speed: np.ndarray
    speeds: WaveSpeeds
    start: float
    arrival: float
    branching: float
    forks: tuple[Fork, ...]
    angle: float

    @property
    def fastest(self) -> float:
        """The highest speed."""
        return float(np.max(self.speed, initial=0.0))


def notch_of(scenario: LoadedScenario) -> np.ndarray:
    """The old crack: cells that are broken or empty at the start, bool (grid.shape)."""
    model = scenario.model
    assert isinstance(model, DynamicFracture)
    broken = initial_fields(scenario)["phi"] >= 1.0
    return broken | ~model.material(scenario.grid, scenario.folder).solid


def running_crack(run: Run, scenario: LoadedScenario) -> RunningCrack:
    """The crack of a run in the plane.

    Raises:
        NotApplicable: a body in space, or no crack has grown.
    """
    model, history, grid = scenario.model, run.history, scenario.grid
    assert isinstance(model, DynamicFracture)
    if "tip_length" not in history:
        raise NotApplicable("tips are followed in the plane only")
    ell, speeds = model.parameters.length, bulk_speeds(scenario)
    time, length = np.asarray(history["time"]), np.asarray(history["tip_length"])
    reach = np.asarray(history["reach"])
    if not (reach > STARTED * ell).any() or not length.any():
        grown = float(np.ptp(np.asarray(history["crack_length"])))
        raise NotApplicable(
            "no crack has grown" if grown < ell else "nothing that cracked has a tip 5ℓ away from a notch"
        )
    start = int(np.argmax(reach > STARTED * ell))
    grown = length > 0.0
    # Shorter cracks than those that count as one have no length.
    first = max(start, int(np.argmax(grown)))
    x, y = np.asarray(history["tip_x"]), np.asarray(history["tip_y"])
    lx, ly = (axis.length for axis in grid.axes)
    near = grown & ((x < ell) | (x > lx - ell) | (y < ell) | (y > ly - ell))
    arrival = int(np.argmax(near)) if near.any() else time.size - 1
    moving = slice(first, arrival + 1)
    window = max(WINDOW * ell / speeds.rayleigh, 4.001 * float(np.max(np.diff(time), initial=0.0)))
    try:
        middle, speed = tip_speed(time[moving], length[moving], window)
    except InputError:
        middle, speed = np.empty(0), np.empty(0)
    forked = np.diff(np.asarray(history["tip_forks"])[moving]) != 0.0
    # No wave is that fast: another crack has become the longest, or the tip has met one that was ahead of it.
    way = np.hypot(np.diff(x[moving]), np.diff(y[moving]))
    jumped = ~(way <= speeds.dilatational * np.diff(time[moving]) + JUMP * ell) | (np.diff(length[moving]) < -ell)
    passed = time[moving][1:][forked | jumped]
    steady = np.all(np.abs(middle[:, None] - passed) > 0.5 * window + np.max(np.diff(time), initial=0.0), axis=1)
    middle, speed = middle[steady], speed[steady]
    forks, branching, angle = _shape(run, scenario, time, length)
    return RunningCrack(
        time, length, middle, speed, speeds, float(time[start]), float(time[arrival]) if near.any() else np.nan,
        branching, forks, angle,
    )  # fmt: skip


def _shape(
    run: Run, scenario: LoadedScenario, time: np.ndarray, length: np.ndarray
) -> tuple[tuple[Fork, ...], float, float]:
    """Forks of the last frame, when the first was passed, and the direction in which the crack left the notch."""
    if "phi" not in run.names:
        return (), np.nan, np.nan
    phi, notch = run.frame("phi", run.times.size - 1).astype(float), notch_of(scenario)
    prominence = PROMINENCE * scenario.model.parameters.length
    forks = tuple(f for f in find_forks(phi, scenario.grid, notch, prominence) if f.crack == 0)
    branching = np.nan
    if forks and (after := np.flatnonzero(length >= forks[0].length)).size:
        row = int(after[0])
        low = max(row - 1, 0)
        branching = float(np.interp(forks[0].length, length[low : row + 1], time[low : row + 1]))
    try:
        angle = crack_angle(phi, scenario.grid, notch, prominence)
    except InputError:
        angle = np.nan
    return forks, branching, angle
