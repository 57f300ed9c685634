"""Bring a database to the schema of this version: numbered SQL files, each applied once, in one transaction.

``migrations/0002_record.sql`` is one step. A step whose schema depends on TimescaleDB has a file for each
variant, ``0003_series.native.sql`` and ``0003_series.timescale.sql``; a database keeps the variant it began
with. What was applied is recorded with its checksum. An applied file that has changed or is missing stops
the run before anything is
done: history is appended to, never edited.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import psycopg

from tracking.store.database import MIGRATION_LOCK, Connection

Variant: TypeAlias = Literal["native", "timescale"]

MIGRATIONS: Final = Path(__file__).parent / "migrations"
_FILE: Final = re.compile(r"^(\d{4})_([a-z0-9_]+)(?:\.(native|timescale))?\.sql$")

_RECORD: Final = """
create table if not exists schema_migrations (
    number      int primary key,
    name        text not null,
    checksum    text not null,
    variant     text not null,
    -- when this database was changed, by its own clock: no fact of the record
    applied_at  timestamptz not null default clock_timestamp()
)"""


class MigrationError(Exception):
    """The database can't be brought to this version; nothing of the failed step has been applied."""


class Migration(NamedTuple):
    """One step: its number, its file and the file's SHA-256."""

    number: int
    path: Path
    checksum: str

    @property
    def name(self) -> str:
        return self.path.name


def migrate(conn: Connection, *, variant: Variant | None = None, directory: Path = MIGRATIONS) -> list[str]:
    """Apply what is missing, one transaction a file; concurrent callers wait for each other.

    Args:
        conn: in autocommit, as a role that may create tables.
        variant: which schema of the time series a *new* database gets; None takes TimescaleDB where it can
            be had.
        directory: where the numbered files are.

    Returns:
        The names of the files applied now; empty when the database was up to date.

    Raises:
        MigrationError: an applied file changed or is missing, the numbering has holes, the database is newer
            than this code, or a file failed.
    """
    if not conn.autocommit:
        raise MigrationError("migrate needs a connection in autocommit; see tracking.store.database.connect")
    conn.execute("select pg_advisory_lock(%s)", (MIGRATION_LOCK,))
    try:
        conn.execute(_RECORD)
        applied = {
            number: (name, checksum)
            for number, name, checksum in conn.execute("select number, name, checksum from schema_migrations")
        }
        chosen = variant_of(conn) or variant or available_variant(conn)
        steps = read_steps(directory, chosen)
        _compare(steps, applied)
        return [_apply(conn, step, chosen) for step in steps if step.number not in applied]
    finally:
        if not conn.broken:
            conn.execute("select pg_advisory_unlock(%s)", (MIGRATION_LOCK,))


def pending(conn: Connection, directory: Path = MIGRATIONS) -> list[str]:
    """The names of the files that ``migrate`` would apply; reads only."""
    if conn.execute("select to_regclass('schema_migrations')").fetchone() == (None,):
        return [step.name for step in read_steps(directory, available_variant(conn))]
    applied = {number for (number,) in conn.execute("select number from schema_migrations")}
    steps = read_steps(directory, variant_of(conn) or available_variant(conn))
    return [step.name for step in steps if step.number not in applied]


def variant_of(conn: Connection) -> Variant | None:
    """The variant this database was made in; None when nothing has been applied."""
    row = conn.execute("select variant from schema_migrations order by number limit 1").fetchone()
    return row[0] if row else None


def available_variant(conn: Connection) -> Variant:
    """``timescale`` where the extension is installed, or is offered and loaded by the server; else
    ``native``.
    """
    row = conn.execute(
        """
        select exists (select from pg_extension where extname = 'timescaledb')
            or exists (select from pg_available_extensions where name = 'timescaledb')
               and current_setting('shared_preload_libraries') like '%timescaledb%'
        """
    ).fetchone()
    return "timescale" if row == (True,) else "native"


def read_steps(directory: Path, variant: Variant) -> list[Migration]:
    """The steps of one variant in order.

    Raises:
        MigrationError: a file with a strange name, two files for one number, or a hole in the numbers.
    """
    steps: dict[int, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = _FILE.match(path.name)
        if match is None:
            raise MigrationError(f"{path.name}: not a migration's name; expected like 0007_subject.sql")
        if match[3] not in (None, variant):
            continue
        number = int(match[1])
        if number in steps:
            raise MigrationError(f"{path.name}: {steps[number].name} has the same number")
        steps[number] = Migration(number, path, hashlib.sha256(path.read_bytes()).hexdigest())
    missing = set(range(1, max(steps, default=0) + 1)) - steps.keys()
    if missing:
        raise MigrationError(f"no migration numbered {min(missing):04d} for the variant {variant}")
    return [steps[number] for number in sorted(steps)]


def _compare(steps: list[Migration], applied: dict[int, tuple[str, str]]) -> None:
    known = {step.number: step for step in steps}
    for number, (name, checksum) in sorted(applied.items()):
        step = known.get(number)
        if step is None and number > max(known, default=0):
            raise MigrationError(f"{name} was applied by a newer version of Bondwatch; install that version")
        if step is None or step.name != name:
            raise MigrationError(f"{name} was applied to this database, but its file is missing")
        if step.checksum != checksum:
            raise MigrationError(
                f"{name} has changed since it was applied; put it back and add a new file instead"
            )
    last = max(applied, default=0)
    skipped = [step.name for step in steps if step.number < last and step.number not in applied]
    if skipped:
        raise MigrationError(
            f"{skipped[0]} was never applied, but a later file was; this database has another history"
        )


def _apply(conn: Connection, step: Migration, variant: Variant) -> str:
    try:
        with conn.transaction():
            conn.execute(step.path.read_bytes())
            conn.execute(
                "insert into schema_migrations (number, name, checksum, variant) values (%s, %s, %s, %s)",
                (step.number, step.name, step.checksum, variant),
            )
    except psycopg.Error as error:
        where = f" (at character {error.diag.statement_position})" if error.diag.statement_position else ""
        raise MigrationError(f"{step.name} failed and was rolled back: {error}{where}") from error
    return step.name
