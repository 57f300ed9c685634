"""The database: durability, schema, TimescaleDB, and what waits in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

import psycopg

from gateway.doctor.finding import Finding, failure, fine, warning
from tracking.store import figures
from tracking.store.database import Connection, connect
from tracking.store.migrate import MigrationError, pending
from tracking.store.positions import watermark

GIB: Final = 2**30
MIN_MAJOR: Final = 15
CLOCK_DIFFERENCE_S: Final = 2.0
OUTBOX_S: Final = 60.0
WORK_S: Final = 60.0
WATERMARK_S: Final = 60.0


def look(dsn: str, *, embedded: bool) -> Iterator[Finding]:
    """Everything about the database that a connection tells."""
    try:
        conn = connect(dsn, application="bondwatch-doctor")
    except psycopg.OperationalError as error:
        line = str(error).strip().splitlines()[-1]
        yield failure("database", f"doesn't answer: {line}", "check that it runs and that the DSN is right")
        return
    with conn:
        yield from server(conn, embedded=embedded)
        try:
            missing = pending(conn)
        except MigrationError as error:
            yield failure("schema", str(error), "install the version of Bondwatch that fits this database")
            return
        if missing:
            yield failure("schema", f"lacks {', '.join(missing)}", "bondwatch migrate")
            return
        yield fine("schema", "up to date")
        yield from contents(conn, datetime.now(UTC))


def server(conn: Connection, *, embedded: bool) -> Iterator[Finding]:
    """The server's version, promises and clock."""
    found = figures.server(conn)
    major = int(found.version.split(".")[0])
    says = f"PostgreSQL {found.version}, {found.size_bytes / GIB:.2f} GiB"
    if major < MIN_MAJOR:
        yield failure("database", says, f"PostgreSQL {MIN_MAJOR} or newer is needed")
    else:
        yield fine("database", says)
    if found.synchronous_commit == "off" or found.fsync == "off":
        yield failure(
            "durability",
            f"synchronous_commit is {found.synchronous_commit}, fsync is {found.fsync}",
            "set both on: a receipt promises that the event is on disk",
        )
    behind_s = abs((datetime.now(UTC) - found.clock).total_seconds())
    if behind_s > CLOCK_DIFFERENCE_S:
        yield warning(
            "clock",
            f"the database's clock differs from ours by {behind_s:.1f} s",
            "synchronise both machines",
        )
    if found.timescaledb:
        yield fine("timescaledb", found.timescaledb)
    elif found.timescaledb_offered:
        advice = "it is chosen when a database is new: docs/operations-database.md"
        yield warning("timescaledb", f"{found.timescaledb_offered} is offered but not used here", advice)
    else:
        note = (
            "not offered"
            if embedded
            else "not offered; recommended from some 10 million observations a month"
        )
        yield fine("timescaledb", f"{note}: native partitions are used")


def contents(conn: Connection, now: datetime) -> Iterator[Finding]:
    """What waits: due work, unsent messages, rejections; and how far the road has been emptied."""
    reached = watermark(conn)
    if reached is None:
        yield fine("watermark", "nothing has been recorded to its end yet: no time-outs are judged")
    else:
        age_s = (now - reached).total_seconds()
        if age_s > WATERMARK_S:
            advice = "a partition isn't read: is a gateway running?  bondwatch logs gateway-1"
            yield warning("watermark", f"{age_s:.0f} s behind: silence and deadlines wait", advice)
        else:
            yield fine("watermark", f"{max(age_s, 0):.1f} s behind")
        count, due_s = figures.due_work(conn, reached)
        if count and due_s > WORK_S:
            yield warning(
                "judge", f"{count} pieces of work, the oldest due since {due_s:.0f} s", "bondwatch logs judge"
            )
        else:
            yield fine("judge", f"{count} pieces of work due")
    waiting, oldest = figures.waiting_outbox(conn)
    if oldest is not None and (now - oldest).total_seconds() > OUTBOX_S:
        age_s = (now - oldest).total_seconds()
        advice = "the judge relays them: bondwatch logs judge"
        yield warning("outbox", f"{waiting} messages unsent, the oldest for {age_s:.0f} s", advice)
    else:
        yield fine("outbox", f"{waiting} messages wait")
    rejected = figures.rejections_since(conn, now - timedelta(days=1))
    if rejected:
        reasons = ", ".join(f"{reason} {count}" for reason, count in list(rejected.items())[:4])
        advice = "bondwatch rejections list; they are kept whole and can be replayed"
        yield warning("rejections", f"{sum(rejected.values())} within a day: {reasons}", advice)
    else:
        yield fine("rejections", "none within a day")
