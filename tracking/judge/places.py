"""Zones and corridors as of one revision of the reference data, and what happens when they change."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct
from shapely.geometry import shape

from tracking.domain.custody.facts import AreaBook, AreaRevision
from tracking.domain.places import PlaceIndex
from tracking.domain.tracks import Levels
from tracking.store import judging, levels, registry
from tracking.store.database import Connection
from tracking.store.judging import AreaRow


class Progress(Struct, frozen=True):
    """How far a change of places has been carried into the tracks.

    Attributes:
        waiting: devices that are still to be folded again.
    """

    waiting: int


class Areas:
    """What areas are, kept until the reference data change. One a thread."""

    def __init__(self) -> None:
        self._revision: int | None = None
        self._areas = AreaBook()

    def current(self, conn: Connection) -> AreaBook:
        """Revisions by code. An editor's change has left work, so judging by the one before is made good."""
        revision = judging.reference_revision(conn)
        if revision != self._revision:
            found: dict[str, list[AreaRevision]] = {}
            for row in judging.area_revisions(conn):
                found.setdefault(row.code, []).append(_revision(row))
            self._areas = AreaBook((code, tuple(revisions)) for code, revisions in found.items())
            self._revision = revision
        return self._areas


def _revision(row: AreaRow) -> AreaRevision:
    middle = None if row.geometry is None else shape(row.geometry).centroid
    return AreaRevision(
        code=row.code,
        kind=row.kind,
        bonded=row.bonded,
        parent=row.parent,
        revision=row.revision,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        properties=row.properties,
        lon=None if middle is None else middle.x,
        lat=None if middle is None else middle.y,
    )


class Places:
    """The spatial index, kept until the reference data change. One a thread."""

    def __init__(self) -> None:
        self._index: PlaceIndex | None = None

    def current(self, conn: Connection) -> PlaceIndex:
        """The index of the newest revision.

        Nothing is held: an editor that waited for a long re-fold would keep every batch waiting behind it. An
        edit that commits meanwhile has left a re-fold of its own, which waits for the device's row; so ask
        after that is locked.
        """
        revision = judging.reference_revision(conn)
        if self._index is None or self._index.revision != revision:
            self._index = PlaceIndex(registry.all_areas(conn), revision)
        return self._index


class LevelTable:
    """The levels of readings, kept until the reference data change. One a thread; ask as of ``Places``."""

    def __init__(self) -> None:
        self._revision: int | None = None
        self._levels = Levels()

    def current(self, conn: Connection) -> Levels:
        """The levels of the newest revision."""
        revision = judging.reference_revision(conn)
        if revision != self._revision:
            self._levels, self._revision = levels.all_levels(conn), revision
        return self._levels


def replan_after_place_change(conn: Connection, changed_from: datetime) -> int:
    """Leave re-folds and judgings for every device that was heard since a place changed.

    For the editor of places, in the transaction of the change. How far it has come: ``refold_progress``.

    Args:
        conn: the editor's connection, within its transaction.
        changed_from: from when the new revision holds.

    Returns:
        How many devices are folded again.
    """
    return judging.replan(conn, changed_from)


def refold_progress(conn: Connection) -> Progress:
    """How many devices still wait to be folded again."""
    return Progress(judging.refolds_waiting(conn))
