"""Mistakes in scenarios of dynamic fracture: one line with file, line and key path, exit code 2, and nothing left on disk.

What models of fracture have in common: `test_crack_bad_input`.
To see all messages: `python tests/fracture/test_dynamic_bad_input.py`.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest
from command_line import call, check_refused, replaced

GOOD = """\
title: A plate that is struck
model:
  name: dynamic_fracture
  dissipation: AT1
  length: 4.0
  young_modulus: 1000.0
  poisson_ratio: 0.3
  toughness: 1.0
  density: 1.0
  faces: {y: {low: sliding}}
  loads: [{face: x.low, to: [0.0, 6.0], velocity: {x: 1.0}, ramp: 0.1}]
grid:
  x: {cells: 16, length: 16.0, boundary: no_flux}
  y: {cells: 12, length: 12.0, boundary: no_flux}
initial:
  phi: 0.0
time: {end: 0.01}
verify: false
"""
FACES = "  faces: {y: {low: sliding}}"
LOADS = "  loads: [{face: x.low, to: [0.0, 6.0], velocity: {x: 1.0}, ramp: 0.1}]"
DENSITY = "density: 1.0"
Y = "  y: {cells: 12, length: 12.0, boundary: no_flux}"
HIT = "impact: {velocity: {x: 1.0}, mass: 1.0}"


def load(text: str) -> str:
    return f"  loads: [{{{text}}}]"


# (old text, new text, the message after "phasefield: error: ")
CASES: dict[str, tuple[str, str, str]] = {
    # --- inertia
    "no density": ("  density: 1.0\n", "", "a.yaml:2: model.density: is missing"),
    "density 0": (DENSITY, "density: 0.0", "a.yaml:9: model.density: must be greater than 0"),
    "density of a formula below 0": (
        DENSITY,
        "density: x - 4",
        "a.yaml:9: model.density: must be greater than 0; in 48 cells it is not, first -3.5 at x = 0.5, y = 0.5",
    ),
    "damping below 0": (DENSITY, f"{DENSITY}\n  damping: -1.0", "a.yaml:10: model.damping: must be at least 0"),
    # --- faces
    "unknown axis of faces": (
        FACES,
        "  faces: {w: clamped}",
        "a.yaml:10: model.faces.w: must be 'x', 'y' or 'z' (got 'w')",
    ),
    "an axis that the grid does not have": (
        FACES,
        "  faces: {z: clamped}",
        "a.yaml:10: model.faces.z: unknown axis 'z'; valid names: x, y",
    ),
    "unknown end": (
        FACES,
        "  faces: {y: {lo: clamped}}",
        "a.yaml:10: model.faces.y.lo: unknown end 'lo'; did you mean 'low'?",
    ),
    "unknown form": (
        FACES,
        "  faces: {y: absorbent}",
        "a.yaml:10: model.faces.y: unknown form 'absorbent'; did you mean 'absorbing'?",
    ),
    "unknown form of an end": (
        FACES,
        "  faces: {y: {low: clampd}}",
        "a.yaml:10: model.faces.y.low: unknown form 'clampd'; did you mean 'clamped'?",
    ),
    "a face that is a load": (
        FACES,
        "  faces: {y: {low: {displacement: {y: 1.0}}}}",
        "a.yaml:10: model.faces.y.low: is one of free, clamped, sliding, absorbing; what moves a face is one of the loads",
    ),
    "a face of a periodic axis": (
        Y,
        "  y: {cells: 12, length: 12.0}",
        "a.yaml:10: model.faces.y.low: the axis y is periodic and has no faces",
    ),
    # --- layers
    "a layer at no face": (
        FACES,
        "  layers: [{face: x.hi, width: 5.0}]",
        "a.yaml:10: model.layers.0.face: unknown face 'x.hi'; did you mean 'x.high'?",
    ),
    "a layer without a width": (FACES, "  layers: [{face: x.high}]", "a.yaml:10: model.layers.0.width: is missing"),
    "a layer as thick as the body": (
        FACES,
        "  layers: [{face: x.high, width: 16.0}]",
        "a.yaml:10: model.layers.0.width: must be less than the length 16 of the body along x (got 16)",
    ),
    "a layer of two cells": (
        FACES,
        "  layers: [{face: x.high, width: 2.0}]",
        "a.yaml:10: model.layers.0.width: is 2 cells; a layer needs at least 4",
    ),
    "a layer that reflects all": (
        FACES,
        "  layers: [{face: x.high, width: 5.0, reflection: 1.0}]",
        "a.yaml:10: model.layers.0.reflection: must be less than 1 (got 1.0)",
    ),
    "a misspelt layer": (
        FACES,
        "  layers: [{face: x.high, width: 5.0, reflexion: 0.1}]",
        "a.yaml:10: model.layers.0.reflexion: unknown key; did you mean 'reflection'?",
    ),
    # --- initial velocity
    "an initial velocity along no axis": (
        FACES,
        "  initial_velocity: {z: 1.0}",
        "a.yaml:10: model.initial_velocity.z: unknown component 'z'; valid names: x, y",
    ),
    "an initial velocity that is no formula": (
        FACES,
        "  initial_velocity: {x: 2*(}",
        "a.yaml:10: model.initial_velocity.x: ",
    ),
    "an initial velocity of another name": (
        FACES,
        "  initial_velocity: {x: sin(w)}",
        "a.yaml:10: model.initial_velocity.x: ",
    ),
    "an initial velocity that is infinite": (
        FACES,
        "  initial_velocity: {x: 1/x}",
        "a.yaml:10: model.initial_velocity: is not a finite number at 13 nodes",
    ),
    # --- what bodies with inertia have no use for
    "a scheme": (
        "time: {end: 0.01}",
        "time: {end: 0.01, scheme: leapfrog}",
        "a.yaml:17: time.scheme: the model dynamic_fracture has none: steps are those of leapfrog; leave it out",
    ),
    "a tolerance of steps": (
        "time: {end: 0.01}",
        "time: {end: 0.01, step: {tolerance: 1.0e-3}}",
        "a.yaml:17: time.step.tolerance: steps of the model dynamic_fracture are as long as is stable",
    ),
    "a mirror across an axis that the grid does not have": (
        "verify: false",
        "verify: {mirror: [y, z]}",
        "a.yaml:18: verify.mirror.1: unknown axis 'z'; valid names: x, y",
    ),
    # --- mean strain
    "a mean strain along faces": (
        FACES,
        "  mean_strain: {strain: {xx: 0.01}}",
        "a.yaml:10: model.mean_strain.strain.xx: the axis x is not periodic; move its faces instead",
    ),
    "a mean strain of space": (
        FACES,
        "  mean_strain: {strain: {zz: 0.01}}",
        "a.yaml:10: model.mean_strain.strain.zz: unknown component 'zz'; valid names: xx, xy, yy",
    ),
    "a mean strain without components": (
        FACES,
        "  mean_strain: {ramp: 1.0}",
        "a.yaml:10: model.mean_strain.strain: is missing",
    ),
    # --- loads
    "a load of nothing": (
        LOADS,
        load("face: x.low"),
        "a.yaml:11: model.loads.0: a load needs exactly one of traction, velocity, displacement, impact, and has none",
    ),
    "a load of two kinds": (
        LOADS,
        load("face: x.low, traction: {x: 1.0}, velocity: {x: 1.0}"),
        "a.yaml:11: model.loads.0: a load needs exactly one of traction, velocity, displacement, impact, not traction",
    ),
    "a load without components": (
        LOADS,
        load("face: x.low, velocity: {}"),
        "a.yaml:11: model.loads.0.velocity: ",
    ),
    "a load nowhere": (
        LOADS,
        load("velocity: {x: 1.0}"),
        "a.yaml:11: model.loads.0: a load needs a face, or a box of nodes from … to …",
    ),
    "a traction without a face": (
        LOADS,
        load("from: [0, 0], traction: {x: 1.0}"),
        "a.yaml:11: model.loads.0: a traction needs a face",
    ),
    "a misspelt load": (
        LOADS,
        load("face: x.low, velocty: {x: 1.0}"),
        "a.yaml:11: model.loads.0.velocty: unknown key; did you mean 'velocity'?",
    ),
    "unknown face": (
        LOADS,
        load("face: x.left, velocity: {x: 1.0}"),
        "a.yaml:11: model.loads.0.face: unknown face 'x.left'; did you mean ",
    ),
    "a face of an axis that the grid does not have": (
        LOADS,
        load("face: z.low, velocity: {x: 1.0}"),
        "a.yaml:11: model.loads.0.face: unknown face 'z.low'; did you mean ",
    ),
    "a load on a face of a periodic axis": (
        f"{FACES}\n{LOADS}\ngrid:\n  x: {{cells: 16, length: 16.0, boundary: no_flux}}",
        f"{FACES}\n{LOADS}\ngrid:\n  x: {{cells: 16, length: 16.0}}",
        "a.yaml:11: model.loads.0.face: the axis x is periodic and has no faces",
    ),
    "a load along no axis": (
        LOADS,
        load("face: x.low, velocity: {z: 1.0}"),
        "a.yaml:11: model.loads.0.velocity.z: unknown component 'z'; valid names: x, y",
    ),
    "a box of another dimension": (
        LOADS,
        load("face: x.low, to: [0.0, 6.0, 1.0], velocity: {x: 1.0}"),
        "a.yaml:11: model.loads.0.to: needs 2 coordinates on this grid (got 3)",
    ),
    "a box elsewhere": (
        LOADS,
        load("face: x.high, to: [0.0, 6.0], velocity: {x: 1.0}"),
        "a.yaml:11: model.loads.0: the face x.high at x = 16 does not lie between from and to",
    ),
    "a box without a node": (
        LOADS,
        load("from: [0.2, 0.2], to: [0.8, 0.8], velocity: {x: 1.0}"),
        "a.yaml:11: model.loads.0: no node lies between from and to; nodes are the corners of cells",
    ),
    "a traction beside the body": (
        LOADS,
        load("face: x.low, from: [0.0, 12.0], traction: {x: 1.0}"),
        "a.yaml:11: model.loads.0: no solid part of the face lies between from and to",
    ),
    "a displacement that jumps": (
        LOADS,
        load("face: x.low, displacement: {x: 1.0}"),
        "a.yaml:11: model.loads.0: a displacement cannot jump at time 0; give it a ramp, or a history that begins at 0",
    ),
    "times that do not increase": (
        LOADS,
        load("face: x.low, velocity: {x: 1.0}, history: [[0, 0], [0, 1]]"),
        "a.yaml:11: model.loads.0.history: the times must increase (got 0 after 0)",
    ),
    "a load that ends at once": (
        LOADS,
        load("face: x.low, velocity: {x: 1.0}, until: 0.0"),
        "a.yaml:11: model.loads.0.until: must be greater than 0 (got 0.0)",
    ),
    "a ramp below 0": (
        LOADS,
        load("face: x.low, velocity: {x: 1.0}, ramp: -1.0"),
        "a.yaml:11: model.loads.0.ramp: must be at least 0 (got -1.0)",
    ),
    "a load on nodes at rest": (
        LOADS,
        load("face: y.low, velocity: {y: 1.0}"),
        "a.yaml:11: model.loads.0.velocity.y: faces hold all of these nodes at rest along y",
    ),
    "contradictory loads": (
        LOADS,
        "  loads: [{face: x.low, velocity: {x: 1.0}}, {face: y.high, velocity: {x: 2.0}}]",
        "a.yaml:11: model.loads.1.velocity.x: an earlier load moves some of these nodes in another way along x",
    ),
    # --- impacts
    "an impact without a mass": (
        LOADS,
        load("face: x.low, impact: {velocity: {x: 1.0}}"),
        "a.yaml:11: model.loads.0.impact.mass: is missing",
    ),
    "an impact of no mass": (
        LOADS,
        load("face: x.low, impact: {velocity: {x: 1.0}, mass: 0.0}"),
        "a.yaml:11: model.loads.0.impact.mass: must be greater than 0 (got 0.0)",
    ),
    "an impact without a face": (
        LOADS,
        load(f"to: [0.0, 6.0], {HIT}"),
        "a.yaml:11: model.loads.0: an impact needs a face",
    ),
    "an impact with a ramp": (
        LOADS,
        load(f"face: x.low, {HIT}, ramp: 0.1"),
        "a.yaml:11: model.loads.0: an impact takes its own course; leave out ramp",
    ),
    "an impact along the face": (
        LOADS,
        load("face: x.low, impact: {velocity: {y: 1.0}, mass: 1.0}"),
        "a.yaml:11: model.loads.0.impact.velocity: a rigid body hits x.low along x (got y)",
    ),
    "an impact away from the body": (
        LOADS,
        load(f"face: x.high, {HIT}"),
        "a.yaml:11: model.loads.0.impact.velocity.x: must be less than 0, into the body",
    ),
    "two impacts on the same nodes": (
        LOADS,
        f"  loads: [{{face: x.low, {HIT}}}, {{face: x.low, {HIT}}}]",
        "a.yaml:11: model.loads.1.impact.velocity.x: two rigid bodies hit the same nodes",
    ),
    # --- steps
    "a step that is not stable": (
        "time: {end: 0.01}",
        "time: {end: 0.01, step: 0.1}",
        "a.yaml:17: time.step: 0.1 is not stable; 0.0228 is the longest that is, whatever cracks",
    ),
}


changed = partial(replaced, GOOD)


@pytest.mark.parametrize("case", CASES)
def test_bad_scenario(workplace, case):
    old, new, message = CASES[case]
    check_refused(workplace, changed(old, new), message, "--threads", "1")


def show() -> None:
    """Print every message."""
    for name, (old, new, _) in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            Path("a.yaml").write_text(changed(old, new))
            print(f"{name}\n    {call('run', 'a.yaml', '--threads', '1')[2].strip()}")


if __name__ == "__main__":
    show()
