"""How faithfully each scheme moves a slow interface: `python benchmarks/shrinking_rate.py`.

The disc of `scenarios/shrinking_disc.yaml` loses area at the rate 2πLκ. Prints, per scheme and tolerance, the steps to t = 60 and
the measured rate between t = 20 and 60 over that value.
"""

from __future__ import annotations

import math
from pathlib import Path

from phasefield.simulation import Simulation
from phasefield.stepping.schedule import At

SCENARIO = Path(__file__).parents[1] / "scenarios/shrinking_disc.yaml"
BEGIN, END = 20.0, 60.0
TOLERANCES = {"imex1": (1e-4,), "sbdf2": (1e-3, 1e-4), "etdrk2": (1e-3, 1e-4, 1e-5), "etdrk4": (1e-3, 1e-4)}


class Area:
    """Observer: the area of the phase φ = 1 in a matrix of φ = −1, from the mean."""

    schedule = At((BEGIN, END))

    def __init__(self) -> None:
        self.values: list[float] = []

    def observe(self, simulation: Simulation) -> None:
        self.values.append(0.5 * (simulation.stepper.mean(0) + 1.0) * simulation.grid.volume)


def main() -> None:
    for scheme, tolerances in TOLERANCES.items():
        for tolerance in tolerances:
            time = {"end": END, "scheme": scheme, "step": {"tolerance": tolerance}}
            simulation = Simulation.from_scenario(SCENARIO, {"time": time}, device="cpu")
            area = Area()
            simulation.advance(observers=[area])
            p = simulation.model.parameters
            expected = 2.0 * math.pi * p.mobility * p.gradient_energy
            rate = (area.values[0] - area.values[1]) / (END - BEGIN) / expected
            print(f"{scheme:<8}{tolerance:>8.0e}{simulation.counters.steps:>7}{rate:>8.3f}")


if __name__ == "__main__":
    main()
