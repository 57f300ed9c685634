"""Reference data and who keeps it: parks, areas, devices, things, attachments, keys.

Nothing here is overwritten but names: a changed area is a new revision, a moved device a new attachment.
Whoever changes what the first fold reads (areas, devices) takes the reference lock alone and raises the
revision, so that no batch commits against places it did not see.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from devices.identifiers import Thing, parse_thing
from devices.observation import micros
from tracking.domain.places import Area
from tracking.store.database import REFERENCE_LOCK, WORK_CHANNEL, Connection, notify, queries

Row: TypeAlias = dict[str, Any]
Outcome: TypeAlias = Literal["created", "revised", "unchanged"]

SQL: Final = queries("registry")


class Unknown(LookupError):
    """Something that a request names isn't there.

    Attributes:
        what: ``park``, ``device``, ``zone`` …
        code: as it was named.
    """

    def __init__(self, what: str, code: str) -> None:
        super().__init__(f'no {what} "{code}"')
        self.what = what
        self.code = code


def one(conn: Connection, query: str, **parameters: Any) -> Row | None:
    """The first row of a named query as a dictionary, or None."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL[query], parameters).fetchone()


def rows(conn: Connection, query: str, **parameters: Any) -> list[Row]:
    """The rows of a named query as dictionaries."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(SQL[query], parameters).fetchall()


def put_park(conn: Connection, code: str, *, name_en: str, name_zh: str, time_zone: str) -> None:
    """Make a park, or rename it."""
    names = {"code": code, "name_en": name_en, "name_zh": name_zh, "time_zone": time_zone}
    conn.execute(SQL["put_park"], names)


def parks(conn: Connection) -> list[Row]:
    """All parks."""
    return rows(conn, "parks")


def park_id(conn: Connection, code: str) -> int:
    """The key of a park.

    Raises:
        Unknown: there is no such park.
    """
    row = one(conn, "park_id", code=code)
    if row is None:
        raise Unknown("park", code)
    return int(row["park_id"])


def lock_reference(conn: Connection) -> None:
    """Keep every batch out until this transaction ends, and tell them to read anew."""
    conn.execute(SQL["lock_reference"], {"lock": REFERENCE_LOCK})
    conn.execute(SQL["bump_reference"])


def put_area(
    conn: Connection,
    *,
    code: str,
    kind: str,
    park: str,
    geometry: Mapping[str, Any],
    tolerance_m: float | None,
    properties: Mapping[str, Any],
    valid_from: datetime,
    recorded_at: datetime,
    recorded_by: str,
) -> Outcome:
    """Give an area a new revision from ``valid_from`` on. Within a transaction that holds the reference lock.

    Raises:
        Unknown: there is no such park.
        ValueError: the code is another kind of area, or another park's, or a newer revision already holds.
    """
    conn.execute(SQL["add_area"], {"park_id": park_id(conn, park), "code": code, "kind": kind})
    area = one(conn, "area", code=code)
    if area is None or (area["kind"], area["park"]) != (kind, park):
        raise ValueError(
            f'"{code}" is a {area["kind"]} of park {area["park"]}' if area else f'no area "{code}"'
        )
    area_id = area["area_id"]
    newest = one(conn, "newest_area_revision", area_id=area_id)
    if newest is not None:
        same = (newest["geometry"], newest["tolerance_m"], newest["properties"])
        if newest["valid_to"] is None and same == (geometry, tolerance_m, properties):
            return "unchanged"
        if valid_from <= newest["valid_from"]:
            since = f"{newest['valid_from']:%Y-%m-%dT%H:%M:%SZ}"
            raise ValueError(f"revision {newest['revision']} holds since {since}; a new one must begin later")
        conn.execute(
            SQL["close_area_revision"],
            {"area_id": area_id, "revision": newest["revision"], "at": valid_from},
        )
    conn.execute(
        SQL["add_area_revision"],
        {
            "area_id": area_id,
            "revision": newest["revision"] + 1 if newest else 1,
            "valid_from": valid_from,
            "geometry": Jsonb(geometry),
            "tolerance_m": tolerance_m,
            "properties": Jsonb(properties),
            "recorded_at": recorded_at,
            "recorded_by": recorded_by,
        },
    )
    return "revised" if newest else "created"


def all_areas(conn: Connection) -> list[Area]:
    """Every revision of every area: what the spatial index is built from."""
    return [
        Area.from_geojson(
            row["geometry"],
            code=row["code"],
            kind=row["kind"],
            park=row["park"],
            valid_from_us=micros(row["valid_from"]),
            valid_to_us=None if row["valid_to"] is None else micros(row["valid_to"]),
            tolerance_m=row["tolerance_m"],
            properties=row["properties"],
            revision=row["revision"],
        )
        for row in rows(conn, "all_areas")
    ]


def add_device(
    conn: Connection,
    *,
    park: str,
    code: str,
    kind: str,
    name: str,
    datum: str,
    expected_every_s: int,
    registered_at: datetime,
) -> int | None:
    """Register a device; its key, or None when the code is taken in this park.

    Raises:
        Unknown: there is no such park.
    """
    lock_reference(conn)
    row = one(
        conn,
        "add_device",
        park_id=park_id(conn, park),
        code=code,
        kind=kind,
        name=name,
        datum=datum,
        expected_every_s=expected_every_s,
        registered_at=registered_at,
    )
    return int(row["device_id"]) if row else None


def device(conn: Connection, name: str) -> Row:
    """A registered device by its name, ``SIP/TRK-001``.

    Raises:
        Unknown: there is no such device.
    """
    park, _, code = name.partition("/")
    row = one(conn, "device", park=park, code=code)
    if row is None:
        raise Unknown("device", name)
    return row


def arrivals(conn: Connection, device_id: int) -> list[Row]:
    """What was odd about how a device's events arrived: kind, count, notes, first_at, last_at, lasts."""
    return rows(conn, "arrivals", device_id=device_id)


