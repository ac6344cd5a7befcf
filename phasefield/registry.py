"""Named things found by name: models, schemes, free energies, FFT engines.

A registry replaces ladders of `if kind == …`. Registering is a decorator; looking up an unknown name is an
`InputError` that names the nearest valid one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from phasefield.errors import unknown

T = TypeVar("T")
_entries: dict[str, dict[str, Any]] = {}


def register(kind: str, name: str) -> Callable[[T], T]:
    """Decorator: enter the decorated object as `name` under `kind`; a name is taken once."""

    def enter(thing: T) -> T:
        names_of_kind = _entries.setdefault(kind, {})
        if name in names_of_kind and names_of_kind[name] is not thing:
            raise ValueError(f"{kind} '{name}' is registered twice")
        names_of_kind[name] = thing
        return thing

    return enter


def lookup(kind: str, name: str) -> Any:
    """The object registered as `name` under `kind`; raises `InputError` for an unknown name."""
    entries = _entries.get(kind, {})
    if name not in entries:
        raise unknown(kind.replace("_", " "), name, entries)
    return entries[name]


def names(kind: str) -> list[str]:
    """All names under `kind`, sorted."""
    return sorted(_entries.get(kind, {}))
