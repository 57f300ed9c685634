"""What a judging would read of a shipment now, and documents as a clerk files them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from devices.identifiers import Thing, parse_thing
from tests.support.court import Court
from tests.support.recording import TestDevice, at
from tracking.domain.custody import documents as bodies
from tracking.domain.custody.facts import Facts
from tracking.judge.gather import gather
from tracking.judge.places import Areas
from tracking.store import concern, documents, judging, shipments
from tracking.store.documents import About

BOX = "BNDU1000010"
TRUCK = "苏E1289K"
LEG: dict[str, Any] = {
    "type": "move",
    "from_zones": ["ORIGIN"],
    "corridor": "WAY",
    "to_zones": ["DESTINATION"],
}


class Desk(Court):
    """The court, with a scanner and a gate, and a clerk."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.scanner = self.station.device("SC-1", kind="scanner")
        self.gate = self.station.device("G-1", kind="gate")

    def shipment(self, number: str, *things: str) -> None:
        """A shipment of these things, under custody from an hour before noon on."""
        with self.conn.transaction():
            shipments.create(
                self.conn,
                number=number,
                park="SIP",
                reference="",
                things=things,
                terms={"legs": [LEG]},
                valid_from=at(-3600),
                recorded_at=at(0),
                recorded_by="test",
            )

    def hears(self, device: TestDevice, *events: dict[str, Any], at_s: float = 3600) -> None:
        """Record what a device says; everything up to ``at_s`` has been."""
        self.station.clock_us = max(self.station.clock_us, round(at(at_s).timestamp() * 1_000_000))
        self.station.deliver(device.sends(*events, received=at_s))
        self.reached(at_s)

    def scans(self, seconds: float, action: str, code: str, parent: str | None = None, **more: Any) -> None:
        """A scan, recorded."""
        named = {} if parent is None else {"parent": parent}
        self.hears(
            self.scanner, self.scanner.event(seconds, type="scan", code=code, action=action, **named, **more)
        )

    def passes(self, seconds: float, *, at_s: float = 3600, **more: Any) -> None:
        """A vehicle at the gate, recorded."""
        said = {"type": "gate", "gate": "G-1", "lane": "1", "direction": "in"} | more
        self.hears(self.gate, self.gate.event(seconds, **said), at_s=at_s)

    def files(
        self,
        kind: str,
        number: str = "",
        seconds: float = 0,
        *,
        shipments: Sequence[str] = (),
        things: Sequence[str | Thing] = (),
        of: TestDevice | None = None,
        observation: tuple[int, int] | None = None,
        source: str = "declared",
        **body: Any,
    ) -> documents.Added:
        """A document, recorded."""
        named = [thing if isinstance(thing, Thing) else parse_thing(thing) for thing in things]
        return documents.add(
            self.conn,
            number=number,
            time=at(seconds),
            body=bodies.read(kind, body),
            source=source,
            about=About(shipments, named, of.device_id if of else None, observation),
            by="a clerk",
            recorded_at=at(3600),
        )

    def facts(self, number: str = "S-1") -> Facts:
        """What a judging would read now."""
        ((shipment_id,),) = self.rows("select shipment_id from shipments where number = %s", number)
        with self.conn.transaction():
            rows = judging.lock_shipments(self.conn, [shipment_id])
            return gather(self.conn, rows, Areas().current(self.conn), at(3600))[shipment_id]

    def woken(self) -> list[str]:
        """Whom the judge would look at next, once things are folded; the work is taken."""
        self.judge("containing", "refolding", "passing")
        found = self.rows(
            "select distinct s.number from work w join shipments s on s.shipment_id = w.key"
            " where w.kind = 'shipment' order by 1"
        )
        devices = self.rows("select key, min(changed_from) from work where kind = 'device' group by key")
        more = concern.concerned_shipments(self.conn, dict(devices), {})
        numbers = self.rows("select number from shipments where shipment_id = any(%s)", more)
        self.conn.execute("delete from work where kind in ('shipment', 'device')")
        return sorted({number for (number,) in [*found, *numbers]})
