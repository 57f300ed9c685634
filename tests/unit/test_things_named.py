"""What gates, scans, seals and handovers name: each thing once, by its one URI."""

from __future__ import annotations

from typing import Any

import pytest

from devices.observation import Action, Direction, Gate, Handover, Reading, Role, Scan, Seal, SealState
from tracking.domain.things.subject import named

BOX, TRUCK = "urn:epc:id:bic:BNDU1000010", "urn:bondwatch:vehicle:苏E1289K"


def gate(**said: Any) -> Gate:
    return Gate(gate="G-1", lane="1", direction=Direction.IN, **said)


def handover(**said: Any) -> Handover:
    return Handover(from_party="A", to_party="B", role=Role.GIVER, **said)


@pytest.mark.parametrize(
    ("fact", "uris"),
    [
        (gate(), []),
        (gate(plate="", trailer_plate="", containers=["", " "], seals=["", " "], pass_number=""), []),
        (gate(plate="苏E·1289K", trailer_plate="沪A0998挂"), [TRUCK, "urn:bondwatch:vehicle:沪A0998挂"]),
        (gate(containers=["BNDU 100001 0", "BNDU1000010"]), [BOX]),
        (gate(containers=["BNDU1000011"]), ["urn:bondwatch:code:BNDU1000011"]),
        (gate(plate="苏EI289K"), ["urn:bondwatch:code:苏EI289K"]),
        (
            gate(seals=["es-1", "ES-1"], pass_number=" Z-1 "),
            ["urn:bondwatch:seal:es-1", "urn:bondwatch:seal:ES-1", "urn:bondwatch:pass:Z-1"],
        ),
        (Seal("ES-1", SealState.CUT), ["urn:bondwatch:seal:ES-1"]),
        (Seal("ES-1", SealState.CUT, thing=TRUCK), ["urn:bondwatch:seal:ES-1", TRUCK]),
        (handover(), []),
        (handover(thing=BOX, code="BNDU1000010"), [BOX]),
        (Scan(BOX, Action.LOADING), [BOX]),
        (Reading({"temperature_c": 1}, thing=BOX), []),
    ],
)
def test_each_thing_once(fact: Any, uris: list[str]) -> None:
    assert [one.thing.uri for one in named(fact)] == uris
    assert not any(one.is_parent for one in named(fact))


def test_a_scan_names_its_parent_as_such_unless_it_is_the_code_itself() -> None:
    scan = Scan("P-1", Action.LOADING, parent=BOX)
    assert [(one.thing.label, one.is_parent) for one in named(scan)] == [
        ("P-1", False),
        ("BNDU1000010", True),
    ]
    assert [one.is_parent for one in named(Scan(BOX, Action.LOADING, parent="BNDU1000010"))] == [False]
    assert [one.is_parent for one in named(Scan(" ", Action.UNLOADING, parent=BOX))] == [True]