def revoke_device(conn: Connection, device_id: int, at: datetime) -> bool:
    """Take a device's right to speak; False when it had none."""
    lock_reference(conn)
    conn.execute(SQL["revoke_credentials"], {"device_id": device_id, "at": at})
    return one(conn, "revoke_device", device_id=device_id, at=at) is not None


def thing(conn: Connection, text: str) -> tuple[int, Thing]:
    """The key of a thing by anything that names it; a thing not seen before is made."""
    parsed = parse_thing(text)
    conn.execute(SQL["add_thing"], {"uri": parsed.uri, "kind": parsed.kind, "label": parsed.label})
    row = one(conn, "thing_id", uri=parsed.uri)
    assert row is not None
    return int(row["thing_id"]), parsed


def attach(
    conn: Connection,
    *,
    device_id: int,
    thing_id: int,
    role: str,
    valid_from: datetime,
    valid_to: datetime | None,
    recorded_at: datetime,
) -> bool:
    """Put a device on a thing for an interval and leave the work that follows; False: it is there already.

    Another end of the same beginning takes the place of the one before; saying no end takes the place of
    nothing, so that a repeat that comes late doesn't undo what was said since. The device's row is held until
    the transaction ends.
    """
    where = {
        "device_id": device_id,
        "thing_id": thing_id,
        "role": role,
        "valid_from": valid_from,
        "valid_to": valid_to,
    }
    conn.execute(SQL["hold_device"], where)
    if one(conn, "attachment", **where):
        return False
    conn.execute(SQL["supersede_attachment"], {**where, "recorded_at": recorded_at})
    conn.execute(SQL["add_attachment"], {**where, "recorded_at": recorded_at})
    add_work(conn, "device", device_id, valid_from)
    return True


def add_work(conn: Connection, kind: str, key: int, changed_from: datetime) -> None:
    """Leave work for the judge and wake it at the commit."""
    conn.execute(SQL["add_work"], {"kind": kind, "key": key, "changed_from": changed_from})
    wake_judge(conn)


def wake_judge(conn: Connection) -> None:
    """Tell the judge, at the commit, that there is work."""
    with conn.cursor() as cursor:
        notify(cursor, WORK_CHANNEL)


def key_name(conn: Connection, hashed: bytes) -> str | None:
    """Whose API key this is, by its SHA-256; None when it is unknown or revoked."""
    row = one(conn, "key_name", hash=hashed)
    return row["name"] if row else None


def add_key(conn: Connection, name: str, hashed: bytes, created_at: datetime) -> None:
    """Let a key in; again is fine."""
    conn.execute(SQL["add_key"], {"name": name, "hash": hashed, "created_at": created_at})
