"""What it costs that what is in error doesn't count: the views against the bare tables, in turn.

python -m tests.bench.corrections

Gathering the facts of 20 shipments, reading the 100,000 observations of a device to fold them again, and
finding its silences; without any correction, and with one observation in a hundred in error. CPU milliseconds
of both sides, the lower of two blocks of rounds, because the machine may be shared.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Final

from gateway.bench.cpu import tree_seconds
from tests.support.court import Court
from tests.support.postgres import running
from tests.support.recording import at
from tracking.judge.gather import gather
from tracking.judge.places import Areas
from tracking.store import judging, observations

BLOCKS: Final = 2
ROUNDS: Final = 8
PREPARED_AFTER: Final = 6
SHIPMENTS: Final = 20
EVENTS: Final = 100_000
VIEWS: Final = ("observations", "readings", "mentions", "containment_events")


def main() -> None:
    """Prints a table."""
    with running() as server:
        court = Court(server.create())
        court.conn.prepare_threshold = 0
        ids = fill(court)
        definitions = {
            view: court.rows("select pg_get_viewdef(%s::regclass)", f"counted_{view}")[0][0] for view in VIEWS
        }
        print(f"{'':34} {'tables':>9} {'views':>9}  ratio")
        for state in ("no correction", "1 in 100 in error"):
            if state != "no correction":
                court.conn.execute(
                    "insert into corrections"
                    " (device_id, event_time, run, seq, reason, why, corrective, by, recorded_at)"
                    " select device_id, event_time, run, seq, 'incorrect_data', 'x', '[]', 'x', now()"
                    " from observations where seq % 100 = 0"
                )
                court.conn.execute("analyze corrections")
            for name, act in actions(court, ids).items():
                fastest = {"tables": float("inf"), "views": float("inf")}
                for _ in range(BLOCKS):
                    for what in ("tables", "views"):
                        let_views_be(court, definitions if what == "views" else {})
                        fastest[what] = min(fastest[what], timed(court, act))
                bare_ms, view_ms = fastest["tables"], fastest["views"]
                print(
                    f"{state}, {name:15} {bare_ms:9.1f} {view_ms:9.1f}  {view_ms / bare_ms:.2f}", flush=True
                )
        court.close()


def let_views_be(court: Court, definitions: Mapping[str, str]) -> None:
    """As they are, or the bare tables."""
    for view in VIEWS:
        body = definitions.get(view, f"select o.* from {view} o")
        court.conn.execute(f"create or replace view counted_{view} as {body}".encode())


def timed(court: Court, act: Callable[[], object]) -> float:
    """CPU milliseconds of a round, here and in the database, once statements are prepared, as they are in a
    judge that runs.
    """
    spent = 0.0
    for round_ in range(PREPARED_AFTER + ROUNDS):
        with court.conn.transaction():
            began = tree_seconds([os.getpid()])
            act()
            took = tree_seconds([os.getpid()]) - began
        if round_ >= PREPARED_AFTER:
            spent += took
    return spent / ROUNDS * 1000


def fill(court: Court) -> list[int]:
    """Trucks that drive and measure, and one device that has said a lot."""
    for number in range(SHIPMENTS):
        truck = court.truck(f"TRK-{number}", shipment=f"S-{number}", max_silence_s=120).stands(0, 300)
        truck.drives(0, 6000).drives(6000, 9000, 1900).drives(9000, 15_000)
        truck.events += [
            truck.device.event(second, type="reading", values={"temperature_c": -18.5 + second % 3})
            for second in range(0, 1000, 10)
        ]
        court.deliver(truck)
    court.judge()
    court.conn.execute(
        "insert into observations"
        " (device_id, event_time, seq, received_at, recorded_at, batch_id, run, leaf, kind, body)"
        " select 1, timestamptz '2026-03-05' + i * interval '1 s', i + 1000000, now(), now(), 1, 2, i, 7,"
        " '\\x7b7d'"
        f" from generate_series(1, {EVENTS}) i"
    )
    court.conn.execute("analyze")
    return [shipment_id for (shipment_id,) in court.rows("select shipment_id from shipments order by 1")]


def actions(court: Court, ids: list[int]) -> dict[str, Callable[[], object]]:
    areas = Areas().current(court.conn)

    def facts() -> object:
        return gather(court.conn, judging.lock_shipments(court.conn, ids), areas, at(2000))

    def history() -> object:
        return sum(1 for _ in observations.load_observations(court.conn, 1))

    def silences() -> object:
        return judging.gaps(court.conn, 1, at(0), at(86_400 * 30), 60)

    return {"gather 20": facts, "read 100,000": history, "silences": silences}


if __name__ == "__main__":
    main()
