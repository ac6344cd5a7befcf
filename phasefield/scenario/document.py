"""Reading YAML strictly, with the line of every key kept for error messages.

Plain YAML 1.2 scalars (so `1e-3` is a number, `010` is ten, `yes` and `1:30` are text), no duplicate keys, no anchors or
aliases (which a hostile file could multiply), no tags, bounded size and depth.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from phasefield.errors import InputError

MAX_BYTES = 1_000_000
MAX_DEPTH = 40

_NULL = re.compile(r"^(~|null|Null|NULL|)$")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"^[-+]?[0-9]{1,30}$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$")
_NOT_FINITE = re.compile(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")

Path_ = tuple[Any, ...]


@dataclass
class Document:
    """A parsed file: its data, and the line on which each key path starts."""

    data: Any
    source: str
    lines: dict[Path_, int] = field(default_factory=dict)
    overridden: dict[Path_, str] = field(default_factory=dict)

    def place(self, path: Path_) -> str:
        """`file:line` of a key path, or of its nearest ancestor that has a line; the override that set it, if any.

        What lies at the top and has no line, such as a missing section, is placed in the file as a whole.
        """
        override = self.override_of(path)
        if override is not None:
            return override
        for end in range(len(path), 0, -1):
            if path[:end] in self.lines:
                return f"{self.source}:{self.lines[path[:end]]}"
        return self.source

    def line(self, path: Path_) -> int:
        """Line of a key path or of its nearest ancestor; 0 for the file as a whole and for overrides."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 0)

    def override_of(self, path: Path_) -> str | None:
        """The override that set the value at `path`, a section around it, or the first key of a section made by it."""
        for end in range(len(path), 0, -1):
            if path[:end] in self.overridden:
                return self.overridden[path[:end]]
        if path in self.lines:
            return None
        return next((source for known, source in self.overridden.items() if path and known[: len(path)] == path), None)

    def nearest_override(self, path: Path_) -> str:
        """The override whose key has most in common with `path`; of equals, the last one given."""

        def common(known: Path_) -> int:
            return next(
                (i for i, (a, b) in enumerate(zip(known, path, strict=False)) if a != b), min(len(known), len(path))
            )

        return max(reversed(self.overridden.items()), key=lambda item: common(item[0]))[1]


def dotted(path: Path_) -> str:
    """A key path as users write it."""
    return ".".join(str(p) for p in path)


def scalar(text: str) -> Any:
    """The value of a plain scalar."""
    if _NULL.match(text):
        return None
    if text in _BOOL:
        return _BOOL[text]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    if _NOT_FINITE.match(text):
        return float(text.lower().replace(".", "", 1))
    return text


def parse_document(text: str, source: str) -> Document:
    """Parse YAML text; raises `InputError` with the line of the first mistake."""
    if len(text) > MAX_BYTES:
        raise InputError(f"{source}: larger than {MAX_BYTES} bytes, this is not a scenario")
    _check_depth(text, source)
    try:
        _refuse_tokens(text, source)
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _not_yaml(error, source) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, int(error.position)) + 1
        raise InputError(
            f"{source}:{line}: not valid YAML: the control character #x{ord(text[error.position]):04x}"
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise InputError(f"{source}: not valid YAML: {' '.join(str(error).split())}") from None
    document = Document(None, source)
    if node is None:
        raise InputError(f"{source}: the file is empty")
    document.data = _construct(node, (), document)
    return document


def _not_yaml(error: yaml.MarkedYAMLError, source: str) -> InputError:
    """The parser's complaint in one line, with the place where the unfinished thing began."""
    mark, start = error.problem_mark or error.context_mark, error.context_mark
    problem = error.problem or error.context or "something is wrong"
    if "'\\t'" in problem:
        problem = "a tab; YAML is indented with spaces"
    elif "another document" in problem:
        problem, start = "a second document begins here; a scenario is one", None
    elif problem == "mapping values are not allowed here":
        problem = "a colon where no key can be: check the indentation, and quote a text with ': ' in it"
    if start is not None and mark is not None and start.line != mark.line:
        problem += f" ({error.context}, which begins on line {start.line + 1})"
    line = f":{mark.line + 1}" if mark is not None else ""
    return InputError(f"{source}{line}: not valid YAML: {problem}")


def read_document(path: Path) -> Document:
    """Parse a YAML file."""
    try:
        with path.open("rb") as file:
            # One byte more than allowed, no matter what the file system says of its size: it may be a pipe or a device.
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: larger than {MAX_BYTES} bytes, this is not a scenario")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise InputError(f"{path}:{line}: not a text file in UTF-8 (byte {error.start})") from None
    return parse_document(text, str(path))


def parse_value(text: str, source: str) -> Any:
    """The value of a `key=value` override, read as YAML."""
    if not text.strip():
        return None
    try:
        return parse_document(text, source).data
    except InputError as error:
        # The line of a value on the command line is no news.
        raise InputError(str(error).replace(f"{source}:1:", f"{source}:", 1)) from None


def _check_depth(text: str, source: str) -> None:
    """Refuse absurd nesting before the parser recurses into it."""
    depth = deepest = 0
    for character in text:
        if character in "[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in "]}":
            depth -= 1
    indents = max((len(line) - len(line.lstrip(" -?")) for line in text.splitlines()), default=0)
    if deepest > MAX_DEPTH or indents > 400:
        raise InputError(f"{source}: nested deeper than {MAX_DEPTH} levels")


