"""Who is let in at a park with a leaf node: its own devices, with and without the uplink."""

from __future__ import annotations

import asyncio
import stat
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from gateway.access.known import KnownDevices
from tests.support.postgres import Server
from tracking.store import credentials, registry
from tracking.store.database import Connection

NOW = datetime(2026, 3, 1, 8, tzinfo=UTC)
NOWHERE = "host=127.0.0.1 port=1 dbname=x user=x connect_timeout=1"


@pytest.fixture
def secrets(conn: Connection) -> dict[str, str]:
    """A device in each of two parks, and their secrets."""
    made = {}
    for park in ("SIP", "KSH"):
        registry.put_park(conn, park, name_en=park, name_zh="", time_zone="Asia/Shanghai")
        device_id = registry.add_device(
            conn, park=park, code="T-1", kind="tracker", name="", datum="wgs84", expected_every_s=60,
            registered_at=NOW,
        )  # fmt: skip
        assert device_id is not None
        made[f"{park}/T-1"] = credentials.issue(conn, device_id, NOW)
    return made


async def admitted(known: KnownDevices, secrets: dict[str, str]) -> set[str]:
    try:
        await known.begin()
        return {name for name, secret in secrets.items() if await known.admits(name, secret)}
    finally:
        await known.close()


def test_a_park_lets_its_own_in_and_no_others(database: str, secrets: dict[str, str], tmp_path: Path) -> None:
    here = KnownDevices(database, park="SIP", kept=tmp_path / "known")
    assert asyncio.run(admitted(here, secrets)) == {"SIP/T-1"}
    assert asyncio.run(admitted(KnownDevices(database), secrets)) == {"SIP/T-1", "KSH/T-1"}


def test_a_park_that_starts_cut_off_lets_in_whom_it_knew(
    database: str, secrets: dict[str, str], tmp_path: Path
) -> None:
    kept = tmp_path / "known"
    with pytest.raises(psycopg.OperationalError):
        asyncio.run(admitted(KnownDevices(NOWHERE, park="SIP", kept=kept), secrets))
    asyncio.run(admitted(KnownDevices(database, park="SIP", kept=kept), secrets))
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert all(secret.encode() not in kept.read_bytes() for secret in secrets.values())
    assert b"KSH" not in kept.read_bytes()

    cut_off = KnownDevices(NOWHERE, park="SIP", kept=kept)
    assert asyncio.run(admitted(cut_off, secrets)) == {"SIP/T-1"}
    wrong = dict.fromkeys(secrets, "another")
    assert asyncio.run(admitted(KnownDevices(NOWHERE, park="SIP", kept=kept), wrong)) == set()


def test_the_rights_of_the_deployment_page_are_enough_and_no_more(
    postgres: Server, database: str, conn: Connection, secrets: dict[str, str]
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "deployment.md").read_text()
    (grant,) = [line.strip() for line in page.splitlines() if line.strip().startswith("grant select on")]
    conn.execute(b"create role access_sip login password 'only-for-this-test'")
    try:
        conn.execute(grant.rstrip(";").encode())
        dsn = postgres.tcp_dsn(database).replace("user=bondwatch", "user=access_sip")
        dsn = dsn.replace(f"password={postgres.password}", "password=only-for-this-test")
        assert asyncio.run(admitted(KnownDevices(dsn, park="SIP"), secrets)) == {"SIP/T-1"}
        with psycopg.connect(dsn) as theirs, pytest.raises(psycopg.errors.InsufficientPrivilege):
            theirs.execute("select count(*) from observations")
    finally:
        conn.execute(b"drop owned by access_sip")
        conn.execute(b"drop role access_sip")
