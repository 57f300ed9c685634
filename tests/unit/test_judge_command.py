"""``bondwatch judge``: its parts live and die together."""

from __future__ import annotations

import threading

from gateway.commands.judge import run_together


def test_when_one_part_fails_all_end_and_it_is_named() -> None:
    stop = threading.Event()

    def fails() -> None:
        raise ZeroDivisionError

    assert run_together(stop, {"relay": fails, "upkeep": lambda: stop.wait(20) and None}) == ["relay"]
    assert stop.is_set()


def test_when_told_to_stop_nobody_has_failed() -> None:
    stop = threading.Event()
    stop.set()
    assert run_together(stop, {"judging": lambda: stop.wait(20) and None, "relay": lambda: None}) == []
