"""Mistakes of users: exit code 2, one message with file, line and key path, no traceback, and nothing left on disk.

Most cases change a small scenario and call the command line in this process; a few run as processes of their own. To see
all messages: `python tests/test_bad_input.py`.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from command_line import GOOD, call, check_complaint, contents

# (old text, new text, the message after "phasefield: error: "); old text "" appends, None replaces the whole file.
FILES: dict[str, tuple[str | None, str, str]] = {
    "unknown section": ("seed:", "sead:", "a.yaml:14: sead: unknown key; did you mean 'seed'?"),
    "unknown key, nothing near": (
        "seed: 1",
        "qqq: 1",
        "a.yaml:14: qqq: unknown key; valid names: benchmark, checkpoint, fixed, grid,",
    ),
    "misspelt key": (
        "  gradient_energy",
        "  gradent_energy",
        "a.yaml:5: model.gradent_energy: unknown key; did you mean 'gradient_energy'?",
    ),
    "misspelt in flow mapping": (
        "history: {every",
        "history: {evry",
        "a.yaml:13: output.history.evry: unknown key; did you mean 'every'?",
    ),
    "misspelt axis key": ("{cells: 16", "{cell: 16", "a.yaml:8: grid.x.cell: unknown key; did you mean 'cells'?"),
    "misspelt step key": (
        "step: 0.1",
        "step: {tolerence: 1e-3}",
        "a.yaml:12: time.step.tolerence: unknown key; did you mean 'tolerance'?",
    ),
    "misspelt verify key": (
        "seed: 1",
        "verify: {linear_stability: {wavelenght: 0.1}}",
        "a.yaml:14: verify.linear_stability.wavelenght: unknown key; did you mean 'wavelength'?",
    ),
    "section that is misspelt in step": (
        "step: 0.1",
        "step: {section: 1}",
        "a.yaml:12: time.step.section: unknown key; valid names: first,",
    ),
    "dotted key outside test": (
        "seed: 1",
        "time.scheme: imex1",
        "a.yaml:14: time.scheme: unknown key; dotted paths are for -s and test:, write a section time:",
    ),
    "text for a number": (
        "gradient_energy: 2.0",
        "gradient_energy: fast",
        "a.yaml:5: model.gradient_energy: must be a number (got 'fast')",
    ),
    "quoted number": (
        "gradient_energy: 2.0",
        "gradient_energy: '1.0'",
        "a.yaml:5: model.gradient_energy: must be a number (got the text '1.0')",
    ),
    "true for a number": (
        "gradient_energy: 2.0",
        "gradient_energy: true",
        "a.yaml:5: model.gradient_energy: must be a number (got true)",
    ),
    "yes is text": (
        "gradient_energy: 2.0",
        "gradient_energy: yes",
        "a.yaml:5: model.gradient_energy: must be a number (got 'yes')",
    ),
    "unknown name in the mobility": (
        "mobility: 1.0",
        "mobility: fast",
        "a.yaml:4: model.mobility: 'fast' in column 1 is not known; valid names: c, pi",
    ),
    "true for a mobility": (
        "mobility: 1.0",
        "mobility: true",
        "a.yaml:4: model.mobility: must be a number, a formula in the field, or {formula: …, parameters: …} (got true)",
    ),
    "true in initial": ("mean: 0.0", "mean: true", "a.yaml:11: initial.c.mean: must be a number (got true)"),
    "text in initial": (
        "noise: 0.01",
        "noise: '0.01'",
        "a.yaml:11: initial.c.noise: must be a number (got the text '0.01')",
    ),
    "true in a free energy": (
        "0.25*(c**2 - 1)**2",
        "{name: double_well, barrier: true}",
        "a.yaml:6: model.free_energy.barrier: must be a number (got true)",
    ),
    "list for a section": (
        "time: {end: 1.0, step: 0.1}",
        "time: [1.0, 0.1]",
        "a.yaml:12: time: must be a section with the keys end,",
    ),
    "number for a section": (
        "{cells: 16, length: 20.0}",
        "16",
        "a.yaml:8: grid.x: must be a section with the keys cells,",
    ),
    "nothing for a section": (
        "time: {end: 1.0, step: 0.1}",
        "time:",
        "a.yaml:12: time: must be a section with the keys end,",
    ),
    "section for a number": (
        "gradient_energy: 2.0",
        "gradient_energy: {value: 1}",
        "a.yaml:5: model.gradient_energy: must be a number (got a section)",
    ),
    "list for a step": (
        "step: 0.1",
        "step: [0.1]",
        "a.yaml:12: time.step: must be a number, which is a fixed step, or a section",
    ),
    "text for a step": (
        "step: 0.1",
        "step: small",
        "a.yaml:12: time.step: must be a number, which is a fixed step, or a section",
    ),
    "minutes for a step": (
        "step: 0.1",
        "step: 1:30",
        "a.yaml:12: time.step: must be a number, which is a fixed step, or a section",
    ),
    "negative step": ("step: 0.1", "step: -0.1", "a.yaml:12: time.step: must be greater than 0 (got -0.1)"),
    "negative tolerance": (
        "step: 0.1",
        "step: {tolerance: -1}",
        "a.yaml:12: time.step.tolerance: must be greater than 0 (got -1)",
    ),
    "verify true": ("seed: 1", "verify: true", "a.yaml:14: verify: must be false or a section such as"),
    "verify 0": ("seed: 1", "verify: 0", "a.yaml:14: verify: must be false or a section such as"),
    "verify mass": ("seed: 1", "verify: {mass: true}", "a.yaml:14: verify.mass: must be false or a number"),
    "verify energy": ("seed: 1", "verify: {energy: 1}", "a.yaml:14: verify.energy: must be true or false (got 1)"),
    "real cells": ("cells: 16", "cells: 16.0", "a.yaml:8: grid.x.cells: must be a whole number (got 16.0)"),
    "octal is decimal": ("cells: 16", "cells: 0o20", "a.yaml:8: grid.x.cells: must be a whole number (got '0o20')"),
    "no cells": ("cells: 16", "cells: 0", "a.yaml:8: grid.x.cells: must be at least 4 (got 0)"),
    "negative cells": ("cells: 16", "cells: -16", "a.yaml:8: grid.x.cells: must be at least 4 (got -16)"),
    "too many cells": (
        "cells: 16",
        "cells: 1000000000",
        "a.yaml:8: grid.x.cells: must be at most 1048576 (got 1000000000)",
    ),
    "too many cells in all": (
        "x: {cells: 16, length: 20.0}\n  y: {cells: 12",
        "x: {cells: 1048576, length: 20.0}\n  y: {cells: 1048576",
        "a.yaml:7: grid: 1099511627776 cells are more than 8589934592",
    ),
    "no length": ("length: 15.0", "length: 0", "a.yaml:9: grid.y.length: must be greater than 0 (got 0)"),
    "z without y": ("  y: {cells", "  z: {cells", "a.yaml:9: grid.z: axis z is given but y is missing"),
    "unknown boundary": (
        "length: 15.0",
        "length: 15.0, boundary: wall",
        "a.yaml:9: grid.y.boundary: must be 'periodic', 'no_flux' or 'fixed' (got 'wall')",
    ),
    "values without fixed": (
        "length: 15.0",
        "length: 15.0, boundary: no_flux, values: {c: 1.0}",
        "a.yaml:9: grid.y.values: values need boundary: fixed (this axis is no_flux)",
    ),
    "values of a periodic axis": (
        "length: 15.0",
        "length: 15.0, values: {c: 1.0}",
        "a.yaml:9: grid.y.values: values need boundary: fixed (this axis is periodic)",
    ),
    "values of an unknown field": (
        "length: 15.0",
        "length: 15.0, boundary: fixed, values: {d: 1.0}",
        "a.yaml:9: grid.y.values.d: unknown field 'd'; valid names: c",
    ),
    "three values": (
        "length: 15.0",
        "length: 15.0, boundary: fixed, values: {c: [1.0, 2.0, 3.0]}",
        "a.yaml:9: grid.y.values.c: ",
    ),
    "text as value": (
        "length: 15.0",
        "length: 15.0, boundary: fixed, values: {c: high}",
        "a.yaml:9: grid.y.values.c: must be a number, or two of them: [at 0, at the length] (got 'high')",
    ),
    "faces that meet": (
        "x: {cells: 16, length: 20.0}\n  y: {cells: 12, length: 15.0}",
        "x: {cells: 16, length: 20.0, boundary: fixed}\n  y: {cells: 12, length: 15.0, boundary: fixed, values: {c: [0.0, 1.0]}}",
        "a.yaml:9: grid.y.values: faces of several fixed axes meet, so c has one value on all of them (got 0, 1)",
    ),
    "negative gradient energy": (
        "gradient_energy: 2.0",
        "gradient_energy: -1",
        "a.yaml:5: model.gradient_energy: must be greater than 0 (got -1)",
    ),
    "nan": ("mobility: 1.0", "mobility: .nan", "a.yaml:4: model.mobility: must be finite (got nan)"),
    "infinite": ("end: 1.0", "end: .inf", "a.yaml:12: time.end: must be finite (got inf)"),
    "too large to be finite": ("end: 1.0", "end: 1e999", "a.yaml:12: time.end: must be finite (got inf)"),
    "negative end": ("end: 1.0", "end: -1.0", "a.yaml:12: time.end: must be greater than 0 (got -1.0)"),
    "negative seed": ("seed: 1", "seed: -1", "a.yaml:14: seed: must be at least 0 (got -1)"),
    "huge seed": ("seed: 1", "seed: 99999999999999999999", "a.yaml:14: seed: must be at most 9223372036854775807"),
    "real seed": ("seed: 1", "seed: 1.5", "a.yaml:14: seed: must be a whole number (got 1.5)"),
    "unknown precision": (
        "seed: 1",
        "precision: half",
        "a.yaml:14: precision: must be 'double' or 'single' (got 'half')",
    ),
    "number for a title": ("A small mixture", "12", "a.yaml:1: title: must be text (got 12)"),
    "unknown model": (
        "cahn_hilliard",
        "cahn_hillard",
        "a.yaml:3: model.name: unknown model 'cahn_hillard'; did you mean 'cahn_hilliard'?",
    ),
    "model without name": (
        "  name: cahn_hilliard\n",
        "",
        "a.yaml:2: model: needs a key 'name', one of allen_cahn, cahn_hilliard",
    ),
    "model is text": (GOOD[GOOD.index("model:") : GOOD.index("grid:")], "model: cahn_hilliard\n", "a.yaml:2: model: "),
    "unknown scheme": (
        "step: 0.1",
        "step: 0.1, scheme: etdrk2a",
        "a.yaml:12: time.scheme: unknown scheme 'etdrk2a'; did you mean 'etdrk2'?",
    ),
    "scheme is a number": ("step: 0.1", "step: 0.1, scheme: 2", "a.yaml:12: time.scheme: must be text (got 2)"),
    "smallest above largest step": (
        "step: 0.1",
        "step: {min: 1, max: 0.1}",
        "a.yaml:12: time.step.max: must be at least time.step.min = 1 (got 0.1)",
    ),
    "unknown free energy": (
        "0.25*(c**2 - 1)**2",
        "{name: duble_well}",
        "a.yaml:6: model.free_energy: unknown free energy 'duble_well'; did you mean 'double_well'?",
    ),
    "free energy with a wrong key": (
        "0.25*(c**2 - 1)**2",
        "{name: double_well, barier: 1}",
        "a.yaml:6: model.free_energy.barier: unknown key; did you mean 'barrier'?",
    ),
    "free energy is a list": (
        "0.25*(c**2 - 1)**2",
        "[1, 2]",
        "a.yaml:6: model.free_energy: must be a formula, {formula: …} or {name: …}",
    ),
    "import in a formula": (
        "0.25*(c**2 - 1)**2",
        "__import__('os').system('touch hacked')",
        "a.yaml:6: model.free_energy: ",
    ),
    "attribute in a formula": ("0.25*(c**2 - 1)**2", "c.real**2", "a.yaml:6: model.free_energy: "),
    "lambda in a formula": ("0.25*(c**2 - 1)**2", "(lambda x=c x)(c)", "a.yaml:6: model.free_energy: "),
    "unknown name in a formula": ("0.25*(c**2 - 1)**2", "W*c**2", "a.yaml:6: model.free_energy: "),
    "other model's field": ("0.25*(c**2 - 1)**2", "0.25*(phi**2 - 1)**2", "a.yaml:6: model.free_energy: "),
    "unclosed formula": ("0.25*(c**2 - 1)**2", "0.25*(c**2 - 1", "a.yaml:6: model.free_energy: "),
    "empty formula": ("0.25*(c**2 - 1)**2", "''", "a.yaml:6: model.free_energy: is empty"),
    "caret for a power": ("0.25*(c**2 - 1)**2", "0.25*(c^2 - 1)^2", "a.yaml:6: model.free_energy: "),
    "unknown function in initial": ("{mean: 0.0, noise: 0.01}", "0.1*cosine(x)", "a.yaml:11: initial.c"),
    "axis that is not there": (
        "{mean: 0.0, noise: 0.01}",
        "0.1*cos(z)",
        "a.yaml:11: initial.c: 'z' in column 9 is not known; valid names: Lx, Ly, pi, x, y",
    ),
    "not finite in a cell": (
        "{mean: 0.0, noise: 0.01}",
        "log(x - 5)",
        "a.yaml:11: initial.c: not finite in 48 of 192 cells",
    ),
    "unknown field in initial": ("  c: {", "  phi: {", "a.yaml:11: initial.phi: unknown field 'phi'; valid names: c"),
    "no initial field": (
        "  c: {mean: 0.0, noise: 0.01}",
        "  {}",
        "a.yaml:10: initial.c: is missing; model cahn_hilliard has the field c",
    ),
    "misspelt initial": ("mean: 0.0", "meen: 0.0", "a.yaml:11: initial.c: an initial value needs exactly one of"),
    "two initial values": (
        "mean: 0.0",
        "mean: 0.0, file: a.npy",
        "a.yaml:11: initial.c: an initial value needs exactly one of",
    ),
    "unknown key beside mean": (
        "noise: 0.01",
        "nois: 0.01",
        "a.yaml:11: initial.c.nois: unknown key; did you mean 'noise'?",
    ),
    "unknown shape": (
        "{mean: 0.0, noise: 0.01}",
        "{shapes: [{disk: {centre: [1, 2], radius: 3}}]}",
        "a.yaml:11: initial.c.shapes.0: a shape needs exactly one of disc, sphere, ellipse, ellipsoid, stripe, front, box, "
        "polygon, slit or penny; unknown name 'disk'",
    ),
    "negative radius": (
        "{mean: 0.0, noise: 0.01}",
        "{shapes: [{disc: {centre: [1, 2], radius: -3}}]}",
        "a.yaml:11: initial.c.shapes.0.disc.radius: must be greater than 0 (got -3)",
    ),
    "centre of three": (
        "{mean: 0.0, noise: 0.01}",
        "{shapes: [{disc: {centre: [1, 2, 3], radius: 3}}]}",
        "a.yaml:11: initial.c.shapes.0.disc.centre: must have at most 2 entries",
    ),
    "sphere in two dimensions": (
        "{mean: 0.0, noise: 0.01}",
        "{shapes: [{sphere: {centre: [1, 2, 3], radius: 3}}]}",
        "a.yaml:11: initial.c.shapes.0.sphere: needs a 3-dimensional grid, this one has 2 (use disc)",
    ),
    "no such initial file": (
        "{mean: 0.0, noise: 0.01}",
        "{file: none.npy}",
        "a.yaml:11: initial.c.file: no such file:",
    ),
    "initial file of another shape": (
        "{mean: 0.0, noise: 0.01}",
        "{file: wrong.npy}",
        "a.yaml:11: initial.c.file: the data have the shape (3, 4), the grid (12, 16)",
    ),
    "initial file is no array": ("{mean: 0.0, noise: 0.01}", "{file: text.npy}", "a.yaml:11: initial.c.file: "),
    "times not increasing": (
        "fields: {every: 0.5}",
        "fields: {at: [0.5, 0.2]}",
        "a.yaml:13: output.fields.at: the times must increase (got 0.2 after 0.5)",
    ),
    "times after the end": (
        "fields: {every: 0.5}",
        "fields: {at: [0.5, 7]}",
        "a.yaml:13: output.fields.at.1: 7 lies after time.end = 1",
    ),
    "every and at": (
        "fields: {every: 0.5}",
        "fields: {every: 0.5, at: [0.5]}",
        "a.yaml:13: output.fields.at: give either every or at, not both",
    ),
    "output of an unknown field": (
        "fields: {every: 0.5}",
        "fields: {names: [phi]}",
        "a.yaml:13: output.fields.names.0: unknown field 'phi'",
    ),
    "output of a field twice": (
        "fields: {every: 0.5}",
        "fields: {names: [c, c]}",
        "a.yaml:13: output.fields.names: 'c' stands in the list twice",
    ),
    "no such section": (GOOD[GOOD.index("time:") : GOOD.index("output:")], "", "a.yaml: time: is missing"),
    "no end": ("end: 1.0, ", "", "a.yaml:12: time.end: is missing"),
    "unknown key in test": (
        "time.end: 0.5",
        "time.ende: 0.5",
        "a.yaml:15: test: time.ende: unknown key; did you mean 'end'?",
    ),
    "wrong value in test": (
        "time.end: 0.5",
        "time.end: -1",
        "a.yaml:15: test: time.end: must be greater than 0 (got -1)",
    ),
    "test is a number": ("{time.end: 0.5}", "3", "a.yaml:15: test: must be a section (got 3)"),
    "test below a number": (
        "time.end: 0.5",
        "seed.x: 1",
        "a.yaml:15: test: seed.x: seed is a single value and has no key 'x'",
    ),
    "duplicate key": ("seed: 1", "seed: 1\nseed: 2", "a.yaml:15: seed: appears twice (first on line 14)"),
    "duplicate nested key": (
        "  mobility: 1.0",
        "  name: allen_cahn",
        "a.yaml:4: model.name: appears twice (first on line 3)",
    ),
    "tab": ("  mobility", "\tmobility", "a.yaml:4: not valid YAML: a tab; YAML is indented with spaces"),
    "unclosed bracket": ("end: 1.0, step: 0.1}", "end: 1.0, step: 0.1", "a.yaml:13: not valid YAML: "),
    "wrong indentation": ("  mobility", "    mobility", "a.yaml:4: not valid YAML: "),
    "alias": ("length: 15.0", "length: *l", "a.yaml:9: aliases (*) are not allowed; write the value out"),
    "anchor": ("length: 20.0", "length: &l 20.0", "a.yaml:8: anchors (&) are not allowed; write the value out"),
    "merge": ("{cells: 12", "{<<: {cells: 12}, cells: 12", "a.yaml:9: grid.y.<<: unknown key; valid names:"),
    "object tag": (
        "seed: 1",
        "seed: !!python/object/apply:os.system ['touch hacked']",
        "a.yaml:14: tags (!) are not allowed",
    ),
    "harmless tag": ("seed: 1", "seed: !!int '1'", "a.yaml:14: tags (!) are not allowed"),
    "two documents": ("seed: 1", "---\nseed: 1", "a.yaml:14: not valid YAML: "),
    "deep flow": ("seed: 1", f"seed: {'[' * 5000}{']' * 5000}", "a.yaml: nested deeper than 40 levels"),
    "deep block": ("seed: 1", "seed:\n" + "\n".join(" " * i + "- " for i in range(1, 150)), "a.yaml:"),
    "control character": ("seed: 1", "seed: \x07", "a.yaml:14: not valid YAML: the control character #x0007"),
    "empty file": (None, "", "a.yaml: the file is empty"),
    "only comments": (None, "# nothing\n", "a.yaml: the file is empty"),
    "a list": (None, "- 1\n- 2\n", "a.yaml:1: expected sections such as model: and grid:, got a list"),
    "prose": (
        None,
        "Dear reader,\nhello\n",
        "a.yaml:1: expected sections such as model: and grid:, got 'Dear reader, hello'",
    ),
    "key that is a list": (None, "[1, 2]: 3\n", "a.yaml:1: a key must be a plain word"),
}

# (arguments, the message); the scenario `a.yaml` is good, the other files are made by `workplace`.
SEEDED = """\
model: {name: allen_cahn}
grid:
  x: {cells: 16, length: 20.0}
  y: {cells: 16, length: 20.0}
