"""Commands to devices, and the numbers they skipped: what must be asked for, and what has been.

A command goes out through the outbox, in the transaction that writes it down here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg.types.json import Jsonb

from devices.observation import moment
from tracking.store.database import Connection, queries

SQL: Final = queries("commands")

_ARRIVAL: Final = re.compile(r"arrival/(-1|[0-9]{1,9})/([0-9]{1,18})")


class MissingRow(NamedTuple):
    """A gap in a device's numbers that it has not been asked for lately."""

    device_id: int
    device: str
    run: int
    first: int
    last: int


class ResultRow(NamedTuple):
    """What a device did about a command.

    Attributes:
        command: id of the command; ``arrival/{run}/{seq}``: a gate got none, and followed its fallback.
    """

    device_id: int
    run: int
    seq: int
    time_us: int
    command: str
    ok: bool
    detail: str | None


def gaps_to_ask(
    conn: Connection, now: datetime, *, after_s: int, pause_s: int, limit: int
) -> list[MissingRow]:
    """Lock the gaps that devices should be asked to fill now."""
    parameters = {"now": now, "after_s": after_s, "pause_s": pause_s, "limit": limit}
    return [MissingRow(*row) for row in conn.execute(SQL["gaps_to_ask"], parameters)]


def mark_asked(conn: Connection, missing: Sequence[MissingRow], now: datetime) -> None:
    """These gaps have been asked for."""
    conn.execute(
        SQL["mark_asked"],
        {
            "now": now,
            "device_ids": [gap.device_id for gap in missing],
            "runs": [gap.run for gap in missing],
            "firsts": [gap.first for gap in missing],
        },
    )


def lately_asked(conn: Connection, device_ids: Sequence[int], command: str, since: datetime) -> set[int]:
    """Which of these devices have been sent this command since a moment."""
    parameters = {"device_ids": list(device_ids), "command": command, "since": since}
    return {device_id for (device_id,) in conn.execute(SQL["lately_asked"], parameters)}


def add_command(
    conn: Connection,
    *,
    command_id: UUID,
    device_id: int,
    command: str,
    args: Mapping[str, Any],
    created_at: datetime,
    expires_at: datetime,
) -> None:
    """Write down what a device is asked to do; the outbox carries it there."""
    conn.execute(
        SQL["add_command"],
        {
            "command_id": command_id,
            "device_id": device_id,
            "command": command,
            "args": Jsonb(args),
            "created_at": created_at,
            "expires_at": expires_at,
        },
    )


def add_results(conn: Connection, rows: Sequence[ResultRow], *, recorded_at: datetime) -> None:
    """Keep what devices did about their commands, and gates about vehicles. What names nothing that we know
    stays an observation only.
    """
    if not rows:
        return
    ids = [_uuid(row.command) for row in rows]
    arrivals = [_arrival(row.command) for row in rows]
    conn.execute(
        SQL["add_results"],
        {
            "device_ids": [row.device_id for row in rows],
            "told_runs": [row.run for row in rows],
            "told_seqs": [row.seq for row in rows],
            "times": [moment(row.time_us) for row in rows],
            "command_ids": ids,
            "oks": [row.ok for row in rows],
            "details": [row.detail for row in rows],
            "runs": [None if arrival is None else arrival[0] for arrival in arrivals],
            "seqs": [None if arrival is None else arrival[1] for arrival in arrivals],
            "recorded_at": recorded_at,
        },
    )


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _arrival(text: str) -> tuple[int, int] | None:
    found = _ARRIVAL.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))
