"""The observations that bound silences."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from tracking.domain.custody.corrections import Observed
from tracking.store.database import Connection, queries

SQL: Final = queries("cases")


def heard_at(conn: Connection, moments: Collection[tuple[str, datetime]]) -> list[Observed]:
    """What devices said at just these moments, in order of time."""
    asked = {"devices": [device for device, _ in moments], "times": [time for _, time in moments]}
    return [Observed(*row) for row in conn.execute(SQL["heard_at"], asked)]
