"""What the API and the console read: shipments, traces, milestones, findings, alerts, areas, devices.

Rows are dictionaries with the columns' names, because they go out as JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

from psycopg.rows import dict_row

from tracking.store import carrying, decisions
from tracking.store.carrying import Carrier
from tracking.store.database import Connection, queries

Row: TypeAlias = dict[str, Any]

SQL: Final = queries("reading")

BEGINNING: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _rows(conn: Connection, query: str, **parameters: Any) -> list[Row]:
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL[query], parameters).fetchall()


def _row(conn: Connection, query: str, **parameters: Any) -> Row | None:
    rows = _rows(conn, query, **parameters)
    return rows[0] if rows else None


def shipments(
    conn: Connection, *, search: str = "", after: tuple[datetime, int] | None = None, limit: int = 50
) -> list[Row]:
    """A page of shipments, newest first, with what a list shows of each.

    Args:
        search: the beginning of a number, reference or thing's label, or a thing's whole URI, of the goods or
            of what they were ever in; empty: all.
        after: (created_at, shipment_id) of the last row of the page before.
    """
    after_at, after_id = after or (None, None)
    page: Row = {"after_at": after_at, "after_id": after_id, "limit": limit}
    if search:
        escaped = search.upper().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        found = _rows(conn, "search_shipments", prefix=escaped + "%", exact=search, **page)
    else:
        found = _rows(conn, "list_shipments", **page)
    overview = {
        row["shipment_id"]: row for row in _rows(conn, "overview", ids=[s["shipment_id"] for s in found])
    }
    return [shipment | overview[shipment["shipment_id"]] for shipment in found]


def shipment(conn: Connection, number: str) -> Row | None:
    """One shipment with what a list shows of it."""
    found = _row(conn, "shipment", number=number)
    if found is None:
        return None
    overview = _row(conn, "overview", ids=[found["shipment_id"]])
    return found | (overview or {})


def carriers(conn: Connection, shipment_id: int) -> list[Row]:
    """The devices that spoke for a shipment: device_id, device, role, thing, valid_from, valid_to.

    Those on its things, and those on whatever these were in, while they were.
    """
    found = carrying.carrying(conn, carrying.goods_of(conn, [shipment_id]))
    return _carriers(found[shipment_id].carriers) if found else []


def carriers_of_thing(conn: Connection, thing_id: int, uri: str) -> list[Row]:
    """The devices that spoke for a thing, at any time, as ``carriers`` has them."""
    held = carrying.Held(thing_id, thing_id, uri, BEGINNING, None)
    return _carriers(carrying.carrying(conn, [held])[thing_id].carriers)


def thing(conn: Connection, uri: str) -> Row | None:
    """A thing that somebody has named: thing_id, uri, kind, label."""
    return _row(conn, "thing", uri=uri)


def thing_overview(conn: Connection, thing_id: int) -> Row:
    """How many things are in a thing now, the devices that are on it, the shipments that it belongs to."""
    return _rows(conn, "thing_overview", thing_id=thing_id)[0]


def parents(conn: Connection, thing_id: int, *, at: datetime | None) -> list[Row]:
    """What a thing was in, oldest first; at a moment, or ever."""
    return _rows(conn, "parents", thing_id=thing_id, at=at)


def contents(
    conn: Connection, thing_id: int, *, at: datetime | None, after: tuple[datetime, int] | None, limit: int
) -> list[Row]:
    """A page of what was in a thing, oldest first; at a moment, or ever."""
    since, key = after or (None, None)
    return _rows(conn, "contents", thing_id=thing_id, at=at, after_at=since, after_id=key, limit=limit)


def containment_conflicts(conn: Connection, thing_id: int) -> list[Row]:
    """Where what is said of a thing contradicts itself."""
    return _rows(conn, "containment_conflicts", thing_id=thing_id)


def what_is_in_what(conn: Connection, shipment_id: int, *, limit: int = 200) -> list[Row]:
    """What the things of a shipment were in, and what these were in, oldest first."""
    return _rows(conn, "what_is_in_what", shipment_id=shipment_id, limit=limit)


def milestones(conn: Connection, carrying: Sequence[Row], *, known_at: datetime | None = None) -> list[Row]:
    """The milestones of carriers within their intervals, in event-time order.

    Args:
        carrying: as ``carriers`` gives it.
        known_at: those that were held true at this moment; None: that are now.
    """
    roles = [row["role"] for row in carrying]
    return _rows(conn, "milestones", **_intervals(carrying), roles=roles, known_at=known_at)


def findings(
    conn: Connection, shipment_id: int, *, withdrawn: bool = False, known_at: datetime | None = None
) -> list[Row]:
    """The findings of a shipment that are held true now, or were at a moment (``known_at``); newest first.

    Each with what people had decided on it by then: ``decided`` is the newest word, ``explained`` or
    ``waived``, else None.
    """
    rows = _rows(conn, "findings", shipment_id=shipment_id, withdrawn=withdrawn, known_at=known_at)
    taken = decisions.of_shipments(conn, [shipment_id], known_at=known_at).get(shipment_id, [])
    return [row | decisions.shown(taken, row) for row in rows]


def custody_state(conn: Connection, shipment_id: int) -> Row | None:
    """The leg in force and how far custody has been judged; None before the first judging."""
    return _row(conn, "custody_state", shipment_id=shipment_id)


def terms(conn: Connection, shipment_id: int) -> Row | None:
    """The newest revision of a shipment's terms."""
    return _row(conn, "terms", shipment_id=shipment_id)


