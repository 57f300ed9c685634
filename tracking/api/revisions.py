"""Revisions that people write and no update of which is lost: tags, If-Match, and the answer when one lost.

Source: RFC 9110, 8.8.3 (ETag) and 13.1.1 (If-Match); RFC 6585, 3 (428).
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, TypeAlias

from fastapi import Header

from tracking.api.problems import Problem
from tracking.store.revising import LostUpdate

IfMatch: TypeAlias = Annotated[
    str | None, Header(description='ETag of the revision that this one follows, or "*"')
]

_TAGS: Final = re.compile(r'"(\d{1,9})"')


def tag(row: dict[str, Any]) -> str:
    """The ETag of a revision."""
    return f'"{row["revision"]}"'


def expected_by(if_match: str | None) -> frozenset[int] | None:
    """The revisions that an If-Match names; weak tags match none (RFC 9110, 13.1.1).

    Raises:
        Problem: there is none.
    """
    if if_match is None:
        detail = "send If-Match with the ETag of what you have read, so that no update is lost"
        raise Problem(428, "precondition-required", detail)
    if if_match.strip() == "*":
        return None
    strong = [tag for part in if_match.split(",") if (tag := _TAGS.fullmatch(part.strip())) is not None]
    return frozenset(int(tag[1]) for tag in strong)


def lost(error: LostUpdate) -> Problem:
    """Somebody was faster."""
    detail = f"{error}; read them, and decide again"
    return Problem(412, "lost-update", detail, revision=error.revision)
