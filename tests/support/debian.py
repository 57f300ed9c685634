"""Debian's packages unpacked privately: programs that no package registry has, without being root.

The machine itself stays as it is: nothing is installed, no service starts. apt keeps its lists, cache and
(empty) status in our directory, so it resolves the whole closure; ``dpkg-deb -x`` unpacks it side by side.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

# The C library must be the one that the machine's loader belongs to.
_NOT_UNPACKED: Final = re.compile(r"^(libc6|debconf|passwd|gcc-\d+-base)_")


def unpacked(package: str, directory: Path | None = None) -> Path:
    """The root directory into which a package and all it needs are unpacked; done once, then found again.

    Raises:
        FileNotFoundError: this machine has no apt.
        subprocess.CalledProcessError: apt could not fetch the package; its output is in the error.
    """
    home = (directory or _cache()) / package
    root = home / "root"
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "complete").exists():
            shutil.rmtree(root, ignore_errors=True)
            for archive in _download(package, home):
                if not _NOT_UNPACKED.match(archive.name):
                    _run(["dpkg-deb", "-x", archive, root])
            (home / "complete").touch()
    return root


def environment(root: Path) -> dict[str, str]:
    """What a program below ``root`` must see to find its libraries."""
    machine = f"{os.uname().machine}-linux-gnu"
    places = [root / part / machine for part in ("usr/lib", "lib")]
    return os.environ | {"LD_LIBRARY_PATH": ":".join(map(str, places))}


def _download(package: str, home: Path) -> list[Path]:
    if shutil.which("apt-get") is None:
        raise FileNotFoundError(f"{package} is not on PATH and this machine has no apt-get to fetch it with")
    for part in ("lists/partial", "cache/archives/partial"):
        (home / part).mkdir(parents=True, exist_ok=True)
    (home / "status").touch()
    apt = [
        "apt-get", "-q", "-o", f"Dir::State::lists={home}/lists", "-o", f"Dir::Cache={home}/cache",
        "-o", f"Dir::State::status={home}/status", "-o", "Debug::NoLocking=1", "-o", "APT::Sandbox::User=",
    ]  # fmt: skip
    _run([*apt, "update"])
    listed = _run([*apt, "install", "--no-install-recommends", "--print-uris", "-y", package])
    names = re.findall(r"^'[^']+' (\S+)", listed, re.MULTILINE)
    _run([*apt, "install", "--no-install-recommends", "--download-only", "-y", package])
    archives = home / "cache" / "archives"
    return [archives / name for name in names]


def _run(command: list[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise subprocess.CalledProcessError(
            done.returncode, list(map(str, command)), done.stdout, done.stderr
        )
    return done.stdout


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "bondwatch-tests"
