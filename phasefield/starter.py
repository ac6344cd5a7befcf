"""Starter scenarios for `phasefield new`."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel

import phasefield.models  # noqa: F401 - fills the registry
from phasefield.errors import InputError
from phasefield.registry import lookup

_TEMPLATE = """\
# {name}: say here what is simulated, in which units, after which paper, and how long it takes.
model:
  name: {model}
{parameters}grid:
  x: {{cells: 128, length: 128.0{boundary}}}
  y: {{cells: 128, length: 128.0{boundary}}}           # leave y out for one dimension, add z for three
initial:
{initial}time:
  end: {end}
{step}output:
  fields: {{every: {frames}}}                    # frames in fields.vtkhdf
  history: {{every: {rows}}}                    # rows of energies, means and extremes
seed: 1
test: {{time.end: {frames}}}                     # overrides that make this a quick test
"""

# Sections that take more characters than this on a line are written in lines of their own.
_LONG = 80
_FORMULA = "0.25*({field}**2 - 1)**2"


def _block(section: dict) -> str:
    """A section in lines of their own, its short parts on one line each."""
    lines = []
    for key, value in section.items():
        if isinstance(value, dict) and any(isinstance(v, dict) for v in value.values()):
            lines.append(f"    {key}:")
            lines += [f"      {k}: {_flow(v)}" for k, v in value.items()]
        else:
            lines.append(f"    {key}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _flow(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).removesuffix("\n...\n").strip()


def write_starter(name: str, model: str) -> Path:
    """Write `name`.yaml, a scenario of `model` ready to run; raises `InputError` when the file exists."""
    lookup_model = lookup("model", model)
    if not Path(name).name:
        raise InputError(f"'{name}' is not a name for a scenario")
    path = Path(name if name.endswith((".yaml", ".yml")) else f"{name}.yaml")
    parameters = lookup_model.Params.model_fields
    lines = []
    built = lookup_model(lookup_model.Params.model_validate({"name": model, **lookup_model.example}), 2)
    field = next(iter(built.fields))
    for key, info in parameters.items():
        if key in ("name", "laplacian") or (info.default is None and key not in lookup_model.example):
            continue
        value = lookup_model.example.get(key, "2.0" if key == "gradient_energy" else info.default)
        if isinstance(value, dict):
            flow = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).strip()
            if len(flow) > _LONG:
                lines.append(f"  {key + ':':<41} # {info.description}\n{_block(value)}")
                continue
            value = flow
        elif isinstance(value, bool):
            value = str(value).lower()
        if key == "free_energy" and key not in lookup_model.example:
            value = _FORMULA.format(field=field)
        if isinstance(value, list) and key in lookup_model.example:
            value = _flow(value)
        if not isinstance(value, BaseModel | list):
            lines.append(f"  {key + ': ' + str(value):<41} # {info.description}\n")
    means = lookup_model.example_means
    # On a state that is not 0, little noise leaves a linear regime to be verified.
    initial = "".join(
        f"  {f}: {{mean: {means.get(f, 0.0)}, noise: {0.002 if means else 0.01}}}\n" for f in built.fields
    )
    step = "  step: {tolerance: 1.0e-4}                  # or a number: a fixed step\n"
    if lookup_model.evolution != "gradient_flow":
        initial = "  phi: {shapes: [{slit: {from: [0.0, 64.5], to: [40.0, 64.5]}}]}   # a crack; or pores and notches: regions\n"
        step = "  step: 5.0                              # or {first, min, max}: steps by the passes they take\n"
    boundary, (end, frames, rows) = "", ("100.0", "10.0", "0.5")
    if lookup_model.evolution == "crack_dynamics":
        # Waves cross the body in 4: what acts on its faces has cracked it by 10.
        boundary, (end, frames, rows) = ", boundary: no_flux", ("10.0", "1.0", "0.1")
        step = "  step: {}                               # as long as is stable; or a number\n"
    text = _TEMPLATE.format(
        name=path.stem, model=model, parameters="".join(lines), initial=initial, step=step,
        boundary=boundary, end=end, frames=frames, rows=rows,
    )  # fmt: skip
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"'{path}' exists; choose another name") from None
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror}") from None
    return path
