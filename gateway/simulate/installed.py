"""Installations to simulate on: a temporary one under a clock of its own, or one that runs already."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib import error as http_errors
from urllib import request as http
from urllib.parse import urlsplit

from gateway.bench.instance import Instance
from gateway.embedded.home import Home
from gateway.embedded.nats import last_stored
from gateway.problem import Problem
from gateway.settings import Settings
from gateway.simulate.pace import ClockFile, Pace
from gateway.subjects import STREAM
from simulators.playing.story import Exists
from tracking.store import positions, work
from tracking.store.database import connect

SETTLED_S: Final = 180.0
_TIMEOUT_S: Final = 30.0
_EXISTS: Final = 409
_TRY_S: Final = 0.05


class Installed:
    """One that runs, as the player needs it.

    Args:
        home: its data directory.
        clock: what sets its clock; None: the machine's.
        pace: of the story.
        patience: each time that the clock has gone so far, everything is judged before it goes on, so that
            nothing is told late because the story runs ahead; None: it may.
    """

    def __init__(
        self, home: Home, clock: ClockFile | None, pace: Pace, patience: timedelta | None = None
    ) -> None:
        endpoints = home.endpoints()
        if endpoints.api is None or endpoints.mqtt is None or endpoints.database_dsn is None:
            raise Problem(f"the installation of {home.path} is not ready", "it is still starting: try again")
        self._api = endpoints.api
        self._key = home.secret("api_admin_key")
        self._dsn = endpoints.database_dsn
        mqtt = urlsplit(endpoints.mqtt)
        self.broker = (mqtt.hostname or "", mqtt.port or 0)
        self.clock = clock
        self._pace = pace
        self._patience = patience
        self._monitor = endpoints.nats_monitor
        self._settled = datetime.min.replace(tzinfo=UTC)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """One request to the API.

        Raises:
            Exists: it has that already.
            Problem: it refuses, with its answer; or it doesn't answer.
        """
        call = http.Request(  # noqa: S310 - the address is the installation's own
            self._api + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._key}", "Content-Type": "application/json"},
        )
        try:
            with http.urlopen(call, timeout=_TIMEOUT_S) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except http_errors.HTTPError as refusal:
            said = refusal.read().decode(errors="replace")[:500]
            if refusal.code == _EXISTS:
                raise Exists(f"{method} {path}: {said}") from None
            raise Problem(f"{method} {path}: {refusal.code} {said}") from None
        except OSError as error:
            raise Problem(
                f"{self._api} doesn't answer: {error}", "is it running?  bondwatch doctor"
            ) from None

    def stored(self) -> int | None:
        """Messages of devices that the broker has stored so far, ever; None: it isn't the embedded one.

        Raises:
            OSError: it doesn't answer.
        """
        return None if self._monitor is None else last_stored(self._monitor, STREAM)

    def reach(self, moment: datetime) -> None:
        """Wait for a moment of the story, and set the clock to it where there is one to set."""
        if self._patience is not None and moment >= self._settled + self._patience:
            self.settle(self.now())
            self._settled = moment
        self._pace.wait(moment)
        if self.clock is not None:
            self.clock.reach(moment)

    def now(self) -> datetime:
        """What its clock shows."""
        return datetime.now(UTC) if self.clock is None else self.clock.now()

    def settle(self, moment: datetime) -> None:
        """Wait until everything up to a moment, and everything published so far, is recorded and judged.

        Raises:
            Problem: that takes longer than three minutes.
        """
        moment = max(moment, self.now()) if self.clock is not None else datetime.now(UTC)
        end = time.monotonic() + SETTLED_S
        with connect(self._dsn, application="bondwatch-simulate") as conn:
            while True:
                through = positions.watermark(conn)
                if through is not None and through >= moment and work.unfinished(conn, through) == 0:
                    return
                if time.monotonic() > end:
                    raise Problem(
                        f"waited {SETTLED_S:g} s for everything up to {moment:%Y-%m-%d %H:%M} to be judged",
                        "bondwatch doctor",
                    )
                time.sleep(_TRY_S)


@contextmanager
def temporary(begins: datetime, pace: Pace, patience: timedelta | None = None) -> Iterator[Installed]:
    """An installation of one's own, whose clock shows a moment; gone afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="bondwatch-simulate-"))
    directory.chmod(0o711)  # the database may run as another user
    try:
        clock = ClockFile(directory / "clock")
        clock.begin(begins)
        with Instance(directory, clock=clock.path) as instance:
            yield Installed(instance.home, clock, pace, patience)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def running(home: Path, pace: Pace, patience: timedelta | None = None) -> Installed:
    """The one that runs on a data directory.

    Raises:
        Problem: none does.
    """
    settings = Settings.load(home=home)
    clock = None if settings.clock_file is None else ClockFile(settings.clock_file)
    return Installed(Home(settings.home), clock, pace, patience)
