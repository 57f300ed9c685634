"""40,000 parcels on one train, what it costs: ``python -m tests.bench.train [SHIPMENTS]``.

100 boxes of 400 parcels on 50 wagons of one train with one tracker; the parcels belong to so many shipments
(default 100), or to none, and then 100 shipments name the boxes (0). Prints seconds as JSON. A server that
doesn't wait for the disk: costs of CPU. ``docs/decisions/stays-are-intervals.md`` draws the conclusion.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Final

from gateway.process import spare_collector
from tests.support.court import WEST, Court
from tests.support.postgres import running
from tests.support.recording import PARK, at
from tests.support.traces import moved
from tracking.store import carrying, concern, shipments

PARCELS: Final = 40_000
BOXES: Final = 100
WAGONS: Final = 50
BATCH: Final = 1000
LEG: Final = {"type": "move", "from_zones": ["ORIGIN"], "corridor": "WAY", "to_zones": ["DESTINATION"]}


def goods(number: int, count: int) -> list[str]:
    """What the shipment of this number consists of."""
    if not count:
        return [f"BOX-{number}"]
    return [f"P-{parcel}" for parcel in range(number, PARCELS, count)]


def main(count: int) -> None:
    spare_collector()  # as the judge does
    took: dict[str, float] = {}

    def timed(name: str, what: Callable[[], Any]) -> Any:
        begun = perf_counter()
        result = what()
        took[name] = round(perf_counter() - begun, 3)
        return result

    with running() as server:
        court = Court(server.create())
        scanner = court.station.device("SC-1", kind="scanner")
        tracker = court.station.device("TRK-1")
        court.attach(tracker.device_id, "TRAIN-1")
        for number in range(count or BOXES):
            with court.conn.transaction():
                shipments.create(
                    court.conn,
                    number=f"S-{number}",
                    park=PARK,
                    reference="",
                    things=goods(number, count),
                    terms={"legs": [LEG]},
                    valid_from=at(-3600),
                    recorded_at=at(0),
                    recorded_by="bench",
                )
        court.reached(0)
        court.judge()

        def scanned(pairs: Sequence[tuple[str, str]]) -> None:
            for begin in range(0, len(pairs), BATCH):
                events = [
                    scanner.event(
                        -1800 + place / 100, type="scan", action="loading", code=code, parent=parent
                    )
                    for place, (code, parent) in enumerate(pairs[begin : begin + BATCH], start=begin)
                ]
                court.station.deliver(scanner.sends(*events, received=0))

        def moves(since: float, north_m: float) -> None:
            fixes = [moved(*WEST, 4000 + t * 8, north_m) for t in range(0, 400, 20)]
            events = [
                tracker.event(since + 20 * place, lon=lon, lat=lat) for place, (lon, lat) in enumerate(fixes)
            ]
            court.station.deliver(tracker.sends(*events, received=since + 400))
            court.reached(since + 400)

        timed("record", lambda: scanned([(f"P-{n}", f"BOX-{n % BOXES}") for n in range(PARCELS)]))
        scanned([(f"BOX-{n}", f"WAGON-{n % WAGONS}") for n in range(BOXES)])
        scanned([(f"WAGON-{n}", "TRAIN-1") for n in range(WAGONS)])
        timed("fold_things", lambda: court.judge("containing"))
        court.conn.execute("analyze")
        timed("judge_after_loading", lambda: court.judge("judging"))
        moves(100, 0)
        court.judge()
        moves(1000, 5000)
        since = {tracker.device_id: at(1000)}
        found = timed("find_shipments", lambda: concern.concerned_shipments(court.conn, since, {}))
        held = carrying.goods_of(court.conn, found[:50])
        timed("what_carried_50_shipments", lambda: carrying.carrying(court.conn, held))
        timed("judge_a_milestone", lambda: court.judge("judging"))
        took["findings"] = court.rows("select count(*) from findings where rule = 'route_deviation'")[0][0]
        court.close()
    print(json.dumps({"shipments": len(found), **took}))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
