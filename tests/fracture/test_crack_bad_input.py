"""Mistakes in scenarios of fracture: one line with file, line and key path, exit code 2, and nothing left on disk.

To see all messages: `python tests/fracture/test_crack_bad_input.py`.
"""

from __future__ import annotations

import os
import tempfile
from functools import partial
from pathlib import Path

import pytest
from command_line import call, check_complaint, check_refused, replaced

GOOD = """\
title: A plate with a crack
model:
  name: fracture
  dissipation: AT1
  length: 4.0
  young_modulus: 1000.0
  poisson_ratio: 0.3
  toughness: 1.0
  split: none
  faces: {y: {low: clamped, high: {displacement: {x: 0.0, y: 1.0}}}}
  load: [[0, 0], [1, 0.02]]
grid:
  x: {cells: 16, length: 16.0, boundary: no_flux}
  y: {cells: 12, length: 12.0, boundary: no_flux}
initial:
  phi: {shapes: [{slit: {from: [-0.5, 6.5], to: [6.0, 6.5]}}]}
time: {end: 1.0, step: 0.5}
"""
FACES = "  faces: {y: {low: clamped, high: {displacement: {x: 0.0, y: 1.0}}}}"
LOAD = "  load: [[0, 0], [1, 0.02]]"
TIME = "time: {end: 1.0, step: 0.5}"
GRID = """\
  x: {cells: 16, length: 16.0, boundary: no_flux}
  y: {cells: 12, length: 12.0, boundary: no_flux}
"""
PERIODIC = "  x: {cells: 16, length: 16.0}\n  y: {cells: 12, length: 12.0}\n"