def alerts(
    conn: Connection,
    *,
    state: str | None,
    shipment_number: str | None,
    after: tuple[datetime, int] | None,
    limit: int,
) -> list[Row]:
    """A page of alerts, newest first; ``after`` is (raised_at, alert_id) of the last row before it."""
    after_at, after_id = after or (None, None)
    page: Row = {"after_at": after_at, "after_id": after_id, "limit": limit}
    return _rows(conn, "alerts", state=state, shipment=shipment_number, **page)


def act_on_alert(
    conn: Connection, alert_id: int, action: str, by: str, comment: str, at: datetime
) -> Literal["done", "unknown", "resolved"]:
    """Write down what a person did about an alert, unless there is none, or it is resolved already."""
    with conn.transaction():
        stands = _row(conn, "act_on_alert", alert_id=alert_id, action=action)
        if stands is None:
            return "unknown"
        if stands["too_late"]:
            return "resolved"
        conn.execute(
            SQL["add_alert_action"],
            {"alert_id": alert_id, "action": action, "by": by, "comment": comment, "at": at},
        )
    return "done"


def areas(
    conn: Connection, *, at: datetime, park: str | None = None, corridors: bool | None = None
) -> list[Row]:
    """The areas in force at ``at``: zones, corridors, or both (None)."""
    return _rows(conn, "areas", at=at, park=park, corridors=corridors)


def devices(conn: Connection, *, park: str | None, after: int | None, limit: int) -> list[Row]:
    """A page of registered devices."""
    return _rows(conn, "devices", park=park, after=after, limit=limit)


def _carriers(found: Sequence[Carrier]) -> list[Row]:
    rows = [
        {
            "device_id": one.device_id,
            "device": one.device,
            "role": one.role,
            "thing": one.thing,
            "valid_from": one.begins,
            "valid_to": one.ends,
        }
        for one in found
    ]
    return sorted(rows, key=lambda row: (row["valid_from"], row["device"]))


def _intervals(carrying: Sequence[Row]) -> Row:
    return {
        "devices": [row["device_id"] for row in carrying],
        "froms": [row["valid_from"] for row in carrying],
        "tos": [row["valid_to"] for row in carrying],
    }
