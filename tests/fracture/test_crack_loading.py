"""Load factor over time: pairs, phases, corners, and what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from phasefield.mechanics.crack_loading import CrackLoad, CrackLoadSetting, CrackPhase, Start
from phasefield.models.base import Strict


class Holder(Strict):
    """A section with a load."""

    load: CrackLoadSetting


def load(setting) -> CrackLoad:
    return CrackLoad(Holder(load=setting).load)


def message(setting) -> str:
    with pytest.raises(ValidationError) as error:
        Holder(load=setting)
    return "; ".join(e["msg"] for e in error.value.errors())


BEGIN = Start(0.0, 0.0, 0.0)


def test_pairs_are_linear_in_between_and_held_afterwards():
    found = load([[0.0, 0.0], [1.0, 2.0], [3.0, -2.0]])
    assert [found.value(t, 0, BEGIN) for t in (0.0, 0.5, 1.0, 1.5, 3.0, 9.0)] == [0.0, 1.0, 2.0, 1.0, -2.0, -2.0]
    assert found.initial() == 0.0
    assert not found.any_dissipation
    assert not found.given_dissipation(0)
    assert found.phase(2.0) == 0


def test_a_number_is_a_load_from_the_start():
    found = load(0.5)
    assert found.initial() == 0.5
    assert found.value(7.0, 0, BEGIN) == 0.5
    assert found.corners == ()


def test_pairs_that_begin_later_hold_their_first_value():
    found = load([[1.0, 3.0], [2.0, 4.0]])
    assert found.initial() == 3.0
    assert found.value(0.5, 0, BEGIN) == 3.0


@pytest.mark.parametrize(
    ("pairs", "corners"),
    [
        ([[0.0, 0.0], [1.0, 2.0]], (0.0, 1.0)),
        # From 2 to −2 in two units of time: the load passes 0 at 2, where cracks close.
        ([[0.0, 0.0], [1.0, 2.0], [3.0, -2.0]], (0.0, 1.0, 2.0, 3.0)),
        ([[0.0, -1.0], [4.0, 3.0]], (0.0, 1.0, 4.0)),
        # At a corner it is there already.
        ([[0.0, 1.0], [1.0, 0.0], [2.0, -1.0]], (0.0, 1.0, 2.0)),
        ([[0.0, 1.0], [1.0, -1.0], [2.0, 1.0], [3.0, -3.0]], (0.0, 0.5, 1.0, 1.5, 2.0, 2.25, 3.0)),
        ([[0.0, 2.0], [5.0, 2.0]], ()),
    ],
)
def test_corners_of_pairs(pairs, corners):
    assert load(pairs).corners == corners
    for corner in corners:
        value = load(pairs).value(corner, 0, BEGIN)
        assert abs(value) < 1e-15 or corner in [t for t, _ in pairs]


def test_phases_begin_where_the_run_has_come():
    found = load([{"until": 0.5, "factor": 0.4}, {"until": 1.5, "dissipation": 2.0}, {"until": 2.0, "factor": 0.0}])
    assert found.corners == (0.5, 1.5, 2.0)
    assert [found.phase(t) for t in (0.0, 0.49, 0.5, 1.0, 1.5, 2.0, 3.0)] == [0, 0, 1, 1, 2, 3, 3]
    assert [found.given_dissipation(i) for i in range(4)] == [False, True, False, False]
    assert found.any_dissipation
    assert found.initial() == 0.0
    assert found.value(0.25, 0, BEGIN) == 0.2
    second = Start(0.5, 0.4, 7.0)
    assert [found.value(t, 1, second) for t in (0.5, 1.0, 1.5)] == [7.0, 8.0, 9.0]
    third = Start(1.5, 0.3, 9.0)
    assert [found.value(t, 2, third) for t in (1.5, 1.75, 2.0)] == [0.3, 0.15, 0.0]
    # After the last phase the factor is held.
    assert found.value(5.0, 3, Start(2.0, 0.25, 9.0)) == 0.25


def test_a_phase_ends_with_its_value_in_spite_of_rounding():
    found = load([{"until": 0.3, "factor": 0.7}])
    assert found.value(0.1 + 0.2, 0, BEGIN) == 0.7
    assert found.value(0.3 * (1 + 1e-15), 0, BEGIN) == 0.7


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ([{"until": 1.0}], "a phase needs either factor or dissipation"),
        ([{"until": 1.0, "factor": 1.0, "dissipation": 1.0}], "a phase needs either factor or dissipation"),
        ([{"until": 1.0, "factor": 1.0}, {"until": 1.0, "factor": 2.0}], "got until: 1 after 1"),
        ([{"until": 2.0, "factor": 1.0}, {"until": 1.0, "factor": 2.0}], "the phases must end one after the other"),
        ([{"until": 1.0, "dissipation": -1.0}], "greater than 0"),
        ([{"until": 1.0, "dissipation": 0.0}], "greater than 0"),
        ([{"until": 0.0, "factor": 1.0}], "got until: 0 after 0"),
        ([{"factor": 1.0}], "Field required"),
        ([{"until": 1.0, "facto": 1.0}], "Extra inputs are not permitted"),
        ([[0.0, 1.0], [0.0, 2.0]], "the times must increase (got 0 after 0)"),
        ([[-1.0, 1.0]], "a run starts at time 0 (got -1)"),
        ([[0.0, 1.0, 2.0]], "pairs [time, value]"),
        ([[0.0, 1.0], {"until": 1.0, "factor": 1.0}], "pairs [time, value]"),
        ("fast", "pairs [time, value]"),
        ([], "pairs [time, value]"),
        (True, "pairs [time, value]"),
        ([[0.0, float("nan")], [1.0, 1.0]], "finite"),
        ([{"until": 1.0, "factor": float("inf")}], "finite"),
    ],
)
def test_what_is_refused(setting, expected):
    assert expected in message(setting)


def test_a_section_that_was_read_can_be_read_again():
    first = Holder(load=[{"until": 0.5, "factor": 0.4}, {"until": 1.5, "dissipation": 2.0}])
    again = Holder.model_validate(first.model_dump(mode="json", exclude_none=True))
    assert again == first
    assert all(isinstance(phase, CrackPhase) for phase in again.load)
