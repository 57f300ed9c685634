"""Step 7, receipts: tell the devices what is committed, and what never will be.

An event that was recorded before is answered like a new one: its device missed the first receipt. What
couldn't be read at all has no number to answer.
"""

from __future__ import annotations

from devices.messages import Refusal
from devices.observation import ID_RUN
from gateway.pipeline.load import Heard, Load
from gateway.pipeline.tools import Tools


async def receipts(load: Load, tools: Tools) -> None:
    """Put every device's answer into the mailbox, which sends at most one a device every half second."""
    now = tools.steady_s()
    for heard in load.heard.values():
        _committed(heard, tools, now)
        for refused in heard.refused:
            refusal = (
                Refusal(refused.reason, refused.seq, None, refused.detail)
                if refused.id is None
                else Refusal(refused.reason, None, refused.id, refused.detail)
            )
            tools.mailbox.refuse(heard.device.name, refused.run, refusal, now)


def _committed(heard: Heard, tools: Tools, now: float) -> None:
    """Numbers in stretches, because they nearly always count up."""
    name, mailbox = heard.device.name, tools.mailbox
    run, first, last = ID_RUN, 0, -1
    for events in (heard.events, heard.again):
        for event in events:
            if event.id is not None:
                mailbox.commit_id(name, event.id, now)
            elif event.run == run and event.seq == last + 1:
                last += 1
            else:
                if first <= last:
                    mailbox.commit(name, run, first, last, now)
                run, first, last = event.run, event.seq, event.seq
    if first <= last:
        mailbox.commit(name, run, first, last, now)
