"""Observations, corrections and retractions in any order end as if what is in error had never been folded."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from random import Random
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.observation import moment
from tests.support.court import MOVE, Court
from tests.support.postgres import Server
from tests.support.recording import TestDevice, at
from tracking.domain.custody.corrections import Observed
from tracking.exchange.verify.run import run
from tracking.store import correcting, shipments

END = 1500
EVERY_S = 20
TIMES = itertools.count(1)


class Said(NamedTuple):
    """An event and who says it."""

    device: TestDevice
    event: dict[str, Any]

    @property
    def observation(self) -> Observed:
        event = self.event
        return Observed(self.device.name, moment(event["time"] * 1000), event["run"], event["seq"])


class World:
    """A truck that strays and is too warm for a while, its seal, a scanner that loads a parcel; a shipment of
    the box and one of the parcel.
    """

    def __init__(self, dsn: str) -> None:
        self.court = Court(dsn)
        truck = self.court.truck(
            every_s=EVERY_S, max_silence_s=200, limits={"temperature_c": {"high": 8, "tolerated_min": 1}}
        )
        with self.court.conn.transaction():
            shipments.create(
                self.court.conn, number="S-2", park="SIP", reference="", things=["P-1"],
                terms={"legs": [MOVE]}, valid_from=at(-3600), recorded_at=at(0), recorded_by="test",
            )  # fmt: skip
        truck.stands(0, 100).drives(0, 4000).drives(4000, 8000, 1900).drives(8000, 14_000)
        readings = [
            truck.device.event(
                second, type="reading", values={"temperature_c": 5 if second % 600 < 300 else 12}
            )
            for second in range(5, 900, 60)
        ]
        seal = self.court.station.device("SEAL-1", kind="seal")
        self.court.attach(seal.device_id, "box-TRK-1")
        seals = [
            seal.event(second, type="seal", seal="ES-1", state=state)
            for second, state in ((6, "locked"), (400, "cut"), (700, "locked"))
        ]
        scanner = self.court.station.device("SC-1", kind="scanner")
        scans = [
            scanner.event(second, type="scan", code="P-1", parent=parent, action=action)
            for second, parent, action in (
                (7, "box-TRK-1", "loading"), (300, "box-TRK-2", "loading"), (500, "box-TRK-2", "unloading"),
                (510, "box-TRK-1", "loading"),
            )
        ]  # fmt: skip
        self.said = [
            *(Said(truck.device, event) for event in (*truck.events, *readings)),
            *(Said(seal, event) for event in seals),
            *(Said(scanner, event) for event in scans),
        ]

    def hears(self, some: list[Said]) -> None:
        for device, group in itertools.groupby(some, key=lambda one: one.device):
            self.court.station.deliver(device.sends(*(one.event for one in group), received=END))

    def ends(self) -> dict[str, Any]:
        """What holds when everything was said and judged."""
        self.court.reached(END)
        self.court.judge()
        assert run(self.court.dsn, pause_s=0).differences == []
        return {
            "findings": self.court.rows(
                "select shipment_id, rule, cause, verdict, state, severity, opened_at, closed_at, evidence"
                " from findings where superseded_at is null and state <> 'withdrawn'"
                " order by shipment_id, opened_at, rule, cause"
            ),
            "milestones": self.court.milestones(),
            "stays": self.court.rows(
                "select c.label, p.label, valid_from, valid_to, began, ended from containments s"
                " join things c on c.thing_id = s.child_id join things p on p.thing_id = s.parent_id"
                " where superseded_at is null order by c.label, valid_from"
            ),
            "states": self.court.rows("select shipment_id, state from custody_states order by 1"),
            "gaps": self.court.rows("select * from sequence_gaps where filled_at is null"),
        }


def as_if_refused(said: Said) -> Said:
    """The same number, heard and not taken."""
    event = {name: said.event[name] for name in ("run", "seq", "time")}
    return Said(said.device, event | {"type": "position", "lon": 0, "lat": 91})


@pytest.fixture(scope="module")
def databases(postgres: Server) -> Iterator[Any]:
    made: list[str] = []

    def create() -> str:
        made.append(postgres.create())
        return made[-1]

    yield create
    for dsn in made:
        postgres.drop(dsn)


@pytest.mark.timeout(600)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 2**32 - 1),
    share=st.sampled_from([0.03, 0.3]),
    eager=st.sampled_from([0.0, 0.5]),
)
def test_it_ends_as_if_it_had_never_been_folded(
    databases: Any, seed: int, share: float, eager: float
) -> None:
    dice = Random(seed)
    world, reference = World(databases()), World(databases())
    wrong = {place for place in range(len(world.said)) if dice.random() < share}
    places = list(range(len(world.said)))
    dice.shuffle(places)
    standing: dict[int, int] = {}
    recorded: list[int] = []
    while places or wrong - standing.keys():
        size = dice.choice([1, 10, 60])
        world.hears([world.said[place] for place in places[:size]])
        recorded += places[:size]
        places = places[size:]
        for place in recorded:
            if place in standing and dice.random() < (0.02 if place in wrong else 0.7):
                correcting.retract(
                    world.court.conn, standing.pop(place), why="dry", by="desk", recorded_at=at(END)
                )
            elif place not in standing and dice.random() < (0.4 if place in wrong else 0.01):
                standing[place] = correct(world, place)
        if dice.random() < eager:
            world.court.reached(dice.randrange(END))
            world.court.judge()
    for place in standing.keys() - wrong:
        correcting.retract(world.court.conn, standing[place], why="dry", by="desk", recorded_at=at(END))
    reference.hears(
        [as_if_refused(one) if place in wrong else one for place, one in enumerate(reference.said)]
    )
    told, expected = world.ends(), reference.ends()
    for what in expected:
        assert told[what] == expected[what], what
    assert expected["findings"]
    assert expected["stays"] or share > 0.1
    world.court.close()
    reference.court.close()


def correct(world: World, place: int) -> int:
    return correcting.correct(
        world.court.conn,
        world.said[place].observation,
        reason="incorrect_data",
        why=f"wet, for the time {next(TIMES)}",
        by="desk",
        recorded_at=at(END),
    ).correction.entry