# (old text, new text, the message after "phasefield: error: ")
CASES: dict[str, tuple[str, str, str]] = {
    # --- model
    "length below two cells": (
        "length: 4.0",
        "length: 1.9",
        "a.yaml:5: model.length: ℓ = 1.9 is 1.9 cells of 1 along x: cracks need at least 2, better 4",
    ),
    "length 0": ("length: 4.0", "length: 0", "a.yaml:5: model.length: must be greater than 0 (got 0)"),
    "no length": ("  length: 4.0\n", "", "a.yaml:2: model.length: is missing"),
    "unknown dissipation": (
        "AT1",
        "AT3",
        "a.yaml:4: model.dissipation: unknown dissipation 'AT3'; did you mean 'AT2'?",
    ),
    "unknown split": (
        "split: none",
        "split: spectrum",
        "a.yaml:9: model.split: unknown split 'spectrum'; did you mean 'spectral'?",
    ),
    "unknown split with a parameter": (
        "split: none",
        "split: {name: star_konvex, gamma: 1.0}",
        "a.yaml:9: model.split: unknown split 'star_konvex'; did you mean 'star_convex'?",
    ),
    "gamma below −1": (
        "split: none",
        "split: {name: star_convex, gamma: -2.0}",
        "a.yaml:9: model.split.gamma: must be at least -1 (got -2.0)",
    ),
    "a parameter of a split that has none": (
        "split: none",
        "split: {name: spectral, gamma: 0.5}",
        "a.yaml:9: model.split: the split 'spectral' takes no parameter (got gamma)",
    ),
    "unknown irreversibility": (
        "split: none",
        "irreversibility: bound",
        "a.yaml:9: model.irreversibility: unknown irreversibility 'bound'; did you mean 'bounds'?",
    ),
    "unknown acceleration": (
        "split: none",
        "minimisation: {acceleration: andersen}",
        "a.yaml:9: model.minimisation.acceleration: unknown acceleration 'andersen'; did you mean 'anderson'?",
    ),
    "relaxation of 2": (
        "split: none",
        "minimisation: {relaxation: 2.0}",
        "a.yaml:9: model.minimisation.relaxation: must be less than 2 (got 2.0)",
    ),
    "misspelt key": ("toughness", "toughnes", "a.yaml:8: model.toughnes: unknown key; did you mean 'toughness'?"),
    "toughness 0": ("toughness: 1.0", "toughness: 0.0", "a.yaml:8: model.toughness: must be greater than 0"),
    "toughness of a formula below 0": (
        "toughness: 1.0",
        "toughness: x - 4",
        "a.yaml:8: model.toughness: must be greater than 0; in 48 cells it is not, first -3.5 at x = 0.5, y = 0.5",
    ),
    "Poisson's ratio ½": ("0.3", "0.5", "a.yaml:7: model.poisson_ratio: must be between -1 and 0.5"),
    "Young's modulus below 0": ("1000.0", "-1.0", "a.yaml:6: model.young_modulus: must be greater than 0"),
    "plane stress with a split": (
        "split: none",
        "split: spectral\n  plane: stress",
        "a.yaml:9: model.split: plane stress needs the split 'none': ε_zz of 'spectral' depends on the damage",
    ),
    "unknown plane": (
        "split: none",
        "plane: stres",
        "a.yaml:9: model.plane: must be 'strain' or 'stress' (got 'stres')",
    ),
    "residual stiffness 1": (
        "split: none",
        "residual_stiffness: 1.0",
        "a.yaml:9: model.residual_stiffness: must be less than 1 (got 1.0)",
    ),
    "viscosity 0": ("split: none", "viscosity: 0.0", "a.yaml:9: model.viscosity: must be greater than 0 (got 0.0)"),
    "stop at a force above the largest": (
        "split: none",
        "stop: {force: 1.5}",
        "a.yaml:9: model.stop.force: must be less than 1 (got 1.5)",
    ),
    "unknown stop": (
        "split: none",
        "stop: {forces: 0.5}",
        "a.yaml:9: model.stop.forces: unknown key; did you mean 'force'?",
    ),
    # --- faces and supports
    "contradictory faces": (
        FACES,
        "  faces: {y: {low: clamped}, x: {low: {displacement: {x: 1.0}}}}",
        "a.yaml:10: model.faces.x.low and faces.y.low: the displacements along x differ on the edge where the faces meet (1",
    ),
    "both on one component": (
        FACES,
        "  faces: {y: {low: clamped, high: {displacement: {y: 1.0}, traction: {y: 1.0}}}}",
        "a.yaml:10: model.faces.y.high.traction.y: contradicts model.faces.y.high.displacement.y; give one of them",
    ),
    "a body that can rotate": (
        FACES,
        "  faces: {y: {high: {traction: {y: 1.0}}}}\n  supports: [{from: [0, 0], to: [0, 0], displacement: {x: 0, y: 0}}]",
        "a.yaml:10: model.faces: the body can ",
    ),
    "a body that can move": (
        FACES,
        "  faces: {y: {low: sliding, high: {displacement: {y: 1.0}}}}",
        "a.yaml:10: model.faces: the body can move along x as a whole; prescribe a displacement that prevents it",
    ),
    "unknown axis of faces": (FACES, "  faces: {w: clamped}", "a.yaml:10: model.faces.w: "),
    "an axis that the grid does not have": (
        FACES,
        "  faces: {z: clamped}",
        "a.yaml:10: model.faces.z: unknown axis 'z'; valid names: x, y",
    ),
    "unknown end": (
        FACES,
        "  faces: {y: {lo: clamped, low: free}}",
        "a.yaml:10: model.faces.y.lo: unknown end 'lo'; did you mean 'low'?",
    ),
    "unknown form": (
        FACES,
        "  faces: {y: clampd}",
        "a.yaml:10: model.faces.y.low: unknown form 'clampd'; did you mean 'clamped'?",
    ),
    "unknown component": (
        FACES,
        "  faces: {y: {low: clamped, high: {displacement: {z: 1.0}}}}",
        "a.yaml:10: model.faces.y.high.displacement.z: unknown component 'z'; valid names: x, y",
    ),
    "slope across a face": (
        FACES,
        "  faces: {y: {low: clamped, high: {displacement: {y: {value: 1.0, slope: {y: 0.1}}}}}}",
        "a.yaml:10: model.faces.y.high.displacement.y.slope.y: the face is at one y, nothing varies along y there",
    ),
    "a displacement that is text": (
        FACES,
        "  faces: {y: {low: clamped, high: {displacement: {y: up}}}}",
        "a.yaml:10: model.faces.y.high.displacement.y: must be a finite number (got 'up')",
    ),
    "faces that are no section": (FACES, "  faces: clamped", "a.yaml:10: model.faces: must be a section"),
    "a support without a node": (
        "split: none",
        "supports: [{from: [0.2, 0.2], to: [0.8, 0.8], displacement: {y: 0}}]",
        "a.yaml:9: model.supports.0: no node lies between from and to; nodes are the corners of cells",
    ),
    "a support of another dimension": (
        "split: none",
        "supports: [{from: [0, 0, 0], to: [1, 1, 1], displacement: {y: 0}}]",
        "a.yaml:9: model.supports.0: from and to need 2 coordinates on this grid",
    ),
    "a support with an unknown component": (
        "split: none",
        "supports: [{from: [0, 0], to: [1, 1], displacement: {z: 0}}]",
        "a.yaml:9: model.supports.0.displacement.z: unknown component 'z'; valid names: x, y",
    ),
    "a support that contradicts a face": (
        "split: none",
        "supports: [{from: [0, 0], to: [1, 0], displacement: {y: 0.5}}]",
        "a.yaml:9: model.supports: some nodes lie on a face that prescribes another displacement for them",
    ),
    "a support with a misspelt key": (
        "split: none",
        "supports: [{from: [0, 0], too: [1, 0], displacement: {y: 0.5}}]",
        "a.yaml:9: model.supports.0.too: unknown key; did you mean 'to'?",
    ),
    "mean and faces": (
        "split: none",
        "mean: {strain: {yy: 1.0}}",
        "a.yaml:12: grid: model.mean is for periodic cells: leave out either mean or faces",
    ),
    "faces on periodic axes": (
        GRID,
        PERIODIC,
        "a.yaml:12: grid: a body with model.faces needs boundary: no_flux on all axes",
    ),
    "a cell without faces on no-flux axes": (
        FACES,
        "  mean: {strain: {yy: 1.0}}",
        "a.yaml:12: grid: a body without model.faces is a periodic cell: all axes are periodic (or give faces, with no_flux",
    ),
    "unknown mean component": (FACES, "  mean: {strain: {yx: 1.0}}", "a.yaml:10: model.mean.strain.yx: "),
    "mean strain and stress of one component": (
        FACES,
        "  mean: {strain: {yy: 1.0}, stress: {yy: 0.0}}",
        "a.yaml:10: model.mean: yy is prescribed both as a mean strain and as a mean stress",
    ),
    "one dimension": (
        GRID,
        "  x: {cells: 16, length: 16.0, boundary: no_flux}\n",
        "a.yaml:12: grid: fracture needs two or three axes",
    ),
    "fixed axes": (
        "12.0, boundary: no_flux",
        "12.0, boundary: fixed",
        "a.yaml:12: grid: a body with model.faces needs boundary: no_flux on all axes",
    ),
    # --- load
    "no load": (LOAD + "\n", "", "a.yaml:2: model.load: is missing"),
    "phases out of order": (
        LOAD,
        "  load: [{until: 1.0, factor: 1.0}, {until: 0.5, factor: 2.0}]",
        "a.yaml:11: model.load: the phases must end one after the other (got until: 0.5 after 1)",
    ),
    "a phase with both controls": (
        LOAD,
        "  load: [{until: 1.0, factor: 1.0, dissipation: 1.0}]",
        "a.yaml:11: model.load.0: a phase needs either factor or dissipation",
    ),
    "a phase with neither": (
        LOAD,
        "  load: [{until: 1.0}]",
        "a.yaml:11: model.load.0: a phase needs either factor or dissipation",
    ),
    "a misspelt phase": (
        LOAD,
        "  load: [{until: 1.0, dissipated: 1.0}]",
        "a.yaml:11: model.load.0.dissipated: unknown key; did you mean 'dissipation'?",
    ),
    "times that do not increase": (
        LOAD,
        "  load: [[0, 0], [0, 1]]",
        "a.yaml:11: model.load: the times must increase (got 0 after 0)",
    ),
    "a load that is text": (LOAD, "  load: fast", "a.yaml:11: model.load: must be a number, or pairs [time, value]"),
    "given dissipation with a viscosity": (
        LOAD,
        "  load: [{until: 1.0, dissipation: 1.0}]\n  viscosity: 1.0",
        "a.yaml:11: model.load: a dissipation is prescribed in equilibrium only; leave out model.viscosity",
    ),
    # --- regions
    "void everywhere": (
        "split: none",
        "regions: [{name: hole, shapes: [{box: {from: [-1, -1], to: [20, 20]}}], void: true}]",
        "a.yaml:9: model.regions.0: the region 'hole' covers every cell: nothing is left of the matrix",
    ),
    "voids everywhere together": (
        "split: none",
        "regions: [{name: a, shapes: [{box: {from: [0, 0], to: [8, 12]}}], void: true}, "
        "{name: b, shapes: [{box: {from: [8, 0], to: [16, 12]}}], void: true}]",
        "a.yaml:9: model.regions: the voids leave nothing solid",
    ),
    "a region nowhere": (
        "split: none",
        "regions: [{name: hole, shapes: [{disc: {centre: [50, 50], radius: 2}}], void: true}]",
        "a.yaml:9: model.regions.0",
    ),
    "a region with an unknown key": (
        "split: none",
        "regions: [{name: hard, shape: [], young_modulus: 1.0}]",
        "a.yaml:9: model.regions.0.shape: unknown key; did you mean 'shapes'?",
    ),
    "a region of an unknown body": (
        "split: none",
        "regions: [{name: hard, shapes: [{disk: {centre: [5, 5], radius: 2}}], young_modulus: 1.0}]",
        "a.yaml:9: model.regions.0.shapes.0",
    ),
    "a void with a toughness": (
        "split: none",
        "regions: [{name: hole, shapes: [{disc: {centre: [5, 5], radius: 2}}], void: true, toughness: 1.0}]",
        "a.yaml:9: model.regions.0: a void has no toughness",
    ),
    "a traction on a void": (
        FACES,
        "  faces: {y: {low: clamped, high: {traction: {y: 1.0}}}}\n"
        "  regions: [{name: hole, shapes: [{box: {from: [0, 10], to: [5, 12]}}], void: true}]",
        "a.yaml:10: model.faces.y.high.traction.y: acts on cells without any stiffness",
    ),
    # --- initial damage
    "damage above 1": (
        "  phi: {shapes: [{slit: {from: [-0.5, 6.5], to: [6.0, 6.5]}}]}",
        "  phi: 1.5",
        "a.yaml:16: initial.phi: damage lies between 0 and 1 (got 1.5 … 1.5)",
    ),
    "damage below 0": (
        "  phi: {shapes: [{slit: {from: [-0.5, 6.5], to: [6.0, 6.5]}}]}",
        "  phi: {mean: 0.0, noise: 0.1}",
        "a.yaml:16: initial.phi: damage lies between 0 and 1 (got -",
    ),
    "another field": ("  phi:", "  c:", "a.yaml:16: initial.c: unknown field 'c'; valid names: phi"),
    "no initial damage": (
        "initial:\n  phi: {shapes: [{slit: {from: [-0.5, 6.5], to: [6.0, 6.5]}}]}\n",
        "",
        "a.yaml: initial.phi: is missing; model fracture has the field phi",
    ),
    "a penny in the plane": (
        "{slit: {from: [-0.5, 6.5], to: [6.0, 6.5]}}",
        "{penny: {centre: [1, 1, 1], normal: [0, 0, 1], radius: 3}}",
        "a.yaml:16: initial.phi",
    ),
    # --- what these runs have no use for
    "single precision": (TIME, f"{TIME}\nprecision: single", "a.yaml:18: precision: the model fracture needs double"),
    "a time scheme": (
        TIME,
        "time: {end: 1.0, step: 0.5, scheme: sbdf2}",
        "a.yaml:17: time.scheme: the model fracture has none: every step ends in equilibrium",
    ),
    "a tolerance of steps": (
        TIME,
        "time: {end: 1.0, step: {first: 0.1, tolerance: 1.0e-3}}",
        "a.yaml:17: time.step.tolerance: steps of the model fracture are chosen by the passes they take; it has first, min, max",
    ),
    "stabilisation": (
        TIME,
        f"{TIME}\nstabilisation: 1.0",
        "a.yaml:18: stabilisation: is not for the model fracture; leave it out",
    ),
    "a source": (
        TIME,
        f"{TIME}\nsource: {{phi: 1.0}}",
        "a.yaml:18: source: is not for the model fracture; leave it out",
    ),
    "a manufactured solution": (
        TIME,
        f"{TIME}\nmanufactured: {{phi: x}}",
        "a.yaml:18: manufactured: is not for the model fracture; leave it out",
    ),
    "seeds": (
        TIME,
        f"{TIME}\nnucleation: {{phi: {{radius: 3.0, interface_width: 1.0, random: {{count: 3, from: 0.0, to: 0.5}}}}}}",
        "a.yaml:18: nucleation: is not for the model fracture; leave it out",
    ),
    "a fixed field": (TIME, f"{TIME}\nfixed: {{phi: 1.0}}", "a.yaml:18: fixed.phi: model fracture has no fixed fields"),
    # --- steps and output
    "largest step below the smallest": (
        TIME,
        "time: {end: 1.0, step: {min: 0.1, max: 0.05}}",
        "a.yaml:17: time.step.max: must be at least time.step.min = 0.1 (got 0.05)",
    ),
    "an unknown derived field": (
        TIME,
        f"{TIME}\noutput: {{fields: {{names: [phi, strain_yx]}}}}",
        "a.yaml:18: output.fields.names.1: unknown field 'strain_yx'; did you mean 'strain_",
    ),
    "a derived field of space": (
        TIME,
        f"{TIME}\noutput: {{fields: {{names: [stress_zz]}}}}",
        "a.yaml:18: output.fields.names.0: unknown field 'stress_zz'; did you mean ",
    ),
    "a crack area below 0": (
        TIME,
        f"{TIME}\nverify: {{crack_area: {{area: -1.0}}}}",
        "a.yaml:18: verify.crack_area.area: must be greater than 0 (got -1.0)",
    ),
    "a crack area that is a number": (
        TIME,
        f"{TIME}\nverify: {{crack_area: 10.0}}",
        "a.yaml:18: verify.crack_area: must be false or a section such as {area: 0.5} (got 10.0)",
    ),
}


