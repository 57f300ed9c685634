"""From recorded events to findings and alerts, on a real database."""

from __future__ import annotations

import json
from threading import Event, Thread

from devices.messages import decode_alert
from tests.support.court import Court, tasks
from tests.support.recording import at
from tracking.judge.loop import drain, wait_for_news
from tracking.store import positions, work
from tracking.store.database import ALERTS_CHANNEL, CUSTODY_CHANNEL, connect


def test_a_clean_journey_has_no_findings(court: Court) -> None:
    truck = court.truck()
    court.deliver(truck.stands(0, 300).drives(0, 9000).drives(9000, 11_000, 700).drives(11_000, 20_600))
    assert court.judge() > 0
    court.expect_findings()
    ((state,),) = court.rows("select state from custody_states")
    assert [span["index"] for span in state["legs"]] == [0]
    assert state["state"] == "over"
    assert court.rows("select kind from work where kind not in ('device_due')") == []


def test_a_stray_and_a_forbidden_lay_by_are_found_and_told(court: Court) -> None:
    with connect(court.dsn) as listener:
        listener.execute(f"listen {ALERTS_CHANNEL}")
        truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
        court.deliver(truck)
        court.judge()
        court.expect_findings(route_deviation=("major", "open"))
        court.deliver(truck.drives(9000, 10_000).stands(10_000, 300))
        court.judge()
        court.expect_findings(route_deviation=("major", "closed"), forbidden_zone_entry=("major", "open"))
        court.deliver(truck.drives(10_000, 20_600))
        court.judge()
        court.expect_findings(route_deviation=("major", "closed"), forbidden_zone_entry=("major", "closed"))
        told = [json.loads(news.payload) for news in listener.notifies(timeout=5, stop_after=4)]
    assert court.alerts() == [
        ("S-1", "route_deviation", "WAY", "major", "open", 1),
        ("S-1", "forbidden_zone_entry", "LAYBY", "major", "open", 1),
    ]
    sent = [(topic, decode_alert(payload)) for topic, payload in court.outbox()]
    assert {topic for topic, _ in sent} == {"bw/v1/SIP/alerts/major"}
    assert [(alert.rule, alert.state) for _, alert in sent] == [
        ("route_deviation", "open"),
        ("route_deviation", "closed"),
        ("forbidden_zone_entry", "open"),
        ("forbidden_zone_entry", "closed"),
    ]
    assert sent[0][1].device == "SIP/TRK-1"
    assert [(news["rule"], news["state"]) for news in told] == [
        (alert.rule, alert.state) for _, alert in sent
    ]


def test_judging_again_writes_nothing(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    truck.drives(9000, 10_000).stands(10_000, 300).drives(10_000, 12_000)
    court.deliver(truck)
    court.judge()
    before = court.rows("select finding_version from findings"), court.outbox(), court.alerts()
    court.conn.execute(
        "insert into work (kind, key, changed_from) select 'shipment', shipment_id, now() from shipments"
    )
    assert court.judge() == 1
    assert before == (court.rows("select finding_version from findings"), court.outbox(), court.alerts())


def test_a_late_attachment_changes_the_answer(court: Court) -> None:
    device = court.station.device("TRK-9")
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    stranger = truck.device
    truck.device = device
    for event in truck.events:
        event["seq"] += 1000
    court.deliver(truck)
    court.judge()
    court.expect_findings()
    court.attach(device.device_id, "box-TRK-1", since=at(-60))
    court.judge()
    court.expect_findings(route_deviation=("major", "open"))
    court.conn.execute(
        "update attachments set superseded_at = %s where device_id = %s", (at(0), device.device_id)
    )
    court.conn.execute(
        "insert into work (kind, key, changed_from) values ('device', %s, %s)", (device.device_id, at(-60))
    )
    court.judge()
    court.expect_findings()
    assert court.alerts() == [("S-1", "route_deviation", "WAY", "major", "resolved", 1)]
    assert stranger.device_id != device.device_id


def test_two_shipments_on_one_truck_have_a_finding_each(court: Court) -> None:
    truck = court.truck()
    other = court.truck("TRK-2", shipment="S-2")
    court.attach(truck.device.device_id, "box-TRK-2", since=at(-60))
    court.deliver(truck.stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900))
    court.judge()
    court.expect_findings("S-1", route_deviation=("major", "open"))
    court.expect_findings("S-2", route_deviation=("major", "open"))
    assert other.events == []


def test_a_closed_shipment_closes_its_findings(court: Court) -> None:
    court.deliver(court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900))
    court.judge()
    court.conn.execute("update shipments set state = 'closed', closed_at = %s", (at(720),))
    court.conn.execute(
        "insert into work (kind, key, changed_from) select 'shipment', shipment_id, %s from shipments",
        (at(0),),
    )
    court.judge()
    ((rule, *_, closed_at),) = court.findings()
    assert (rule, closed_at) == ("route_deviation", at(720))


def test_many_strays_are_one_alert_with_a_count(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 2000)
    for begin in (2000, 9000):
        truck.drives(begin, begin + 5000, 1900).drives(
            begin + 5000, begin + 7000, 0 if begin == 2000 else 100
        )
        court.deliver(truck)
        court.judge()
    found = [row for row in court.findings() if row[0] == "route_deviation"]
    assert len(found) == 2
    alerts = [alert for alert in court.alerts() if alert[1] == "route_deviation"]
    assert alerts == [("S-1", "route_deviation", "WAY", "major", "open", 2)]


