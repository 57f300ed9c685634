"""Processes by identity: a pid with its start time, so that a reused pid is never mistaken for ours.

Linux only: reads /proc and uses prctl.
"""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

PR_SET_PDEATHSIG: Final = 1
BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
POLL_S: Final = 0.02

# Loaded here, not in the forked child: between fork and exec nothing may allocate or import.
_libc: Final = ctypes.CDLL(None, use_errno=True)


class ProcessRef(msgspec.Struct, frozen=True):
    """A process that can't be mistaken: pid, start time in clock ticks since boot, and which boot."""

    pid: int
    ticks: int
    boot: str


def boot_id() -> str:
    """Which boot of this machine this is."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def reference(pid: int) -> ProcessRef | None:
    """The identity of a process that runs now; None when there is none. A zombie counts as none."""
    try:
        # The name in parentheses may hold anything, so count from the last one. Field 3 is the state.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] in "ZX":
        return None
    return ProcessRef(pid=pid, ticks=int(fields[19]), boot=boot_id())


def alive(ref: ProcessRef) -> bool:
    """Whether exactly this process still runs."""
    return reference(ref.pid) == ref


def send(ref: ProcessRef, number: signal.Signals) -> None:
    """Signal exactly this process; nothing happens when it is gone."""
    if alive(ref):
        with suppress(ProcessLookupError):
            os.kill(ref.pid, number)


def wait_gone(refs: Iterable[ProcessRef], deadline_s: float) -> list[ProcessRef]:
    """Wait until all are gone; returns those that still run after ``deadline_s`` seconds."""
    remaining = list(refs)
    end = time.monotonic() + deadline_s
    while remaining := [ref for ref in remaining if alive(ref)]:
        if time.monotonic() >= end:
            break
        time.sleep(POLL_S)
    return remaining


def end_all(refs: Iterable[ProcessRef], *steps: tuple[signal.Signals, float]) -> list[ProcessRef]:
    """Send each step's signal and wait its seconds, until none is left; returns what survived them all."""
    remaining = list(refs)
    for number, patience_s in steps:
        for ref in remaining:
            send(ref, number)
        remaining = wait_gone(remaining, patience_s)
        if not remaining:
            break
    return remaining


def working_in(folder: Path, program: str) -> Iterator[ProcessRef]:
    """Processes of one program whose working directory is ``folder``: its own, whoever started them."""
    wanted = folder.resolve()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").readlink() == wanted and (entry / "exe").readlink().name == program:
                    ref = reference(int(entry.name))
                    if ref is not None:
                        yield ref


def die_with_parent(number: signal.Signals) -> Callable[[], None]:
    """What a child calls between fork and exec: the kernel sends it ``number`` when its parent's thread ends.

    It must run after any change of user, which clears the setting; ``subprocess`` calls ``preexec_fn`` last.
    The parent must spawn from its main thread, because the setting watches the thread.
    """
    parent = os.getpid()

    def set_death_signal() -> None:
        if _libc.prctl(PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(125)  # the parent died in between, or the kernel refused: run no child unattended

    return set_death_signal
