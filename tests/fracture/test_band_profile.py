"""`verify.band_profile`: the damage across a straight crack of a run."""

from __future__ import annotations

import numpy as np
import pytest

import phasefield as pf
from phasefield.analysis.crack_profile import band_profile
from phasefield.analysis.modes import NotApplicable

NAME = "damage band profile"


def near(distance: str, width: float) -> str:
    """1 where |distance| < width, 0 elsewhere."""
    return f"0.5*(1 - tanh(1e6*(sqrt(({distance})**2) - {width})))"


def frozen(dissipation: str, along: str = "x", cells=(48, 40), **initial) -> dict:
    """A crack from face to face (or through a periodic cell) that no load opens: the damage around it is at rest."""
    names = "xyz"[: len(cells)]
    middle = {name: 0.5 * n for name, n in zip(names, cells, strict=True)}
    across = "y" if along == "x" else "x"
    shape = near(f"{across} - {middle[across] + 0.5}", 0.4)
    return {
        "model": {
            "name": "fracture",
            "dissipation": dissipation,
            "length": 2.5,
            "young_modulus": 10.0,
            "poisson_ratio": 0.2,
            "toughness": 1.0,
            "mean": {"strain": {"yy": 1.0}, "stress": {"xx": 0.0}},
            "load": [[0.0, 0.0], [1.0, 1e-6]],
            "minimisation": {"tolerance": 1e-8},
        },
        "grid": {name: {"cells": n, "length": float(n)} for name, n in zip(names, cells, strict=True)},
        "initial": {"phi": initial or {"expression": shape}},
        "time": {"end": 1.0, "step": 1.0},
        "output": {"fields": {"every": 1.0, "precision": "double"}},
        "verify": {"band_profile": 1e-6},
    }


def check_of(run: pf.Run, **theory):
    found = pf.verify(run, {k.replace("__", "."): v for k, v in theory.items()})
    return {c.name: c for c in found.checks}[NAME]


@pytest.mark.parametrize("along", ["x", "y"])
@pytest.mark.parametrize("dissipation", ["AT1", "AT2"])
def test_a_frozen_crack_has_the_profile(dissipation, along, tmp_path):
    """To the tolerance of the damage; the nearest image of the crack is 15ℓ from the ends of the line."""
    run = pf.run(frozen(dissipation, along, (48, 48)), output=tmp_path / "run")
    check = check_of(run)
    assert check.status == "pass"
    assert check.error < 1e-6
    assert f"{'y' if along == 'x' else 'x'} = 24.5" in check.detail
    for length in (2.25, 2.75):
        wrong = check_of(run, model__length=length)
        assert wrong.status == "fail"
        assert wrong.error > 0.02


def test_other_dissipation_fails(tmp_path):
    run = pf.run(frozen("AT1"), output=tmp_path / "run")
    assert check_of(run).status == "pass"
    assert check_of(run, model__dissipation="AT2").error > 0.1


def test_the_middle_of_a_short_crack_across_a_periodic_face(tmp_path):
    """A crack of 24 cells through the face x = 0: the line furthest from its ends is at that face."""
    expression = f"{near('y - 20.5', 0.4)}*(1 - {near('x - 24', 12.0)})"
    run = pf.run(frozen("AT1", expression=expression), output=tmp_path / "run")
    found = band_profile(run, pf.load_scenario(run.scenario))
    assert float(found.place.split("x = ")[1]) in (0.5, 47.5)
    assert found.error < 1e-3
    np.testing.assert_allclose(found.distance, np.arange(-10, 11))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("0.5 + 0*x", "no cell is broken"),
        (f"{near('y - 20.5', 0.4)}*{near('x - 24', 3.0)}", "no straight crack along an axis"),
        (f"{near('y - x', 0.4)}*{near('x', 30.0)}", "no straight crack along an axis"),
    ],
    ids=["whole", "short", "inclined"],
)
def test_the_reason_is_told(expression, reason, tmp_path):
    run = pf.run(frozen("AT2", expression=expression), output=tmp_path / "run")
    assert check_of(run).status == "not applicable"
    assert reason in check_of(run).detail
    with pytest.raises(NotApplicable):
        band_profile(run, pf.load_scenario(run.scenario))


def test_in_space(tmp_path):
    document = frozen("AT1", cells=(14, 24, 12), expression=near("y - 12.5", 0.4))
    document["model"]["mean"] = {"strain": {"yy": 1.0}}
    run = pf.run(document, output=tmp_path / "run")
    assert check_of(run).status == "pass"
    assert "y = 12.5" in check_of(run).detail
