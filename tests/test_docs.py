"""Documentation cannot rot: every fenced block of README and docs runs or is validated, links lead somewhere, pages exist.

A page is executed from top to bottom in a folder of its own, where `scenarios/` holds the repository's scenarios with their
`test:` overrides and more applied, so that the commands a reader types are quick here. Blocks are

* `python`: run, all blocks of a page in one namespace. A first line `# some/name.py` makes it a file of the page's folder too;
* `yaml`: validated as a scenario; a first line `# name.yaml` makes it a file. Fragments are completed from a base scenario,
  documents separated by `---` are validated one by one;
* `bash`: lines that call phasefield run in this process and must end with 0, or with the code in a comment `# exit N`; other
  lines must start with one of `NOT_RUN`. Of the quick start, the part behind the installation is run;
* `text`, and directives of the documentation in braces: not run.
"""

from __future__ import annotations

import contextlib
import copy
import io
import os
import re
import shlex
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
import yaml

import phasefield.crack_growth
import phasefield.gradient_flow
import phasefield.models
import phasefield.output.pfhub  # noqa: F401 - all fill the registry
from phasefield import registry
from phasefield.scenario import json_schema, load_scenario, scenario_class
from phasefield.scenario.document import override, parse_document

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# The scenario reference is made by the build of the documentation, and tested below.
GENERATED = {DOCS / "reference" / "scenario.md"}
PAGES = sorted({*ROOT.glob("*.md"), *DOCS.rglob("*.md")} - GENERATED - set((DOCS / "_build").rglob("*.md")))
MODELS = registry.names("model")
SCENARIOS = sorted((ROOT / "scenarios").glob("*.yaml"))
QUICK_START = (
    "pip install -e . && python -m phasefield run scenarios/spinodal.yaml",
    'pip install -e ".[test]" && python -m pytest',
)
NOT_RUN = (QUICK_START[1], "pip uninstall -y ducc0", "ruff ", "pyright ", "python -m sphinx ")
BASE: dict[str, Any] = {
    "grid": {"x": {"cells": 32, "length": 32.0}, "y": {"cells": 32, "length": 32.0}},
    "time": {"end": 100.0},
}
# Beyond the `test:` overrides of the scenarios, where steps are adaptive.
QUICKER: dict[str, Any] = {"time.step.tolerance": 1e-3}
QUICKEST: dict[str, dict[str, Any]] = {
    "spinodal": {**{f"grid.{a}": {"cells": 96, "length": 96.0} for a in "xy"}, "time.end": 40.0},
    "off_critical": {"grid.x": {"cells": 96, "length": 144.0}, "time.end": 60.0},
    "shrinking_disc": {"time.end": 100.0},
}

