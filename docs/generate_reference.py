"""The scenario reference as Markdown, made from the JSON Schema so that it cannot differ from what is accepted."""

from __future__ import annotations

import json
import re
from typing import Any

_INTRODUCTION = """\
# Scenario reference

Generated from the schema that validates every scenario (`phasefield schema` prints it for editors). Anything not listed
here is an error: an unknown key, a second key of the same name, a wrong type, an impossible value. Values are plain YAML 1.2
scalars (`1e-3` is a number, `yes` is text); anchors, aliases and tags are refused. On the command line every key can be set
by its dotted path: `-s time.end=10 -s grid.x.cells=128`.
"""


class _Section:
    """A definition of the schema: how it is headed, and the key paths under which it may be written."""

    def __init__(self, definition: dict[str, Any]):
        self.definition = definition
        self.paths: list[str] = []
        self.with_key = ""

    @property
    def constant(self) -> str:
        """The name by which this alternative is chosen, if it is chosen by name."""
        return self.definition.get("properties", {}).get("name", {}).get("const", "")

    @property
    def label(self) -> str:
        words = [*re.findall(r"\w+", self.paths[0]), self.constant or self.with_key]
        return "-".join(["scenario", *(w for w in words if w)]).replace("_", "-")

    @property
    def heading(self) -> str:
        paths = ", ".join(f"`{p}`" for p in self.paths)
        if self.constant:
            return f"{paths}: `{{name: {self.constant}, …}}`"
        return f"{paths} with `{self.with_key}`" if self.with_key else paths


def scenario_reference(schema: dict[str, Any]) -> str:
    """Markdown tables of every key: type, default, meaning; one heading per section, linked where it is used."""
    sections = _walk(schema)
    parts = [_INTRODUCTION, "## Top level\n", _table(schema, sections)]
    for section in sections.values():
        text = section.definition.get("description", "")
        parts.append(
            f"({section.label})=\n## {section.heading}\n\n{_escaped(text)}\n\n{_table(section.definition, sections)}"
        )
    return "\n".join(parts) + "\n"


def _walk(schema: dict[str, Any]) -> dict[str, _Section]:
    """All sections in the order in which a reader meets them, with the paths that lead to them."""
    sections: dict[str, _Section] = {}

    def visit(node: dict[str, Any], path: str) -> None:
        for key, value in node.get("properties", {}).items():
            follow(value, f"{path}.{key}" if path else key)

    def follow(value: dict[str, Any], path: str) -> None:
        found = _references(value)
        several = len(found) > 1
        new = []
        for name, suffix in found:
            if name not in sections:
                section = sections[name] = _Section(schema["$defs"][name])
                required = section.definition.get("required", [])
                section.with_key = required[0] if several and required else ""
                new.append((section, path + suffix))
            if path + suffix not in sections[name].paths:
                sections[name].paths.append(path + suffix)
        # Alternatives side by side, what they contain after all of them.
        for section, place in new:
            visit(section.definition, place)

    visit({"properties": _ordered(schema["properties"])}, "")
    return sections


def _ordered(properties: dict[str, Any]) -> dict[str, Any]:
    order = ["title", "model", "grid", "initial", "time", "output", "checkpoint", "seed", "precision"]
    return dict(sorted(properties.items(), key=lambda i: order.index(i[0]) if i[0] in order else len(order)))


def _references(value: dict[str, Any]) -> list[tuple[str, str]]:
    """Names of the sections a value may be, each with what is added to the path (`.<field>`, `[n]`)."""
    if "$ref" in value:
        return [(value["$ref"].rsplit("/", 1)[-1], "")]
    result = []
    for alternative in (*value.get("anyOf", ()), *value.get("oneOf", ())):
        result += _references(alternative)
    if isinstance(value.get("additionalProperties"), dict):
        result += [(name, ".<field>" + rest) for name, rest in _references(value["additionalProperties"])]
    if isinstance(value.get("items"), dict):
        result += [(name, "[n]" + rest) for name, rest in _references(value["items"])]
    return result


def _table(node: dict[str, Any], sections: dict[str, _Section]) -> str:
    properties = node.get("properties", {})
    if "$defs" in node:
        properties = _ordered(properties)
    rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
    for key, value in properties.items():
        default = "**required**" if key in node.get("required", []) else _default(value)
        meaning = value.get("description", "")
        rows.append(f"| `{key}` | {_type(value, sections)} | {default} | {_cell(meaning)} |")
    return "\n".join(rows) + "\n"


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default is None or default in ({}, []):
        return ""
    if isinstance(default, dict):
        default = {k: v for k, v in default.items() if v is not None}
        if not default or any(isinstance(v, dict) for v in default.values()):
            return "its own defaults"
        return "`{" + ", ".join(f"{k}: {json.dumps(v)}" for k, v in default.items()).replace('"', "") + "}`"
    return f"`{json.dumps(default, ensure_ascii=False)}`".replace('"', "")


_WORDS = {"integer": "integer", "number": "number", "string": "text", "boolean": "`true` or `false`"}


def _type(value: dict[str, Any], sections: dict[str, _Section]) -> str:
    alternatives = value.get("anyOf") or value.get("oneOf")
    if alternatives:
        words = [_type(a, sections) for a in alternatives if a.get("type") != "null"]
        return " or ".join(dict.fromkeys(words))
    if "$ref" in value:
        section = sections[value["$ref"].rsplit("/", 1)[-1]]
        word = section.constant or section.with_key
        text = f"`{word}`" if word else "section"
        return f"[{text}](#{section.label})"
    if "const" in value:
        return f"`{json.dumps(value['const'])}`".replace('"', "")
    if "enum" in value:
        return " or ".join(f"`{json.dumps(v)}`".replace('"', "") for v in value["enum"])
    kind = value.get("type")
    if kind == "array":
        items = _type(value["items"], sections) if isinstance(value.get("items"), dict) else "value"
        count = value.get("minItems") if value.get("minItems") == value.get("maxItems") else None
        return f"list of {count or ''} {items}".replace("  ", " ")
    if kind == "object":
        extra = value.get("additionalProperties")
        return f"name → {_type(extra, sections)}" if isinstance(extra, dict) else "keys and values"
    return _WORDS.get(str(kind), str(kind)) + _bounds(value)


def _bounds(value: dict[str, Any]) -> str:
    signs = (("exclusiveMinimum", ">"), ("minimum", "≥"), ("exclusiveMaximum", "<"), ("maximum", "≤"))
    texts = [f"{sign} {_number(value[key])}" for key, sign in signs if key in value]
    return " " + ", ".join(texts) if texts else ""


def _number(value: float) -> str:
    """A bound; powers of two that nobody reads in digits as such."""
    for offset, suffix in ((0, ""), (1, " − 1")):
        power = int(value) + offset
        if value == int(value) and power >= 2**16 and power & (power - 1) == 0:
            return f"2<sup>{power.bit_length() - 1}</sup>{suffix}"
    return f"{value:.15g}"


def _cell(text: str) -> str:
    """Text inside a table: a bar would end the cell."""
    return _escaped(text).replace("|", "\\|").replace("\n", " ")


def _escaped(text: str) -> str:
    return text.replace("*", "\\*").replace("<", "&lt;").replace("$", "\\$")


if __name__ == "__main__":
    from phasefield.scenario import json_schema

    print(scenario_reference(json_schema()), end="")
