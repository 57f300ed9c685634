"""The whole of record and judge: whatever the arrival, the workers and the deaths, it ends the same.

Any permutation, repetition and batching of what three devices say, looked at in between by one to three
judges, some of which die at any step: milestones, stays, findings with their evidence and the entries of the
ledger that hold are those of a record in order, judged once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread
from typing import Any
from unittest.mock import patch

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from devices.observation import moment
from tests.integration.test_judge_crash import STEPS
from tests.support.court import MOVE, Court
from tests.support.postgres import Server
from tests.support.recording import PARK, TestDevice, at
from tracking.domain.errors import Retryable
from tracking.domain.ledger.checkpoint import Signer
from tracking.judge.checkpoints import Checkpointer
from tracking.judge.loop import drain
from tracking.store import shipments
from tracking.store.database import connect

END_S = 1400
BOX = "box-TRK-1"

Said = tuple[TestDevice, dict[str, Any]]


def set_stage(court: Court) -> list[Said]:
    """A truck strays on its way; a parcel is in its box for some of it; the seal of the box runs low."""
    truck = court.truck().stands(0, 200).drives(0, 4000).drives(4000, 8000, 1900).drives(8000, 16_000)
    scanner = court.station.device("SC-1", kind="scanner", expected_every_s=3600)
    seal = court.station.device("ES-1", kind="seal", expected_every_s=3600)
    court.attach(seal.device_id, BOX)
    with court.conn.transaction():
        shipments.create(
            court.conn, number="S-2", park=PARK, reference="", things=["P-1"], terms={"legs": [MOVE]},
            valid_from=at(-3600), recorded_at=at(0), recorded_by="test",
        )  # fmt: skip
    scans = [(100, "packing"), (420, "unpacking"), (460, "packing"), (900, "unpacking")]
    return [
        *((truck.device, event) for event in truck.events),
        *(
            (scanner, scanner.event(second, type="scan", code="P-1", parent=BOX, action=action))
            for second, action in scans
        ),
        *(
            (seal, seal.event(second, type="status", battery_pct=charge))
            for second, charge in ((10, 50), (300, 18), (500, 21), (700, 30), (1000, 19))
        ),
    ]


def record(court: Court, said: list[Said], sizes: Iterator[int]) -> None:
    """In this order, in batches of these sizes; a batch is of one device."""
    court.station.clock_us = round(at(END_S).timestamp() * 1e6)
    rest = list(said)
    while rest:
        device = rest[0][0]
        size = next(sizes)
        part = [event for one, event in rest[:size] if one is device]
        rest = [(one, event) for one, event in rest[:size] if one is not device] + rest[size:]
        court.station.deliver(device.sends(*part, received=END_S))


def outcome(court: Court) -> dict[str, Any]:
    """What holds in the end; the ledger's entries are given their numbers as a checkpointer does."""
    Checkpointer(Signer(bytes(range(32)))).advance(court.conn, at(END_S))
    holds = "superseded_at is null and f.state <> 'withdrawn'"
    finding = "s.number, finding_id, rule, cause, verdict, f.state, severity, opened_at, f.closed_at"
    return {
        "milestones": court.milestones(),
        "stays": court.rows(
            "select c.label, p.label, valid_from, valid_to from containments"
            " join things c on c.thing_id = child_id join things p on p.thing_id = parent_id"
            " where superseded_at is null order by 1, 2, 3"
        ),
        "findings": court.rows(
            f"select {finding}, evidence, parameters from findings f join shipments s using (shipment_id)"
            f" where {holds} order by 1, 2"
        ),
        "ledger": court.rows(
            f"select {finding} from ledger l join findings f using (finding_version)"
            f" join shipments s on s.shipment_id = f.shipment_id where {holds} order by 1, 2"
        ),
        "custody": court.rows("select shipment_id, state from custody_states order by 1"),
    }


def judge(court: Court, workers: int, dies_at: tuple[Any, str, int] | None) -> None:
    """So many judges at the same time; at a step, the so-manieth that comes to it dies."""
    errors: list[BaseException] = []

    def work() -> None:
        try:
            with connect(court.dsn) as conn:
                drain(conn, list(court.tasks.values()), lambda: moment(court.station.clock_us))
        except (Retryable, psycopg.OperationalError):
            assert dies_at is not None
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    with ExitStack() as stack:
        if dies_at is not None:
            module, step, visits = dies_at
            real, seen = getattr(module, step), iter(range(visits, -1, -1))

            def dies(conn: Any, *args: Any, **named: Any) -> Any:
                if next(seen, None) == 0:
                    conn.close()
                return real(conn, *args, **named)

            stack.enter_context(patch.object(module, step, dies))
        threads = [Thread(target=work) for _ in range(workers)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []


@pytest.fixture(scope="module")
def in_order(postgres: Server) -> Iterator[dict[str, Any]]:
    court = Court(postgres.create())
    said = sorted(set_stage(court), key=lambda one: one[1]["time"])
    record(court, said, iter([1] * len(said)))
    court.reached(END_S)
    court.judge()
    yield outcome(court)
    court.close()
    postgres.drop(court.dsn)


def test_the_story_is_not_hollow(in_order: dict[str, Any]) -> None:
    rules = {(row[0], row[2]) for row in in_order["findings"]}
    assert rules >= {("S-1", "route_deviation"), ("S-2", "route_deviation"), ("S-1", "seal_battery_low")}
    assert len(in_order["stays"]) == 2
    assert {row[:2] for row in in_order["ledger"]} == {row[:2] for row in in_order["findings"]}


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    dice=st.randoms(use_true_random=False),
    looks=st.lists(
        st.tuples(
            st.integers(1, 3),
            st.none() | st.tuples(st.sampled_from(STEPS), st.integers(0, 3)).map(lambda d: (*d[0], d[1])),
        ),
        max_size=4,
    ),
)
def test_whatever_comes_when_and_whoever_dies_it_ends_the_same(
    postgres: Server, in_order: dict[str, Any], dice: Any, looks: list[tuple[int, Any]]
) -> None:
    court = Court(postgres.create())
    try:
        said = set_stage(court)
        mixed = dice.sample(said, len(said)) + dice.sample(said, dice.randint(0, 20))
        sizes = iter(lambda: dice.randint(1, 25), 0)
        for number, (workers, dies_at) in enumerate(looks):
            share = len(mixed) // (len(looks) - number + 1)
            record(court, mixed[:share], sizes)
            mixed = mixed[share:]
            court.reached(dice.randint(0, END_S))
            judge(court, workers, dies_at)
        record(court, mixed, sizes)
        court.reached(END_S)
        judge(court, dice.randint(1, 3), None)
        court.judge()
        found = outcome(court)
        for part, expected in in_order.items():
            assert found[part] == expected, part
    finally:
        court.close()
        postgres.drop(court.dsn)
