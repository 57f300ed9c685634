"""The machine: versions, disk, memory, clock, the data directory, ports."""

import ctypes
import platform
import shutil
import stat
import subprocess
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final

import psutil

from gateway.doctor.finding import Finding, failure, fine, warning
from gateway.embedded import cluster, nats
from gateway.embedded.home import SECRETS, Home
from gateway.embedded.ports import is_free, listener
from gateway.problem import Problem
from gateway.settings import PREFIX, Settings

GIB: Final = 2**30
DISK_FAILURE_GIB: Final = 1.0
DISK_MARGIN_GIB: Final = 2.0
MEMORY_WARNING_GIB: Final = 0.7

TIME_ERROR: Final = 5
TIMEX_BYTES: Final = 208


def look(settings: Settings, home: Home, *, running: bool) -> Iterator[Finding]:
    """Everything about the machine."""
    yield from versions(settings)
    yield from data_directory(home)
    yield from disk(settings, home)
    yield memory()
    yield clock()
    if not running:
        yield from ports(settings)


def versions(settings: Settings) -> Iterator[Finding]:
    """What runs here."""
    yield fine("versions", f"bondwatch {version('bondwatch')}, Python {platform.python_version()}")
    programs: list[tuple[str, Callable[[], Path]]] = []
    if settings.broker_url is None:
        programs.append(("nats-server", nats.program))
    if settings.database_dsn is None:
        programs.append(("PostgreSQL", lambda: cluster.binaries() / "bin" / "postgres"))
    for name, find in programs:
        try:
            said = subprocess.run(
                [find(), "--version"], capture_output=True, text=True, check=True, timeout=10
            )
        except Problem as problem:
            yield failure("versions", problem.what, problem.advice)
        except (OSError, subprocess.SubprocessError) as error:
            yield failure("versions", f"{name} can't be run: {error}", "install it anew: make clean run")
        else:
            yield fine("versions", said.stdout.strip())


def data_directory(home: Home) -> Iterator[Finding]:
    """Whether it is there, ours, and its secrets secret."""
    if not home.path.is_dir():
        yield fine("home", f"{home.path} doesn't exist yet; the first start makes it")
        return
    open_to_others = (
        [path for path in home.secrets.glob("*") if stat.S_IMODE(path.stat().st_mode) & 0o077]
        if home.secrets.is_dir()
        else []
    )
    if open_to_others:
        names = ", ".join(path.name for path in open_to_others)
        yield failure(
            "secrets", f"readable by others: {names}", f"chmod 600 {home.secrets}/*; then replace them"
        )
    missing = [name for name in SECRETS if not home.secret_file(name).exists()]
    if missing:
        yield warning("secrets", f"not yet made: {', '.join(missing)}", "the next start makes them")
    if not open_to_others and not missing:
        yield fine("home", f"{home.path}, {len(SECRETS)} secrets, for their owner alone")


def disk(settings: Settings, home: Home) -> Iterator[Finding]:
    """Room for the stream and the record."""
    wanted = {"home": home.path}
    if home.postgres.is_symlink():
        wanted["database"] = home.postgres.resolve()
    for name, path in wanted.items():
        free_gib = shutil.disk_usage(_existing(path)).free / GIB
        says = f"{free_gib:.1f} GiB free at {path}"
        needed = DISK_MARGIN_GIB + (
            settings.stream_max_gib if name == "home" and settings.broker_url is None else 0
        )
        if free_gib < DISK_FAILURE_GIB:
            yield failure(
                "disk", says, "make room: a full disk stops recording (devices then keep their events)"
            )
        elif free_gib < needed:
            most = f"{settings.stream_max_gib:g} GiB"
            advice = f"the stream may take {most}: make room, or lower {PREFIX}STREAM_MAX_GIB"
            yield warning("disk", says, advice)
        else:
            yield fine("disk", says)


def memory() -> Finding:
    """Room for the processes."""
    free_gib = psutil.virtual_memory().available / GIB
    says = f"{free_gib:.1f} GiB available"
    if free_gib < MEMORY_WARNING_GIB:
        return warning("memory", says, "the embedded default wants 0.7 GiB: stop other programs")
    return fine("memory", says)


def clock() -> Finding:
    """Whether the kernel knows that something keeps its clock right. Observations are judged against it."""
    timex = ctypes.create_string_buffer(TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    if state == TIME_ERROR:
        return warning(
            "clock",
            "nothing is known to keep this machine's clock right",
            "run chrony or systemd-timesyncd: events are refused when they lie over 5 minutes ahead of it",
        )
    if state < 0:
        return warning("clock", "the kernel doesn't tell whether the clock is kept right", "check it by hand")
    return fine("clock", "synchronised")


def ports(settings: Settings) -> Iterator[Finding]:
    """Whether the ports that the next start wants are free."""
    wanted = [("api_port", settings.api_host, settings.api_port)]
    if settings.broker_url is None:
        wanted.append(("mqtt_port", settings.mqtt_host, settings.mqtt_port))
        wanted.append(("nats_port", "127.0.0.1", settings.nats_port))
    if settings.database_dsn is None:
        wanted.append(("database_port", "127.0.0.1", settings.database_port))
    for name, host, port in wanted:
        if port == 0:
            continue
        if is_free(host, port):
            yield fine("ports", f"{port} is free for {name}")
            continue
        process = listener(port)
        whose = f" by {process.name()} (pid {process.pid})" if process else ""
        advice = f"stop that program, or set {PREFIX}{name.upper()} to another (0: any free one)"
        yield failure("ports", f"{port} for {name} is taken{whose}", advice)


def _existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if place.exists())
