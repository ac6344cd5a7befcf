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
  x: {{cells: 128, length: 128.0}}
  y: {{cells: 128, length: 128.0}}           # leave y out for one dimension, add z for three
initial:
{initial}time:
  end: 100.0
  step: {{tolerance: 1.0e-4}}                # or a number: a fixed step
output:
  fields: {{every: 10.0}}                    # frames in fields.vtkhdf
  history: {{every: 0.5}}                    # rows of energies, means and extremes
seed: 1
test: {{time.end: 10.0}}                     # overrides that make this a quick test
"""

_FORMULA = "0.25*({field}**2 - 1)**2"


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
            value = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000).strip()
        if key == "free_energy" and key not in lookup_model.example:
            value = _FORMULA.format(field=field)
        if not isinstance(value, BaseModel | list):
            lines.append(f"  {key + ': ' + str(value):<41} # {info.description}\n")
    initial = "".join(f"  {f}: {{mean: 0.0, noise: 0.01}}\n" for f in built.fields)
    text = _TEMPLATE.format(name=path.stem, model=model, parameters="".join(lines), initial=initial)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InputError(f"'{path}' exists; choose another name") from None
    except OSError as error:
        raise InputError(f"cannot write '{path}': {error.strerror}") from None
    return path
