"""A scan says where in the warehouse a thing is; only a parent makes it go into something."""

from __future__ import annotations

import pytest

from devices.observation import Action, Scan
from tracking.domain.things.placing import placed
from tracking.domain.things.subject import moved

SHELF, OTHER = "WHMIX01-B", "WHMIX01-N"


def scan(action: Action, location: str | None = None) -> Scan:
    return Scan("P-1", action, location=location)


@pytest.mark.parametrize(
    ("newest_first", "where"),
    [
        ([], None),
        ([scan(Action.STORING)], None),
        ([scan(Action.STORING, SHELF)], (0, SHELF)),
        ([scan(Action.CYCLE_COUNTING), scan(Action.STORING, SHELF)], (1, SHELF)),
        ([scan(Action.STORING, OTHER), scan(Action.STORING, SHELF)], (0, OTHER)),
        ([scan(Action.PICKING, SHELF), scan(Action.STORING, SHELF)], None),
        ([scan(Action.INSPECTING, OTHER), scan(Action.LOADING), scan(Action.STORING, SHELF)], (0, OTHER)),
    ],
)
def test_the_last_scan_that_names_a_place_counts_until_one_takes_it_away(
    newest_first: list[Scan], where: tuple[int, str] | None
) -> None:
    assert placed(enumerate(newest_first)) == where


def test_storing_is_containment_where_it_names_a_parent_alone() -> None:
    assert moved(scan(Action.STORING, SHELF)) is None
    assert moved(Scan("P-1", Action.STORING, parent=" ", location=SHELF)) is None
    move = moved(Scan("P-1", Action.STORING, parent="RACK-7", location=SHELF))
    assert move is not None
    assert (move.child.label, move.parent and move.parent.label) == ("P-1", "RACK-7")
