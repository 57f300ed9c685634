"""Commands to a device: kept until answered, done once, answered with a ``result`` event.

A command is stored before the broker has its acknowledgement, so it survives the device; one that comes
twice is done once. ``resend`` is answered here; everything else goes to the device's own handler, in a
thread of its own, in the order of arrival.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeAlias

import msgspec

from devices.client.facts import tail
from devices.client.outbox import Outbox, Stored
from devices.messages import Command, Resend, decode_command
from devices.observation import Result

CommandHandler: TypeAlias = Callable[[Command], str | None]

_DETAIL = 1000


class Commands:
    """The commands of one device. `take`, `resume` and `next_asked` are for the loop's thread."""

    def __init__(
        self,
        outbox: Outbox,
        handler: CommandHandler | None,
        now_ms: Callable[[], int],
        answered: Callable[[], None],
    ) -> None:
        self._outbox, self._handler, self._now_ms, self._answered = outbox, handler, now_ms, answered
        self._asked: deque[tuple[int, int]] = deque()
        self._thread: ThreadPoolExecutor | None = None
        self._resumed = False

    def take(self, payload: bytes) -> int:
        """A command arrived: keep it, do it. 1 when it is new, 0 when it was known.

        Raises:
            msgspec.DecodeError: it can't be read.
        """
        command = decode_command(payload)
        if not self._outbox.accept(command.id, payload, self._now_ms()):
            return 0
        self._begin(command)
        return 1

    def resume(self) -> None:
        """Take up what a former process accepted and didn't answer; once."""
        if not self._resumed:
            self._resumed = True
            for payload in self._outbox.undone():
                self._begin(decode_command(payload))

    def next_asked(self, limit: int) -> list[Stored]:
        """The next events that the gateway asked for and that are still held."""
        while self._asked:
            first, last = self._asked.popleft()
            events = self._outbox.read(first, last, limit)
            if len(events) == limit and events[-1].seq < last:
                self._asked.appendleft((events[-1].seq + 1, last))
            if events:
                return events
        return []

    def close(self) -> None:
        """Wait for the handler that runs; what hasn't begun is done by the next process."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def _begin(self, command: Command) -> None:
        if command.expires is not None and command.expires < datetime.fromtimestamp(
            self._now_ms() / 1000, UTC
        ):
            self._answer(command, ok=False, detail=f"expired at {command.expires.isoformat()}")
        elif command.command == "resend":
            self._resend(command)
        elif self._handler is None:
            self._answer(command, ok=False, detail=f"this device knows no command {command.command!r}")
        else:
            self._thread = self._thread or ThreadPoolExecutor(1, thread_name_prefix="bondwatch-commands")
            self._thread.submit(self._handle, self._handler, command)

    def _resend(self, command: Command) -> None:
        try:
            resend = msgspec.convert(command.args, Resend)
        except msgspec.ValidationError as error:
            self._answer(command, ok=False, detail=f"args: {error}")
            return
        wanted = sum(last - first + 1 for first, last in resend.missing)
        held = 0
        if resend.run == self._outbox.run:
            self._asked.extend(resend.missing)
            held = sum(self._outbox.held(first, last) for first, last in resend.missing)
        self._answer(command, ok=held == wanted, detail=f"{held} of {wanted} are still held and go out again")

    def _handle(self, handler: CommandHandler, command: Command) -> None:
        try:
            detail = handler(command)
        except Exception as error:  # noqa: BLE001 - whatever the handler raises is the command's answer
            self._answer(command, ok=False, detail=str(error) or type(error).__name__)
        else:
            self._answer(command, ok=True, detail=detail)

    def _answer(self, command: Command, *, ok: bool, detail: str | None) -> None:
        result = Result(command.id, ok=ok, detail=detail[:_DETAIL] if detail else None)
        self._outbox.answer(command.id, self._now_ms(), tail(result))
        self._answered()
