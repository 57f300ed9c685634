"""A park with a route, trucks on the real road into a real database, and a judge that works when it is told
to.

    court = Court(database)
    truck = court.truck("TRK-1", shipment="S-1")
    truck.drives(0, 5000).strays(5000, 8000)
    court.judge()
    court.expect_findings("S-1", route_deviation=("major", "open"))

The route runs 20 km east: ORIGIN at 0, LAYBY (forbidden) at 10 km, DESTINATION at 20 km, along corridor
WAY, 800 m to either side. Times are seconds after noon. The watermark is where the last delivery left it,
or where a test puts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Final, Self

from devices.observation import moment
from tests.support.recording import PARK, Station, TestDevice, at
from tests.support.rows import NOON_US, SECOND_US
from tests.support.traces import moved
from tracking.judge.containing import Containing
from tracking.judge.deciding import Deciding
from tracking.judge.judging import Judging
from tracking.judge.loop import Task, drain
from tracking.judge.passing import Passing
from tracking.judge.refolding import Refolding
from tracking.store import registry, shipments
from tracking.store.database import Connection, connect

WEST: Final = (120.70, 31.30)
LONG_AGO: Final = datetime(2020, 1, 1, tzinfo=at(0).tzinfo)
SPEED_MPS: Final = 20.0

MOVE: Final[dict[str, Any]] = {
    "type": "move",
    "from_zones": ["ORIGIN"],
    "corridor": "WAY",
    "to_zones": ["DESTINATION"],
}


def tasks() -> dict[str, Task]:
    """Everything a judge does, with snapshots close together."""
    return {
        "deciding": Deciding(),
        "containing": Containing(),
        "judging": Judging(),
        "passing": Passing(),
        "refolding": Refolding(snapshot_every=50),
    }


def square_around(lon: float, lat: float, half_m: float) -> dict[str, Any]:
    corners = [
        moved(lon, lat, x * half_m, y * half_m) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
    ]
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]}


class Truck:
    """A device on a truck: each method adds what it reports; nothing is sent before ``court.deliver``."""

    def __init__(
        self, court: Court, device: TestDevice, shipment: str, every_s: float, accuracy_m: float | None
    ) -> None:
        self.court, self.device, self.shipment = court, device, shipment
        self.every_s = every_s
        self.accuracy_m = accuracy_m
        self.time = self.told = 0.0
        self.events: list[dict[str, Any]] = []

    def stands(self, east_m: float, seconds: float, north_m: float = 0.0) -> Self:
        """Reports from one spot."""
        end = self.time + seconds
        while self.time < end:
            self._reports(east_m, north_m)
            self.time += self.every_s
        return self

    def drives(self, from_m: float, to_m: float, north_m: float = 0.0) -> Self:
        """Reports along the way, at 72 km/h."""
        begun = self.time
        while (gone := (self.time - begun) * SPEED_MPS) < abs(to_m - from_m):
            self._reports(from_m + (gone if to_m > from_m else -gone), north_m)
            self.time += self.every_s
        return self

    def is_quiet(self, seconds: float) -> Self:
        """Reports nothing."""
        self.time += seconds
        return self

    def _reports(self, east_m: float, north_m: float) -> None:
        lon, lat = moved(*WEST, east_m, north_m)
        stated = {} if self.accuracy_m is None else {"accuracy_m": self.accuracy_m}
        self.events.append(self.device.event(self.time, lon=lon, lat=lat, **stated))


class Court:
    """The park, the station that records, and the judge."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.station = Station(dsn)
        self.conn: Connection = connect(dsn)
        self.tasks = tasks()
        for code, kind, east_m, half_m in (
            ("ORIGIN", "port", 0, 500),
            ("LAYBY", "layby_forbidden", 10_000, 300),
            ("DESTINATION", "cbz", 20_000, 500),
        ):
            self.area(code, kind, square_around(*moved(*WEST, east_m, 0), half_m))
        line = [list(moved(*WEST, east_m, 0)) for east_m in (-1000, 21_000)]
        self.area("WAY", "corridor", {"type": "LineString", "coordinates": line}, tolerance_m=800.0)

    def area(
        self,
        code: str,
        kind: str,
        geometry: dict[str, Any],
        *,
        tolerance_m: float | None = None,
        since: datetime = LONG_AGO,
        then: Callable[[Connection], object] = lambda _: None,
        **properties: Any,
    ) -> None:
        """Draw an area; ``then`` runs in the editor's transaction."""
        with self.conn.transaction():
            registry.lock_reference(self.conn)
            registry.put_area(
                self.conn,
                code=code,
                kind=kind,
                park=PARK,
                geometry=geometry,
                tolerance_m=tolerance_m,
                properties=properties,
                valid_from=since,
                recorded_at=at(0),
                recorded_by="test",
            )
            then(self.conn)

    def truck(
        self,
        code: str = "TRK-1",
        *,
        shipment: str = "S-1",
        every_s: float = 20,
        accuracy_m: float | None = None,
        expected_every_s: int = 60,
        **terms: Any,
    ) -> Truck:
        """A truck with its tracker and a container, under custody from an hour before noon on."""
        device = self.station.device(code, expected_every_s=expected_every_s)
        self.attach(device.device_id, f"box-{code}")
        with self.conn.transaction():
            shipments.create(
                self.conn,
                number=shipment,
                park=PARK,
                reference="",
                things=[f"box-{code}"],
                terms={"legs": [MOVE | terms]},
                valid_from=at(-3600),
                recorded_at=at(0),
                recorded_by="test",
            )
        return Truck(self, device, shipment, every_s, accuracy_m)

    def attach(
        self, device_id: int, thing: str, since: datetime | None = None, until: datetime | None = None
    ) -> None:
        with self.conn.transaction():
            thing_id, _ = registry.thing(self.conn, thing)
            registry.attach(
                self.conn,
                device_id=device_id,
                thing_id=thing_id,
                role="primary",
                valid_from=since or at(-3600),
                valid_to=until,
                recorded_at=at(0),
            )

    def deliver(
        self,
        truck: Truck,
        events: Iterable[dict[str, Any]] | None = None,
        *,
        size: int = 100,
        reaches: bool = True,
    ) -> None:
        """Record what a truck has reported (or some of it), in batches; the watermark follows if it may."""
        given = list(truck.events if events is None else events)
        if events is None:
            truck.events = []
        truck.told = max(event["time"] for event in given) / 1000 - NOON_US / SECOND_US + 1
        self.station.clock_us = max(self.station.clock_us, NOON_US + round(truck.told * SECOND_US))
        for begin in range(0, len(given), size):
            self.station.deliver(truck.device.sends(*given[begin : begin + size], received=truck.told))
        if reaches:
            self.reached(truck.told)

    def reached(self, seconds: float) -> None:
        """The record reaches at least so far."""
        self.conn.execute(
            "insert into source_positions (source, partition, through_at) values ('test', 0, %s)"
            " on conflict (source, partition) do update"
            " set through_at = greatest(source_positions.through_at, excluded.through_at)",
            (at(seconds),),
        )

    def judge(self, *names: str, conn: Connection | None = None) -> int:
        """Let the judge do all there is to do (of some tasks only); returns how many rows of work there
        were.
        """
        tasks = [task for name, task in self.tasks.items() if not names or name in names]
        return drain(conn or self.conn, tasks, lambda: moment(self.station.clock_us))

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.conn.execute(query, parameters).fetchall()  # type: ignore[arg-type]

    def findings(self, shipment: str = "S-1") -> list[tuple[Any, ...]]:
        """(rule, cause, verdict, state, severity, opened_at, closed_at) of the findings that hold, in
        order.
        """
        return self.rows(
            "select rule, cause, verdict, f.state, severity, opened_at, f.closed_at"
            " from findings f join shipments s using (shipment_id)"
            " where s.number = %s and superseded_at is null and f.state <> 'withdrawn'"
            " order by opened_at, rule, cause",
            shipment,
        )

    def milestones(self) -> list[tuple[Any, ...]]:
        """Every milestone that holds, as a fold tells it."""
        return self.rows(
            "select device_id, time, kind, area, detail, at_time, at_run, at_seq from milestones"
            " where superseded_at is null order by device_id, at_time, at_run, at_seq, kind, area"
        )

    def expect_findings(self, shipment: str = "S-1", **expected: tuple[str, str]) -> None:
        """The whole set: rule=(severity, state)."""
        found = {row[0]: (row[4], row[3]) for row in self.findings(shipment)}
        assert found == expected, (found, expected)
        assert len(self.findings(shipment)) == len(expected)

    def alerts(self) -> list[tuple[Any, ...]]:
        """(shipment, rule, cause, severity, state, occurrences), oldest first."""
        return self.rows(
            "select s.number, rule, cause, severity, a.state, occurrences"
            " from alerts a join shipments s using (shipment_id) order by alert_id"
        )

    def outbox(self) -> list[tuple[str, bytes]]:
        return self.rows("select topic, payload from outbox order by outbox_id")

    def close(self) -> None:
        self.conn.close()
        self.station.close()
