"""Terms bring levels, readings cross them, shipments are judged: on the real road, in a real database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.court import WEST, Court
from tests.support.postgres import Server
from tests.support.recording import TestDevice, at
from tracking.domain.tracks import Level
from tracking.exchange.verify.run import run
from tracking.store import levels, shipments, terms
from tracking.store.database import connect

STAY = {"type": "stay", "zones": ["ORIGIN"]}


@pytest.fixture
def court(postgres: Server) -> Iterator[Court]:
    opened = Court(postgres.create())
    yield opened
    opened.close()
    postgres.drop(opened.dsn)


def put(court: Court, limits: dict[str, Any], *, number: str = "S-1", thing: str = "box-TRK-1") -> None:
    """A shipment that stays at its origin within limits, from an hour before noon on."""
    shipments.create(
        court.conn,
        number=number,
        park="SIP",
        reference="",
        things=[thing],
        terms={"legs": [STAY | {"limits": {"temperature_c": limits}}]},
        valid_from=at(-3600),
        recorded_at=at(0),
        recorded_by="test",
    )


def thermometer(court: Court, code: str = "T-1") -> TestDevice:
    device = court.station.device(code, kind="sensor", expected_every_s=60)
    court.attach(device.device_id, "box-TRK-1")
    return device


def measures(court: Court, device: TestDevice, *values: float, since: int = 0, reaches: bool = True) -> None:
    """A temperature each minute, each minute in a batch."""
    for minute, value in enumerate(values, start=since):
        court.station.clock_us = max(court.station.clock_us, round(at(60 * minute + 1).timestamp() * 1e6))
        court.station.deliver(
            device.says(at=60 * minute, type="reading", values={"temperature_c": value}), through_us=0
        )
        if reaches:
            court.reached(60 * minute + 1)


def told(court: Court) -> list[tuple[Any, Any]]:
    return court.rows(
        "select detail ->> 'value', detail ->> 'level' from milestones"
        " where kind = 'level_crossed' and superseded_at is null order by device_id, at_time"
    )


def waiting(court: Court, kind: str) -> list[int]:
    return [key for (key,) in court.rows("select distinct key from work where kind = %s order by 1", kind)]


def test_terms_add_what_is_not_built_in(court: Court) -> None:
    ((before,),) = court.rows("select revision from reference_state")
    put(court, {"profile": "pharma_2_8"})
    assert levels.added(court.conn) == []
    assert court.rows("select revision from reference_state") == [(before,)]
    put(court, {"low": 1, "high": 6}, number="S-2", thing="box-2")
    values = [level.value for level in levels.added(court.conn)]
    assert values == [-4.0, 1.5, 5.5, 6.5, 11.0]  # 0.5 is built in
    assert court.rows("select revision from reference_state") == [(before + 1,)]
    put(court, {"low": 1, "high": 6}, number="S-3", thing="box-3")
    assert court.rows("select revision from reference_state") == [(before + 1,)]
    assert levels.derived(court.conn) == levels.added(court.conn)


def test_older_terms_make_a_level_older(court: Court) -> None:
    put(court, {"high": 6})
    body = {"legs": [STAY | {"limits": {"temperature_c": {"high": 7}}}]}
    for since in (at(0), at(-600), at(60)):
        terms.revise(
            court.conn,
            "S-1",
            expected=None,
            body=body | {"rules": {"device_silent": {"parameters": {"factor": 5 + since.minute}}}},
            valid_from=since,
            recorded_at=at(0),
            recorded_by="test",
        )
    oldest = {level.value: level.since_us for level in levels.added(court.conn)}
    assert oldest[7.5] == round(at(-600).timestamp() * 1e6)
    assert levels.derived(court.conn) == levels.added(court.conn)


def test_a_reading_that_crosses_wakes_the_judge_and_others_do_not(court: Court) -> None:
    put(court, {"high": 6.6})
    device = thermometer(court)
    measures(court, device, 5.0)
    court.judge()
    measures(court, device, 5.1, 5.2, since=1)
    assert waiting(court, "device") == []
    measures(court, device, 7.4, since=3)
    assert told(court) == [("5.0", None), ("7.4", "7.1")]
    assert waiting(court, "device") == [device.device_id]


def test_a_seal_s_status_tells_of_its_charge(court: Court) -> None:
    """Recorded as measured, in whatever order it comes; found, closed, and derived again by verification."""
    put(court, {"high": 20})
    seal = court.station.device("ES-1", kind="seal", expected_every_s=600)
    court.attach(seal.device_id, "box-TRK-1")

    def says(minute: int, charge: float) -> Any:
        return seal.event(60 * minute, type="status", battery_pct=charge)

    tracker = court.station.device("TRK-1", expected_every_s=600)
    court.attach(tracker.device_id, "box-TRK-1")
    for second in (-60, -30, 0):
        court.station.deliver(tracker.says(at=second, lon=WEST[0], lat=WEST[1]))
    before, low, wavers, charged = says(1, 40), says(2, 19), says(3, 21), says(9, 60)
    court.station.deliver(seal.sends(before, low, wavers, received=200))
    court.reached(200)
    court.judge()
    assert [row[:6] for row in court.findings() if row[0] == "seal_battery_low"] == [
        ("seal_battery_low", "SIP/ES-1", "finding", "open", "minor", at(120))
    ]
    later, fuller = says(5, 18), says(4, 70)
    court.station.deliver(seal.sends(charged, received=600))
    court.station.deliver(seal.sends(fuller, received=610), seal.sends(later, received=611))
    court.reached(660)
    court.judge()
    assert [row[5:] for row in court.findings() if row[0] == "seal_battery_low"] == [
        (at(120), at(240)),
        (at(300), at(540)),
    ]
    assert run(court.dsn, pause_s=0).differences == []


def test_new_terms_look_back_at_what_was_measured(court: Court) -> None:
    put(court, {"high": 20})
    device, other = thermometer(court), court.station.device("TRK-9")
    court.station.deliver(other.says(at=0))
    measures(court, device, 5.6, 6.9, 5.6)
    court.judge()
    assert told(court) == [("5.6", None)]
    put(court, {"high": 6}, number="S-2", thing="box-2")
    assert waiting(court, "refold") == [device.device_id]
    court.judge()
    assert told(court) == [("5.6", None), ("6.9", "6.5"), ("5.6", "6.5")]
    measures(court, device, 5.0, since=3)
    assert told(court)[-1] == ("5.0", "5.5")


def test_no_batch_commits_against_levels_that_it_did_not_see(court: Court) -> None:
    device = thermometer(court)
    measures(court, device, 3.0)
    waits = threading.Event()

    def editor() -> None:
        with connect(court.dsn) as conn, conn.transaction():
            conn.execute("set local lock_timeout = '20s'")
            waits.set()
            levels.add(
                conn,
                {"legs": [STAY | {"limits": {"temperature_c": {"high": 6}}}]},
                valid_from=at(-3600),
                recorded_at=at(0),
                recorded_by="test",
            )

    with connect(court.dsn) as batch, batch.transaction():
        batch.execute("select pg_advisory_xact_lock_shared(%s)", (0x42570001,))
        thread = threading.Thread(target=editor)
        thread.start()
        assert waits.wait(10)
        thread.join(0.2)
        assert thread.is_alive()  # the editor waits for the batch
    thread.join(20)
    assert not thread.is_alive()
    measures(court, device, 6.6, since=1)  # by a reference that is older than the levels
    assert told(court)[-1] == ("6.6", "6.5")


def test_a_late_reading_wakes_the_judge_though_it_crosses_nothing(court: Court) -> None:
    put(court, {"high": 20})
    device = thermometer(court)
    late = device.event(90, type="reading", values={"temperature_c": 3.0})
    measures(court, device, 3.0, 3.0, 3.0)
    court.judge()
    court.station.deliver(device.sends(late, received=200))
    assert waiting(court, "device") == [device.device_id]


def test_verification_folds_by_the_levels_and_names_one_that_is_gone(court: Court) -> None:
    put(court, {"high": 6})
    device = thermometer(court)
    measures(court, device, 3.0, 6.9, 3.0)
    court.judge()
    assert run(court.dsn, pause_s=0).differences == []
    court.conn.execute("delete from levels where value = 6.5")
    tables = {(difference.table, difference.key) for difference in run(court.dsn, pause_s=0).differences}
    assert any(table == "levels" and "6.5" in str(key) for table, key in tables)
    assert any(table == "milestones" for table, _ in tables)


def test_levels_are_ordered_values(court: Court) -> None:
    put(court, {"high": 6})
    assert levels.added(court.conn)[0] == Level("temperature_c", 5.5, round(at(-3600).timestamp() * 1e6))


def test_the_whole_way_from_terms_to_a_finding_that_cites_samples(court: Court) -> None:
    """Terms, level, crossing, judging, due moment, finding; back in the band, closed."""
    put(court, {"low": 1, "high": 6.6, "tolerated_min": 5})
    truck = court.station.device("TRK-1", expected_every_s=86_400)
    court.attach(truck.device_id, "box-TRK-1")
    for second in (-60, -30, 0):
        court.station.deliver(truck.says(at=second, lon=WEST[0], lat=WEST[1]))
    device = thermometer(court)
    measures(court, device, 5.0, 5.0, 7.4, 7.6, 7.8)
    court.judge()
    assert [row for row in court.findings() if row[0] == "temp_excursion"] == []
    measures(court, device, 7.9, 7.9, 7.9, since=5)
    court.judge()
    ((_, _, verdict, state, severity, opened_at, closed_at),) = [
        row for row in court.findings() if row[0] == "temp_excursion"
    ]
    assert (verdict, state, severity) == ("finding", "open", "minor")
    assert (opened_at, closed_at) == (at(60 * 7), None)
    measures(court, device, 6.2, 6.0, since=8)
    court.judge()
    ((state, closed_at, evidence),) = court.rows(
        "select f.state, f.closed_at, evidence from findings f"
        " where superseded_at is null and rule = 'temp_excursion'"
    )
    assert (state, closed_at) == ("closed", at(60 * 9))
    told = {piece["is"]: piece for piece in evidence if "is" in piece}
    assert {word: piece["value"] for word, piece in told.items()} == {
        "first out": 7.4, "farthest": 7.9, "back": 6.0
    }  # fmt: skip
    assert told["first out"]["observation"]["seq"] == 3
    assert run(court.dsn, pause_s=0).differences == []
