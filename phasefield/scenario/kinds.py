"""Keys that take values of several kinds: which is meant follows from the kind of the value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, PositiveFloat, Tag

# Where a key takes a number, `false` or a section, the kind of the value decides which, so that a mistake is reported once
# and not for every alternative. No key of a scenario has braces.
KIND_TAGS = ("{number}", "{off}", "{section}", "{phases}", "{pair}", "{name}")
Number = Annotated[PositiveFloat, Tag("{number}")]
Off = Annotated[Literal[False], Tag("{off}")]


def _kind(value: Any) -> str | None:
    if value is False:
        return "{off}"
    if isinstance(value, Mapping | BaseModel):
        return "{section}"
    return "{number}" if isinstance(value, int | float) and not isinstance(value, bool) else None


def by_kind(message: str) -> Discriminator:
    return Discriminator(_kind, custom_error_type="kind", custom_error_message=f"must be {message}")