def test_judges_at_the_same_time_share_the_work(court: Court) -> None:
    """Each shipment ends as if one judge had done it all, and nothing is written twice."""
    trucks = [court.truck(f"TRK-{n}", shipment=f"S-{n}", max_silence_s=90) for n in range(8)]
    for truck in trucks:
        truck.stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900).stands(9000, 300)
    errors: list[BaseException] = []
    recorded = Event()

    def judging() -> None:
        try:
            with connect(court.dsn) as conn:
                while not recorded.is_set():
                    drain(conn, list(tasks().values()), lambda: at(1000))
                    wait_for_news(conn, 0.01)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            errors.append(error)

    judges = [Thread(target=judging) for _ in range(3)]
    for judge in judges:
        judge.start()
    while any(truck.events for truck in trucks):
        for truck in trucks:
            part, truck.events = truck.events[:7], truck.events[7:]
            court.deliver(truck, part, reaches=False)
        court.reached(min(truck.told for truck in trucks))
    recorded.set()
    for judge in judges:
        judge.join()
    court.judge()
    assert errors == []
    for n in range(8):
        court.expect_findings(f"S-{n}", route_deviation=("major", "closed"))
    assert sorted(court.alerts()) == [
        (f"S-{n}", "route_deviation", "WAY", "major", "open", 1) for n in range(8)
    ]
    told = [decode_alert(payload) for _, payload in court.outbox()]
    assert len({alert.id for alert in told}) == 8
    assert court.rows("select count(*) from findings where superseded_at is null") == [(8,)]
    assert work.unfinished(court.conn, positions.watermark(court.conn)) == 0


def test_what_holds_again_after_all_is_an_open_alert_again(court: Court) -> None:
    device = court.station.device("TRK-9")
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    truck.device = device
    court.deliver(truck)
    court.attach(device.device_id, "box-TRK-1", since=at(-60))
    court.judge()
    states = []
    for superseded_at in (at(0), None, at(0), None):
        court.conn.execute(
            "update attachments set superseded_at = %s where device_id = %s",
            (superseded_at, device.device_id),
        )
        court.conn.execute(
            "insert into work (kind, key, changed_from) values ('device', %s, %s)",
            (device.device_id, at(-60)),
        )
        court.judge()
        states.append([alert[4:] for alert in court.alerts()])
    assert states == [[("resolved", 1)], [("open", 1)], [("resolved", 1)], [("open", 1)]]
    told = [decode_alert(payload).state for _, payload in court.outbox()]
    assert told == ["open", "withdrawn", "open", "withdrawn", "open"]
    assert [row[0] for row in court.rows("select action from alert_actions order by action_id")] == [
        "withdraw", "reopen", "withdraw", "reopen"
    ]  # fmt: skip


def test_an_alert_that_a_person_resolved_stays_resolved(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    court.deliver(truck)
    court.judge()
    court.conn.execute("update alerts set state = 'resolved'")
    court.deliver(truck.drives(9000, 9400))
    court.judge()
    assert [alert[4:] for alert in court.alerts()] == [("resolved", 1)]


def test_another_deviation_opens_the_resolved_alert_again(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 2000).drives(2000, 7000, 1900).drives(7000, 9000)
    court.deliver(truck)
    court.judge()
    court.conn.execute("update alerts set state = 'resolved' where rule = 'route_deviation'")
    court.deliver(truck.drives(9000, 14_000, 1900))
    court.judge()
    alerts = [alert[1:] for alert in court.alerts() if alert[1] == "route_deviation"]
    assert alerts == [("route_deviation", "WAY", "major", "open", 2)]
    assert court.rows("select action, by from alert_actions") == [("reopen", "judge")]


def test_a_late_fix_that_only_dates_the_deviation_anew_neither_counts_nor_opens(court: Court) -> None:
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900)
    late = [event for event in truck.events if event["time"] / 1000 - truck.events[0]["time"] / 1000 == 500]
    court.deliver(truck, [event for event in truck.events if event not in late])
    court.judge()
    (before,) = [row for row in court.findings() if row[0] == "route_deviation"]
    court.conn.execute("update alerts set state = 'resolved'")
    court.deliver(truck, late)
    court.judge()
    (after,) = [row for row in court.findings() if row[0] == "route_deviation"]
    assert after[5] < before[5], "the late fix is the first one off the corridor"
    assert court.alerts() == [("S-1", "route_deviation", "WAY", "major", "resolved", 1)]
    assert court.rows("select from alert_actions") == []
    assert court.rows("select finding_id from alerts") == court.rows(
        "select finding_id from findings"
        " where superseded_at is null and state = 'open' and rule = 'route_deviation'"
    )


def test_open_pages_hear_of_every_judging(court: Court) -> None:
    with connect(court.dsn) as listener:
        listener.execute(f"listen {CUSTODY_CHANNEL}")
        court.deliver(court.truck().stands(0, 300).drives(0, 4000))
        court.judge()
        told = {news.payload for news in listener.notifies(timeout=5, stop_after=1)}
    assert told == {'{"shipment":"S-1","park":"SIP"}'}