changed = partial(replaced, GOOD)


@pytest.mark.parametrize("case", CASES)
def test_bad_scenario(workplace, case):
    old, new, message = CASES[case]
    check_refused(workplace, changed(old, new), message, "--threads", "1")


@pytest.mark.parametrize(
    "case",
    ["length below two cells", "a body that can move", "a support without a node", "void everywhere", "damage above 1"],
)
def test_check_says_the_same(workplace, case):
    """What only the body itself tells is found without a run."""
    old, new, message = CASES[case]
    (workplace / "a.yaml").write_text(changed(old, new))
    check_complaint(*call("check", "a.yaml"), message)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("-s model.length=1.0", "-s model.length=1.0: model.length: ℓ = 1 is 1 cells of 1 along x"),
        (
            "-s model.split=spectra",
            "-s model.split=spectra: model.split: unknown split 'spectra'; did you mean 'spectral'?",
        ),
        ("-s model.faces.y.low=sliding", "a.yaml:10: model.faces: the body can move"),
        ("--device gpu", "a.yaml:3: model.name: fracture runs on the CPU only; use --device cpu or auto"),
        ("-s time.scheme=imex1", "-s time.scheme=imex1: time.scheme: the model fracture has none"),
    ],
)
def test_bad_command_line(workplace, arguments, message):
    text = GOOD
    if "sliding" in arguments:
        text = changed("{displacement: {x: 0.0, y: 1.0}}", "{displacement: {y: 1.0}}")
    check_refused(workplace, text, message, *arguments.split())


