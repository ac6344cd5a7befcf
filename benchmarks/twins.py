"""Statistics of quenched twins: `python benchmarks/twins.py [SEEDS]` (about a minute for ten seeds).

The quench of `scenarios/martensite_2d.yaml` for many seeds: at ζ = C₁₁ε₀²/Δf = 10 and 3, clamped, and at 10 stress-free. Measured
are the share of the structure factor Σ_p |η̂_p|² within 15° of ⟨11⟩ and the intensity-weighted direction there, the same share of
the strain η₁ − η₂ alone, variant fractions, and the mean transformation strain over ε₀,

* at t = 5, before anything has transformed: elasticity filters the noise in the strain, whose share is high without a twin;
* when 90 % has transformed, where domains are still ragged;
* at t = 60, the end of the scenario, where domains still vanish now and then, and fractions differ while they do;
* at t = 100.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import record

from phasefield.simulation import Simulation

SCENARIO = Path(__file__).parents[1] / "scenarios/martensite_2d.yaml"
CASES = (
    ("clamped, zeta 10", 10.0, "strain"),
    ("clamped, zeta 3", 3.0, "strain"),
    ("stress-free, zeta 10", 10.0, "stress"),
)
EARLY, TRANSFORMED, LATER = 5.0, 0.9, 100.0


def measure(simulation: Simulation) -> dict[str, float]:
    """Shares, direction in degrees from ⟨11⟩, fractions of both variants, mean strain over ε₀."""
    eta = np.stack([simulation.state[name] for name in ("eta_1", "eta_2")])
    share, direction = orientation(eta)
    largest = eta.max(axis=0) > 0.5
    return {
        "share": share,
        "direction": direction,
        "share_of_strain": orientation(eta[:1] - eta[1:])[0],
        "fraction_1": float(np.mean(largest & (eta[0] >= eta[1]))),
        "fraction_2": float(np.mean(largest & (eta[1] > eta[0]))),
        # ε⁰ of the two variants is ± one tensor.
        "strain": float(eta[0].mean() - eta[1].mean()),
    }


def orientation(fields: np.ndarray) -> tuple[float, float]:
    """Share of Σ_p |η̂_p(k)|², k ≠ 0, within 15° of ⟨11⟩, and its mean direction there."""
    power = (np.abs(np.fft.fft2(fields)) ** 2).sum(axis=0)
    power[0, 0] = 0.0
    k = np.fft.fftfreq(power.shape[0])
    angle = np.degrees(np.arctan2(k[:, None], k[None, :])) % 90.0 - 45.0
    near = np.abs(angle) <= 15.0
    inside = float(power[near].sum())
    return inside / float(power.sum()), float((power * angle)[near].sum()) / inside


def quench(zeta: float, load: str, seed: int, later: float = LATER, **changes: Any) -> dict[str, Any]:
    """One run, seen at the four moments."""
    overrides = {"seed": seed, "model.transformation.scale": math.sqrt(zeta), "model.load": load, **changes}
    simulation = Simulation.from_scenario(SCENARIO, overrides, device="cpu")
    simulation.advance(until=EARLY)
    seen = {"early": measure(simulation)}
    while True:
        simulation.advance(until=simulation.time + 1.0)
        now = measure(simulation)
        if now["fraction_1"] + now["fraction_2"] > TRANSFORMED:
            break
    seen["transformed"], time = now, simulation.time
    simulation.advance()
    seen["end"] = measure(simulation)
    simulation.advance(until=later)
    seen["later"] = measure(simulation)
    simulation.close()
    return {"seed": seed, "transformed_at": time, **seen}


def summary(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """The worst of all seeds at every moment, and means over seeds."""
    result = {}
    for moment in ("early", "transformed", "end", "later"):
        rows = [r[moment] for r in runs]
        difference = [r["fraction_1"] - r["fraction_2"] for r in rows]
        result[moment] = {
            "least_share": min(r["share"] for r in rows),
            "least_share_of_strain": min(r["share_of_strain"] for r in rows),
            "largest_direction": max(abs(r["direction"]) for r in rows),
            "largest_difference_of_fractions": max(map(abs, difference)),
            "mean_difference_of_fractions": float(np.mean(np.abs(difference))),
            "largest_strain": max(abs(r["strain"]) for r in rows),
            "mean_strain": float(np.mean([r["strain"] for r in rows])),
        }
    return result


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    content = {}
    for name, zeta, load in CASES:
        runs = [quench(zeta, load, seed) for seed in range(1, seeds + 1)]
        content[name] = {"zeta": zeta, "load": load, "summary": summary(runs), "runs": runs}
        print(f"{name}, {seeds} seeds, transformed at t = {max(r['transformed_at'] for r in runs):g} or before")
        for moment, s in content[name]["summary"].items():
            print(
                f"  {moment:<12} share ≥ {s['least_share']:.4f} (strain {s['least_share_of_strain']:.4f}), direction ≤ "
                f"{s['largest_direction']:.3f}°, |f₁−f₂| ≤ {s['largest_difference_of_fractions']:.4f}, mean "
                f"{s['mean_difference_of_fractions']:.4f}, |strain| ≤ {s['largest_strain']:.4f} ε₀",
                flush=True,
            )
    record.write("twins", content)


if __name__ == "__main__":
    main()
