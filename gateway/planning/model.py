"""From devices and their interval to cores, memory, disk and network. Pure.

Everything grows with events, except memory, which grows with devices. What isn't measured is assumed, and
every assumption is a field of :class:`Assumptions` with its reason.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from msgspec import Struct

from gateway.planning.figures import Figures

DAY_S: Final = 86_400
GIB: Final = 1 << 30
PAGE: Final = 8192


class Assumptions(Struct, frozen=True):
    """What the model takes for granted.

    Attributes:
        peak: the busiest minutes against the mean: shifts begin, a link comes back.
        utilisation: how busy a core may be at the peak, so that latency stays low and a backlog shrinks.
        late_window_days: not compressed; older is.
        keep_days: observations stay for so long.
        stream_days: the broker keeps events for so long, recorded ones included.
        replicas: copies of the stream, when there is more than one server.
        hot_pages_per_device: pages of 8 KiB that each report touches and that belong in memory: the device's
            end of each index, its state, the newest rows.
        database_gib: what the database needs whatever its size.
        wire_bytes: a message's topic, its MQTT, TLS and TCP headers, its acknowledgement, its share of a
            receipt.
        cores_per_database: of one primary; beyond that parks are shared among databases.
        tib_per_database: the same by disk.
        cores_of_a_machine: a system that needs no more runs as the embedded default.
    """

    peak: float = 2.0
    utilisation: float = 0.6
    late_window_days: int = 30
    keep_days: int = 400
    stream_days: int = 7
    replicas: int = 3
    hot_pages_per_device: int = 6
    database_gib: float = 1.0
    wire_bytes: int = 320
    cores_per_database: int = 16
    tib_per_database: float = 20.0
    cores_of_a_machine: float = 0.25


class Cores(Struct, frozen=True):
    """Cores at the peak, by who needs them, before anything is rounded up."""

    broker: float
    database: float
    gateway: float
    judge: float

    @property
    def total(self) -> float:
        """All together."""
        return self.broker + self.database + self.gateway + self.judge


class Needs(Struct, frozen=True):
    """What an installation needs. Sizes are in GiB, times in the names.

    Attributes:
        form: ``one machine``, ``one server`` or ``many servers``, as README has them.
        databases: primaries, each with its standby when there are many servers.
        database_gib_per_day: as it is written.
        compressed_gib_per_day: what is left of a day after the late window.
        stored_gib: after ``keep_days``, with compression.
        stored_uncompressed_gib: the same without.
        log_gib_per_day: write-ahead log, to be archived or streamed to the standby.
        stream_gib: of the broker, all copies.
        network_mbit_per_s: from devices, at the peak.
    """

    devices: int
    interval_s: float
    events_per_s: float
    peak_events_per_s: float
    cores: Cores
    total_cores: int
    workers: int
    judges: int
    databases: int
    memory_gib: float
    database_gib_per_day: float
    compressed_gib_per_day: float
    stored_gib: float
    stored_uncompressed_gib: float
    log_gib_per_day: float
    stream_gib: float
    network_mbit_per_s: float
    form: str


def needs(devices: int, interval_s: float, figures: Figures, assumed: Assumptions) -> Needs:
    """What so many devices need that report once in so many seconds.

    Args:
        devices: at least one.
        interval_s: from one event of a device to its next, on average, in seconds; above 0.
        figures: measured.
        assumed: the rest.
    """
    rate = devices / interval_s
    peak = rate * assumed.peak
    per_core = 1e6 * assumed.utilisation
    cpu = figures.cpu_us
    cores = Cores(
        broker=peak * cpu.broker / per_core,
        database=peak * cpu.database / per_core,
        gateway=peak * cpu.gateway / per_core,
        judge=peak * cpu.judge / per_core,
    )
    workers, judges = max(1, ceil(cores.gateway)), max(1, ceil(cores.judge))
    size = figures.bytes
    saved = size.series * (1 - 1 / size.compression_ratio)
    day_gib = rate * DAY_S / GIB
    fresh_days = min(assumed.late_window_days, assumed.keep_days)
    written, packed = size.database * day_gib, (size.database - saved) * day_gib
    stored = fresh_days * written + (assumed.keep_days - fresh_days) * packed
    databases = max(
        1,
        ceil(cores.database / assumed.cores_per_database),
        ceil(stored / (assumed.tib_per_database * 1024)),
    )
    form = _form(cores.total, databases, assumed)
    copies = assumed.replicas if form == "many servers" else 1
    memory = figures.memory
    held = (
        copies * memory.broker
        + devices * memory.broker_per_device
        + workers * (memory.gateway + devices * memory.gateway_per_device)
        + judges * memory.judge
        + memory.api
        + assumed.database_gib * GIB
        + devices * assumed.hot_pages_per_device * PAGE
    )
    return Needs(
        devices=devices,
        interval_s=interval_s,
        events_per_s=round(rate, 2),
        peak_events_per_s=round(peak, 2),
        cores=Cores(*(round(one, 3) for one in (cores.broker, cores.database, cores.gateway, cores.judge))),
        total_cores=max(2, ceil(cores.total)),
        workers=workers,
        judges=judges,
        databases=databases,
        memory_gib=round(held / GIB, 1),
        database_gib_per_day=round(written, 2),
        compressed_gib_per_day=round(packed, 2),
        stored_gib=round(stored, 1),
        stored_uncompressed_gib=round(assumed.keep_days * written, 1),
        log_gib_per_day=round(size.log * day_gib, 2),
        stream_gib=round(size.stream * day_gib * assumed.stream_days * copies, 1),
        network_mbit_per_s=round(peak * (size.body + assumed.wire_bytes) * 8 / 1e6, 2),
        form=form,
    )


def _form(cores: float, databases: int, assumed: Assumptions) -> str:
    if databases > 1 or cores > assumed.cores_per_database:
        return "many servers"
    return "one server" if cores > assumed.cores_of_a_machine else "one machine"
