"""The fault suite asks its questions once nothing can change the answers any more."""

from __future__ import annotations

import pytest

from tests.fault import verdict
from tests.support.court import Court
from tests.support.recording import at


def send_everything(court: Court) -> None:
    court.conn.execute("update outbox set sent_at = %s", (at(9000),))


def test_what_came_late_is_waited_for(court: Court) -> None:
    """Time had passed for the truck before it said the rest: all of that is left to a re-fold."""
    truck = court.truck(expected_every_s=60, max_silence_s=30 * 86_400)
    events = truck.stands(0, 300).drives(0, 4000).drives(4000, 10_000, 3000).events
    court.deliver(truck, events[:25])
    court.reached(9000)
    court.judge()
    assert verdict.quiet(court.conn)
    assert verdict.findings(court.conn) == {}

    court.deliver(truck, events[25:])
    court.judge("judging", "passing")
    send_everything(court)
    assert court.rows("select distinct kind from work where kind not in ('device_due', 'shipment_due')") == [
        ("refold",)
    ]
    assert not verdict.quiet(court.conn)

    court.judge("refolding")
    assert not verdict.quiet(court.conn)
    court.judge()
    assert not verdict.quiet(court.conn)
    send_everything(court)
    assert verdict.quiet(court.conn)
    assert verdict.findings(court.conn) == {"S-1": 1}


def test_what_was_put_off_is_waited_for(court: Court) -> None:
    truck = court.truck()
    court.deliver(truck.stands(0, 300).drives(0, 4000))
    court.judge()
    assert verdict.quiet(court.conn)
    court.conn.execute(
        "insert into work (kind, key, changed_from, due_at) values ('shipment', 1, %s, %s)", (at(0), at(9000))
    )
    assert not verdict.quiet(court.conn)


def test_a_rejection_is_no_quiet(court: Court) -> None:
    truck = court.truck()
    event = truck.device.event(0, lon=0, lat=0) | {"lon": 999}
    court.station.deliver(truck.device.sends(event, received=1))
    with pytest.raises(RuntimeError, match="1 rejections"):
        verdict.quiet(court.conn)