initial: {phi: -1.0}
time: {end: 1.0, step: 0.1}
nucleation:
  phi:
    radius: 3.0
    interface_width: 1.0
    amplitude: 2.0
    seeds: [{time: 0.5, centre: [5.0, 5.0]}]
    random: {count: 3, from: 0.0, to: 1.0}
"""
# Changes of the scenario above.
SEEDS: dict[str, tuple[str, str, str]] = {
    "seeds of an unknown field": (
        "  phi:\n",
        "  fi:\n",
        "a.yaml:8: nucleation.fi: unknown field 'fi'; valid names: phi",
    ),
    "misspelt key of seeds": (
        "amplitude",
        "amplitud",
        "a.yaml:11: nucleation.phi.amplitud: unknown key; did you mean 'amplitude'?",
    ),
    "misspelt key of a seed": (
        "centre",
        "center",
        "a.yaml:12: nucleation.phi.seeds.0.center: unknown key; did you mean 'centre'?",
    ),
    "seeds without radius": ("    radius: 3.0\n", "", "a.yaml:8: nucleation.phi.radius: is missing"),
    "neither seeds nor random": (
        "    seeds: [{time: 0.5, centre: [5.0, 5.0]}]\n    random: {count: 3, from: 0.0, to: 1.0}\n",
        "",
        "a.yaml:8: nucleation.phi: needs seeds or random, or both",
    ),
    "centre of a seed in three dimensions": (
        "[5.0, 5.0]",
        "[5.0, 5.0, 5.0]",
        "a.yaml:12: nucleation.phi.seeds.0.centre: needs 2 numbers, [x, y] (got 3)",
    ),
    "seed outside the box": (
        "[5.0, 5.0]",
        "[5.0, 25.0]",
        "a.yaml:12: nucleation.phi.seeds.0.centre: y = 25 lies outside the box, 0 to 20",
    ),
    "seed at the end": (
        "time: 0.5",
        "time: 1.0",
        "a.yaml:12: nucleation.phi.seeds.0.time: 1 is not before time.end = 1",
    ),
    "seed before the start": (
        "time: 0.5",
        "time: -0.5",
        "a.yaml:12: nucleation.phi.seeds.0.time: must be at least 0 (got -0.5)",
    ),
    "random seeds beyond the end": (
        "to: 1.0",
        "to: 2.0",
        "a.yaml:13: nucleation.phi.random.to: 2 is not within time.end = 1",
    ),
    "random seeds backwards": (
        "from: 0.0",
        "from: 1.5",
        "a.yaml:13: nucleation.phi.random.to: must be at least from = 1.5 (got 1)",
    ),
    "no random seed": ("count: 3", "count: 0", "a.yaml:13: nucleation.phi.random.count: must be at least 1 (got 0)"),
    "half a random seed": ("count: 3", "count: 0.5", "a.yaml:13: nucleation.phi.random.count: must be a whole number"),
    "seed smaller than cells": (
        "radius: 3.0",
        "radius: 2.0",
        "a.yaml:9: nucleation.phi.radius: 2 is less than 2 cells of 1.25: use more cells",
    ),
    "seed larger than the box": (
        "centre: [5.0, 5.0]",
        "centre: [5.0, 5.0], radius: 12",
        "a.yaml:12: nucleation.phi.seeds.0.radius: a seed of radius 12 does not fit into a box of 20",
    ),
    "sharp seed": (
        "interface_width: 1.0",
        "interface_width: 0",
        "a.yaml:10: nucleation.phi.interface_width: must be greater than 0 (got 0)",
    ),
    "list for random seeds": (
        "{count: 3, from: 0.0, to: 1.0}",
        "[3]",
        "a.yaml:13: nucleation.phi.random: must be a section with the keys count, from, to",
    ),
}
FILES |= {case: (None, SEEDED.replace(old, new, 1), message) for case, (old, new, message) in SEEDS.items()}
FILES["wide seed"] = (
    None,
    SEEDED.replace("interface_width: 1.0", "interface_width: 100"),
    "a.yaml:10: nucleation.phi.interface_width: an interface of width 100 does not fit into a box of 20",
)
FILES["noise with seeds and a multistep scheme"] = (
    None,
    SEEDED.replace("{name: allen_cahn}", "{name: allen_cahn, thermal_energy: 1.0e-4}"),
    "a.yaml:6: time.scheme: noise needs a one-step scheme: etdrk2, etdrk4, imex1",
)
MADE = """\
model: {name: allen_cahn, gradient_energy: 0.5}
grid:
  x: {cells: 16, length: 20.0}
  y: {cells: 16, length: 20.0}
