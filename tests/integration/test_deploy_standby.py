"""The many-server form's database: ``primary.sh`` and ``standby.sh`` do with a real PostgreSQL what they say.

The image's own entrypoint isn't here: the server that runs ``primary.sh`` is started as that starts it, with
the arguments of ``hub.yml`` and without TCP.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

import psycopg
import pytest

from gateway.embedded import cluster
from gateway.embedded.account import Account, for_database
from tests.support import compose
from tests.support.brokers import free_ports
from tests.support.installation import until

DEPLOY = Path(__file__).resolve().parents[2] / "deploy" / "many-servers"
PRIMARY_HOST, STANDBY_HOST = "127.0.0.2", "127.0.0.1"
PASSWORD = "of the standby's role"
WAITS_S = 2.0
PATIENCE_S = 60.0
SYNCHRONOUS = "select application_name from pg_stat_replication where sync_state = 'sync'"


class Pair:
    """A primary and its standby, on two addresses of loopback and one port."""

    def __init__(self, directory: Path) -> None:
        self.account: Account = for_database(directory)
        self.programs = cluster.usable_binaries(self.account) / "bin"
        self.primary, self.standby = directory / "primary", directory / "standby"
        (self.port,) = free_ports(1)
        self.directory = directory
        self.running: list[subprocess.Popen[bytes]] = []
        self.threads = ThreadPoolExecutor(1)
        self.environment = dict(cluster.environment()) | {
            "PATH": f"{self.programs}:/usr/bin:/bin",
            "PGPORT": str(self.port),
            "POSTGRES_USER": "bondwatch",
            "POSTGRES_DB": "bondwatch",
            "REPLICATION_PASSWORD": PASSWORD,
        }
        self.arguments = compose.read(DEPLOY / "hub.yml")["services"]["db1"]["command"][1:]

    def make_primary(self) -> None:
        """As the image does once: initdb, a server without TCP, the database, the script."""
        self.run(
            "initdb",
            "-D",
            str(self.primary),
            "-U",
            "bondwatch",
            "--auth=trust",
            "--encoding=UTF8",
            "--no-sync",
        )
        conf = f"unix_socket_directories = '{self.directory}'\nlisten_addresses = '{STANDBY_HOST}'\n"
        with (self.primary / "postgresql.conf").open("a") as file:
            file.write(conf)
        server = self.start([*self.arguments, "-clisten_addresses="], self.primary)
        until(lambda: self.works("createdb", "-h", str(self.directory), "-U", "bondwatch", "bondwatch"), "it")
        script = {"PGDATA": str(self.primary), "PGHOST": str(self.directory)}
        self.run("bash", str(self.copied("primary.sh")), **script)
        self.end(server)

    def start_primary(self) -> subprocess.Popen[bytes]:
        return self.start(
            [*self.arguments, f"-clisten_addresses={PRIMARY_HOST}", "-cunix_socket_directories="],
            self.primary,
        )

    def start_standby(self) -> subprocess.Popen[bytes]:
        more = {"PGUSER": "standby", "PGPASSWORD": PASSWORD, "PRIMARY": PRIMARY_HOST, "STANDBY": "db2"}
        return self.spawn(["bash", str(self.copied("standby.sh"))], PGDATA=str(self.standby), **more)

    def start(self, arguments: list[str], data: Path) -> subprocess.Popen[bytes]:
        return self.spawn([str(self.programs / "postgres"), "-D", str(data), "-cshared_buffers=16MB", *[
            one for one in arguments if not one.startswith("-cshared_buffers")
        ]])  # fmt: skip

    def spawn(self, command: list[str], **more: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            env=self.environment | more,
            cwd=self.directory,
            start_new_session=True,
            **self.account.switch(),
        )
        self.running.append(process)
        return process

    def end(self, process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGINT) -> None:
        process.send_signal(how)
        process.wait(30)
        self.running.remove(process)

    def copied(self, name: str) -> Path:
        """The script where the database's user can read it."""
        copy = self.directory / name
        shutil.copy(DEPLOY / name, copy)
        copy.chmod(0o755)
        return copy

    def run(self, *command: str, **more: str) -> None:
        subprocess.run(
            command, env=self.environment | more, cwd=self.directory, check=True, **self.account.switch()
        )

    def works(self, *command: str) -> bool:
        done = subprocess.run(
            command, env=self.environment, cwd=self.directory, check=False, capture_output=True,
            **self.account.switch(),
        )  # fmt: skip
        return done.returncode == 0

    def ask(self, host: str, statement: str) -> list[tuple[object, ...]]:
        dsn = f"host={host} port={self.port} user=bondwatch dbname=bondwatch connect_timeout=2"
        with psycopg.connect(dsn, autocommit=True) as conn:
            cursor = conn.execute(statement)  # type: ignore[call-overload]
            return cursor.fetchall() if cursor.description else []

    def says(self, statement: str) -> Future[list[tuple[object, ...]]]:
        """A statement at the primary, as it stands after a while."""
        told = self.threads.submit(self.ask, PRIMARY_HOST, statement)
        wait([told], WAITS_S)
        return told

    def answers(self, host: str, statement: str) -> list[tuple[object, ...]]:
        try:
            return self.ask(host, statement)
        except psycopg.Error:
            return []


@pytest.fixture
def pair() -> Iterator[Pair]:
    directory = Path(tempfile.mkdtemp(prefix="bw-pair-", dir="/tmp"))
    made = Pair(directory)
    made.account.own(directory)
    directory.chmod(0o755 if os.geteuid() == 0 else 0o700)
    try:
        yield made
    finally:
        for process in made.running:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        made.threads.shutdown()
        shutil.rmtree(directory, ignore_errors=True)


def test_commits_wait_for_the_standby_from_the_first_start_on_and_a_promoted_one_for_none(pair: Pair) -> None:
    pair.make_primary()
    primary = pair.start_primary()
    until(lambda: pair.answers(PRIMARY_HOST, "select 1"), "the primary to answer")
    kept = pair.says("create table kept as select 7 as n")
    assert not kept.done()
    standby = pair.start_standby()
    kept.result(PATIENCE_S)
    shown = "select n, pg_is_in_recovery() from kept order by n"
    until(lambda: pair.answers(STANDBY_HOST, shown) == [(7, True)], "the standby to show it")
    until(lambda: pair.answers(PRIMARY_HOST, SYNCHRONOUS) == [("db2",)], "the standby to be waited for")

    pair.end(standby)
    kept = pair.says("insert into kept values (8)")
    assert not kept.done()
    standby = pair.start_standby()
    kept.result(PATIENCE_S)
    until(lambda: pair.answers(STANDBY_HOST, shown) == [(7, True), (8, True)], "the standby to show it")

    pair.end(primary, signal.SIGQUIT)
    assert pair.works("pg_ctl", "promote", "-D", str(pair.standby))
    until(lambda: pair.answers(STANDBY_HOST, "select 1 where not pg_is_in_recovery()"), "the promotion")
    pair.ask(STANDBY_HOST, "insert into kept values (9)")
    assert pair.ask(STANDBY_HOST, "select n from kept order by n") == [(7,), (8,), (9,)]
    assert standby.poll() is None
