"""Fixtures that every test may ask for; each resource has its own file in ``tests/support``."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgres import Server, running
from tracking.store.database import Connection, connect

# Speed is measured in benchmarks: no example fails for the time that a busy machine takes over it.
settings.register_profile("untimed", settings(deadline=None, suppress_health_check=[HealthCheck.too_slow]))
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """What a command that runs in this process says of signals ends with the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One PostgreSQL server for the whole session."""
    with running() as server:
        yield server


@pytest.fixture
def database(postgres: Server) -> Iterator[str]:
    """The DSN of a fresh, migrated database of this test's own."""
    dsn = postgres.create()
    yield dsn
    postgres.drop(dsn)


@pytest.fixture
def conn(database: str) -> Iterator[Connection]:
    """A connection in autocommit to this test's database."""
    with connect(database) as connection:
        yield connection


@pytest.fixture(scope="session")
def conn_once(postgres: Server) -> Iterator[Connection]:
    """A connection to one migrated database for the whole session, for tests that leave no trace."""
    dsn = postgres.create()
    with connect(dsn) as connection:
        yield connection
    postgres.drop(dsn)
