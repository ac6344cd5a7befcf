"""Every shipped scenario, with its own `test:` overrides: it verifies, and hits the stored reference numbers.

To store numbers after a change that is meant to change them: `python tests/test_scenarios.py`.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

import phasefield as pf
from phasefield.analysis.predict import predict

FOLDER = Path(__file__).parents[1] / "scenarios"
REFERENCE = Path(__file__).parent / "reference"
SCENARIOS = sorted(p.relative_to(FOLDER).with_suffix("").as_posix() for p in FOLDER.rglob("*.yaml"))
# The fields are reproducible to rounding; growth of rounding errors by instability stays far below this.
TOLERANCE = 1e-6


def numbers(run: pf.Run) -> dict[str, float]:
    """What is compared: the end of the history, and what `verify` measured."""
    history = run.history
    result = {
        n: float(history[n].values[-1]) for n in history if str(n).startswith(("energy", "mean_", "min_", "max_"))
    }
    result.pop("energy_increase", None)
    # Beside the others, a mean stress of this size is that of rounding and of residuals.
    stresses = [n for n in result if n.startswith("mean_stress_")]
    largest = max((abs(result[n]) for n in stresses), default=0.0)
    result |= {n: 0.0 for n in stresses if abs(result[n]) < 1e-6 * largest}
    # These are told of the row that is furthest off, which in a run of alternate minimisation chance decides.
    chance = ("virtual work", "energy balance") if "passes" in history else ()
    checks = [c for c in pf.verify(run).checks if c.name not in chance]
    return {**result, **{c.name: c.measured for c in checks if c.measured == c.measured}}


def tolerance_of(name: str) -> float:
    """Alternate minimisation ends when φ changes by less than its tolerance: rounding decides where below that it ends."""
    loaded = pf.load_scenario(FOLDER / f"{name}.yaml", test=True)
    converged = loaded.model.evolution == "crack_growth" and loaded.model.damage_viscosity is None
    return 10.0 * loaded.settings.model.minimisation.tolerance if converged else TOLERANCE


def run_test_form(name: str, folder: Path) -> pf.Run:
    return pf.run(FOLDER / f"{name}.yaml", output=folder, overwrite=True, test=True)


@pytest.mark.parametrize("name", SCENARIOS)
def test_reference_numbers(name, tmp_path):
    run = run_test_form(name, tmp_path / "run")
    verdict = pf.verify(run)
    assert verdict.passed, str(verdict)
    expected = json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))
    measured = numbers(run)
    assert set(measured) == set(expected)
    tolerance = tolerance_of(name)
    for key, value in expected.items():
        # A mean of zero is zero to rounding only.
        assert measured[key] == pytest.approx(value, rel=tolerance, abs=1e-12), key


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenario_explains_itself(name):
    """A header with physics, scaling, source and run time; at most 40 lines; a `test:` block; well resolved."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    lines = text.splitlines()
    assert len(lines) <= 40
    assert lines[0].startswith("# yaml-language-server: $schema=")
    header = "\n".join(line for line in lines if line.startswith("#"))
    assert "doi:" in header
    assert "ime" in header
    assert re.search(r"Dimensionless|Scaling|in units of", header)
    loaded = pf.load_scenario(FOLDER / f"{name}.yaml")
    assert loaded.settings.test
    assert not predict(loaded).warnings


def test_schema_file_is_current():
    from phasefield.scenario import json_schema

    stored = json.loads((FOLDER / "scenario.schema.json").read_text(encoding="utf-8"))
    assert stored == json.loads(json.dumps(json_schema())), (
        "run: python -m phasefield schema -o scenarios/scenario.schema.json"
    )


def test_header_figures_of_theory():
    """The numbers that scenario headers promise are those of the theory."""
    promised = {"spinodal": (12.57, 0.125), "off_critical": (17.43, 0.0338), "polymer_blend": (14.81, 0.0162)}
    for name, (wavelength, rate) in promised.items():
        theory = pf.linear_stability(FOLDER / f"{name}.yaml")
        assert theory.fastest_wavelength == pytest.approx(wavelength, rel=1e-3)
        assert theory.largest_growth_rate == pytest.approx(rate, rel=1e-3)


if __name__ == "__main__":
    import tempfile

    for scenario in sys.argv[1:] or SCENARIOS:
        with tempfile.TemporaryDirectory() as folder:
            found = numbers(run_test_form(scenario, Path(folder) / "run"))
        target = REFERENCE / f"{scenario}.json"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(target)
