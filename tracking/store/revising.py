"""Revisions that are only ever added: which one follows, when nothing changes, and who was too late."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from tracking.store.registry import Row


class LostUpdate(Exception):
    """Somebody else has revised them meanwhile.

    Attributes:
        revision: the newest.
    """

    def __init__(self, revision: int) -> None:
        super().__init__(f"they stand at revision {revision}")
        self.revision = revision


class Revised(NamedTuple):
    """What a request for a revision came to: the next one, or the one that stands and says the same."""

    row: Row
    is_new: bool


def following(
    stands: Row,
    *,
    expected: frozenset[int] | None,
    body: Mapping[str, Any],
    valid_from: datetime | None,
    recorded_at: datetime,
    recorded_by: str,
) -> Revised:
    """The revision after the one that stands.

    That one itself where it says the same: the answer to the first request may have been lost.

    Args:
        stands: the newest revision, locked; number 0: there is none yet.
        expected: revisions of which the newest must be one; None: any will do.
        body: what the revision says.
        valid_from: its moment; None: ``recorded_at``, and in a repetition any.
        recorded_at: now.
        recorded_by: who asks.

    Raises:
        LostUpdate: the newest revision is not an expected one.
    """
    if stands["revision"] and stands["body"] == body and valid_from in {None, stands["valid_from"]}:
        return Revised(stands, is_new=False)
    if expected is not None and stands["revision"] not in expected:
        raise LostUpdate(stands["revision"])
    row = {
        "revision": stands["revision"] + 1,
        "valid_from": valid_from or recorded_at,
        "body": dict(body),
        "recorded_at": recorded_at,
        "recorded_by": recorded_by,
    }
    return Revised(row, is_new=True)
