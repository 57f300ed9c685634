"""Starts the parts in order, keeps them running, ends them in reverse.

A part is started when everything of the stages before it is ready. One that dies is started again after
0.2 s, doubling to 10 s, and at once again after 30 s of health. Children live in sessions of their own, so
that Ctrl-C reaches only us, and the kernel ends them when we die, however we die; what still remains is
found and ended by the next start.

Everything here runs in the main thread: the kernel's promise to end a child watches the thread it came from.
"""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Final

import structlog

from gateway.embedded.child import Child, State
from gateway.embedded.component import Component
from gateway.embedded.home import Endpoints, Home, Process
from gateway.embedded.processes import end_all, reference
from gateway.embedded.waking import Wakeup
from gateway.problem import Problem

ATTEMPTS_AT_START: Final = 4
STARTING_TICK_S: Final = 0.05
IDLE_TICK_S: Final = 1.0
STOP_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

log = structlog.get_logger()


class Stopped(Exception):
    """The system was told to stop before it had started."""


class Supervisor:
    """Runs the parts of one installation.

    Args:
        home: its data directory, prepared; it is locked here.
        stages: the parts; those of a stage are started together, when the stage before is ready.
    """

    def __init__(self, home: Home, stages: Sequence[Sequence[Component]]) -> None:
        self._home = home
        self._stages = [[Child(component, home.logs) for component in stage] for stage in stages]
        self._children = [child for stage in self._stages for child in stage]
        self._stop_requests = 0
        self._announced: dict[str, str] = {}

    @property
    def stopping(self) -> bool:
        """Whether somebody asked us to stop."""
        return self._stop_requests > 0

    def request_stop(self) -> None:
        """Ask for a clean stop; a second time: hurry."""
        self._stop_requests += 1

    @contextmanager
    def running(self) -> Iterator[None]:
        """Everything ready inside, everything ended after.

        Raises:
            Problem: another instance runs here, or a part doesn't start.
            Stopped: a signal came before everything was ready.
        """
        self._home.lock()
        with Wakeup() as self._wakeup, self._handling_signals():
            try:
                self._end_leftovers()
                self._start()
                yield
            finally:
                self._stop()
                self._home.withdraw()
                self._home.unlock()

    def watch(
        self,
        finished: Callable[[], bool] | None = None,
        *,
        tick_s: float = IDLE_TICK_S,
        through_first_stop: bool = False,
    ) -> None:
        """Keep everything running until a signal, or until ``finished``.

        Args:
            finished: asked every ``tick_s`` seconds.
            tick_s: how often.
            through_first_stop: something is to be finished after a first signal; a second one ends this too.
        """
        enough = 2 if through_first_stop else 1
        while self._stop_requests < enough and not (finished and finished()):
            self._tend()
            restarting = any(child.state is not State.READY for child in self._children if not child.done)
            self._wakeup.wait(min(STARTING_TICK_S, tick_s) if restarting else tick_s)

    def _start(self) -> None:
        for stage in self._stages:
            for child in stage:
                self._spawn(child)
            while not all(child.done or child.state is State.READY for child in stage):
                if self.stopping:
                    raise Stopped
                self._tend()
                self._give_up_on_hopeless(stage)
                self._wakeup.wait(STARTING_TICK_S)

    def _give_up_on_hopeless(self, stage: Sequence[Child]) -> None:
        for child in stage:
            hopeless = 1 if child.component.once else ATTEMPTS_AT_START
            if child.failures >= hopeless:
                raise Problem(
                    f"{child.name} doesn't start: {child.why}",
                    f"its last words, from {child.log}:\n{child.last_words()}",
                )

    def _tend(self) -> None:
        """Look after every child once: deaths, readiness, restarts that are due."""
        for child in self._children:
            match child.look(time.monotonic()):
                case State.READY:
                    self._announced.update(child.component.announces)
                    self._announce()
                    log.info(
                        f"{child.name} ready", seconds=round(child.took_s, 1), **child.component.announces
                    )
                case State.DONE:
                    log.info(f"{child.name} done", seconds=round(child.took_s, 1))
                    self._announce()
                case State.DEAD:
                    log.warning(f"{child.name} died: {child.why}", restart_in_s=round(child.backoff_s, 1))
                    for line in child.last_words().splitlines():
                        log.warning(f"{child.name}: {line}")
                    self._announce()
                case State.STARTING:
                    self._spawn(child)
                case _:
                    pass

    def _spawn(self, child: Child) -> None:
        try:
            child.spawn()
        except (Problem, OSError, subprocess.SubprocessError) as error:
            child.failed_to_spawn(str(error))
            log.error(f"{child.name} can't be started: {error}", restart_in_s=round(child.backoff_s, 1))
            return
        log.info(f"{child.name} started", pid=child.pid)
        self._announce()

    def _announce(self) -> None:
        ours = reference(os.getpid())
        if ours is None:
            raise RuntimeError("/proc doesn't know this process")
        processes = {
            child.name: Process(child.ref, child.component.metrics, child.restarts)
            for child in self._children
            if child.ref is not None and not child.done
        }
        self._home.announce(Endpoints(ours, **self._announced, processes=processes))

    def _end_leftovers(self) -> None:
        """End what a supervisor that was killed left here. The lock is ours, so they are nobody's."""
        last = self._home.last_endpoints()
        if last is None:
            return
        left = [process.ref for name, process in last.processes.items() if name != "postgres"]
        left = end_all(left, (signal.SIGTERM, 3.0), (signal.SIGKILL, 5.0))
        if left:
            raise Problem(
                f"a process of an earlier run won't end (pid {left[0].pid})", "look at it; a disk may hang"
            )
        self._home.withdraw()

    def _stop(self) -> None:
        """End the stages in reverse, each child by its own steps; a second signal shortens them."""
        for stage in reversed(self._stages):
            for child in stage:
                child.begin_stop(time.monotonic())
            while any(child.running for child in stage):
                for child in stage:
                    child.continue_stop(time.monotonic(), hurry=self._stop_requests > 1)
                self._wakeup.wait(STARTING_TICK_S)
            for child in stage:
                if child.ref is not None and not child.done:
                    log.info(f"{child.name} stopped", seconds=round(child.stop_took_s, 1))

    @contextmanager
    def _handling_signals(self) -> Iterator[None]:
        def stop(number: int, _frame: FrameType | None) -> None:
            self.request_stop()
            word = "stopping" if self._stop_requests == 1 else "hurrying"
            log.info(f"{signal.Signals(number).name}: {word}")

        before = {number: signal.signal(number, stop) for number in STOP_SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
