"""What an event costs, as it was measured: a file that ``bondwatch plan --measure`` renews."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from gateway.problem import Problem

SHIPPED: Final = Path(__file__).with_name("figures.json")


class Costs(msgspec.Struct, frozen=True):
    """Microseconds of processor time an event, by who spends it; one event a message, custody on."""

    broker: float
    database: float
    gateway: float
    judge: float


class Memory(msgspec.Struct, frozen=True):
    """Resident bytes.

    Attributes:
        broker, gateway, judge, api: of one process, with hardly a device.
        broker_per_device: what a connection and its session add.
        gateway_per_device: what a registered device adds to each worker.
    """

    broker: int
    gateway: int
    judge: int
    api: int
    broker_per_device: int
    gateway_per_device: int


class Bytes(msgspec.Struct, frozen=True):
    """Bytes an event.

    Attributes:
        body: the event as its device wrote it.
        stream: in the broker's stream, one event a message.
        database: everything that the database grew by: series, indexes, milestones, findings, log.
        log: of write-ahead log.
        series: of these, observations and readings with their indexes.
        compression_ratio: by how much compressed chunks are smaller (no bytes).
    """

    body: float
    stream: float
    database: float
    log: float
    series: float
    compression_ratio: float


class Figures(msgspec.Struct, frozen=True):
    """Everything that the model knows of the machine and of Bondwatch.

    Attributes:
        measured_on: the day.
        machine: processor, and how many of it.
        events: that were sent to find out.
        devices: that sent them, each with a shipment of its own.
    """

    measured_on: str
    machine: str
    events: int
    devices: int
    cpu_us: Costs
    memory: Memory
    bytes: Bytes


def load(path: Path = SHIPPED) -> Figures:
    """The figures of a file.

    Raises:
        Problem: it can't be read, or is none.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Figures)
    except OSError as error:
        raise Problem(f"{path}: {error.strerror}", "bondwatch plan --measure FILE writes one") from None
    except msgspec.DecodeError as error:
        raise Problem(f"{path}: {error}", "bondwatch plan --measure FILE writes one") from None


def save(figures: Figures, path: Path) -> None:
    """Write them for people and programs."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(figures)) + b"\n")
