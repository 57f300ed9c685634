"""A gate with its barrier: vehicles arrive, papers are filed, and what the gate is told is read from the
outbox.

    barrier = Barrier(database)
    barrier.files_pass("Z-1", "苏E33D71")
    told = barrier.arrives(0, plate="苏E33D71", **{"pass": "Z-1"})
    assert told.decision == "open"
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from devices.identifiers import own_thing
from devices.observation import moment
from tests.support.court import WEST, square_around
from tests.support.desk import Desk
from tests.support.recording import TestDevice, at
from tests.support.rows import NOON_US, SECOND_US
from tests.support.traces import moved
from tracking.judge.deciding import Deciding
from tracking.judge.loop import drain
from tracking.store.database import Connection

ZONE = "DESTINATION"


class Told(NamedTuple):
    """What a decision's row says."""

    decision_id: int
    decision: str
    codes: list[str]
    pass_number: str | None
    uses_pass: bool
    decided_by: str
    unsent: str | None


class Barrier(Desk):
    """The desk, with a gate G-1 that leads into DESTINATION."""

    def __init__(self, dsn: str, **properties: Any) -> None:
        super().__init__(dsn)
        place = square_around(*moved(*WEST, 20_500, 0), 30)
        self.area("G-1", "gate", place, **({"parent": ZONE, "direction": "both"} | properties))
        self.deciding = Deciding()

    def files_pass(
        self, number: str, vehicle: str, *, seconds: float = -3600, approved: bool = True, **more: Any
    ) -> None:
        """Applied for and approved: into the zone on one vehicle."""
        body = {"type": 2, "direction": "in", "zone": ZONE, "vehicle": vehicle} | more
        shipments = body.pop("shipments", ())
        named = [own_thing("pass", number), vehicle, *body.get("containers", ())]
        self.files("pass", number, seconds, shipments=shipments, things=named, **body)
        if approved:
            self.moves_pass(number, "approved", seconds + 60)

    def moves_pass(self, number: str, state: str, seconds: float) -> None:
        self.files("pass_state", number, seconds, things=[own_thing("pass", number)], state=state)

    def reports(self, seconds: float, **more: Any) -> tuple[int, int]:
        """A vehicle is reported and recorded at that moment; run and number of the report."""
        self.clock(seconds)
        self.passes(seconds, at_s=seconds + 0.1, **more)
        return self.gate.run, self.gate.seq

    def arrives(self, seconds: float, *, looked_at: float | None = None, **more: Any) -> Told:
        """A vehicle is reported, and the judge looks at it at once, or when it is told to."""
        run, seq = self.reports(seconds, **more)
        self.decides(seconds + 0.2 if looked_at is None else looked_at)
        return self.told_of(run, seq)[-1]

    def clock(self, seconds: float) -> None:
        self.station.clock_us = NOON_US + round(seconds * SECOND_US)

    def decides(self, seconds: float, conn: Connection | None = None) -> int:
        """The judge's thread for gates does all there is to do."""
        self.clock(seconds)
        return drain(conn or self.conn, [self.deciding], lambda: moment(self.station.clock_us))

    def told_of(self, run: int, seq: int) -> list[Told]:
        """The decisions about a report, oldest first."""
        return [
            Told(key, decision, [reason["code"] for reason in reasons], *rest)
            for key, decision, reasons, *rest in self.rows(
                "select decision_id, decision, reasons, pass_number, uses_pass, decided_by, unsent"
                " from gate_decisions where run = %s and seq = %s order by decision_id",
                run,
                seq,
            )
        ]

    def commands(self, device: TestDevice | None = None) -> list[dict[str, Any]]:
        """What was sent to the gate, oldest first."""
        topic = f"bw/v1/{(device or self.gate).name}/commands"
        return [json.loads(payload) for to, payload in self.outbox() if to == topic]

    def answers(self, seconds: float, command: str, did: str, *, ok: bool = True) -> None:
        """The gate says what it did."""
        event = self.gate.event(seconds, type="result", command=command, ok=ok, detail=did)
        self.clock(seconds)
        self.hears(self.gate, event, at_s=seconds + 0.1)


__all__ = ["ZONE", "Barrier", "Told", "at"]
