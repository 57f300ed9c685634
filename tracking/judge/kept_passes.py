"""The approved passes that each gate keeps for the time in which nobody answers it: the command ``passes``.

When the passes of its zone have changed, at most every half minute a gate. What isn't there when the gate
asks is decided here as ever; the list matters only where the fallback of the gate's area is ``passes``, and
tells every gate how long to wait and what its fallback is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID, uuid4

import msgspec

from devices.messages import PASSES, Command, KeptPass, KeptPasses, encode
from devices.topics import commands_topic
from tracking.domain.custody import documents as bodies
from tracking.domain.custody.documents import PassState
from tracking.domain.custody.passes import Pass, document_order, told
from tracking.domain.custody.told import Document
from tracking.domain.gates.timing import timing
from tracking.judge import measures
from tracking.store import commands, gates, outbox
from tracking.store.database import Connection
from tracking.store.gates import GateRow
from tracking.store.outbox import Outgoing

BACK: Final = timedelta(days=5)
"""Passes of which anything was said since then; ours, as in ``arrivals``."""

PAUSE: Final = timedelta(seconds=30)
EXPIRES: Final = timedelta(days=1)
MOST: Final = 200
"""Passes that one gate keeps: the newest."""


class KeptPassesSender:
    """Sends the lists that have changed. One a process; nothing is lost when it ends.

    Args:
        new_id: where the commands' ids come from.
    """

    def __init__(self, *, new_id: Callable[[], UUID] = uuid4) -> None:
        self._new_id = new_id
        self._seen: tuple[Any, ...] | None = None

    def send_changed(self, conn: Connection, now: datetime) -> int:
        """Leave a command for every gate whose list is another than the one it was sent; returns how many.
        Within a transaction.
        """
        seen = gates.pass_news(conn)
        if seen == self._seen:
            return 0
        known = gates.gates_with_devices(conn, now)
        sent = gates.last_commands(conn, [gate.device_id for gate in known], PASSES)
        usable = _usable(conn, now - BACK)
        is_settled, count = True, 0
        for gate in known:
            wanted = _list(gate, usable, now)
            last = sent.get(gate.device_id)
            if not _differs(wanted, None if last is None else last[1]):
                continue
            if last is not None and now - last[0] < PAUSE:
                is_settled = False
                continue
            self._send(conn, gate, wanted, now)
            count += 1
        self._seen = seen if is_settled and not count else None  # what was sent may not be committed
        return count

    def _send(self, conn: Connection, gate: GateRow, wanted: KeptPasses, now: datetime) -> None:
        command_id, args, expires = self._new_id(), msgspec.to_builtins(wanted, str_keys=True), now + EXPIRES
        commands.add_command(
            conn,
            command_id=command_id,
            device_id=gate.device_id,
            command=PASSES,
            args=args,
            created_at=now,
            expires_at=expires,
        )
        command = Command(id=str(command_id), command=PASSES, args=args, expires=expires)
        outbox.add(conn, [Outgoing(commands_topic(gate.device), encode(command))], created_at=now)
        measures.COMMANDS_ASKED.labels(PASSES).inc()


def _usable(conn: Connection, since: datetime) -> dict[str, list[Pass]]:
    """The approved passes that no vehicle has used, by zone, the newest first."""
    papers = [
        Document(row.entry, row.number, row.time, bodies.read(row.kind, row.body), row.source, row.by)
        for row in gates.pass_papers(conn, since)
    ]
    known: dict[str, Pass] = {}
    for paper in sorted(papers, key=document_order):
        now_is = told(known.get(paper.number), paper)
        if now_is is not None:
            known[paper.number] = now_is
    used = gates.used_passes(conn, list(known))
    found: dict[str, list[Pass]] = {}
    for one in sorted(known.values(), key=lambda one: (one.since, one.number), reverse=True):
        if one.state is PassState.APPROVED and one.number not in used:
            found.setdefault(one.body.zone, []).append(one)
    return found


def _list(gate: GateRow, usable: Mapping[str, Sequence[Pass]], now: datetime) -> KeptPasses:
    held = timing(gate.properties)
    passes = [
        KeptPass(one.number, one.body.vehicle, one.body.direction.value)
        for one in usable.get(gate.zone, ())[:MOST]
    ]
    return KeptPasses(gate.zone, now, held.within_s, held.fallback, passes)


def _differs(wanted: KeptPasses, sent: Mapping[str, Any] | None) -> bool:
    """Whether the gate must be told. One that was never sent a list needs none that is empty."""
    if sent is None:
        return bool(wanted.passes)
    said = msgspec.to_builtins(wanted)
    return any(said[name] != sent.get(name) for name in ("zone", "within_s", "fallback", "passes"))
