"""Groups of vehicles, folded as batches and judged: the same for the same seed, however many processes."""

from __future__ import annotations

from typing import Final

import numpy as np

from tests.noise import verdict
from tests.noise.ground import around, index
from tests.noise.journeys import Exits, Journey, follows_edge, keeps_within, passes_by
from tests.noise.receiver import START_US, Receiver, draw, report
from tests.noise.verdict import Judged
from tracking.domain.tracks import DeviceEvents, Folded, Milestone, Profile, Track, fold_batch

GROUP: Final = 8
DRIVE_H: Final = 5.0
PROFILE: Final = Profile(300)

HOMES: Final = (
    "SIPCBZ-E", "SIPCBZ-W", "SNDCBZ", "KSCBZ", "WJCBZ", "TCCBZ", "TCPORT", "ZJGBP", "CSCBZ", "PVGCARGO",
    "YSPORT", "SZWRAIL", "SZVCARGO", "INSP01", "COLD01", "TCREEFER",
)  # fmt: skip
NEARBY: Final = (
    *HOMES, "WHMIX01", "WHMIX01-B", "WHMIX01-Q", "SA-YCH", "LAYBY-LD", "G-SIPE-N1", "G-SIPE-P1", "G-SND-E1",
    "G-KS-N1", "G-TCP-S1", "G-PVG-N1", "G-WGQ-S1",
)  # fmt: skip
ROADS: Final = ("C-PVG-SIPE", "C-TCP-KS", "C-YS-SIPE", "C-SIPE-SZW", "C-SIPE-SIPW")
KINDS: Final[tuple[tuple[float, Journey, tuple[str, ...]], ...]] = (
    (0.45, keeps_within, HOMES),
    (0.4, passes_by, NEARBY),
    (0.15, follows_edge, ROADS),
)


def judge_group(seed: int, number: int, hours: tuple[float, ...]) -> Judged:
    """Drive, report, fold and judge the vehicles of one group.

    Args:
        seed: of the run.
        number: of the group in the run.
        hours: of each vehicle.
    """
    rng = np.random.default_rng([seed, number])
    shares = [share for share, _, _ in KINDS]
    drives = []
    for span in hours:
        _, journey, codes = KINDS[rng.choice(len(KINDS), p=shares)]
        code = str(rng.choice(codes))
        ground = around(code, float(rng.choice([0.2, 0.4, 0.6, 0.8])))
        receiver = draw(rng)
        path = journey(ground, rng, span * 3600, _exits(receiver))
        path.end(span * 3600)
        drives.append((f"{seed}/{number}", receiver, path, ground, report(path, ground, receiver, rng)))
    told = _fold([observations for *_, observations in drives], rng)
    total = Judged()
    for (name, receiver, path, ground, reports), milestones in zip(drives, told, strict=True):
        reported_s = [(observation.time_us - START_US) / 1e6 for observation in reports]
        total.add(verdict.hold_against(f"{name} {receiver}", path, ground, reported_s, milestones))
    return total


def _exits(receiver: Receiver) -> Exits:
    """An exit that is to be found lets the receiver tell of it: see ``docs/noise.md``."""
    error_m = receiver.accuracy_m * receiver.honesty
    return Exits(105.0 + 3.0 * max(0.0, error_m - 10.0), 185.0 + 5.0 * receiver.moving_s)


def _fold(reports: list[list], rng: np.random.Generator) -> list[list[Milestone]]:  # type: ignore[type-arg]
    """All devices side by side, in batches of any size."""
    tracks = [Track() for _ in reports]
    told: list[list[Milestone]] = [[] for _ in reports]
    done = [0] * len(reports)
    while any(at < len(all_) for at, all_ in zip(done, reports, strict=True)):
        work = []
        for number, all_ in enumerate(reports):
            ahead = done[number] + int(rng.integers(1, 200))
            work.append(DeviceEvents(tracks[number], PROFILE, all_[done[number] : ahead]))
            done[number] = ahead
        for number, folded in enumerate(fold_batch(work, index())):
            _keep(folded, number, tracks, told)
    return told


def _keep(folded: Folded, number: int, tracks: list[Track], told: list[list[Milestone]]) -> None:
    tracks[number] = folded.track
    told[number] += folded.milestones