manufactured:
  phi: 0.1 + 0.4*sin(2*pi*x/Lx + t)*cos(2*pi*y/Ly)
time: {end: 1.0, step: 0.1, scheme: etdrk2}
verify: {manufactured: 2.0e-3}
"""
MANY = """\
model:
  name: multi_field
  fields:
    c: {kinetics: conserved, mobility: 1.0, gradient_energy: 1.0}
    eta: {kinetics: non_conserved, gradient_energy: 2.0}
  free_energy:
    formula: A*(c - h)**2 + W*g
    parameters: {A: 0.5, W: 1.0}
    definitions:
      h: eta**2*(3 - 2*eta)
      g: eta**2*(1 - eta)**2
grid: {x: {cells: 16, length: 20.0}, y: {cells: 16, length: 20.0}}
initial:
  c: {mean: 0.3, noise: 0.01}
  eta: {mean: 0.1, noise: 0.01}
time: {end: 1.0, step: 0.1}
"""
NOISY = """\
model: {name: cahn_hilliard, free_energy: 0.1*c**2 + 0.25*c**4, thermal_energy: 1.0e-4}
grid: {x: {cells: 16, length: 20.0}, y: {cells: 16, length: 20.0}}
initial: {c: 0.0}
time: {end: 4.0, step: 1.0, scheme: etdrk2}
verify: {structure_factor: 0.1}
"""
COOLED = """\
model:
  name: cahn_hilliard
  gradient_energy: 5.4
  temperature: [[0.2, 650.0], [0.5, 300.0]]
  free_energy: {name: flory_huggins, interaction: {b: 1200.0}}
