"""The rules of PFHub's schema for results, written down again to check records with.

LinkML schema `pfhub_schema`, version 0.1.0, class BenchmarkResult: https://github.com/usnistgov/pfhub-schema, file
src/pfhub_schema/schema/pfhub_schema.yaml, as packaged with the `pfhub` command line (pfhub/schema/pfhub_schema.yaml). Every class
lists its slots as (required, several, what one value must be); other keys are not allowed.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import Any

Rule = tuple[bool, bool, "str | Callable[[Any], bool]"]


def text(value: Any) -> bool:
    return isinstance(value, str)


def no_blank_first(value: Any) -> bool:
    return text(value) and re.match(r"^\S+", value) is not None


def uri_or_curie(value: Any) -> bool:
    return text(value) and re.fullmatch(r"[^\s<>\"{}|\\^`]+", value) is not None


def email(value: Any) -> bool:
    return text(value) and re.match(r"^\S+@[\S+\.]+\S+", value) is not None


def version(value: Any) -> bool:
    return text(value) and re.match(r"^[\d+\.]+", value) is not None


def integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Any) -> bool:
    return isinstance(value, float) or integer(value)


def date(value: Any) -> bool:
    return text(value) and str(datetime.date.fromisoformat(value)) == value


PARTS = {
    0: "1a 1b 1c 1d 2a 2b 2c 2d 3a 3b 3c 5a 5b 6a 6b 7a 7b 7c 8a 8b 8c",
    1: "1a 1b 1c 1d 2a 2b 2c 2d 3a 4a 4b 4c 4d 4e 4f 4g 4h",
}
PROBLEMS = {f"{part}.{revision}" for revision, parts in PARTS.items() for part in parts.split()}


def problem(value: Any) -> bool:
    return value in PROBLEMS


REQUIRED, OPTIONAL, ONE, SEVERAL = True, False, False, True
CLASSES: dict[str, dict[str, Rule]] = {
    "BenchmarkResult": {
        "id": (REQUIRED, ONE, uri_or_curie),
        "benchmark_problem": (REQUIRED, ONE, problem),
        "contributors": (REQUIRED, SEVERAL, "Contributor"),
        "date_created": (REQUIRED, ONE, date),
        "framework": (OPTIONAL, SEVERAL, "Software"),
        "implementation": (REQUIRED, ONE, "SourceCode"),
        "results": (REQUIRED, ONE, "Results"),
        "schema": (REQUIRED, ONE, "SourceCode"),
        "summary": (REQUIRED, ONE, text),
    },
    "ComputeResource": {
        "architecture": (REQUIRED, ONE, text),
        "cores": (REQUIRED, ONE, integer),
        "nodes": (REQUIRED, ONE, integer),
    },
    "Contributor": {
        "id": (REQUIRED, ONE, uri_or_curie),
        "name": (OPTIONAL, ONE, text),
        "handle": (OPTIONAL, SEVERAL, uri_or_curie),
        "affiliation": (OPTIONAL, SEVERAL, text),
        "email": (OPTIONAL, ONE, email),
    },
    "Results": {
        "dataset_generic": (OPTIONAL, SEVERAL, "File"),
        "dataset_spatial": (OPTIONAL, SEVERAL, "File"),
        "dataset_temporal": (OPTIONAL, SEVERAL, "TemporalFile"),
        "dataset_visual": (OPTIONAL, SEVERAL, "File"),
        "documentation": (OPTIONAL, SEVERAL, "File"),
        "fictive_time": (REQUIRED, ONE, number),
        "hardware": (REQUIRED, ONE, "ComputeResource"),
        "memory_in_kb": (REQUIRED, ONE, integer),
        "time_in_s": (REQUIRED, ONE, number),
    },
    "File": {"name": (REQUIRED, ONE, text)},
    "TemporalFile": {"name": (REQUIRED, ONE, text), "columns": (REQUIRED, SEVERAL, no_blank_first)},
    "Software": {
        "url": (REQUIRED, ONE, uri_or_curie),
        "name": (OPTIONAL, ONE, text),
        "commit": (OPTIONAL, ONE, no_blank_first),
        "download": (OPTIONAL, ONE, uri_or_curie),
        "version": (OPTIONAL, ONE, version),
    },
    "SourceCode": {
        "url": (REQUIRED, ONE, uri_or_curie),
        "name": (OPTIONAL, ONE, text),
        "commit": (OPTIONAL, ONE, no_blank_first),
    },
}


def mistakes(value: Any, kind: str = "BenchmarkResult", place: str = "record") -> list[str]:
    """What is wrong with a record, one line each."""
    if not isinstance(value, dict):
        return [f"{place}: not a {kind}"]
    rules = CLASSES[kind]
    found = [f"{place}.{key}: not allowed" for key in value if key not in rules]
    for key, (required, several, one) in rules.items():
        where = f"{place}.{key}"
        if key not in value:
            found += [f"{where}: missing"] * required
            continue
        if several and not isinstance(value[key], list):
            found.append(f"{where}: not a list")
            continue
        for item in value[key] if several else [value[key]]:
            if isinstance(one, str):
                found += mistakes(item, one, where)
            elif not one(item):
                found.append(f"{where}: {item!r} is not {one.__name__}")
    return found
