"""E1 to E4: goods of either status in one warehouse (the yard judges everything in two orders)."""

from __future__ import annotations

from typing import Any

import pytest

from devices.observation import Action, Scan
from tests.support.yard import PVG_TO_SIP, Yard, clock, over
from tracking.domain.custody.documents import Count, Declaration, Status
from tracking.domain.custody.verdicts import Outcome

KEPT: dict[str, Any] = {
    "legs": [{"type": "stay", "zones": ["WHMIX01"], "needs_release": True, "mixing": "by_status"}]
}


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.holds("S-1", KEPT, since="00:00")
    return yard


def parameters(yard: Yard, rule: str, **values: Any) -> None:
    yard.holds("S-1", {**KEPT, "rules": {rule: {"parameters": values}}}, since="00:00")


def item(yard: Yard, number: int, status: str = "bonded") -> str:
    code = f"SKU-88123#{number:03}"
    yard.files(Status(status), at="08:00", things=[code])
    return code


def puts(yard: Yard, code: str, where: str | None, at: str, action: Action = Action.STORING) -> None:
    yard.hears(Scan(code, action, location=where), at=at)


# ---- E1 status_location_conflict


def test_a_bonded_item_that_stays_in_the_wrong_rack_is_a_finding_after_the_grace(yard):
    code = item(yard, 9)
    puts(yard, code, "WHMIX01-N", at="20:52")
    yard.expect_findings(until="21:06:59")
    finding = yard.finding("status_location_conflict", until="21:07")
    assert over(finding) == (clock("21:07"), None)
    assert (finding.verdict.cause, finding.verdict.severity) == ("SKU-88123#009", "major")
    assert [p.get("document", "scan") for p in finding.verdict.evidence] == ["scan", "status"]


def test_an_item_moved_back_within_the_grace_is_none(yard):
    code = item(yard, 4)
    puts(yard, code, "WHMIX01-N", at="20:37")
    puts(yard, code, "WHMIX01-B", at="20:46")
    yard.expect_findings()


def test_moved_back_at_the_very_end_of_the_grace_it_is_none(yard):
    code = item(yard, 4)
    puts(yard, code, "WHMIX01-N", at="20:37")
    puts(yard, code, "WHMIX01-B", at="20:52")
    yard.expect_findings()


def test_the_next_look_is_the_end_of_the_grace(yard):
    puts(yard, item(yard, 9), "WHMIX01-N", at="20:52")
    assert yard.judged(until="20:53").next_due == clock("21:07")
    assert yard.judged(until="21:07").next_due is None


@pytest.mark.parametrize(
    ("where", "action"),
    [("WHMIX01-B", Action.STORING), ("WHMIX01-Q", Action.HOLDING), (None, Action.PICKING)],
)
def test_it_closes_when_the_item_goes_elsewhere(yard, where, action):
    code = item(yard, 9)
    puts(yard, code, "WHMIX01-N", at="20:00")
    puts(yard, code, where, at="21:00", action=action)
    assert over(yard.finding("status_location_conflict")) == (clock("20:15"), clock("21:00"))


def test_a_scan_without_a_place_leaves_the_item_where_it_is(yard):
    code = item(yard, 9)
    puts(yard, code, "WHMIX01-N", at="20:00")
    puts(yard, code, None, at="20:05", action=Action.CYCLE_COUNTING)
    assert over(yard.finding("status_location_conflict")) == (clock("20:15"), None)


def test_it_closes_when_the_status_becomes_the_place_s(yard):
    code = item(yard, 9)
    puts(yard, code, "WHMIX01-N", at="20:00")
    yard.files(Declaration(), at="20:30", number="D-1")
    yard.files(Status("non_bonded", reference="D-1"), at="20:30", things=[code])
    assert over(yard.finding("status_location_conflict")) == (clock("20:15"), clock("20:30"))


def test_other_goods_among_bonded_ones_are_the_reverse(yard):
    puts(yard, item(yard, 9, "non_bonded"), "WHMIX01-B", at="20:00")
    yard.expect_findings(status_location_conflict="major")


def test_scanned_there_again_it_is_one_finding(yard):
    code = item(yard, 9)
    puts(yard, code, "WHMIX01-N", at="20:00")
    puts(yard, code, "WHMIX01-N", at="20:10")
    puts(yard, code, "WHMIX01-N", at="22:10")
    assert over(yard.finding("status_location_conflict")) == (clock("20:15"), None)


def test_the_status_of_the_shipment_holds_for_items_that_no_paper_names(yard):
    yard.files(Status("bonded"), at="07:00")
    puts(yard, "SKU-1", "WHMIX01-N", at="20:00")
    puts(yard, item(yard, 9, "non_bonded"), "WHMIX01-N", at="20:00")
    assert yard.finding("status_location_conflict").verdict.cause == "SKU-1"


