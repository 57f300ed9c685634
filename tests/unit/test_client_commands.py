"""Commands without a network: done once, answered once, taken up again after a crash."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from devices.client.commands import CommandHandler, Commands
from devices.client.outbox import Outbox
from devices.messages import Command, encode

NOW_MS = 1_790_000_000_000


class Yard:
    """An outbox with its commands, and a flag that is set by every answer."""

    def __init__(self, path: Path, handler: CommandHandler | None) -> None:
        self.outbox = Outbox(path, "SIP/G-1", synchronous="NORMAL")
        self.answered = threading.Event()
        self.commands = Commands(self.outbox, handler, lambda: NOW_MS, self.answered.set)

    def results(self) -> list[dict[str, Any]]:
        return [json.loads(event.body) for event in self.outbox.after(0, 100)]


def test_what_a_crash_left_undone_is_handed_out_again_and_answered(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "o", "SIP/G-1", synchronous="NORMAL")
    outbox.accept("c-1", encode(Command("c-1", "open", {"lane": 2})), NOW_MS)
    outbox.close()  # accepted, then the process died

    yard = Yard(tmp_path / "o", lambda command: f"opened {command.args['lane']}")
    yard.commands.resume()
    assert yard.answered.wait(10)
    yard.commands.resume()
    yard.commands.close()
    (result,) = yard.results()
    assert (result["command"], result["ok"], result["detail"]) == ("c-1", True, "opened 2")
    assert yard.outbox.undone() == []


def test_a_device_without_a_handler_says_so(tmp_path: Path) -> None:
    yard = Yard(tmp_path / "o", None)
    assert yard.commands.take(encode(Command("c-1", "dance"))) == 1
    assert yard.commands.take(encode(Command("c-1", "dance"))) == 0
    (result,) = yard.results()
    assert not result["ok"]
    assert result["detail"] == "this device knows no command 'dance'"


def test_an_expired_command_is_not_done(tmp_path: Path) -> None:
    done: list[Command] = []
    yard = Yard(tmp_path / "o", done.append)
    before = datetime.fromtimestamp(NOW_MS / 1000 - 1, UTC)
    yard.commands.take(encode(Command("late", "open", expires=before)))
    (late,) = yard.results()
    assert (late["command"], late["ok"]) == ("late", False)
    yard.answered.clear()
    yard.commands.take(encode(Command("in-time", "open", expires=before.replace(year=before.year + 1))))
    assert yard.answered.wait(10)
    assert [command.id for command in done] == ["in-time"]


def test_resend_of_another_run_or_of_nonsense_is_answered_not_obeyed(tmp_path: Path) -> None:
    yard = Yard(tmp_path / "o", None)
    yard.outbox.append([(NOW_MS, b'"type":"status"}')] * 3)
    other_run = {"run": yard.outbox.run ^ 1, "missing": [[1, 3]]}
    yard.commands.take(encode(Command("other", "resend", other_run)))
    yard.commands.take(encode(Command("odd", "resend", {"missing": "all"})))
    assert yard.commands.next_asked(100) == []
    answers = {result["command"]: result["ok"] for result in yard.results()[3:]}
    assert answers == {"other": False, "odd": False}


def test_a_long_resend_comes_in_pieces(tmp_path: Path) -> None:
    yard = Yard(tmp_path / "o", None)
    yard.outbox.append([(NOW_MS, b'"type":"status"}')] * 250)
    yard.outbox.settle([(1, 250)], [], NOW_MS)
    missing = {"run": yard.outbox.run, "missing": [[5, 230], [240, 240]]}
    yard.commands.take(encode(Command("r", "resend", missing)))
    pieces = []
    while piece := yard.commands.next_asked(100):
        pieces.append([event.seq for event in piece])
    assert list(map(len, pieces)) == [100, 100, 26, 1]
    assert [seq for piece in pieces for seq in piece] == [*range(5, 231), 240]
