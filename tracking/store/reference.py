"""What a recording needs besides messages: what people and systems said, from one database to another.

Devices' words come again with the messages, and all that follows from them is derived again. What is carried
is the rest: parks, places, devices, attachments, shipments with their terms, documents, people's decisions,
and what barriers were told, because that can't be told again.

Inside, keys differ from database to database. So a row is known by what names it outside (a device by park
and code, a thing by its URI), and the keys of others in it are translated. A row that is there already stays
as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from psycopg import sql
from psycopg.types.json import Jsonb

from devices.observation import EPOCH
from tracking.store import correcting, judging
from tracking.store.database import Connection
from tracking.store.registry import add_work, lock_reference

Row = dict[str, Any]
Rows = Mapping[str, Sequence[Mapping[str, Any]]]


class Table(Struct, frozen=True):
    """How the rows of a table are carried.

    Attributes:
        names: the columns that name a row, the same in every database once keys are translated.
        key: the column that other tables name it by; drawn anew.
        refers: columns that hold a key of another table.
        leaves: columns that are drawn anew or made by others.
        where: which rows.
    """

    name: str
    names: tuple[str, ...]
    key: str | None = None
    refers: Mapping[str, str] = {}
    leaves: tuple[str, ...] = ()
    where: str = "true"


PAGE: Final = 5000

_DEVICE: Final = {"device_id": "devices"}
_SHIPMENT: Final = {"shipment_id": "shipments"}

TABLES: Final = (
    Table("parks", ("code",), "park_id"),
    Table("areas", ("code",), "area_id", {"park_id": "parks"}),
    Table("area_revisions", ("area_id", "revision"), None, {"area_id": "areas"}, ("entry",)),
    Table("devices", ("park_id", "code"), "device_id", {"park_id": "parks"}),
    Table("things", ("uri",), "thing_id"),
    Table(
        "attachments",
        ("device_id", "thing_id", "role", "valid_from", "recorded_at"),
        None,
        {"device_id": "devices", "thing_id": "things"},
        ("attachment_id",),
    ),
    Table("shipments", ("number",), "shipment_id", {"park_id": "parks"}),
    Table(
        "shipment_things",
        ("shipment_id", "thing_id", "valid_from"),
        None,
        {"shipment_id": "shipments", "thing_id": "things"},
        ("entry",),
    ),
    Table("terms", ("shipment_id", "revision"), None, _SHIPMENT, ("entry",)),
    Table("levels", ("quantity", "value", "valid_from")),
    Table("park_rules", ("park_id", "revision"), None, {"park_id": "parks"}, ("entry",)),
    Table("documents", ("digest",), "entry"),
    Table(
        "document_links",
        ("entry", "shipment_id", "thing_id", "device_id"),
        None,
        {"entry": "documents", **_SHIPMENT, "thing_id": "things", **_DEVICE},
    ),
    Table(
        "containment_events",
        ("child_id", "event_time", "action", "parent_id", "quantity", "reported_by"),
        None,
        {"child_id": "things", "parent_id": "things"},
        ("event_id",),
        "device_id is null",
    ),
    Table("corrections", ("device_id", "event_time", "run", "seq", "recorded_at", "by"), "entry", _DEVICE),
    Table("retractions", ("correction",), None, {"correction": "corrections"}, ("entry",)),
    Table(
        "decisions", ("shipment_id", "finding_id", "kind", "recorded_at", "by"), None, _SHIPMENT, ("entry",)
    ),
    Table(
        "commands",
        ("command_id",),
        None,
        _DEVICE,
        ("result", "answered_at"),
        "command_id in (select command_id from gate_decisions)",
    ),
    Table(
        "gate_decisions",
        ("device_id", "run", "seq", "entry"),
        None,
        {**_DEVICE, "entry": "documents"},
        ("decision_id",),
    ),
)
"""In the order in which they can be written: nobody before those whose keys it holds."""


def read(conn: Connection) -> Iterator[tuple[str, Row]]:
    """Every row, by table, as of one moment; moments and bytes as the database writes them in JSON."""
    with conn.transaction():
        conn.execute("set transaction isolation level repeatable read, read only")
        for table in TABLES:
            query = sql.SQL("select to_jsonb(t) from {} t where {} order by {}").format(
                sql.Identifier(table.name), sql.SQL(table.where), _order(table)
            )
            for (row,) in conn.execute(query):
                yield table.name, row


def put(conn: Connection, rows: Rows) -> dict[str, int]:
    """Write the rows that are missing, and leave the work that follows. Within a transaction.

    Args:
        conn: keeps every batch out until the transaction ends.
        rows: by table, as :func:`read` gave them; of several versions of a row the last counts.

    Returns:
        How many rows of each table were new.
    """
    lock_reference(conn)
    keys: dict[str, dict[int, int]] = {}
    added: dict[str, int] = {}
    for table in TABLES:
        given = _translated(table, _newest(table, rows.get(table.name, ())), keys)
        new = _insert(conn, table, given)
        added[table.name] = len(new)
        if table.key is not None:
            keys[table.name] = _keys(conn, table, given)
        _leave_work(conn, table, new)
    if added["area_revisions"] or added["levels"]:
        judging.replan(conn, EPOCH)
    return added


def recount(conn: Connection) -> None:
    """Leave the work of every correction again: what they are about has come after them."""
    with conn.transaction():
        for (entry,) in conn.execute("select entry from corrections order by entry").fetchall():
            correcting.leave_work(conn, entry)


def _order(table: Table) -> sql.Composable:
    order = (table.key,) if table.key is not None else table.leaves[:1] or table.names
    return sql.SQL(", ").join(map(sql.Identifier, order))


def _newest(table: Table, rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """One version of each row: the last, at the place of the first."""
    found: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        found[tuple(row[name] for name in table.names)] = dict(row)
    return list(found.values())


def _translated(table: Table, rows: list[Row], keys: Mapping[str, Mapping[int, int]]) -> list[Row]:
    for row in rows:
        for column, other in table.refers.items():
            if row[column] is not None:
                row[column] = keys[other][row[column]]
    return rows


def _insert(conn: Connection, table: Table, rows: list[Row]) -> list[Row]:
    """The rows that weren't there, as they stand now, in the order given."""
    if not rows:
        return []
    left = {table.key, *table.leaves}
    columns = [name for name in rows[0] if name not in left]
    query = sql.SQL(
        "insert into {table} as t ({columns})"
        " select {given} from jsonb_populate_recordset(null::{table}, %s) with ordinality as g"
        " where not exists (select from {table} k where {same}) order by ordinality"
        " returning to_jsonb(t)"
    ).format(
        table=sql.Identifier(table.name),
        columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
        given=sql.SQL(", ").join(sql.Identifier("g", name) for name in columns),
        same=_same(table, "k"),
    )
    return [row for page in _pages(rows) for (row,) in conn.execute(query, (Jsonb(page),))]