def test_no_finding_without_a_status_nor_for_picking_nor_in_handling_nor_for_vehicles(yard):
    puts(yard, "SKU-1", "WHMIX01-N", at="20:00")
    code = item(yard, 9)
    puts(yard, code, "WHMIX01-N", at="20:00", action=Action.PICKING)
    puts(yard, code, "NOWHERE", at="20:10")
    yard.expect_findings()
    parameters(yard, "status_location_conflict", handling_zones=["WHMIX01-N"])
    puts(yard, code, "WHMIX01-N", at="20:20")
    yard.expect_findings()
    parameters(yard, "status_location_conflict")
    yard.files(Status("bonded"), at="07:00")
    puts(yard, code, "WHMIX01-B", at="20:25")
    puts(yard, "苏E33D71", "WHMIX01-N", at="20:25")
    assert yard.finding("status_location_conflict").verdict.cause == "SKU-1"


def test_kinds_and_minutes_are_parameters(yard):
    parameters(yard, "status_location_conflict", grace_min=0, nonbonded_kinds=["storage_hold"])
    puts(yard, item(yard, 9), "WHMIX01-Q", at="20:00")
    assert over(yard.finding("status_location_conflict")) == (clock("20:00"), None)
    parameters(yard, "status_location_conflict", bonded_kinds=["storage_nonbonded"], nonbonded_kinds=[])
    yard.expect_findings()


# ---- E2 status_change_without_document


def test_a_change_of_status_without_a_paper_is_critical(yard):
    code = item(yard, 1)
    yard.files(Status("non_bonded"), at="10:00", things=[code])
    finding = yard.finding("status_change_without_document", until="10:00")
    assert over(finding) == (clock("10:00"), None)
    assert (finding.verdict.cause, finding.verdict.severity) == (code, "critical")
    yard.expect_findings(until="09:59:59")


def test_with_its_paper_it_is_none(yard):
    code = item(yard, 1)
    yard.files(Declaration(), at="09:30", number="QD2314")
    yard.files(Status("non_bonded", reference="QD2314"), at="10:00", things=[code])
    yard.expect_findings()


def test_a_paper_that_came_later_closes_it(yard):
    code = item(yard, 1)
    yard.files(Status("non_bonded", reference="QD2314"), at="10:00", things=[code])
    assert yard.finding("status_change_without_document").verdict.outcome is Outcome.UNDETERMINED
    yard.files(Declaration(), at="11:30", number="QD2314")
    assert over(yard.finding("status_change_without_document")) == (clock("10:00"), clock("11:30"))
    yard.expect_findings(status_change_without_document="critical")


def test_putting_it_right_closes_it(yard):
    one, other = item(yard, 1), item(yard, 2)
    yard.files(Status("non_bonded"), at="10:00", things=[one, other])
    yard.files(Status("bonded"), at="10:30", things=[one])
    assert over(yard.finding("status_change_without_document")) == (clock("10:00"), None)
    yard.files(Declaration(), at="10:40", number="D-1")
    yard.files(Status("non_bonded", reference="D-1"), at="10:45", things=[other])
    assert over(yard.finding("status_change_without_document")) == (clock("10:00"), clock("10:45"))


def test_many_items_in_one_record_are_one_finding(yard):
    codes = [item(yard, n) for n in range(5)]
    yard.files(Status("non_bonded"), at="10:00", things=codes)
    assert yard.finding("status_change_without_document").verdict.cause == "SKU-88123#000 +4"


def test_the_first_word_and_a_return_to_bonded_are_no_change(yard):
    code = item(yard, 1, "non_bonded")
    yard.files(Status("bonded"), at="10:00", things=[code])
    yard.files(Status("bonded"), at="10:10")
    yard.expect_findings()
    yard.files(Status("non_bonded"), at="10:20")
    assert yard.finding("status_change_without_document").verdict.cause == "shipment"


# ---- E3 stock_mismatch


def counts(yard: Yard, book: float, counted: float, at: str, *, serialised: bool = True, **more: Any) -> None:
    yard.files(Count("WHMIX01-B", book, counted, "EA", serialised), at=at, **more)


def test_one_serialised_unit_less_is_a_mismatch_until_a_count_agrees(yard):
    counts(yard, 100, 99, "10:00")
    assert over(yard.finding("stock_mismatch", until="10:00")) == (clock("10:00"), None)
    counts(yard, 100, 99, "12:00")
    counts(yard, 99, 99, "14:00")
    finding = yard.finding("stock_mismatch")
    assert over(finding) == (clock("10:00"), clock("14:00"))
    assert finding.verdict.cause == "WHMIX01-B"
    yard.expect_findings(stock_mismatch="major")
    yard.expect_findings(until="09:59")