grid: {x: {cells: 16, length: 20.0}}
initial: {c: {mean: 0.5, noise: 0.01}}
time: {end: 1.0, step: 0.1}
"""
STRAINED = """\
model:
  name: cahn_hilliard
  misfit: {stiffness: {cubic: {C11: 10.0, C12: 6.0, C44: 5.0}}, strain: 0.1}
grid:
  x: {cells: 16, length: 20.0}
  y: {cells: 16, length: 20.0}
initial: {c: {mean: 0.0, noise: 0.01}}
time: {end: 1.0, step: 0.1}
"""
Y = "  y: {cells: 16, length: 20.0}"
# (scenario, old text, new text, message)
NEW: dict[str, tuple[str, str, str, str]] = {
    "misspelt field of a solution": (
        MADE,
        "  phi: 0.1",
        "  fi: 0.1",
        "a.yaml:6: manufactured.fi: unknown field 'fi'; valid names: phi",
    ),
    "solution and source": (
        MADE,
        "verify:",
        "source: {phi: 1}\nverify:",
        "a.yaml:8: source: is derived from manufactured: give one of the two",
    ),
    "solution and initial": (
        MADE,
        "verify:",
        "initial: {phi: 0.0}\nverify:",
        "a.yaml:8: initial: is taken from manufactured: at t = 0; leave it out",
    ),
    "solution and seeds": (
        MADE,
        "verify:",
        "nucleation: {phi: {radius: 3.0, interface_width: 1.0, random: {count: 3, from: 0.0, to: 0.0}}}\nverify:",
        "a.yaml:8: nucleation: a manufactured solution knows no seeds: leave one of the two out",
    ),
    "solution and noise": (
        MADE,
        "gradient_energy: 0.5",
        "gradient_energy: 0.5, thermal_energy: 1.0e-4",
        "a.yaml:5: manufactured: sources are derived for models without thermal noise, ",
    ),
    "solution and leapfrog": (
        MADE,
        "etdrk2",
        "leapfrog",
        "a.yaml:7: time.scheme: leapfrog is for models with inertia, not allen_cahn",
    ),
    "solution with a kink": (
        MADE,
        "cos(2*pi*y/Ly)",
        "abs(y - 3)",
        "a.yaml:6: manufactured.phi: abs has a kink; a solution needs its derivatives everywhere",
    ),
    "solution with the field in it": (
        MADE,
        "cos(2*pi*y/Ly)",
        "phi",
        "a.yaml:6: manufactured.phi: 'phi' in column 30 is not known; valid names: Lx, Ly, ",
    ),
    "solution that is not periodic": (
        MADE,
        "cos(2*pi*y/Ly)",
        "(y/Ly)",
        "a.yaml:6: manufactured.phi: differs by 0.392 between y = 0 and 20, the ends of a periodic axis, at t = 0",
    ),
    "solution with other values at a face": (
        MADE,
        Y,
        "  y: {cells: 16, length: 20.0, boundary: fixed, values: {phi: 3.0}}",
        "a.yaml:6: manufactured.phi: is -0.292 at y = 0, t = 0, where grid.y.values hold it at 3",
    ),
    "source of a solution without value": (
        MADE,
        "cos(2*pi*y/Ly)",
        "log(y - 10)",
        "a.yaml:6: manufactured.phi: ",
    ),
    "tolerance of a solution": (
        MADE,
        "2.0e-3",
        "true",
        "a.yaml:8: verify.manufactured: must be false or a number, the tolerance (got true)",
    ),
    "unknown kinetics": (
        MANY,
        "kinetics: conserved",
        "kinetics: conservd",
        "a.yaml:4: model.fields.c.kinetics: unknown kinetics 'conservd'; did you mean 'conserved'?",
    ),
    "no kinetics": (MANY, "kinetics: conserved, ", "", "a.yaml:4: model.fields.c.kinetics: is missing"),
    "misspelt key of a field": (
        MANY,
        "gradient_energy: 2.0",
        "gradient_enrgy: 2.0",
        "a.yaml:5: model.fields.eta.gradient_enrgy: unknown key; did you mean 'gradient_energy'?",
    ),
    "mobility formula of one of several fields": (
        MANY,
        "mobility: 1.0",
        "mobility: c*(1 - c)",
        "a.yaml:4: model.fields.c.mobility: must be a number (got 'c*(1 - c)')",
    ),
    "field named like an axis": (
        MANY,
        "    eta: {",
        "    x: {",
        "a.yaml:3: model.fields: 'x' stands for something else in the files of a run; choose another name",
    ),
    "definition that comes later": (
        MANY,
        "h: eta**2*(3",
        "h: g*(3",
        "a.yaml:10: model.free_energy.definitions.h: uses 'g', which is defined later",
    ),
    "definition that uses itself": (
        MANY,
        "h: eta**2*(3",
        "h: h*(3",
        "a.yaml:10: model.free_energy.definitions.h: uses itself",
    ),
    "definition named like a field": (
        MANY,
        "h: eta**2",
        "c: eta**2",
        "a.yaml:10: model.free_energy.definitions.c: has the name of a field; choose another name",
    ),
    "definition that is not used": (
        MANY,
        "A*(c - h)**2 + W*g",
        "A*c**2 + W*g",
        "a.yaml:10: model.free_energy.definitions.h: does not occur in the formula",
    ),
    "misspelt definition": (
        MANY,
        "+ W*g",
        "+ W*gg",
        "a.yaml:6: model.free_energy: 'gg' in column 18 is not known; did you mean 'g'?",
    ),
    "one field without initial value": (
        MANY,
        "  eta: {mean: 0.1, noise: 0.01}\n",
        "",
        "a.yaml:13: initial.eta: is missing; model multi_field has the fields c, eta",
    ),
    "solution of one of several fields": (
        MANY,
        "  c: {mean: 0.3, noise: 0.01}\n  eta: {mean: 0.1, noise: 0.01}",
        "  {}\nmanufactured:\n  c: cos(2*pi*x/Lx)",
        "a.yaml:15: manufactured.eta: is missing; a manufactured solution has all fields",
    ),
    "seeds of the conserved one of several fields": (
        MANY,
        "time: {",
        "nucleation: {c: {radius: 3.0, interface_width: 1.0, random: {count: 3, from: 0.0, to: 0.0}}}\ntime: {",
        "a.yaml:16: nucleation.c: the mean of c is conserved, and a seed would change it",
    ),
    "noise and a mobility formula": (
        NOISY,
        "1.0e-4}",
        "1.0e-4, mobility: 1 - c**2}",
        "a.yaml:1: model.thermal_energy: noise needs a mobility that is a number",
    ),
    "noise and a multistep scheme": (
        NOISY,
        "etdrk2",
        "sbdf2",
        "a.yaml:4: time.scheme: noise needs a one-step scheme: etdrk2, etdrk4, imex1",
    ),
    "noise and leapfrog": (
        NOISY,
        "etdrk2",
        "leapfrog",
        "a.yaml:4: time.scheme: leapfrog is for models with inertia, not cahn_hilliard",
    ),
    "noise and adaptive steps": (
        NOISY,
        "step: 1.0, ",
        "",
        "a.yaml:4: time.step: noise needs a fixed step, such as 0.1",
    ),
    "noise without correction": (
        NOISY,
        "1.0e-4}",
        "1.0e-4, noise_correction: false}",
        "a.yaml:1: model.noise_correction: etdrk2 has no variance without correction",
    ),
    "negative noise": (NOISY, "1.0e-4}", "-1}", "a.yaml:1: model.thermal_energy: must be at least 0 (got -1)"),
    "temperature of a formula": (
        NOISY,
        "1.0e-4}",
        "1.0e-4, temperature: 300}",
        "a.yaml:1: model.free_energy: does not depend on temperature: leave model.temperature out",
    ),
    "structure factor": (
        NOISY,
        "{structure_factor",
        "{structurefactor",
        "a.yaml:5: verify.structurefactor: unknown key; did you mean 'structure_factor'?",
    ),
    "temperature below zero": (
        COOLED,
        "300.0]]",
        "-300.0]]",
        "a.yaml:4: model.temperature: must be above 0 K (got -300)",
    ),
    "temperature back in time": (
        COOLED,
        "[0.5, 300",
        "[0.1, 300",
        "a.yaml:4: model.temperature: the times must increase (got 0.1 after 0.2)",
    ),
    "temperature given twice": (
        COOLED,
        "{b: 1200.0}}",
        "{b: 1200.0}, temperature: 400}",
        "a.yaml:5: model.free_energy.temperature: is given twice, here and in model.temperature",
    ),
    "no temperature": (
        COOLED,
        "  temperature: [[0.2, 650.0], [0.5, 300.0]]\n",
        "",
        "a.yaml:4: model.free_energy.temperature: is needed because the interaction depends on temperature",
    ),
    "misfit between fixed faces": (
        STRAINED,
        Y,
        "  y: {cells: 16, length: 20.0, boundary: fixed}",
        "a.yaml:4: grid: elastic strains need periodic axes",
    ),
    "misfit between faces without flux": (
        STRAINED,
        Y,
        "  y: {cells: 16, length: 20.0, boundary: no_flux}",
        "a.yaml:4: grid: elastic strains need periodic axes",
    ),
    "source and misfit": (
        STRAINED,
        "time:",
        "source: {c: 0.1}\ntime:",
        "a.yaml:8: source: fields that elasticity couples take no source yet (model cahn_hilliard)",
    ),
    "mobility formula and fixed faces": (
        STRAINED.replace(
            "  misfit: {stiffness: {cubic: {C11: 10.0, C12: 6.0, C44: 5.0}}, strain: 0.1}", "  mobility: 1 - c**2"
        ),
        Y,
        "  y: {cells: 16, length: 20.0, boundary: fixed}",
        "a.yaml:6: grid.y.boundary: a mobility that depends on the field needs axes that are periodic or without flux",
    ),
}
for case, (scenario, old, new, message) in NEW.items():
    assert old in scenario, case
    FILES[case] = (None, scenario.replace(old, new, 1), message)
FILES |= {
    "infinite potential at a face": (
        "length: 15.0",
        "length: 15.0, boundary: fixed, values: {c: 1.0e+300}",
        "a.yaml:9: grid.y.values.c: f′ is not finite where c = 1e+300",
    ),
    "one value in a list": (
        "length: 15.0",
        "length: 15.0, boundary: fixed, values: {c: [1.0]}",
        "a.yaml:9: grid.y.values.c: must have at least 2 entries",
    ),
    "value for values": (
        "length: 15.0",
        "length: 15.0, boundary: fixed, value: {c: 1.0}",
        "a.yaml:9: grid.y.value: unknown key; did you mean 'values'?",
    ),
    "mobility without value": (
        "mobility: 1.0",
        "mobility: log(c)",
        "a.yaml:4: model.mobility: the mobility log(c) is not finite everywhere between c = ",
    ),
    "mobility below zero": (
        "mobility: 1.0",
        "mobility: -1 - c**2",
        "a.yaml:4: model.mobility: is 0 everywhere between",
    ),
    "undeclared parameter of a mobility": (
        "mobility: 1.0",
        "mobility: {formula: D*c*(1 - c)}",
        "a.yaml:4: model.mobility: 'D' in column 1 is not known; valid names: c, pi",
    ),
    "unused parameter of a mobility": (
        "mobility: 1.0",
        "mobility: {formula: c*(1 - c), parameters: {D: 2.0}}",
        "a.yaml:4: model.mobility: parameter 'D' does not occur in 'c*(1 - c)'",
    ),
    "mobility formula and differences": (
        "mobility: 1.0",
        "mobility: 1 - c**2\n  laplacian: finite_difference",
        "a.yaml:5: model.laplacian: a mobility that depends on c needs laplacian: spectral",
    ),
    "source of an unknown field": (
        "seed: 1",
        "source: {phi: 1.0}",
        "a.yaml:14: source.phi: unknown field 'phi'; valid names: c",
    ),
    "source with the field in it": (
        "seed: 1",
        "source: {c: c*x}",
        "a.yaml:14: source.c: 'c' in column 1 is not known; valid names: Lx, Ly, Lz, pi, t, x, y, z",
    ),
    "infinite source": ("seed: 1", "source: {c: 1.0e+400}", "a.yaml:14: source.c: must be finite"),
    "source without value in a cell": (
        "seed: 1",
        "source: {c: log(x - 5)}",
        "a.yaml:14: source.c: is not finite everywhere at t = 0",
    ),
    "misspelt source": ("seed: 1", "sources: {c: 1.0}", "a.yaml:14: sources: unknown key; did you mean 'source'?"),
    "unknown benchmark": (
        "seed: 1",
        "benchmark: 1a",
        "a.yaml:14: benchmark: unknown benchmark '1a'; valid names: pfhub/1a,",
    ),
    "tolerance of Avrami": (
        "seed: 1",
        "verify: {avrami: 0}",
        "a.yaml:14: verify.avrami: must be greater than 0 (got 0)",
    ),
}
FILES["seeds of a conserved field"] = (
    "seed: 1",
    "nucleation: {c: {radius: 3.0, interface_width: 1.0, random: {count: 3, from: 0.0, to: 0.0}}}",
    "a.yaml:14: nucleation.c: the mean of c is conserved, and a seed would change it",
)

LINES: dict[str, tuple[str, str]] = {
    "no such file": ("run b.yaml", "b.yaml: cannot be read: No such file or directory"),
    "folder as scenario": ("run folder", "folder: is a folder, expected a scenario file (.yaml)"),
    "binary scenario": ("check binary.yaml", "binary.yaml:1: not a text file in UTF-8 (byte 0)"),
    "huge scenario": ("check huge.yaml", "huge.yaml: larger than 1000000 bytes, this is not a scenario"),
    "endless scenario": ("check /dev/zero", "/dev/zero: larger than 1000000 bytes, this is not a scenario"),
    "fields file as scenario": ("check foreign.h5", "foreign.h5:1: not a text file in UTF-8 (byte 0)"),
    "-s without =": ("run a.yaml -s time.end", "-s time.end: expected KEY=VALUE, such as -s time.end=10"),
    "-s without key": ("run a.yaml -s =3", "-s =3: expected KEY=VALUE, such as -s time.end=10"),
    "-s with an unknown key": (
        "run a.yaml -s time.ende=3",
        "-s time.ende=3: time.ende: unknown key; did you mean 'end'?",
    ),
    "-s with an unknown section": ("run a.yaml -s tme.end=3", "-s tme.end=3: tme: unknown key; did you mean 'time'?"),
    "-s with a dot too many": (
        "run a.yaml -s time..end=3",
        "-s time..end=3: 'time..end' is not a dotted key path such as time.end",
    ),
    "-s below a number": ("run a.yaml -s seed.x=3", "-s seed.x=3: seed.x: seed is a single value and has no key 'x'"),
    "-s with broken YAML": ("run a.yaml -s time={end:", "-s time={end:: not valid YAML: "),
    "-s with an alias": ("run a.yaml -s seed=*x", "-s seed=*x: aliases (*) are not allowed"),
    "-s with a tag": (
        "run a.yaml -s seed=!!python/name:os.system",
        "-s seed=!!python/name:os.system: tags (!) are not allowed",
    ),
    "-s with a wrong value": ("run a.yaml -s time.end=-1", "-s time.end=-1: time.end: must be greater than 0 (got -1)"),
    "-s without a value": ("run a.yaml -s time.end=", "-s time.end=: time.end: must be a number (got nothing)"),
    "-s with a wrong type": ("run a.yaml -s grid.x=64", "-s grid.x=64: grid.x: must be a section with the keys cells,"),
    "-s with a wrong formula": (
        "run a.yaml -s model.free_energy=phi**2",
        "-s model.free_energy=phi**2: model.free_energy: ",
    ),
    "-s that does not fit the rest": (
        "run a.yaml -s output.fields={at:[0.9]} -s time.end=0.3",
        "-s output.fields={at: [0.9]}: output.fields.at.0: 0.9 lies after time.end = 0.3",
    ),
    "-s that spoils another key": (
        "run at.yaml -s seed=3 -s time.end=0.3",
        "-s time.end=0.3: output.fields.at.1: 0.9 lies after time.end = 0.3",
    ),
    "-s beside an error of the file": (
        "run bad.yaml -s time.end=3",
        "bad.yaml:4: model.mobility: must be greater than 0 (got -1)",
    ),
    "-s with an index too large": (
        "run at.yaml -s output.fields.at.5=1",
        "-s output.fields.at.5=1: output.fields.at.5: output.fields.at is a list of 2 entries, counted from 0",
    ),
    "--test with a wrong key": (
        "run badtest.yaml --test",
        "badtest.yaml:15: test: time.ende: unknown key; did you mean 'end'?",
    ),
    "-s that adds a second initial value": (
        "run a.yaml -s initial.c.file=x.npy",
        "-s initial.c.file=x.npy: initial.c: an initial value needs exactly one of mean, expression, shapes or file; got mean",
    ),
    "run folder exists": (
        "run a.yaml -o finished",
        "'finished' already holds a run; replace it with --overwrite, or choose another folder with -o FOLDER",
    ),
    "folder with other files": (
        "run a.yaml -o folder",
        "'folder' already holds files but no run; choose another folder with -o FOLDER",
    ),
    "folder with other files, --overwrite": (
        "run a.yaml -o folder --overwrite",
        "'folder' already holds files but no run; choose another folder with -o FOLDER",
    ),
    "output is a file": ("run a.yaml -o text.npy", "'text.npy' exists and is not a folder"),
    "output below a file": ("run a.yaml -o text.npy/runs/1", "cannot make the run folder 'text.npy/runs/1': '"),
    "output where nothing can be made": ("run a.yaml -o /proc/here", "cannot write to '/proc/here': "),
    "unknown device": ("run a.yaml --device tpu", "unknown device 'tpu'; valid names: auto, cpu, gpu"),
    "no threads": ("run a.yaml --threads 0", "the number of threads must be at least 1, got 0"),
    "threads is text": ("run a.yaml --threads many", "invalid value for '--threads': "),
    "unknown command": ("runn a.yaml", "no such command 'runn'"),
    "unknown option": ("run a.yaml --speed 3", "no such option: --speed"),
    "no scenario": ("run", "missing argument 'scenario' (see phasefield run --help)"),
    "two scenarios": ("run a.yaml b.yaml", "unexpected argument"),
    "option without a value": ("run a.yaml -o", "option '-o' requires an argument"),
    "verify nothing": ("verify nowhere", "'nowhere' does not exist"),
    "verify a folder": ("verify folder", "'folder' is not a run folder: it has no fields.vtkhdf"),
    "verify a scenario": ("verify a.yaml", "cannot read 'a.yaml': "),
    "verify somebody's file": ("verify foreign.h5", "'foreign.h5' is an HDF5 file, but not one of phasefield"),
    "verify a damaged file": ("verify damaged", "cannot read 'damaged/fields.vtkhdf': "),
    "verify an empty shell": ("verify shell.h5", "'shell.h5' is incomplete: it holds no scenario"),
    "plot a folder": ("plot folder", "'folder' is not a run folder: it has no fields.vtkhdf"),
    "plot somebody's file": ("plot foreign.h5", "'foreign.h5' is an HDF5 file, but not one of phasefield"),
    "plot a damaged file": ("plot damaged", "cannot read 'damaged/fields.vtkhdf': "),
    "plot an empty shell": ("plot shell.h5", "'shell.h5' is incomplete: it holds no scenario"),
    "convergence without a solution": (
        "convergence a.yaml",
        "a.yaml: manufactured: is missing; a convergence study needs an exact solution",
    ),
    "convergence of one step": ("convergence made.yaml --time 1", "a study takes two or more steps in time"),
    "convergence with no step": (
        "convergence made.yaml --step 0",
        "the largest step must lie between 0 and time.end = 1",
    ),
    "convergence beyond the end": (
        "convergence made.yaml --step 5",
        "the largest step must lie between 0 and time.end = 1",
    ),
    "convergence with nan": (
        "convergence made.yaml --step nan",
        "the largest step must lie between 0 and time.end = 1",
    ),
    "convergence, steps as text": ("convergence made.yaml --time many", "invalid value for '--time': "),
    "convergence of too many steps": ("convergence made.yaml --time 60", "a study takes at most 16 steps in time"),
    "convergence on too many cells": (
        "convergence made.yaml --time 2 --space 30",
        "30 grids, each with twice the cells, end at 4294967296 × 4294967296 cells: choose fewer with --space",
    ),
    "export of what": ("export damaged", "choose what to write: --csv or --pfhub"),
    "export of both": ("export damaged --csv --pfhub", "choose what to write: --csv or --pfhub"),
    "export of nothing": ("export nowhere --csv", "'nowhere' does not exist"),
    "export of a scenario": ("export a.yaml --csv", "cannot read 'a.yaml': "),
    "export of no run": ("export --csv", "missing argument 'runs' (see phasefield export --help)"),
    "unknown model to list": ("models cahn", "unknown model 'cahn'; did you mean "),
    "new of an unknown model": ("new b --model allen", "unknown model 'allen'; did you mean 'allen_cahn'?"),
    "new that exists": ("new a", "'a.yaml' exists; choose another name"),
    "new without a name": ("new .", "'.' is not a name for a scenario"),
    "new in no folder": ("new none/b", "cannot write 'none/b.yaml': No such file or directory"),
    "schema in no folder": ("schema -o none/b.json", "cannot write 'none/b.json': No such file or directory"),
}


def make_workplace(folder: Path) -> None:
    """Files the cases refer to."""
    (folder / "a.yaml").write_text(GOOD)
    (folder / "bad.yaml").write_text(GOOD.replace("mobility: 1.0", "mobility: -1"))
    (folder / "badtest.yaml").write_text(GOOD.replace("time.end: 0.5", "time.ende: 0.5"))
    (folder / "at.yaml").write_text(GOOD.replace("every: 0.5", "at: [0.1, 0.9]").replace("test: {time.end: 0.5}\n", ""))
    (folder / "made.yaml").write_text(MADE)
    (folder / "binary.yaml").write_bytes(b"\xff\xfe\x00\x01" * 100)
    (folder / "huge.yaml").write_bytes(b"# a long comment\n" * 100_000)
    (folder / "text.npy").write_text("not an array")
    np.save(folder / "wrong.npy", np.zeros((3, 4)))
    for name in ("folder", "damaged", "finished"):
        (folder / name).mkdir()
    (folder / "folder/notes.txt").write_text("mine")
    (folder / "folder/scenario.yaml").write_text("mine, too")
    (folder / "damaged/fields.vtkhdf").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\x00" * 500)
    (folder / "finished/fields.vtkhdf").write_bytes(b"precious")
    with h5py.File(folder / "foreign.h5", "w") as file:
        file["data"] = np.zeros(3)
    with h5py.File(folder / "shell.h5", "w") as file:
        file.attrs["phasefield_format"] = 1


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_workplace(tmp_path)
    return tmp_path


def changed(old: str | None, new: str) -> str:
    """The good scenario with one change."""
    if old is None:
        return new
    assert old in GOOD
    return GOOD.replace(old, new, 1)


@pytest.mark.parametrize("case", FILES)
def test_bad_scenario(workplace, case):
    old, new, message = FILES[case]
    (workplace / "a.yaml").write_text(changed(old, new))
    before = contents(workplace)
    check_complaint(*call("run", "a.yaml", "--threads", "1"), message)
    assert contents(workplace) == before


@pytest.mark.parametrize("case", LINES)
def test_bad_command_line(workplace, case):
    arguments, message = LINES[case]
    before = contents(workplace)
    check_complaint(*call(*arguments.split()), message)
    assert contents(workplace) == before


def test_check_says_the_same_as_run(workplace):
    for case in ("negative gradient energy", "wrong value in test", "axis that is not there"):
        old, new, message = FILES[case]
        (workplace / "a.yaml").write_text(changed(old, new))
        check_complaint(*call("check", "a.yaml"), message)


def test_a_grid_larger_than_the_memory(workplace, monkeypatch):
    monkeypatch.setattr("phasefield.analysis.predict._physical_memory", lambda: 1e3)
    before = contents(workplace)
    for command in ("run", "check"):
        check_complaint(
            *call(command, "a.yaml"), "a.yaml:7: grid: 16 × 12 cells need 0.0 GiB of memory, this machine has"
        )
    assert contents(workplace) == before


def test_several_mistakes_are_listed_together(workplace):
    text = GOOD.replace("mobility: 1.0", "mobility: -1").replace("cells: 16", "cells: 1").replace("seed: 1", "sed: 1")
    (workplace / "a.yaml").write_text(text)
    code, _, err = call("run", "a.yaml")
    assert code == 2
    first, *rest = err.splitlines()
    assert first.startswith("phasefield: error: a.yaml:4: model.mobility: ") or first.startswith(
        "phasefield: error: a.yaml:8: "
    )
    assert len(rest) == 2
    assert all(line.startswith("  a.yaml:") for line in rest)


def test_names_of_files_are_as_typed(workplace):
    (workplace / "sub").mkdir()
    (workplace / "sub/b.yaml").write_text(GOOD.replace("seed: 1", "seed: -1"))
    for typed in ("sub/b.yaml", str(workplace / "sub/b.yaml"), "sub/../sub/b.yaml"):
        check_complaint(*call("check", typed), f"{typed}:14: seed: must be at least 0 (got -1)")


def test_dict_scenarios_and_overrides_from_python():
    import phasefield as pf

    with pytest.raises(pf.InputError, match=r"^scenario: model: is missing"):
        pf.load_scenario({"grid": {"x": {"cells": 16, "length": 1.0}}, "initial": {"c": 0.0}, "time": {"end": 1.0}})
    good = {
        "model": {"name": "cahn_hilliard"},
        "grid": {"x": {"cells": 16, "length": 1.0}},
        "initial": {"c": 0.0},
        "time": {"end": 1.0},
    }
    with pytest.raises(pf.InputError, match=r"^override time.end=-1: time.end: must be greater than 0 \(got -1\)$"):
        pf.load_scenario(good, {"time.end": -1})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            "run a.yaml -s model.gradient_energy=-1",
            "-s model.gradient_energy=-1: model.gradient_energy: must be greater",
        ),
        ("check binary.yaml", "binary.yaml:1: not a text file"),
        ("verify damaged", "cannot read 'damaged/fields.vtkhdf': "),
        ("run a.yaml --threads many", "invalid value for '--threads': "),
        ("run a.yaml -o text.npy/x", "cannot make the run folder 'text.npy/x': "),
    ],
)
def test_as_a_process(workplace, arguments, message):
    before = contents(workplace)
    command = [sys.executable, "-m", "phasefield", *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}, check=False)
    check_complaint(done.returncode, done.stdout, done.stderr, message)
    assert contents(workplace) == before


def _show() -> None:
    """Print the message of every case."""
    os.chdir(tempfile.mkdtemp())
    make_workplace(Path())
    for case, (arguments, _) in LINES.items():
        print(f"[{case}] {call(*arguments.split())[2].removeprefix('phasefield: error: ')}", end="")
    for case, (old, new, _) in FILES.items():
        Path("a.yaml").write_text(changed(old, new))
        print(f"[{case}] {call('run', 'a.yaml')[2].removeprefix('phasefield: error: ')}", end="")


if __name__ == "__main__":
    _show()
