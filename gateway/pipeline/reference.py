"""What the road must know of the world to judge a batch: devices and places, as of one revision.

A reference is read whole and never changed. ``resolve`` holds the revision under a shared lock; when it has
moved since this one was read, the batch starts again with a fresh one, so none commits against what it
did not see.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from devices.observation import Datum, micros
from devices.topics import EVENTS, ROOT
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import Levels, Profile
from tracking.domain.tracks.levels import NONE
from tracking.store import record, registry
from tracking.store.database import Connection
from tracking.store.levels import all_levels


class Device(Struct, frozen=True, gc=False):
    """A registered device.

    Attributes:
        name: ``SIP/TRK-001``.
        dialect: key of ``devices.codecs.CODECS``.
        datum: what its coordinates are given in, unless an event says otherwise.
        revoked_us: broker time from which it may report no longer.
    """

    device_id: int
    name: str
    dialect: str
    datum: Datum
    profile: Profile
    revoked_us: int | None = None


class Reference(Struct, frozen=True):
    """Devices by the topic of their events, places, and levels of readings, at one revision."""

    revision: int
    devices: Mapping[str, Device]
    places: PlaceIndex
    levels: Levels = NONE


def read_reference(conn: Connection) -> Reference:
    """Read everything anew, while editors wait: the revision and what it stands for belong together."""
    profiles: dict[int, Profile] = {}
    with conn.transaction():
        revision = record.hold_reference(conn)
        # The names are good, the table has checked them: there may be a hundred thousand to put into topics.
        devices = {f"{ROOT}/{row.name}/{EVENTS}": _device(row, profiles) for row in record.devices(conn)}
        areas = registry.all_areas(conn)
        levels = all_levels(conn)
    return Reference(revision, devices, PlaceIndex(areas, revision), levels)


def _device(row: record.DeviceRow, profiles: dict[int, Profile]) -> Device:
    """A device of the table; those that report equally often share one profile."""
    profile = profiles.setdefault(row.expected_every_s, Profile(row.expected_every_s))
    revoked_us = None if row.revoked_at is None else micros(row.revoked_at)
    return Device(row.device_id, row.name, row.dialect, Datum(row.datum), profile, revoked_us)
