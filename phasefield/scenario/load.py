"""From a file (or a dict) and overrides to a validated scenario."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from phasefield.errors import InputError
from phasefield.initial.nuclei import Nucleus, nuclei_of
from phasefield.kernels.expressions import Expression
from phasefield.models.base import Model
from phasefield.models.manufactured import source_terms
from phasefield.scenario.document import Document, Path_, dotted, override, read_document, scalar
from phasefield.scenario.messages import Problem, problems, shown
from phasefield.scenario.schema import build_model, scenario_class
from phasefield.scenario.space_time import parse_all
from phasefield.scenario.verify_sections import CHECKS_OF, VerifySection
from phasefield.scenario.whole import check_whole
from phasefield.spectral.grid import Grid

# Mistakes listed at once.
_SHOWN = 8


@dataclass(frozen=True)
class LoadedScenario:
    """A validated scenario and where it came from.

    settings: the validated sections; source: file name for messages; folder: where relative paths in it start;
    name: the file's stem, which names the run folder; document: the lines of the keys, for messages.
    """

    settings: Any
    source: str
    folder: Path
    name: str
    document: Document = field(repr=False, compare=False)

    @cached_property
    def grid(self) -> Grid:
        return self.settings.grid.build()

    @cached_property
    def model(self) -> Model:
        return build_model(self.settings)

    @cached_property
    def exact(self) -> dict[str, Expression]:
        """The manufactured solution of every field, or nothing."""
        return parse_all("manufactured", self.settings.manufactured, self.grid)

    @cached_property
    def sources(self) -> dict[str, Expression]:
        """s(x, y, z, t) of every field that has one: as given, or derived from a manufactured solution."""
        if self.exact:
            return source_terms(self.model, self.exact)
        return parse_all("source", self.settings.source, self.grid)

    @cached_property
    def nuclei(self) -> tuple[Nucleus, ...]:
        """All seeds in the order in which they appear."""
        return nuclei_of(self.settings.nucleation, self.grid, self.settings.seed)

    @property
    def first_nucleus(self) -> float:
        """When the first seed appears during the run; infinite when none does."""
        return min((n.time for n in self.nuclei if n.time > 0.0), default=math.inf)

    @property
    def forced(self) -> bool:
        """Whether any field has a source."""
        return bool(self.settings.source or self.settings.manufactured)

    @cached_property
    def loses_energy(self) -> bool:
        """Whether F can only decrease while loads and temperature stay as they are, and from one seed to the next."""
        exchanges = any(self._exchanges(name) for name in self.model.fields)
        return self.model.loses_energy and not self.forced and not exchanges

    def keeps_mean(self, name: str) -> bool:
        """Whether the mean of a field cannot change."""
        has_source = name in self.settings.source or name in self.settings.manufactured
        return self.model.fields[name].conserved and not has_source and not self.grid.fixed

    def _exchanges(self, name: str) -> bool:
        """Whether matter passes faces at which its chemical potential is not zero at all times, so that F may grow."""
        model, grid = self.model, self.grid
        if not (grid.fixed and model.fields[name].conserved):
            return False
        axes = [axis for axis in grid.axes if axis.boundary == "fixed"]
        ends = [{n: axis.ends(n)[side] for n in model.fields} for axis in axes for side in (0, 1)]
        times = (0.0, *model.events)
        return any(abs(model.potential_of_uniform(name, state, t)) > 1e-12 for state in ends for t in times)

    def resolved(self) -> dict[str, Any]:
        """Every setting written out, defaults included, file names absolute; running it again reproduces the run."""
        data = self.settings.model_dump(mode="json", exclude_none=True)
        order = [
            "title",
            "benchmark",
            "model",
            "grid",
            "initial",
            "fixed",
            "nucleation",
            "source",
            "manufactured",
            "time",
        ]
        order += ["output", "checkpoint", "seed", "precision"]
        data.pop("test", None)
        if self.model.evolution != "gradient_flow":
            # Defaults for which these runs have no use, and which they refuse.
            data["time"].pop("scheme")
            if isinstance(data["time"]["step"], dict):
                data["time"]["step"].pop("tolerance")
        if isinstance(checks := self.settings.verify, VerifySection):
            others = {n for own in CHECKS_OF.values() for n in own} - set(CHECKS_OF[self.model.evolution])
            data["verify"] = {
                k: v for k, v in data["verify"].items() if k not in others or k in checks.model_fields_set
            }
        optional = ("initial", "fixed", "nucleation", "source", "manufactured")
        data = {k: v for k, v in data.items() if v or k not in optional}
        for section in ("model", "initial", "fixed"):
            _make_absolute(data.get(section), self.folder)
        return {k: data[k] for k in sorted(data, key=lambda k: order.index(k) if k in order else len(order))}

    def resolved_yaml(self) -> str:
        """`resolved` as YAML."""
        return yaml.dump(self.resolved(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)

    def located(self, error: InputError) -> InputError:
        """The same error with the file and line of the key path with which its message begins, if it does."""
        path, colon, _ = str(error).partition(":")
        keys: Path_ = tuple(int(p) if p.isdigit() else p for p in path.split("."))
        known = colon and keys[0] in type(self.settings).model_fields
        return InputError(f"{self.document.place(keys)}: {error}") if known else error


def _make_absolute(value: Any, folder: Path) -> None:
    """Files named anywhere in a section, with their whole paths."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    if isinstance(value, dict) and isinstance(value.get("file"), str):
        value["file"] = str((folder / value["file"]).resolve())
    for part in parts:
        _make_absolute(part, folder)


