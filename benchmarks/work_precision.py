"""Work against precision of all time schemes on PFHub benchmark 1a: `python benchmarks/work_precision.py [-o FILE.json]`.

The error of a run is the largest relative error of the energy at t = 1, 10, 100 and 1000 against a converged run on the same
grid (`etdrk4`, tolerance 2e-5, checked against `sbdf2` at 1e-6); its work the wall time of stepping on one thread, kernels
compiled before. Prints a table; `--plot FILE.png` draws it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from pathlib import Path

from phasefield.output.provenance import cpu_model, package_version
from phasefield.registry import names
from phasefield.simulation import Simulation
from phasefield.stepping.schedule import At

SCENARIO = Path(__file__).parents[1] / "scenarios/pfhub/1a.yaml"
MARKS = (1.0, 10.0, 100.0, 1000.0)
TOLERANCES = (1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5)


class Energies:
    """Observer: the total energy at the marks."""

    schedule = At(MARKS)

    def __init__(self) -> None:
        self.values: list[float] = []

    def observe(self, simulation: Simulation) -> None:
        self.values.append(simulation.energies.total)


def measure(scheme: str, tolerance: float) -> tuple[list[float], float, int]:
    """Energies at the marks, seconds of stepping, steps."""
    overrides = {
        "time": {"end": MARKS[-1], "scheme": scheme, "step": {"tolerance": tolerance}},
        "output.fields": {"every": MARKS[-1]},
    }
    simulation = Simulation.from_scenario(SCENARIO, overrides, device="cpu", threads=1)
    # Compile, then forget the step.
    simulation.stepper.attempt(1e-9, simulation.stabilisation.values)
    simulation.stepper.restore()
    observer = Energies()
    began = time.perf_counter()
    simulation.advance(observers=[observer])
    return observer.values, time.perf_counter() - began, simulation.counters.steps


def plot(rows: list[dict], path: Path) -> None:
    """Error against seconds, a line per scheme."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.5, 4.0), layout="constrained")
    axes = figure.add_subplot()
    colours = {"imex1": "#7F7F7F", "sbdf2": "#0072B2", "etdrk2": "#E69F00", "etdrk4": "#009E73"}
    for scheme in colours:
        points = [r for r in rows if r["scheme"] == scheme]
        axes.loglog(
            [r["seconds"] for r in points], [r["error"] for r in points], "o-", color=colours[scheme], label=scheme
        )
    axes.set_xlabel("seconds on one core")
    axes.set_ylabel("largest relative error of the energy")
    axes.set_title("PFHub 1a to t = 1000, tolerance 10⁻² … 3·10⁻⁵", fontsize=10)
    axes.grid(alpha=0.3, which="major")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="write the rows as JSON")
    parser.add_argument("--plot", type=Path, help="draw the diagram as PNG")
    options = parser.parse_args()
    reference, _, _ = measure("etdrk4", 2e-5)
    other, _, _ = measure("sbdf2", 1e-6)
    agreement = max(abs(a / b - 1.0) for a, b in zip(other, reference, strict=True))
    print(f"two converged runs agree to {agreement:.1e}")
    print(f"{'scheme':<8}{'tolerance':>10}{'error':>10}{'steps':>8}{'seconds':>9}")
    rows = []
    for scheme in names("scheme"):
        for tolerance in TOLERANCES:
            energies, seconds, steps = measure(scheme, tolerance)
            error = max(abs(a / b - 1.0) for a, b in zip(energies, reference, strict=True))
            rows.append({"scheme": scheme, "tolerance": tolerance, "error": error, "steps": steps, "seconds": seconds})
            print(f"{scheme:<8}{tolerance:>10.0e}{error:>10.1e}{steps:>8}{seconds:>9.2f}", flush=True)
    if options.output:
        machine = {"cpu": cpu_model(), "python": platform.python_version(), "version": package_version()}
        record = {"date": time.strftime("%Y-%m-%d"), "machine": machine, "agreement": agreement, "rows": rows}
        options.output.parent.mkdir(parents=True, exist_ok=True)
        options.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    sys.exit(main())
