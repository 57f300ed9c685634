"""The schema that the migrations make, against the committed listing.

After a new migration, look at the difference, and if it is meant:
``python -m pytest tests/integration/test_store_schema.py`` has written ``var/schema.txt``; copy it over
``tests/vectors/schema.txt``.
"""

from __future__ import annotations

from pathlib import Path

from tests.support.schema import listing
from tracking.store.database import Connection

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "tests" / "vectors" / "schema.txt"


def test_the_schema_is_the_committed_one(conn_once: Connection) -> None:
    made = listing(conn_once)
    written = ROOT / "var" / "schema.txt"
    written.parent.mkdir(exist_ok=True)
    written.write_text(made)
    assert made.splitlines() == COMMITTED.read_text().splitlines(), (
        "if meant: cp var/schema.txt tests/vectors/"
    )
