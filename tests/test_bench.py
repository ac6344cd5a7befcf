"""`phasefield bench`: it measures what it says, and refuses what is no grid."""

from __future__ import annotations

import pytest
from command_line import call

from phasefield.bench import best_times, make_pair, measure
from phasefield.registry import names


def test_every_scheme_is_measured():
    row = measure((32, 32), 1, seconds=0.01)
    assert set(row.steps) == set(names("scheme"))
    assert all(t > 0.0 for t in row.steps.values())
    assert row.pair > 0.0
    # State, candidate and work array at least: three half spectra of complex numbers.
    assert min(row.bytes_per_cell.values()) >= 3 * 8


def test_functions_take_turns():
    calls = []
    best_times([lambda: calls.append("a"), lambda: calls.append("b")], 0.0)
    assert calls[2:6] == ["a", "a", "b", "b"]


def test_pair_is_the_identity():
    pair, name = make_pair((16, 12), 1)
    assert name
    pair()


def test_command():
    code, out, _ = call("bench", "16x16", "--threads", "1")
    assert code == 0
    assert "sbdf2/pair" in out
    assert "16 × 16" in out


@pytest.mark.parametrize(
    "arguments",
    [("12by12",), ("2x2",), ("8x8x8x8",), ("16x16", "--precision", "half"), ("16x16", "--threads", "0")],
)
def test_bad_arguments(arguments):
    code, out, err = call("bench", *arguments)
    assert code == 2
    assert out == ""
    assert "error" in err
