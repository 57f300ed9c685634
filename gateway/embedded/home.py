"""The data directory: who may run in it, its secrets, and where the running parts can be reached.

secrets/            0700; one file a secret, 0600, generated at the first start
nats/  postgres/    what the broker and the database keep
logs/               what each process wrote
checkpoints/        signed heads of the log, for anyone to keep
run/lock            held (flock) while an instance runs; names its pid
run/endpoints.json  addresses and pids of the running parts, no secrets
"""

import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec
import nkeys

from gateway.embedded.processes import ProcessRef, alive
from gateway.problem import Problem


def _password() -> str:
    """192 bits from the operating system, in letters that need no quoting anywhere."""
    return secrets.token_hex(24)


def _account_seed() -> str:
    """A NATS account key: what the auth callout signs its answers with."""
    raw = secrets.token_bytes(32)
    return str(nkeys.encode_seed(raw, nkeys.PREFIX_BYTE_ACCOUNT).decode())


def _user_seed() -> str:
    """A NATS user key: a leaf node shows itself to the hub with it; the hub knows the public half only."""
    return str(nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER).decode())


def _signing_key() -> str:
    """The 32 secret bytes of an Ed25519 key, in hexadecimal."""
    return secrets.token_hex(32)


def _api_key() -> str:
    """256 bits; the prefix lets secret scanners recognise a leaked one."""
    return "bwk_" + secrets.token_urlsafe(32)


SECRETS: Final[Mapping[str, Callable[[], str]]] = {
    "database_password": _password,  # PostgreSQL role bondwatch, which all our processes use
    "database_superuser_password": _password,  # PostgreSQL role postgres, for administrators
    "nats_access_password": _password,  # NATS user of the auth callout service
    "nats_gateway_password": _password,  # NATS user of the recording workers
    "nats_judge_password": _password,  # NATS and MQTT user of the judge (outbox relay)
    "nats_doctor_password": _password,  # NATS user that may only look
    "nats_route_password": _password,  # the servers of a NATS cluster, among themselves
    "nats_leaf_seed": _user_seed,  # a park's leaf node, at the hub
    "nats_issuer_seed": _account_seed,  # signs the auth callout's answers
    "log_signing_key": _signing_key,  # Ed25519: signs the log's checkpoints
    "api_admin_key": _api_key,  # the first key of the HTTP API
}


class Process(msgspec.Struct, frozen=True):
    """One running child."""

    ref: ProcessRef
    metrics: str | None = None  # URL of its Prometheus metrics
    restarts: int = 0

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.ref.pid


class Endpoints(msgspec.Struct, frozen=True):
    """Where a running instance can be reached. Holds no secrets: the DSN names a password file instead."""

    supervisor: ProcessRef
    database_dsn: str | None = None
    mqtt: str | None = None
    nats: str | None = None
    nats_monitor: str | None = None
    api: str | None = None
    processes: dict[str, Process] = {}


class Home:
    """One data directory.

    Args:
        path: the directory; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.secrets = path / "secrets"
        self.nats = path / "nats"
        self.postgres = path / "postgres"
        self.logs = path / "logs"
        self.checkpoints = path / "checkpoints"
        self.run = path / "run"
        self._lock: int | None = None

    def prepare(self) -> Self:
        """Make the directories and the secrets that are missing. Safe to repeat.

        Raises:
            Problem: the directory can't be made, or a secret is readable by others.
        """
        try:
            if not self.path.is_dir():
                self.path.mkdir(parents=True)
                # The database runs as another user when we are root: it may pass through, not look.
                self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
            for folder, mode in (
                (self.secrets, 0o700),
                (self.nats, 0o700),
                (self.logs, 0o700),
                (self.run, 0o700),
            ):
                folder.mkdir(exist_ok=True)
                folder.chmod(mode)
        except OSError as error:
            raise Problem(
                f"the data directory {self.path} can't be used: {error.strerror}",
                "set BONDWATCH_HOME to a directory of your own",
            ) from None
        for name, generate in SECRETS.items():
            if not (self.secrets / name).exists():
                self.put_secret(name, generate())
        return self

    def secret(self, name: str) -> str:
        """The secret of this name.

        Raises:
            Problem: it doesn't exist yet, is empty, or others may read it.
        """
        path = self.secrets / name
        try:
            mode = path.stat().st_mode
            value = path.read_text().strip()
        except FileNotFoundError:
            raise Problem(f"no secret {path}", "the first `bondwatch up` makes it") from None
        except PermissionError:
            raise Problem(f"{path} can't be read by you", "run as the user who runs `bondwatch up`") from None
        if stat.S_IMODE(mode) & 0o077:
            raise Problem(
                f"{path} is readable by others", f"chmod 600 {path}; if they may have read it, delete it"
            )
        if not value:
            raise Problem(f"{path} is empty", "delete it; the next start generates a new one")
        return value

    def secret_file(self, name: str) -> Path:
        """Where the secret of this name stands."""
        return self.secrets / name

    def put_secret(self, name: str, value: str) -> None:
        """Write a secret: all or nothing, and never readable by others, not even for a moment."""
        draft = self.secrets / f".{name}.{os.getpid()}"
        with suppress(FileNotFoundError):
            draft.unlink()
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(value + "\n")
            file.flush()
            os.fsync(file.fileno())
        draft.rename(self.secrets / name)

    def lock(self) -> None:
        """Become the one instance of this directory, until the process ends.

        Raises:
            Problem: another instance runs here; names its pid.
        """
        handle = os.open(self.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
            os.close(handle)
            raise Problem(
                f"Bondwatch already runs on {self.path} (pid {owner})",
                f"stop it with `kill {owner}`, or set BONDWATCH_HOME to another directory",
            ) from None
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        self._lock = handle

    def unlock(self) -> None:
        """Let the next instance in."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def announce(self, endpoints: Endpoints) -> None:
        """Write run/endpoints.json, whole or not at all."""
        draft = self.run / ".endpoints.json"
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(endpoints), indent=2) + b"\n")
        draft.rename(self.run / "endpoints.json")

    def withdraw(self) -> None:
        """Remove run/endpoints.json: nothing runs here any more."""
        (self.run / "endpoints.json").unlink(missing_ok=True)

    def last_endpoints(self) -> Endpoints | None:
        """What run/endpoints.json says, whether its processes still live or not."""
        try:
            return msgspec.json.decode((self.run / "endpoints.json").read_bytes(), type=Endpoints)
        except (FileNotFoundError, PermissionError, msgspec.DecodeError):
            return None

    def endpoints(self) -> Endpoints:
        """Where the running instance of this directory can be reached.

        Raises:
            Problem: none runs here.
        """
        found = self.last_endpoints()
        if found is None or not alive(found.supervisor):
            raise Problem(
                f"nothing runs on {self.path}", "start it with `bondwatch up`, or set BONDWATCH_HOME"
            )
        return found
