"""Fixtures that several stories on a real database share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.court import Court


@pytest.fixture
def court(database: str) -> Iterator[Court]:
    """The park with its road and its judge; nothing has happened yet."""
    court = Court(database)
    yield court
    court.close()