class _Dumper(yaml.SafeDumper):
    """Quotes every text that would be read back as something else."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    plain = isinstance(scalar(value), str)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else "'")


_Dumper.add_representer(str, _text)


@cache
def json_schema() -> dict[str, Any]:
    """JSON Schema of scenarios, for editors and for the reference page."""
    schema = scenario_class().model_json_schema()
    schema["title"] = "phasefield scenario"
    return schema


def load_scenario(
    scenario: str | Path | Mapping[str, Any] | LoadedScenario,
    overrides: Mapping[str, Any] | None = None,
    *,
    test: bool = False,
    override_source: str = "override",
) -> LoadedScenario:
    """Read and validate a scenario, its `test:` block included.

    Args:
        scenario: path of a YAML file, or the same content as a dict.
        overrides: dotted key paths and their values, applied after the `test:` block.
        test: apply the scenario's own `test:` overrides.
        override_source: how messages call the place an override came from, such as `-s`.

    Raises:
        InputError: anything wrong, named by file, line (or override) and key path.
    """
    document, folder, name = _open(scenario)
    if isinstance(scenario, LoadedScenario) and not overrides and not test:
        return scenario
    if not isinstance(document.data, dict):
        where = f"{document.source}:{document.lines[()]}" if () in document.lines else document.source
        raise InputError(f"{where}: expected sections such as model: and grid:, got {shown(document.data)}")
    written = copy.deepcopy(document.data)
    untouched = copy.deepcopy(document)
    if test:
        _apply_test(document)
    for key, value in (overrides or {}).items():
        override(document, str(key), copy.deepcopy(value), f"{override_source} {key}={_short(value)}")
    loaded, found = _validate(document, folder, name)
    if found or loaded is None:
        raise _error(found, document, written)
    if not test and untouched.data.get("test"):
        _apply_test(untouched)
        if found := _caused(_validate(untouched, folder, name)[1], written):
            raise _error(found, untouched, written)
    return loaded


def _open(scenario: str | Path | Mapping[str, Any] | LoadedScenario) -> tuple[Document, Path, str]:
    """The document, the folder in which its relative paths start, and its name."""
    if isinstance(scenario, LoadedScenario):
        lines = copy.deepcopy(scenario.document)
        return (
            Document(scenario.resolved(), lines.source, lines.lines, lines.overridden),
            scenario.folder,
            scenario.name,
        )
    if isinstance(scenario, Mapping):
        return Document(copy.deepcopy(dict(scenario)), "scenario"), Path.cwd(), "scenario"
    path = Path(scenario)
    if path.is_dir():
        raise InputError(f"{path}: is a folder, expected a scenario file (.yaml)")
    return read_document(path), path.resolve().parent, path.stem


def _apply_test(document: Document) -> None:
    """Apply the `test:` block of a scenario to itself."""
    block = document.data.get("test") or {}
    if not isinstance(block, dict):
        raise InputError(
            f"{document.place(('test',))}: test: must be a section of overrides such as {{time.end: 20.0}} (got {shown(block)})"
        )
    for key, value in block.items():
        override(document, str(key), copy.deepcopy(value), f"{document.place(('test', key))}: test")


def _short(value: Any) -> str:
    """A value as it would be typed."""
    text = "" if value is None else yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True)
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if len(text) <= 60 else text[:57] + "…"


def _validate(document: Document, folder: Path, name: str) -> tuple[LoadedScenario | None, list[Problem]]:
    try:
        settings = scenario_class().model_validate(document.data)
    except ValidationError as error:
        return None, problems(error, document.data, json_schema())
    loaded = LoadedScenario(settings, document.source, folder, name, document)
    return loaded, check_whole(loaded)


def _caused(found: list[Problem], written: dict[str, Any]) -> list[Problem]:
    """The problems which the scenario as written, without overrides, does not have."""
    _, before = _validate(Document(written, ""), Path(), "")
    return [p for p in found if p not in before]


def _error(found: list[Problem], document: Document, written: dict[str, Any]) -> InputError:
    """Every problem as `place: key path: what is wrong`. The place is an override where that caused the problem."""
    caused = _caused(found, written) if document.overridden else []
    lines = []
    for problem in sorted(found, key=lambda p: document.line(p.path)):
        by_override = problem in caused and document.override_of(problem.path) is None
        place = document.nearest_override(problem.path) if by_override else document.place(problem.path)
        lines.append(f"{place}: {dotted(problem.path) or 'scenario'}: {problem.text}")
    if len(lines) > _SHOWN:
        lines[_SHOWN:] = [f"… and {len(lines) - _SHOWN} more"]
    return InputError("\n".join(lines))
