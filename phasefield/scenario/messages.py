"""Validation errors as one clear message each: key path, what is wrong, what was found, the nearest valid name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from phasefield.errors import did_you_mean
from phasefield.scenario.document import Path_
from phasefield.scenario.kinds import KIND_TAGS

# What pydantic calls each mistake, and what to say instead; {…} are filled from pydantic's context.
_MUST = {
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be finite",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "string_too_long": "must have at most {max_length} characters",
    "string_too_short": "must have at least {min_length} characters",
    "bool_type": "must be true or false",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "too_short": "must have at least {min_length} entries",
    "too_long": "must have at most {max_length} entries",
}
_GUESS = re.compile(r"^unknown key; did you mean '(.+)'\?$")
_SECTION = ("model_type", "model_attributes_type", "dict_type")


@dataclass(frozen=True)
class Problem:
    """A mistake in a scenario and the key path where it is."""

    path: Path_
    text: str


def problems(error: ValidationError, data: Any, schema: dict[str, Any]) -> list[Problem]:
    """All complaints of pydantic about the scenario `data`, in the words of the scenario file."""
    found: list[Problem] = []
    for item in error.errors(include_url=False):
        path = _keys(item["loc"], data)
        if item["type"] == "union_tag_invalid":
            path = (*path, "name")
        problem = Problem(path, _text(item, path, data, schema))
        if problem not in found:
            found.append(problem)
    return _without_misspelt(found)


def _without_misspelt(found: list[Problem]) -> list[Problem]:
    """A misspelt key is one mistake: that the right one is missing goes without saying."""
    guessed = {(*p.path[:-1], _GUESS.search(p.text)[1]) for p in found if _GUESS.search(p.text)}  # type: ignore[index]
    return [p for p in found if not (p.text == "is missing" and p.path in guessed)]


def _keys(location: tuple[Any, ...], data: Any) -> Path_:
    """pydantic's location without the tags of unions, which are not keys of the file."""
    path: list[Any] = []
    for i, part in enumerate(location):
        # The section `model` is told apart by its name, which pydantic puts behind it.
        if part in KIND_TAGS or (i == 1 and location[0] == "model" and _named(data, part)):
            continue
        if isinstance(data, dict) and part not in data and str(part).isdigit() and int(part) in data:
            part = int(part)
        if part == "[key]":
            continue
        path.append(part)
        known = isinstance(data, dict) and part in data
        data = data[part] if known or (isinstance(data, list) and isinstance(part, int) and part < len(data)) else None
    return tuple(path)


def _named(data: Any, name: Any) -> bool:
    return isinstance(data, dict) and data.get("name") == name


def _text(item: Any, path: Path_, data: Any, schema: dict[str, Any]) -> str:
    kind, context, value = item["type"], item.get("ctx") or {}, item["input"]
    if kind == "extra_forbidden":
        return f"unknown key; {_hint(str(path[-1]), valid_keys(schema, path[:-1], data))}"
    if kind == "missing":
        return "is missing" if isinstance(value, Mapping) else item["msg"]
    if kind == "union_tag_invalid":
        return f"unknown model '{context['tag']}'; {did_you_mean(context['tag'], _tags(context['expected_tags']))}"
    if kind == "union_tag_not_found":
        return f"needs a key 'name', one of {', '.join(_model_names(schema))}"
    if kind in ("value_error", "assertion_error") and "error" in context:
        return str(context["error"])
    if kind in _SECTION:
        keys = valid_keys(schema, path, {})
        return f"must be a section{' with the keys ' + ', '.join(keys) if keys else ''} (got {shown(value)})"
    if kind == "literal_error":
        return f"must be {context['expected']} (got {shown(value)})"
    if kind == "kind":
        return f"{item['msg']} (got {shown(value)})"
    if kind in _MUST:
        return f"{_must(kind, context)} ({_got(kind, value)})"
    # Formulas name their key themselves; it stands before the message anyway.
    name = str(path[-1]).replace("_", " ") if path else ""
    message = item["msg"].removeprefix(f"{name}: ")
    return message.removeprefix(f"{name} ") if kind in ("formula", "expression") else message


def _must(kind: str, context: Mapping[str, Any]) -> str:
    limits = {k: int(v) if isinstance(v, float) and v.is_integer() else v for k, v in context.items()}
    return _MUST[kind].format(**limits)


def _got(kind: str, value: Any) -> str:
    quoted = "number" in _MUST[kind] and isinstance(value, str) and _is_number(value)
    return f"got the text {shown(value)}" if quoted else f"got {shown(value)}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def shown(value: Any) -> str:
    """A value for a message, as YAML writes it and cut to one short line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    text = "a section" if isinstance(value, Mapping) else "a list" if isinstance(value, list | tuple) else repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _hint(key: str, keys: list[str]) -> str:
    first, dot, rest = key.partition(".")
    if dot and first in keys:
        return f"dotted paths are for -s and test:, write a section {first}: with the key {rest} in it"
    return did_you_mean(key, keys)


def _tags(expected: Any) -> list[str]:
    if isinstance(expected, str):
        return [t.strip().strip("'") for t in expected.split(",")]
    return list(expected)


def _model_names(schema: dict[str, Any]) -> list[str]:
    return list(schema["properties"]["model"].get("discriminator", {}).get("mapping", {}))


def valid_keys(schema: dict[str, Any], path: Path_, data: Any) -> list[str]:
    """Keys that the JSON Schema allows in the section at `path` (all alternatives; the chosen one where named)."""
    sections = [schema]
    for part in path:
        data = data.get(part) if isinstance(data, dict) else data[part] if isinstance(data, list) else None
        following = []
        for section in sections:
            for option in _options(section, schema, None):
                properties = option.get("properties", {})
                if part in properties:
                    following += _options(properties[part], schema, data)
                elif isinstance(part, int) and "items" in option:
                    following += _options(option["items"], schema, data)
                elif isinstance(option.get("additionalProperties"), dict):
                    following += _options(option["additionalProperties"], schema, data)
        sections = following
    keys: list[str] = []
    for section in sections:
        for option in _options(section, schema, data):
            keys += [k for k in option.get("properties", {}) if k not in keys]
    return keys


def _options(section: dict[str, Any], schema: dict[str, Any], data: Any) -> list[dict[str, Any]]:
    """A section with references followed and alternatives listed; what the data name or contain picks among them."""
    if "$ref" in section:
        return _options(schema["$defs"][section["$ref"].rsplit("/", 1)[-1]], schema, data)
    mapping = section.get("discriminator", {}).get("mapping", {})
    if isinstance(data, dict) and data.get("name") in mapping:
        return _options({"$ref": mapping[data["name"]]}, schema, data)
    alternatives = section.get("anyOf") or section.get("oneOf") or section.get("allOf")
    if not alternatives:
        return [section]
    options = [option for a in alternatives for option in _options(a, schema, data)]
    fitting = [o for o in options if _fits(o, data)]
    return fitting or options


def _fits(option: dict[str, Any], data: Any) -> bool:
    """True when the data have all keys this alternative requires, and the name it is known by."""
    if not isinstance(data, dict) or "properties" not in option:
        return False
    constant = option["properties"].get("name", {}).get("const")
    if constant is not None and "name" in data:
        return data["name"] == constant
    return bool(option.get("required")) and all(key in data for key in option["required"])
