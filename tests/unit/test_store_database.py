"""Named queries, and which errors of the database pass by themselves."""

from __future__ import annotations

import psycopg
import pytest

from tracking.store.database import is_passing, parse_queries, queries, query_subjects

FILE = """-- What people read first.

-- name: first
-- Why it is as it is.
select 1

-- name: second
select 2
"""


def test_a_file_falls_apart_at_its_names() -> None:
    assert dict(parse_queries(FILE)) == {"first": "-- Why it is as it is.\nselect 1", "second": "select 2"}


def test_a_name_in_passing_is_none() -> None:
    assert list(parse_queries("select 1 -- name: no\n  -- name: neither")) == []


def test_every_file_can_be_read_and_says_what_it_is_for() -> None:
    for subject in query_subjects():
        assert queries(subject)
    with pytest.raises(FileNotFoundError):
        queries("nothing")


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (psycopg.errors.SerializationFailure, True),
        (psycopg.errors.DeadlockDetected, True),
        (psycopg.errors.AdminShutdown, True),
        (psycopg.errors.CannotConnectNow, True),
        (psycopg.errors.TooManyConnections, True),
        (psycopg.errors.LockNotAvailable, True),
        (psycopg.errors.DiskFull, True),
        (psycopg.errors.IdleInTransactionSessionTimeout, True),
        (psycopg.OperationalError, True),  # the link broke: no word from the server
        (psycopg.errors.UniqueViolation, False),
        (psycopg.errors.UndefinedColumn, False),
        (psycopg.errors.CheckViolation, False),
        (psycopg.errors.QueryCanceled, False),
        (psycopg.InterfaceError, False),
    ],
)
def test_an_errors_type_decides(error: type[psycopg.Error], passes: bool) -> None:
    assert is_passing(error()) is passes
