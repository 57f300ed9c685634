"""Fixtures that several stories on a real database share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.court import Court
from tests.support.sources import Recorder


@pytest.fixture
def court(database: str) -> Iterator[Court]:
    """The park with its road and its judge; nothing has happened yet."""
    court = Court(database)
    yield court
    court.close()


@pytest.fixture
def recorder(database: str) -> Recorder:
    """Who plays the pipeline behind a source."""
    return Recorder(database)