def test_the_scenario_that_is_changed_is_good(workplace):
    (workplace / "a.yaml").write_text(GOOD)
    code, out, err = call("check", "a.yaml")
    assert (code, err) == (0, "")
    assert "strength" in out


def test_a_length_below_four_cells_is_a_warning(workplace):
    (workplace / "a.yaml").write_text(changed("length: 4.0", "length: 3.0"))
    code, out, err = call("check", "a.yaml")
    assert (code, err) == (0, "")
    assert "warning: ℓ = 3 is 3 cells of 1 along x" in " ".join(out.split())


@pytest.mark.parametrize(
    ("old", "new", "warning"),
    [
        ("length: 4.0", "length: 400.0", "is longer than the body"),
        ("{displacement: {x: 0.0, y: 1.0}}", "clamped", "the load has nothing to multiply"),
    ],
)
def test_what_can_run_and_is_hardly_meant_is_a_warning(workplace, old, new, warning):
    (workplace / "a.yaml").write_text(changed(old, new))
    code, out, _ = call("check", "a.yaml")
    assert code == 0
    assert warning in " ".join(out.split())


def _show() -> None:
    """Print the message of every case."""
    os.chdir(tempfile.mkdtemp())
    for case, (old, new, _) in CASES.items():
        Path("a.yaml").write_text(changed(old, new))
        print(f"[{case}] {call('run', 'a.yaml')[2].removeprefix('phasefield: error: ')}", end="")


if __name__ == "__main__":
    _show()