_FENCE = re.compile(r"^```(.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
_PATH = re.compile(r"`((?:phasefield|scenarios|docs|tests)/[\w./]+?\.(?:py|yaml|md))`")


def page_id(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of every fenced block."""
    return [(m[1].strip(), m[2]) for m in _FENCE.finditer(page.read_text(encoding="utf-8"))]


def runnable(page: Path) -> bool:
    return any(language in ("python", "yaml", "bash") for language, _ in blocks(page))


# --- execution ----------------------------------------------------------------------------------------------------


@pytest.fixture
def clean_registry():
    """A page may register a model: forget it afterwards, and the schemas made from it."""
    before = {kind: dict(entries) for kind, entries in registry._entries.items()}
    yield
    registry._entries.clear()
    registry._entries.update(before)
    _forget_schemas()


def _forget_schemas() -> None:
    scenario_class.cache_clear()
    json_schema.cache_clear()


@pytest.fixture(scope="module")
def quick_scenarios(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "scenarios"
    for path in sorted((ROOT / "scenarios").rglob("*.yaml")):
        document = parse_document(path.read_text(encoding="utf-8"), path.name)
        quicker = {} if isinstance(document.data["time"].get("step"), float) else QUICKER
        for key, value in {**document.data["test"], **quicker, **QUICKEST.get(path.stem, {})}.items():
            override(document, key, copy.deepcopy(value), path.name)
        target = folder / path.relative_to(ROOT / "scenarios")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(document.data, sort_keys=False), encoding="utf-8")
    return folder


@pytest.mark.parametrize("page", [p for p in PAGES if runnable(p)], ids=page_id)
def test_blocks_of_the_page_run(page, quick_scenarios, tmp_path, monkeypatch, clean_registry):
    (tmp_path / "scenarios").symlink_to(quick_scenarios)
    monkeypatch.chdir(tmp_path)
    # Figures are drawn as ever, only smaller.
    monkeypatch.setattr("phasefield.visual.plot.DPI", 30)
    # A real module, because pydantic looks for the names in annotations there.
    module = types.ModuleType("page")
    monkeypatch.setitem(sys.modules, "page", module)
    for number, (language, text) in enumerate(blocks(page), start=1):
        place = f"{page_id(page)}, block {number}"
        _save(text)
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(text, place, "exec"), module.__dict__)
            if "@register" in text:
                _forget_schemas()
        elif language == "yaml":
            _validate(text, place)
        elif language == "bash":
            for line in text.splitlines():
                _command(line, place, monkeypatch)
        else:
            assert language == "text" or language.startswith("{"), (
                f"{place}: tag ```{language} is neither run nor ```text"
            )


def _save(text: str) -> None:
    """Write a block whose first line is a comment with a file name."""
    name = re.match(r"^# ([\w./]+\.(?:py|yaml))$", text.splitlines()[0] if text.strip() else "")
    if name:
        Path(name[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(name[1]).write_text(text, encoding="utf-8")


def _validate(text: str, place: str) -> None:
    for part in re.split(r"^---$", text, flags=re.MULTILINE):
        data = parse_document(part, place).data
        load_scenario(_completed(data))
        if "test" in data:
            load_scenario(_completed(data), test=True)


def _completed(fragment: dict[str, Any]) -> dict[str, Any]:
    """A fragment with the sections it leaves out; the model follows the field of `initial`, the field the model."""
    data = copy.deepcopy(fragment)
    field = next(iter(data.get("initial", {})), None)
    if "model" not in data:
        data["model"] = {"name": "allen_cahn" if field == "phi" else "cahn_hilliard"}
    if field is None and "manufactured" not in data:
        data["initial"] = {"phi" if data["model"]["name"] == "allen_cahn" else "c": 0.1}
    if "disc" in str(data.get("initial")):
        data["grid"] = {"x": {"cells": 128, "length": 128.0}, "y": {"cells": 128, "length": 128.0}}
    return {**copy.deepcopy(BASE), **data}


def _command(line: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command, _, comment = line.partition("   # ")
    if command == QUICK_START[0]:
        command = command.partition(" && ")[2]
    if not command.strip() or any(command.startswith(start) for start in NOT_RUN):
        return
    words = shlex.split(command)
    with monkeypatch.context() as patch:
        while "=" in words[0] and not words[0].startswith("-"):
            patch.setenv(*words.pop(0).split("=", 1))
        if words[:3] == ["python", "-m", "phasefield"]:
            words = words[2:]
        assert words[0] == "phasefield", f"{place}: '{line}' is neither run nor among NOT_RUN"
        patch.setattr(sys, "argv", words)
        code, output = _call_main()
    expected = re.search(r"exit (\d+)", comment)
    wanted = int(expected[1]) if expected else 0
    assert code == wanted, f"{place}: '{line}' ended with {code}, not {wanted}\n{output}"


def _call_main() -> tuple[int, str]:
    from phasefield.cli import main

    output = io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), output.getvalue()
    return 0, output.getvalue()


# --- README -------------------------------------------------------------------------------------------------------


def test_readme_holds_the_two_commands_of_the_quick_start():
    lines = [line for language, text in blocks(ROOT / "README.md") if language == "bash" for line in text.splitlines()]
    for command in QUICK_START:
        assert command in lines


@pytest.mark.parametrize("name", MODELS)
def test_readme_lists_the_model_with_its_equation(name):
    rows = [
        r
        for r in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if f"`{name}`" in r and r.startswith("|")
    ]
    assert len(rows) == 1
    assert registry.lookup("model", name).equation.replace("|", "\\|") in rows[0]


def test_the_picture_is_small():
    for picture in (DOCS / "images").glob("*.png"):
        assert picture.stat().st_size < 300_000, picture.name
    for movie in (DOCS / "images").glob("*.gif"):
        assert movie.stat().st_size < 3_000_000, movie.name


# --- what a registered thing has to bring -------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_model_has_a_theory_page_in_the_contents(name):
    assert (DOCS / "theory" / f"{name}.md").is_file()
    assert f"theory/{name}\n" in (DOCS / "index.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_model_has_a_scenario(name):
    assert name in {load_scenario(path).settings.model.name for path in SCENARIOS}


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda p: p.stem)
def test_scenario_has_a_header_a_test_block_and_reference_numbers(path):
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 40
    header = "".join(line for line in text.splitlines() if line.startswith("# "))
    assert "Run time" in header
    assert load_scenario(path).settings.test
    assert (ROOT / "tests" / "reference" / f"{path.stem}.json").is_file()


# --- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_links_lead_somewhere(page):
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path = (page.parent / target.partition("#")[0]).resolve() if not target.startswith("#") else page
        assert path.exists() or path in GENERATED, f"link to {target}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_named_files_exist(page):
    for name in _PATH.findall(page.read_text(encoding="utf-8")):
        if "driven_allen_cahn" not in name:
            assert (ROOT / name).exists(), name


def test_every_command_and_option_is_documented():
    import typer

    from phasefield.cli import app

    text = (DOCS / "reference" / "command_line.md").read_text(encoding="utf-8")
    for name, command in typer.main.get_command(app).commands.items():  # type: ignore[attr-defined]
        assert re.search(rf"^\| `{name}\b", text, re.MULTILINE), name
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("--") and option != "--help":
                    assert re.search(rf"`{option}\b", text), f"{name} {option}"


def test_every_public_name_is_documented():
    import phasefield

    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    for name in phasefield.__all__:
        assert f":: phasefield.{name}\n" in text, name


def test_every_key_of_the_schema_is_in_the_reference(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    from generate_reference import scenario_reference

    text, schema = scenario_reference(json_schema()), json_schema()
    for definition in (schema, *schema["$defs"].values()):
        for key, value in definition.get("properties", {}).items():
            assert f"| `{key}` |" in text
            description = value.get("description", "").split("|")[0].split("*")[0].split("<")[0].strip()
            assert description in text
    assert text.count("**required**") >= sum(len(d.get("required", ())) for d in (schema, *schema["$defs"].values()))


def test_documentation_builds_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "sphinx", "-W", "-q", "-b", "html", "-d", str(tmp_path / "trees"), str(DOCS)]
    result = subprocess.run([*command, str(tmp_path / "html")], capture_output=True, text=True, env={**os.environ})
    assert result.returncode == 0, result.stderr
    page = (tmp_path / "html" / "reference" / "scenario.html").read_text(encoding="utf-8")
    assert "gradient_energy" in page


def test_citation_file_is_complete():
    data = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert data["type"] == "software"
    assert data["license"] == "BSD-3-Clause"
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{data["version"]}"' in pyproject
    assert {"cff-version", "message", "title", "authors"} <= set(data)
