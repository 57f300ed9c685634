"""The embedded installation keeps its promises to whoever starts, kills and restarts it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.embedded.processes import alive, wait_gone, working_in
from tests.support.installation import ROOT, Installation, until


@pytest.fixture
def directory() -> Iterator[Path]:
    """Reachable for the database's user also when pytest's own directories aren't."""
    path = Path(tempfile.mkdtemp(prefix="bw-up-", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def installation(directory: Path) -> Iterator[Installation]:
    made = Installation(directory)
    yield made
    made.clear()


def answers(installation: Installation) -> int:
    dsn = installation.home.endpoints().database_dsn
    assert dsn is not None
    with psycopg.connect(dsn, connect_timeout=5) as conn:
        row = conn.execute("select count(*) from schema_migrations").fetchone()
    assert row is not None
    return int(row[0])


def test_start_use_and_clean_stop(installation: Installation) -> None:
    endpoints = installation.start()
    assert endpoints.mqtt is not None
    assert answers(installation) > 0
    port = int(endpoints.mqtt.rsplit(":", 1)[1])
    socket.create_connection(("127.0.0.1", port), timeout=2).close()
    refs = list(installation.refs().values())
    assert len(refs) == 2

    assert installation.stop() == 0
    assert not [ref for ref in refs if alive(ref)]
    assert installation.home.last_endpoints() is None
    said = installation.said()
    assert said.index("postgres stopped") > said.index("SIGTERM")


def test_secrets_are_for_the_owner_alone(installation: Installation) -> None:
    installation.start()
    secrets = installation.home.secrets
    assert secrets.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in secrets.iterdir()} == {0o600}
    dsn = installation.home.endpoints().database_dsn
    assert dsn is not None
    bare = dsn.split("?", maxsplit=1)[0]
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(bare, passfile="/dev/null")


def test_a_second_instance_is_refused_and_told_by_whom(installation: Installation, directory: Path) -> None:
    installation.start()
    assert installation.process is not None
    second = Installation(directory)
    second.console = directory / "second"
    assert second.launch().wait(20) == 1
    assert f"already runs on {installation.home.path} (pid {installation.process.pid})" in second.said()
    assert answers(installation) > 0


@pytest.mark.parametrize("part", ["nats", "postgres"])
def test_a_part_that_is_killed_comes_back_at_its_address(installation: Installation, part: str) -> None:
    before = installation.start()
    old = installation.refs()[part]
    os.kill(old.pid, signal.SIGKILL)

    until(lambda: installation.refs().get(part) not in {None, old}, f"{part} to be started again")
    until(lambda: installation.said().count(f"{part} ready") == 2, f"{part} to be ready again")
    after = installation.home.endpoints()
    assert (after.mqtt, after.database_dsn) == (before.mqtt, before.database_dsn)
    assert after.processes[part].restarts == 1
    assert answers(installation) > 0
    assert f"{part} died: killed by SIGKILL" in installation.said()


def test_backends_that_outlive_their_postmaster_do_not_block_the_restart(installation: Installation) -> None:
    dsn = installation.start().database_dsn
    assert dsn is not None
    with psycopg.connect(dsn, autocommit=True) as conn:
        backend = conn.info.backend_pid
        os.kill(backend, signal.SIGSTOP)  # it can't notice that its postmaster is gone
        os.kill(installation.refs()["postgres"].pid, signal.SIGKILL)
        until(lambda: installation.said().count("postgres ready") == 2, "the database to be ready again")
    assert answers(installation) > 0


def test_nothing_outlives_a_killed_supervisor_and_the_next_start_works(installation: Installation) -> None:
    installation.start()
    refs = list(installation.refs().values())
    data = installation.home.postgres.resolve() / "data"
    installation.kill()
    assert wait_gone(refs, 10) == []
    until(lambda: not list(working_in(data, "postgres")), "the last backend to end", 10)

    installation.start()
    assert answers(installation) > 0
    assert installation.stop() == 0


def test_leftovers_that_did_not_end_are_ended_by_the_next_start(installation: Installation) -> None:
    installation.start()
    refs = installation.refs()
    for ref in refs.values():
        os.kill(ref.pid, signal.SIGSTOP)  # deaf to the kernel's polite signals
    installation.kill()
    assert all(alive(ref) for ref in refs.values())

    installation.start()
    assert not any(alive(ref) for ref in refs.values())
    assert answers(installation) > 0


def test_a_killed_first_start_leaves_nothing_half_made(installation: Installation) -> None:
    draft = installation.home.postgres / "data.draft"
    installation.launch()
    until(draft.exists, "initdb to begin")
    installation.kill()

    installation.start()
    assert answers(installation) > 0
    assert not draft.exists()


def test_a_signal_while_starting_stops_cleanly(installation: Installation) -> None:
    process = installation.launch()
    until(lambda: "nats started" in installation.said(), "the first part")
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    assert "Traceback" not in installation.said()


def test_a_port_that_is_taken_is_said_with_what_to_do(installation: Installation) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        installation.environment["BONDWATCH_MQTT_PORT"] = str(port)
        assert installation.launch().wait(20) == 1
    said = installation.said()
    assert f"error: port {port} on 127.0.0.1 is taken by" in said
    assert f"(pid {os.getpid()})" in said
    assert "BONDWATCH_MQTT_PORT" in said


def test_an_ordinary_user_runs_it_too(directory: Path) -> None:
    """As root we become nobody, in a user namespace: Python may stand in /root."""
    if os.geteuid() == 0:
        prefix = ["unshare", "--user", "--map-user=65534", "--map-group=65534"]
        probe = subprocess.run(
            [*prefix, sys.executable, "-c", "import os; print(os.geteuid())"],
            check=False,
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
        if probe.stdout.strip() != "65534":
            pytest.skip(f"as root, and this kernel allows no user namespaces: {probe.stderr.strip()}")
    else:
        prefix = []
    installation = Installation(directory, prefix=prefix)
    try:
        installation.start()
        refs = list(installation.refs().values())
        assert answers(installation) > 0
        assert not installation.home.postgres.is_symlink()
        assert installation.stop() == 0
        assert not any(alive(ref) for ref in refs)
    finally:
        installation.clear()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands the database to another user")
def test_root_keeps_the_data_where_the_database_user_can_reach_them(directory: Path) -> None:
    directory.chmod(0o700)  # like /root
    installation = Installation(directory)
    elsewhere = None
    try:
        installation.start()
        assert answers(installation) > 0
        elsewhere = installation.home.postgres.readlink()
        assert elsewhere.parent == Path("/var/lib/bondwatch")
        installation.stop()
        installation.start()
        assert installation.home.postgres.readlink() == elsewhere
    finally:
        installation.clear()
        if elsewhere is not None:
            shutil.rmtree(elsewhere)
