"""Numbers that a device skipped: ask it to send them again.

30 seconds after a gap was seen, because most close by themselves; at most once a minute a device; and the
pause doubles with the age of the gap, so that a device that stays away finds a few commands, not thousands.
What it no longer holds it gives up; the gap stays on the record.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import groupby
from typing import Final
from uuid import UUID, uuid4

import msgspec

from devices.messages import Command, Resend, encode
from devices.topics import commands_topic
from tracking.judge import measures
from tracking.store import commands, outbox
from tracking.store.commands import MissingRow
from tracking.store.database import Connection
from tracking.store.outbox import Outgoing

RESEND: Final = "resend"
AFTER_S: Final = 30
PAUSE_S: Final = 60
EXPIRES: Final = timedelta(minutes=10)
"""A command that the device hasn't had by then is not worth having: the next one says what is missing then.
"""

MOST_RANGES: Final = 100
"""Ranges in one command; what is beyond waits for the next."""


def ask_for_missing(conn: Connection, now: datetime, *, new_id: Callable[[], UUID] = uuid4) -> int:
    """Leave ``resend`` commands for devices with gaps; returns how many.

    Args:
        conn: in autocommit.
        now: gaps are as old as this says.
        new_id: where the commands' ids come from.
    """
    with conn.transaction():
        missing = commands.gaps_to_ask(conn, now, after_s=AFTER_S, pause_s=PAUSE_S, limit=1000)
        devices = sorted({gap.device_id for gap in missing})
        if not missing:
            return 0
        busy = commands.lately_asked(conn, devices, RESEND, now - timedelta(seconds=PAUSE_S))
        messages = []
        for device_id, of_device in groupby(missing, key=lambda gap: gap.device_id):
            if device_id in busy:
                continue
            # One run a command: the newest counts most, the others have their turn in a minute.
            gaps = list(of_device)
            run = max(gap.run for gap in gaps)
            asked = [gap for gap in gaps if gap.run == run][:MOST_RANGES]
            messages.append(_ask(conn, asked, now, new_id()))
        outbox.add(conn, messages, created_at=now)
    return len(messages)


def _ask(conn: Connection, gaps: list[MissingRow], now: datetime, command_id: UUID) -> Outgoing:
    first = gaps[0]
    args = msgspec.to_builtins(Resend(first.run, [(gap.first, gap.last) for gap in gaps]))
    expires = now + EXPIRES
    commands.mark_asked(conn, gaps, now)
    commands.add_command(
        conn,
        command_id=command_id,
        device_id=first.device_id,
        command=RESEND,
        args=args,
        created_at=now,
        expires_at=expires,
    )
    measures.COMMANDS_ASKED.labels(RESEND).inc()
    command = Command(id=str(command_id), command=RESEND, args=args, expires=expires)
    return Outgoing(commands_topic(first.device), encode(command))
