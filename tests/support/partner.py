"""A partner who calls the API: with a key that it knows, of the application that is served in production."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from fastapi.testclient import TestClient

from tests.support.recording import at
from tracking.api.access import key_hash
from tracking.api.app import create_app
from tracking.console import pages
from tracking.domain.ledger.checkpoint import Signer
from tracking.store import registry
from tracking.store.database import connect

KEY: Final = "bwk_a-key-of-this-test"


@contextmanager
def partner(
    dsn: str, now: Callable[[], datetime], *, name: str = "tests", signer: Signer | None = None
) -> Iterator[TestClient]:
    """The API and the pages of a database, asked with the partner's key.

    Args:
        dsn: the database.
        now: the API's clock.
        name: the partner's, which what it says is recorded by.
        signer: of certificates.
    """
    with connect(dsn) as conn:
        registry.add_key(conn, name, key_hash(KEY), at(0))
    app = create_app(dsn, now=now, signer=signer)
    pages.mount(app)
    with TestClient(app, headers={"Authorization": f"Bearer {KEY}"}) as client:
        yield client
