"""The device SDK: report facts into a durable outbox, delivered until the gateway confirms them.

```python
from devices.client import Device, Position

with Device("127.0.0.1", 1883, name="SIP/TRK-001", password="…", outbox="trk-001.outbox") as device:
    device.report(Position(lon=120.8111, lat=31.3425, accuracy_m=9))
```

It needs `paho-mqtt`, `msgspec` and of Bondwatch only the package `devices`. Guide: ``docs/sdk.md``.
"""

from devices.client.commands import CommandHandler
from devices.client.device import Device, DeviceBroken
from devices.client.facts import Invalid
from devices.client.gate import Answer, GateKeeper
from devices.client.loop import Loop
from devices.client.outbox import OutboxError, OutboxFull, Refused
from devices.client.sending import Counts
from devices.messages import Command
from devices.observation import (
    Action,
    Direction,
    Gate,
    Handover,
    Position,
    Reading,
    Role,
    Scan,
    Seal,
    SealState,
    Status,
)

__all__ = [
    "Action",
    "Answer",
    "Command",
    "CommandHandler",
    "Counts",
    "Device",
    "DeviceBroken",
    "Direction",
    "Gate",
    "GateKeeper",
    "Handover",
    "Invalid",
    "Loop",
    "OutboxError",
    "OutboxFull",
    "Position",
    "Reading",
    "Refused",
    "Role",
    "Scan",
    "Seal",
    "SealState",
    "Status",
]
