"""The whole verification, in this process or shared among several that read the same snapshot."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from time import sleep
from typing import Final, TypeAlias

from tracking.exchange.verify import batches, chain, custody, evidence, leaves, things, tracks
from tracking.exchange.verify.report import Part, Report
from tracking.judge.places import Areas, LevelTable, Places
from tracking.store import judging, positions, verify
from tracking.store.database import Connection

Job: TypeAlias = Callable[[str, str], Part]
"""Takes the database and the snapshot."""

Progress: TypeAlias = Callable[[int, int], None]
"""Is told how many jobs of how many are done."""

DEVICES: Final = 50
SHIPMENTS: Final = 200
THINGS: Final = 5000
"""In one job."""

LOOKS: Final = 3
"""At a shipment whose custody differs, before it is said to."""


def run(
    dsn: str,
    *,
    processes: int = 1,
    kept: Path | None = None,
    trusted: Collection[bytes] = (),
    progress: Progress = lambda _done, _of: None,
    pause_s: float = 2.0,
) -> Report:
    """Verify a database as it stands now.

    Args:
        dsn: where it is.
        processes: that share the work; 1: this one alone.
        kept: a folder with checkpoint files.
        trusted: public keys; when there are any, no other may have signed.
        progress: is called after each job.
        pause_s: from one look at a shipment whose custody differs to the next.
    """
    report = Report()
    files = chain.read(kept) if kept is not None else ()
    with verify.reading(dsn) as conn:
        snapshot = verify.share(conn)
        jobs = _jobs(conn, report, files, tuple(trusted))
        for done, part in enumerate(_do(jobs, dsn, snapshot, processes), start=1):
            report.take([part])
            progress(done, len(jobs))
    _look_again(dsn, report, pause_s)
    return report


def _look_again(dsn: str, report: Report, pause_s: float) -> None:
    """A judging that is just due isn't a difference: one is what still differs some seconds later."""
    for _ in range(LOOKS):
        if not report.unsure:
            return
        sleep(pause_s)
        with verify.reading(dsn) as conn:
            unjudged = custody.waiting(conn, positions.watermark(conn))
            still = [key for key in report.unsure if key not in unjudged]
            report.unsure = custody.check(conn, still, Areas().current(conn)).unsure
    for differences in report.unsure.values():
        report.differences += differences
    report.unsure = {}


def _jobs(conn: Connection, report: Report, kept: chain.Kept, trusted: tuple[bytes, ...]) -> list[Job]:
    watermark = positions.watermark(conn)
    late = {key for (key,) in verify.rows(conn, "waiting_devices")}
    cut = {key for (key,) in verify.rows(conn, "dropped_devices")}
    archived = {key for (key,) in verify.rows(conn, "dropped_shipments")}
    report.underived = len(cut) + len(archived)
    devices = [key for (key,) in verify.rows(conn, "devices") if key not in late | cut]
    unjudged = custody.waiting(conn, watermark) - archived
    shipments = [key for (key,) in verify.rows(conn, "shipment_ids") if key not in archived]
    judged = [key for key in shipments if key not in unjudged]
    unfolded = {key for key, kind, _ in verify.rows(conn, "thing_work") if kind == "thing"}
    contained = [key for (key,) in verify.rows(conn, "contained") if key not in unfolded]
    report.waiting = len(late) + len(unfolded) + len(shipments) - len(judged)
    report.shipments = len(shipments) - len(judged)
    return [
        _batches,
        _leaves,
        _levels,
        partial(_chain, kept, trusted),
        *(partial(_tracks, part) for part in _parts(devices, DEVICES)),
        *(partial(_things, part) for part in _parts(contained, THINGS)),
        *(partial(_custody, part) for part in _parts(judged, SHIPMENTS)),
        *(partial(_evidence, part) for part in _parts(shipments, SHIPMENTS)),
        _corrections,
    ]


def _parts(keys: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    for begin in range(0, len(keys), size):
        yield tuple(keys[begin : begin + size])


def _do(jobs: Sequence[Job], dsn: str, snapshot: str, processes: int) -> Iterator[Part]:
    if processes == 1:
        for job in jobs:
            yield job(dsn, snapshot)
        return
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool:
        for future in as_completed([pool.submit(job, dsn, snapshot) for job in jobs]):
            yield future.result()


def _leaves(dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return leaves.check(conn)


def _levels(dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return tracks.check_levels(conn)


def _chain(kept: chain.Kept, trusted: tuple[bytes, ...], dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return chain.check(conn, kept=kept, trusted=trusted)


def _batches(dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return batches.check(conn)


def _tracks(device_ids: tuple[int, ...], dsn: str, snapshot: str) -> Part:
    report = Report()
    with verify.reading(dsn, snapshot) as conn:
        places, levels = Places().current(conn), LevelTable().current(conn)
        watermark = positions.watermark(conn)
        for device in judging.device_profiles(conn, device_ids):
            report.take([tracks.check_device(conn, device, places, levels, watermark)])
    return report


def _things(thing_ids: tuple[int, ...], dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return things.check(conn, thing_ids)


def _custody(shipment_ids: tuple[int, ...], dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return custody.check(conn, shipment_ids, Areas().current(conn))


def _evidence(shipment_ids: tuple[int, ...], dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return evidence.check(conn, shipment_ids)


def _corrections(dsn: str, snapshot: str) -> Part:
    with verify.reading(dsn, snapshot) as conn:
        return evidence.check_corrections(conn)
