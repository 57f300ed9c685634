"""One child process through its lives: started, ready, dead, started again; and how it is ended."""

import enum
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Final

from gateway.embedded.component import Component
from gateway.embedded.lines import readable
from gateway.embedded.processes import ProcessRef, die_with_parent, reference

FIRST_BACKOFF_S: Final = 0.2
LONGEST_BACKOFF_S: Final = 10.0
HEALTHY_S: Final = 30.0
LOG_MAX_BYTES: Final = 16 * 2**20
LOG_CHECK_S: Final = 30.0
LAST_WORDS: Final = 8
KILLED: Final = "killed by SIGKILL"
HURRY_S: Final = 1.0


class State(enum.Enum):
    """Where a child stands. The moves: see ``Child.look``."""

    WAITING = "waiting"  # its stage hasn't come yet
    STARTING = "starting"
    READY = "ready"
    DEAD = "dead"  # until its next start is due
    DONE = "done"  # a step that ended well
    STOPPED = "stopped"


class Child:
    """One part and its current process.

    Args:
        component: the part.
        logs: directory of the file that takes its output.
    """

    def __init__(self, component: Component, logs: Path) -> None:
        self.component = component
        self.name = component.name
        self.log = logs / f"{component.name}.log"
        self.state = State.WAITING
        self.ref: ProcessRef | None = None
        self.restarts = -1
        self.failures = 0
        self.why = ""
        self.took_s = 0.0
        self.stop_took_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        self._since = 0.0  # monotonic seconds at which the state was entered
        self._log_begins = 0
        self._log_checked = 0.0
        self._stop_step = -1
        self._stop_since = 0.0
        self._step_since = 0.0

    @property
    def pid(self) -> int | None:
        """Its process id."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def done(self) -> bool:
        """Whether it was a step, and is over."""
        return self.state is State.DONE

    @property
    def backoff_s(self) -> float:
        """How long it stays dead."""
        return float(min(FIRST_BACKOFF_S * 2 ** max(self.failures - 1, 0), LONGEST_BACKOFF_S))

    def spawn(self) -> None:
        """Start its process.

        Raises:
            Problem: the part can't be prepared.
            OSError: the program can't be executed.
        """
        launch = self.component.prepare()
        self._rotate_log()
        with self.log.open("ab") as output:
            self._log_begins = output.tell()
            self._process = subprocess.Popen(
                list(launch.argv),
                env=dict(launch.environment),
                cwd=launch.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # Single-threaded, and the function only makes two system calls.
                preexec_fn=die_with_parent(launch.on_orphaned),  # noqa: PLW1509
                **launch.switch_user,
            )
        self.ref = reference(self._process.pid)
        self.restarts += 1
        self._enter(State.STARTING, time.monotonic())

    def failed_to_spawn(self, why: str) -> None:
        """There is no process: count it as one that died at once."""
        self._process, self.ref = None, None
        self.failures += 1
        self.why = why
        self._enter(State.DEAD, time.monotonic())

    def look(self, now: float) -> State | None:
        """What happened since the last look: the state just entered; STARTING when a start is due."""
        if self.state in {State.STARTING, State.READY}:
            if not self.running:
                return self._ended(now)
            if self.state is State.STARTING:
                return self._starting(now)
            if now - self._log_checked > LOG_CHECK_S:
                self._log_checked = now
                self._cut_log()
        elif self.state is State.DEAD and now - self._since >= self.backoff_s:
            return State.STARTING
        return None

    def last_words(self) -> str:
        """The last lines its process wrote; nothing when it was killed and so said none on its death."""
        if self.why == KILLED:
            return ""
        try:
            with self.log.open("rb") as file:
                file.seek(max(self._log_begins, file.seek(0, os.SEEK_END) - 8192))
                text = file.read().decode(errors="replace")
        except OSError:
            return ""
        return "\n".join(readable(line) for line in text.strip().splitlines()[-LAST_WORDS:])

    def begin_stop(self, now: float) -> None:
        """Send the first of its stop signals."""
        self._stop_step, self._stop_since = -1, now
        self.state = self.state if self.done else State.STOPPED
        self._next_stop_step(now)

    def continue_stop(self, now: float, *, hurry: bool) -> None:
        """Send the next signal when the last one's patience is over, in a hurry after a second."""
        if not self.running:
            return
        _, patience_s = self.component.stop_steps[self._stop_step]
        if now - self._step_since >= (min(patience_s, HURRY_S) if hurry else patience_s):
            self._next_stop_step(now)
        self.stop_took_s = now - self._stop_since

    def _next_stop_step(self, now: float) -> None:
        self._stop_step = min(self._stop_step + 1, len(self.component.stop_steps) - 1)
        self._step_since = now
        if self._process is not None and self.running:
            self._process.send_signal(self.component.stop_steps[self._stop_step][0])

    def _ended(self, now: float) -> State:
        code = self._process.returncode if self._process else -1
        if self.component.once and code == 0:
            self.took_s = now - self._since
            return self._enter(State.DONE, now)
        if self.state is State.READY and now - self._since >= HEALTHY_S:
            self.failures = 0
        self.failures += 1
        self.why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self.ref = None
        return self._enter(State.DEAD, now)

    def _starting(self, now: float) -> State | None:
        if self.component.ready():
            self.took_s = now - self._since
            return self._enter(State.READY, now)
        if now - self._since > self.component.patience_s and self._process is not None:
            self._process.kill()  # the next look finds it dead
        return None

    def _enter(self, state: State, now: float) -> State:
        self.state, self._since = state, now
        return state

    def _rotate_log(self) -> None:
        if self.log.exists() and self.log.stat().st_size > LOG_MAX_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))

    def _cut_log(self) -> None:
        """The process holds the file open for appending, so it is copied and emptied in place."""
        if self.log.stat().st_size > LOG_MAX_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)
            self._log_begins = 0
