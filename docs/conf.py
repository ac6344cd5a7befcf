"""Sphinx configuration. `python -m sphinx -W -b html docs docs/_build/html` builds the pages."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from generate_reference import scenario_reference  # noqa: E402

from phasefield.scenario import json_schema  # noqa: E402

project = "phasefield"
author = "The phasefield developers"
copyright = author
release = version = importlib.metadata.version("phasefield")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
myst_enable_extensions = ["dollarmath", "amsmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "phasefield"
html_static_path = ["_static"]
html_css_files = ["style.css"]
language = "en_GB"
# Single backticks in docstrings mark code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_use_rtype = False


def _generate() -> None:
    """Write the scenario reference; left alone when nothing changed, so that Sphinx need not read it again."""
    page, text = HERE / "reference" / "scenario.md", scenario_reference(json_schema())
    if not page.exists() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def _escape(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """|∇φ|² and (*shape, N) in a docstring are what they are, not marks of reStructuredText."""
    lines[:] = [line.replace("|", "\\|").replace("(*", "(\\*") for line in lines]


# Napoleon takes what stands before a colon for a type where a property is described; it does not see this character.
_COLON = "\ue000"


def _hide_colons(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    if what == "property":
        lines[:] = [line.replace(":", _COLON) for line in lines]


def _show_colons(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    lines[:] = [line.replace(_COLON, ":") for line in lines]


def setup(app: Any) -> None:
    """Called by Sphinx."""
    _generate()
    app.connect("autodoc-process-docstring", _hide_colons, priority=100)
    app.connect("autodoc-process-docstring", _escape)
    app.connect("autodoc-process-docstring", _show_colons, priority=900)