def test_bulk_has_half_a_per_cent(yard):
    counts(yard, 1000, 995, "10:00", serialised=False)
    yard.expect_findings()
    counts(yard, 1000, 994.9, "11:00", serialised=False)
    yard.expect_findings(stock_mismatch="major")
    parameters(yard, "stock_mismatch", tol_pct=1)
    yard.expect_findings()


def test_a_unit_may_be_tolerated(yard):
    parameters(yard, "stock_mismatch", tol_qty=1)
    counts(yard, 100, 99, "10:00")
    yard.expect_findings()


def test_goods_are_counted_apart(yard):
    counts(yard, 10, 9, "10:00", things=["SKU-1"])
    counts(yard, 10, 10, "11:00", things=["SKU-2"])
    finding = yard.finding("stock_mismatch")
    assert (finding.verdict.cause, finding.verdict.closed_at) == ("WHMIX01-B SKU-1", None)


def test_a_count_grows_too_old(yard):
    counts(yard, 10, 10, "10:00")
    assert yard.judged(until="11:00").next_due == clock("+30 10:00")
    yard.expect_findings(until="+30 09:59")
    yard.expect_findings(until="+30 10:00", stock_mismatch="undetermined")
    counts(yard, 10, 10, "+31 10:00")
    found = yard.finding("stock_mismatch", until="+32 00:00")
    assert over(found) == (clock("+30 10:00"), clock("+31 10:00"))


def test_for_how_long_a_count_speaks_is_a_parameter(yard):
    parameters(yard, "stock_mismatch", count_age_d=1)
    counts(yard, 10, 10, "10:00")
    yard.expect_findings(until="+1 10:00", stock_mismatch="undetermined")


def test_goods_that_have_set_out_need_no_count() -> None:
    yard = Yard()
    truck = yard.truck(terms=PVG_TO_SIP).enters("PVGCARGO", at="07:00").returns("C-PVG-SIPE", at="07:10")
    counts(yard, 10, 10, "08:00")
    truck.leaves("PVGCARGO", at="08:41").enters("SIPCBZ-E", at="11:00").reports(at="+30 07:59")
    assert yard.findings(until="+31 00:00", rule="stock_mismatch") == []


# ---- E4 nonbonded_spot_check_due


def test_nobody_checks_until_a_share_is_set(yard):
    puts(yard, item(yard, 1, "non_bonded"), "WHMIX01-N", at="09:00", action=Action.RECEIVING)
    yard.expect_findings()
    parameters(yard, "nonbonded_spot_check_due", sample_pct=100)
    yard.expect_findings(nonbonded_spot_check_due="info")


def test_the_list_closes_when_all_that_were_drawn_are_checked(yard):
    parameters(yard, "nonbonded_spot_check_due", sample_pct=100)
    for n, at in ((1, "09:00"), (2, "09:10")):
        puts(yard, item(yard, n, "non_bonded"), "WHMIX01-N", at=at, action=Action.RECEIVING)
    puts(yard, item(yard, 3), "WHMIX01-B", at="09:00", action=Action.RECEIVING)
    puts(yard, "SKU-88123#001", "WHMIX01-Q", at="09:20", action=Action.INSPECTING)
    assert over(yard.finding("nonbonded_spot_check_due")) == (clock("09:00"), None)
    puts(yard, "SKU-88123#002", "WHMIX01-Q", at="09:30", action=Action.SAMPLING)
    assert over(yard.finding("nonbonded_spot_check_due")) == (clock("09:00"), clock("09:30"))


def test_a_share_is_drawn_by_the_items_numbers_alone(yard):
    parameters(yard, "nonbonded_spot_check_due", sample_pct=20)
    codes = [item(yard, n, "non_bonded") for n in range(200)]
    for code in codes:
        puts(yard, code, None, at="10:00", action=Action.LOADING)
    first = yard.finding("nonbonded_spot_check_due").verdict.evidence
    assert 20 <= len(first) <= 60
    assert {p["fact"]["code"] for p in first} < set(codes)


def test_items_checked_before_they_move_are_not_due(yard):
    parameters(yard, "nonbonded_spot_check_due", sample_pct=100)
    code = item(yard, 1, "non_bonded")
    puts(yard, code, None, at="09:00", action=Action.INSPECTING)
    puts(yard, code, None, at="10:00", action=Action.SHIPPING)
    yard.expect_findings()