def _refuse_tokens(text: str, source: str) -> None:
    """Refuse what a scenario has no use for: anchors and aliases, tags, directives, several documents."""
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        what = _REFUSED.get(type(token))
        if what is not None:
            raise InputError(f"{source}:{token.start_mark.line + 1}: {what}")


_REFUSED = {
    yaml.AliasToken: "aliases (*) are not allowed; write the value out, or put a formula that begins with * in quotes",
    yaml.AnchorToken: "anchors (&) are not allowed; write the value out",
    yaml.TagToken: "tags (!) are not allowed",
    yaml.DirectiveToken: "directives (%) are not allowed",
}


def _construct(node: yaml.Node, path: Path_, document: Document) -> Any:
    line = node.start_mark.line + 1
    document.lines.setdefault(path, line)
    if len(path) > MAX_DEPTH:
        raise InputError(f"{document.source}:{line}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(node, yaml.MappingNode):
        return _construct_mapping(node, path, document)
    if isinstance(node, yaml.SequenceNode):
        return [_construct(child, (*path, i), document) for i, child in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode):
        return scalar(node.value) if node.style is None else node.value
    raise InputError(f"{document.source}:{line}: unexpected YAML")


def _construct_mapping(node: yaml.MappingNode, path: Path_, document: Document) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise InputError(f"{document.source}:{line}: a key must be a plain word")
        key = scalar(key_node.value) if key_node.style is None else key_node.value
        if not isinstance(key, int) or isinstance(key, bool):
            key = key_node.value
        if key in result:
            first = document.lines[(*path, key)]
            raise InputError(f"{document.source}:{line}: {dotted((*path, key))}: appears twice (first on line {first})")
        document.lines[(*path, key)] = line
        result[key] = _construct(value_node, (*path, key), document)
    return result


def override(document: Document, key: str, value: Any, source: str) -> None:
    """Set the value at a dotted path, as `-s key=value` and `test:` blocks do; missing sections are created."""
    path: list[Any] = list(key.split("."))
    if not all(path):
        raise InputError(f"{source}: '{key}' is not a dotted key path such as time.end")
    target, walked = document.data, []
    for i, part in enumerate(path):
        last = i == len(path) - 1
        if isinstance(target, list):
            if not part.isdigit() or int(part) >= len(target):
                where = f"{dotted(tuple(walked))} is a list of {len(target)} entries, counted from 0"
                raise InputError(f"{source}: {key}: {where}; it has no entry '{part}'")
            part = int(part)
        elif not isinstance(target, dict):
            raise InputError(f"{source}: {key}: {dotted(tuple(walked))} is a single value and has no key '{part}'")
        elif part.isdigit() and int(part) in target:
            part = int(part)
        walked.append(part)
        if last:
            target[part] = value
            _mark(document, tuple(walked), source)
        else:
            if isinstance(target, dict) and (part not in target or target[part] is None):
                target[part] = {}
            target = target[part]


def _mark(document: Document, path: Path_, source: str) -> None:
    """Overridden values have no line in the file: point to the override instead."""
    for places in (document.lines, document.overridden):
        for known in [p for p in places if p[: len(path)] == path]:
            del places[known]
    document.overridden[path] = source


def split_assignment(text: str) -> tuple[str, str]:
    """`key=value` into its two sides."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"-s {text}: expected KEY=VALUE, such as -s time.end=10")
    return key.strip(), value
