"""E5 to E7: parcels on their way out, and their scans (the yard judges everything in two orders)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from devices.observation import Action, Direction, Gate, Scan
from tests.support.yard import EPOCH, Yard, clock, over
from tracking.domain.custody.documents import Release, Status, Steps
from tracking.domain.custody.facts import AreaRevision

KEPT: dict[str, Any] = {
    "legs": [{"type": "stay", "zones": ["WHMIX01"], "needs_release": True, "mixing": "by_status"}]
}
FREE: dict[str, Any] = {"legs": [{"type": "stay", "zones": ["WHMIX01"]}]}
TRUCK = "苏E33D71"


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.holds("S-1", KEPT, since="00:00")
    return yard


def scans(yard: Yard, code: str, action: Action, at: str, *, parent: str | None = None, **more: Any) -> None:
    yard.hears(Scan(code, action, parent=parent, **more), at=at, things=[parent] if parent else ())


def loads(yard: Yard, code: str, at: str, parent: str | None = TRUCK) -> None:
    scans(yard, code, Action.LOADING, at, parent=parent, location="WHMIX01-B")


# ---- E5 parcel_out_without_release


def test_a_held_parcel_on_a_truck_is_one_critical_finding(yard):
    yard.files(Release("released"), at="19:00")
    yard.files(Release("hold"), at="18:00", things=["P-001734"])
    for n in range(1730, 1740):
        loads(yard, f"P-00{n}", at=f"21:{n - 1724:02}")
    loads(yard, "P-001734", at="21:20")
    finding = yard.finding("parcel_out_without_release", until="21:10")
    assert over(finding) == (clock("21:10"), None)
    assert (finding.verdict.cause, finding.verdict.severity) == ("P-001734", "critical")
    assert [p.get("document", "scan") for p in finding.verdict.evidence] == ["scan", "release"]
    yard.expect_findings(parcel_out_without_release="critical")


def test_pulled_back_it_closes(yard):
    yard.files(Release("hold"), at="18:00", things=["P-1"])
    loads(yard, "P-1", at="21:10")
    scans(yard, "P-1", Action.UNLOADING, "21:18", parent=TRUCK)
    assert over(yard.finding("parcel_out_without_release")) == (clock("21:10"), clock("21:18"))
    loads(yard, "P-1", at="21:30")
    assert len(yard.findings(rule="parcel_out_without_release")) == 2


def test_released_on_the_truck_it_closes(yard):
    yard.files(Release("hold"), at="18:00", things=["P-1"])
    loads(yard, "P-1", at="21:10")
    yard.files(Release("released"), at="21:15", things=["P-1"])
    assert over(yard.finding("parcel_out_without_release")) == (clock("21:10"), clock("21:15"))


def test_released_before_it_is_none(yard):
    yard.files(Release("hold"), at="18:00", things=["P-1"])
    yard.files(Release("released"), at="21:10", things=["P-1"])
    loads(yard, "P-1", at="21:10")
    yard.expect_findings()


def test_a_later_hold_of_the_shipment_holds_a_released_parcel(yard):
    yard.files(Release("released"), at="18:00", things=["P-1"])
    yard.files(Release("hold"), at="19:00")
    loads(yard, "P-1", at="21:10")
    assert yard.finding("parcel_out_without_release").verdict.cause == TRUCK


def test_unreleased_goods_of_a_leg_that_asks_for_release_are_one_finding_a_vehicle(yard):
    for n in range(30):
        loads(yard, f"P-{n}", at=f"21:{n:02}")
    loads(yard, "P-X", at="21:05", parent="苏E1289K")
    found = yard.findings(rule="parcel_out_without_release")
    assert [(f.verdict.cause, f.verdict.opened_at) for f in found] == [
        (TRUCK, clock("21:00")),
        ("苏E1289K", clock("21:05")),
    ]
    assert len(found[0].verdict.evidence) == 20
    yard.files(Release("released"), at="21:40")
    assert {f.verdict.closed_at for f in yard.findings()} == {clock("21:40")}


def test_how_many_scans_are_cited_is_a_parameter(yard):
    override = {"parcel_out_without_release": {"parameters": {"max_cited": 2}}}
    yard.holds("S-1", {**KEPT, "rules": override}, since="00:00")
    for n in range(5):
        loads(yard, f"P-{n}", at=f"21:{n:02}", parent=None)
    finding = yard.finding("parcel_out_without_release")
    assert (len(finding.verdict.evidence), finding.verdict.cause) == (2, "vehicle")


def test_where_the_leg_asks_for_nothing_unheard_of_goods_may_go() -> None:
    yard = Yard()
    yard.holds("S-1", FREE, since="00:00")
    loads(yard, "P-1", at="21:10")
    yard.expect_findings()


def test_what_lies_in_a_case_goes_out_with_it(yard):
    yard.files(Release("hold"), at="18:00", things=["P-1"])
    yard.files(Release("released"), at="18:00", things=["P-2", "P-3"])
    for code in ("P-1", "P-2", "P-3"):
        scans(yard, code, Action.PACKING, "20:00", parent="CASE-7")
    scans(yard, "CASE-7", Action.PACKING, "20:10", parent="PALLET-1")
    loads(yard, "PALLET-1", at="21:10")
    assert yard.finding("parcel_out_without_release").verdict.cause == "P-1"


def test_what_was_unpacked_before_does_not(yard):
    yard.files(Release("hold"), at="18:00", things=["P-1"])
    yard.files(Release("released"), at="18:00", things=["CASE-7"])
    scans(yard, "P-1", Action.PACKING, "20:00", parent="CASE-7")
    scans(yard, "P-1", Action.UNPACKING, "20:05", parent="CASE-7")
    loads(yard, "CASE-7", at="21:10")
    yard.expect_findings()


def test_loading_into_a_package_is_not_going_out(yard):
    yard.files(Release("hold"), at="18:00", things=["P-1"])
    loads(yard, "P-1", at="21:10", parent="CASE-7")
    yard.expect_findings()


# ---- E6 scan_gap

STEPS = ("pick", "pack", "weigh", "load", "gate")


def through(yard: Yard, code: str, *, leave_out: str = "") -> None:
    """A parcel on its way, a step every ten minutes from 20:00."""
    done: dict[str, Any] = {
        "pick": Scan(code, Action.PICKING),
        "pack": Scan(code, Action.PACKING, parent="CASE-1"),
        "weigh": Scan(code, Action.OTHER, quantity=1.2, uom="kg"),
        "load": Scan(code, Action.LOADING, parent=TRUCK),
    }
    for minute, (step, fact) in enumerate(done.items()):
        if step != leave_out:
            yard.hears(fact, at=f"20:{minute}0")


def passes_gate(yard: Yard, at: str) -> None:
    gate = Gate("G-SIPE-N2", "1", Direction.OUT, plate=TRUCK, image="picture.jpg")
    yard.hears(gate, at=at, kind="gate")


@pytest.fixture
def free(yard: Yard) -> Yard:
    yard.files(Release("released"), at="10:00")
    return yard


def test_a_step_left_out_is_found_at_the_next_one(free):
    free.files(Steps(STEPS), at="19:00")
    through(free, "P-1", leave_out="weigh")
    finding = free.finding("scan_gap", until="20:30")
    assert over(finding) == (clock("20:30"), None)
    assert (finding.verdict.cause, finding.verdict.severity) == ("weigh", "minor")
    free.hears(Scan("P-1", Action.OTHER, quantity=1200, uom="g"), at="20:50")
    assert over(free.finding("scan_gap")) == (clock("20:30"), clock("20:50"))


def test_all_steps_in_order_are_none_and_late_scans_fill_them(free):
    free.files(Steps(STEPS), at="19:00")
    through(free, "P-1")
    passes_gate(free, "20:50")
    through(free, "P-1")
    free.expect_findings()


def test_a_gate_that_was_passed_without_loading_is_not_asked_of_the_parcel(free):
    free.files(Steps(("load", "gate"), {"gate": 1}), at="19:00")
    scans(free, "P-1", Action.PICKING, "20:00")
    passes_gate(free, "20:50")
    free.expect_findings()


def test_hours_between_steps_are_over_at_their_exact_moment(free):
    free.files(Steps(("pick", "load"), {"load": 2}), at="19:00")
    scans(free, "P-1", Action.PICKING, "20:00")
    assert free.judged(until="20:30").next_due == clock("22:00")
    free.expect_findings(until="21:59:59")
    assert over(free.finding("scan_gap", until="22:00")) == (clock("22:00"), None)
    loads(free, "P-1", at="22:10")
    assert over(free.finding("scan_gap")) == (clock("22:00"), clock("22:10"))


def test_a_paper_that_names_goods_asks_of_them_alone(free):
    free.files(Steps(STEPS), at="19:00", things=["P-2"])
    through(free, "P-1", leave_out="pack")
    free.expect_findings()


def test_many_that_leave_out_a_step_at_once_are_one_finding(free):
    free.files(Steps(STEPS), at="19:00")
    for n in range(5):
        through(free, f"P-{n}", leave_out="weigh")
    assert len(free.finding("scan_gap").verdict.evidence) == 5 * 2 + 1
    override = {"scan_gap": {"parameters": {"max_cited": 2}}}
    free.holds("S-1", {**KEPT, "rules": override}, since="00:00")
    assert len(free.finding("scan_gap").verdict.evidence) == 2 * 2 + 1


def test_a_step_that_nobody_knows_is_undetermined(free):
    free.files(Steps(("pick", "polish")), at="19:00")
    free.expect_findings(scan_gap="undetermined")


# ---- E7 duplicate_scan_conflict


def sees(yard: Yard, code: str, where: str, at: str, **more: Any) -> None:
    yard.hears(Scan(code, Action.STORING, location=where, **more), at=at)


def test_one_serial_in_two_zones_within_seconds_is_a_conflict(yard):
    sees(yard, "P-1", "WHMIX01-B", "20:00:00")
    sees(yard, "P-1", "KSCBZ", "20:00:59")
    finding = yard.finding("duplicate_scan_conflict")
    assert over(finding) == (clock("20:00:59"), None)
    assert (finding.verdict.cause, finding.verdict.severity) == ("P-1", "major")
    yard.expect_findings(until="20:00:58", duplicate_scan_conflict="major")


def test_it_closes_with_the_next_possible_sighting(yard):
    sees(yard, "P-1", "WHMIX01-B", "20:00:00")
    sees(yard, "P-1", "KSCBZ", "20:00:30")
    sees(yard, "P-1", "WHMIX01-B", "20:00:50")
    sees(yard, "P-1", "WHMIX01-N", "20:05")
    finding = yard.finding("duplicate_scan_conflict")
    assert over(finding) == (clock("20:00:30"), clock("20:05"))
    assert len(finding.verdict.evidence) == 4


def test_a_minute_is_enough_where_nobody_knows_how_far(yard):
    sees(yard, "P-1", "WHMIX01-B", "20:00")
    sees(yard, "P-1", "KSCBZ", "20:01")
    yard.expect_findings()


def test_scans_sent_again_and_places_within_one_zone_are_none(yard):
    for _ in range(2):
        sees(yard, "P-1", "WHMIX01-B", "20:00")
        sees(yard, "P-1", "WHMIX01-N", "20:00:10")
        sees(yard, "P-1", "SIPCBZ-E", "20:00:20")
        sees(yard, "P-1", "UNDRAWN", "20:00:30")
    yard.expect_findings()


def test_kinds_of_goods_quantities_and_vehicles_are_none(yard):
    for code, more in (("09506000134352", {}), ("P-1", {"quantity": 3.0}), (TRUCK, {})):
        sees(yard, code, "WHMIX01-B", "20:00:00", **more)
        sees(yard, code, "KSCBZ", "20:00:10", **more)
    yard.expect_findings()


def drawn(yard: Yard, code: str, lon: float) -> None:
    yard.areas[code] = (AreaRevision(code, "gate", False, "PVGCARGO", 1, EPOCH, lon=lon, lat=31.3),)


def reads(yard: Yard, gate: str, at: str) -> None:
    fact = Gate(gate, "1", Direction.OUT, containers=["BNDU1000010"], image="picture.jpg")
    yard.hears(fact, at=at, kind="gate")


def test_a_container_at_two_gates_faster_than_anything_goes(yard):
    drawn(yard, "G-1", 120.8)
    drawn(yard, "G-2", 121.8)  # 95 km east
    reads(yard, "G-1", "20:00")
    reads(yard, "G-2", "20:10")
    yard.expect_findings(duplicate_scan_conflict="major")
    override = {"duplicate_scan_conflict": {"parameters": {"max_speed_kmh": 600}}}
    yard.holds("S-1", {**KEPT, "rules": override}, since="00:00")
    yard.expect_findings()


def test_gates_beside_each_other_are_one_place(yard):
    drawn(yard, "G-1", 120.8)
    drawn(yard, "G-2", 120.803)  # 286 m east
    reads(yard, "G-1", "20:00:00")
    reads(yard, "G-2", "20:00:30")
    yard.expect_findings(duplicate_scan_conflict="major")
    for values in ({"min_dist_m": 300}, {"min_gap_s": 30}):
        override = {"duplicate_scan_conflict": {"parameters": values}}
        yard.holds("S-1", {**KEPT, "rules": override}, since="00:00")
        yard.expect_findings()


# ---- a whole wave


def test_a_wave_of_three_thousand_parcels_is_exactly_its_two_findings(yard):
    """S2: 9,000 scans; one item in the wrong rack, one held parcel on a truck, 300 scans sent twice."""
    parcels = [f"P-{n:06}" for n in range(3000)]
    yard.files(Status("bonded"), at="08:00", things=parcels[:2400])
    yard.files(Status("non_bonded"), at="08:00", things=parcels[2400:])
    yard.files(Status("bonded"), at="08:00", things=["SKU-88123#004", "SKU-88123#009"])
    yard.files(Release("released"), at="19:00", things=[p for p in parcels if p != "P-001734"])
    yard.files(Release("hold"), at="19:00", things=["P-001734"])
    yard.files(Steps(("pick", "pack", "load")), at="19:00", things=parcels)
    for n, parcel in enumerate(parcels):
        rack = "WHMIX01-B" if n < 2400 else "WHMIX01-N"
        at = f"20:{n // 60:02}:{n % 60:02}"
        scans(yard, parcel, Action.PICKING, at, location=rack)
        scans(yard, parcel, Action.PACKING, at, parent=f"CASE-{n // 10}")
    for n, parcel in enumerate(parcels):
        loads(yard, parcel, at=f"21:{n // 60:02}:{n % 60:02}")
    for code, where, at in (
        ("SKU-88123#004", "WHMIX01-N", "20:37"),
        ("SKU-88123#004", "WHMIX01-B", "20:46"),
        ("SKU-88123#009", "WHMIX01-N", "20:52"),
    ):
        sees(yard, code, where, at)
    found = {(f.verdict.rule, f.verdict.cause, f.verdict.opened_at) for f in yard.findings(until="22:00")}
    assert found == {
        ("status_location_conflict", "SKU-88123#009", clock("21:07")),
        ("parcel_out_without_release", "P-001734", clock("21:28:54")),
    }
    repeated = yard.reports["S-1"][:300]
    yard.reports["S-1"] += [msgspec.structs.replace(r, seq=r.seq + 100_000) for r in repeated]
    assert len(yard.findings(until="22:00")) == 2
