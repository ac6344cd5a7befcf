"""Errors a user can meet, each with the exit code of the command line.

| class | exit code | meaning |
|---|---|---|
| `InputError` | 2 | a mistake in a scenario, a file or a command line; never shown as a traceback |
| `NumericalError` | 3 | NaN, or an energy growth that step control could not cure; the last good state is on disk |
| `Interrupted` | 130 | stopped by Ctrl-C or a signal; a checkpoint is on disk |
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PhasefieldError(Exception):
    """Base class of all errors raised on purpose."""

    exit_code = 1


class InputError(PhasefieldError):
    """Bad input. The message names the place and, where there is one, the nearest valid name."""

    exit_code = 2


class NumericalError(PhasefieldError):
    """The computation cannot go on (NaN, energy growth that smaller steps do not cure)."""

    exit_code = 3


class Interrupted(PhasefieldError):
    """The run was stopped from outside after its state had been saved."""

    exit_code = 130


def nearest(name: str, candidates: Iterable[str]) -> str | None:
    """The candidate most similar to `name`, or None when nothing is close."""
    matches = difflib.get_close_matches(str(name), [str(c) for c in candidates], n=1, cutoff=0.5)
    return matches[0] if matches else None


def did_you_mean(name: str, candidates: Iterable[str]) -> str:
    """A clause for the end of a message: the nearest valid name, or all of them."""
    candidates = sorted(str(c) for c in candidates)
    match = nearest(name, candidates)
    if match is not None:
        return f"did you mean '{match}'?"
    return f"valid names: {', '.join(candidates)}" if candidates else "no name is valid here"


def unknown(what: str, name: str, candidates: Iterable[str]) -> InputError:
    """`InputError` for a name that is not among `candidates`."""
    return InputError(f"unknown {what} '{name}'; {did_you_mean(name, candidates)}")