def _keys(conn: Connection, table: Table, rows: list[Row]) -> dict[int, int]:
    """Which key each row has here, by the one that it had there."""
    query = sql.SQL(
        "select g.{key}, k.{key} from jsonb_populate_recordset(null::{table}, %s) g join {table} k on {same}"
    ).format(table=sql.Identifier(table.name), key=sql.Identifier(table.key or ""), same=_same(table, "k"))
    return {there: here for page in _pages(rows) for there, here in conn.execute(query, (Jsonb(page),))}


def _pages(rows: list[Row]) -> Iterator[list[Row]]:
    for begin in range(0, len(rows), PAGE):
        yield rows[begin : begin + PAGE]


def _same(table: Table, alias: str) -> sql.Composable:
    """The first name is never null, and an index begins with it."""
    first, *others = table.names
    parts = [sql.SQL("{} = {}").format(sql.Identifier(alias, first), sql.Identifier("g", first))]
    parts += [
        sql.SQL("{} is not distinct from {}").format(sql.Identifier(alias, name), sql.Identifier("g", name))
        for name in others
    ]
    return sql.SQL(" and ").join(parts)


def _leave_work(conn: Connection, table: Table, new: list[Row]) -> None:
    """What the judge owes to these rows, as whoever made them left it there."""
    for row in new:
        match table.name:
            case "attachments":
                add_work(conn, "device", row["device_id"], row["valid_from"])
            case "terms" | "shipment_things":
                add_work(conn, "shipment", row["shipment_id"], row["valid_from"])
            case "decisions":
                add_work(conn, "shipment", row["shipment_id"], row["recorded_at"])
            case "documents":
                add_work(conn, "document", row["entry"], row["time"])
            case "containment_events":
                add_work(conn, "thing", row["child_id"], row["event_time"])
            case _:
                pass
