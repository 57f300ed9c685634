"""H3 and H4: both sides must confirm, and the same (the yard judges everything in two orders)."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from devices.observation import Action, Handover, Role, Scan, Seal, SealState
from tests.support.yard import PVG_TO_SIP, Yard, clock, over
from tracking.domain.custody.handovers import handovers
from tracking.domain.custody.judge import judge
from tracking.domain.custody.signatures import Signed, check, signed_text

BOX = "BNDU1000010"
AIR, ROAD, OTHER = "91310115MA1WDEM06X", "91320594MA1WDEM02P", "91320585MA1WDEM050"
GIVERS, TAKERS = "SIP/HH-1", "SIP/HH-2"


@pytest.fixture
def yard() -> Yard:
    yard = Yard()
    yard.holds("S-1", PVG_TO_SIP, since="00:00")
    return yard


def gives(yard: Yard, at: str, *, giver: str = AIR, taker: str = ROAD, **more: Any) -> Any:
    return yard.hears(Handover(giver, taker, Role.GIVER, code=BOX, **more), at=at, device=GIVERS)


def takes(yard: Yard, at: str, *, giver: str = AIR, taker: str = ROAD, **more: Any) -> Any:
    return yard.hears(Handover(giver, taker, Role.TAKER, code=BOX, **more), at=at, device=TAKERS)


# ---- H3 handover_unconfirmed


@pytest.mark.parametrize("first", [gives, takes])
def test_one_side_alone_is_a_finding_when_its_minutes_are_over(yard, first):
    first(yard, "08:00")
    assert yard.judged(until="08:30").next_due == clock("09:00")
    yard.expect_findings(until="08:59:59")
    finding = yard.finding("handover_unconfirmed", until="09:00")
    assert over(finding) == (clock("09:00"), None)
    assert (finding.verdict.cause, finding.verdict.severity) == (BOX, "minor")
    assert yard.judged(until="09:00").next_due is None


def test_both_sides_in_either_order_and_said_again_are_none(yard):
    takes(yard, "08:00")
    gives(yard, "08:59")
    gives(yard, "09:10")
    takes(yard, "08:50")
    yard.expect_findings()
    assert len(handovers(yard.facts())) == 1


def test_a_late_confirmation_closes_it(yard):
    gives(yard, "08:00")
    takes(yard, "12:00")
    assert over(yard.finding("handover_unconfirmed")) == (clock("09:00"), clock("12:00"))


def test_a_confirmation_belongs_to_the_nearest_word(yard):
    gives(yard, "08:00")
    gives(yard, "14:00")
    takes(yard, "14:05")
    assert over(yard.finding("handover_unconfirmed")) == (clock("09:00"), None)


def test_the_minutes_are_a_parameter(yard):
    override = {"handover_unconfirmed": {"parameters": {"confirm_within_min": 5}}}
    yard.holds("S-1", {**PVG_TO_SIP, "rules": override}, since="00:00")
    gives(yard, "08:00")
    yard.expect_findings(until="08:05", handover_unconfirmed="minor")


def test_other_goods_confirm_nothing(yard):
    gives(yard, "08:00")
    yard.hears(Handover(AIR, ROAD, Role.TAKER, code="BNDU1000026"), at="08:10", device=TAKERS)
    assert len(yard.findings(rule="handover_unconfirmed")) == 2


def test_two_words_of_one_moment_are_one_finding_with_the_evidence_of_both(yard):
    gives(yard, "08:00")
    gives(yard, "08:00", taker=OTHER)
    takes(yard, "10:00", taker=OTHER)
    finding = yard.finding("handover_unconfirmed")
    assert over(finding) == (clock("09:00"), None)
    assert len(finding.verdict.evidence) == 3


# ---- H4 handover_mismatch


def test_other_parties_are_a_mismatch_and_not_unconfirmed(yard):
    gives(yard, "08:00")
    takes(yard, "08:10", taker=OTHER)
    finding = yard.finding("handover_mismatch", until="08:10")
    assert over(finding) == (clock("08:10"), None)
    assert finding.verdict.evidence[0] == {"differs": ["parties"]}
    yard.expect_findings(handover_mismatch="major")


def test_it_closes_with_the_next_sound_handover(yard):
    gives(yard, "08:00")
    takes(yard, "08:10", taker=OTHER)
    gives(yard, "10:00")
    takes(yard, "10:01")
    assert over(yard.finding("handover_mismatch")) == (clock("08:10"), clock("10:01"))


def test_far_apart_they_are_two_handovers_of_one_side_each(yard):
    gives(yard, "08:00")
    takes(yard, "09:01", taker=OTHER)
    assert {f.verdict.rule for f in yard.findings()} == {"handover_unconfirmed"}
    override = {"handover_mismatch": {"parameters": {"within_min": 90}}}
    yard.holds("S-1", {**PVG_TO_SIP, "rules": override}, since="00:00")
    assert len(yard.findings(rule="handover_mismatch")) == 1


def meets_seal(yard: Yard, number: str, at: str, device: str) -> None:
    yard.hears(Seal(number, SealState.LOCKED, thing=BOX), at=at, device=device, things=[BOX])


def test_another_seal_at_the_taker_s_is_critical(yard):
    meets_seal(yard, "ES-77001", "07:58", GIVERS)
    gives(yard, "08:00")
    takes(yard, "08:10")
    meets_seal(yard, "ES-77099", "08:11", TAKERS)
    finding = yard.finding("handover_mismatch")
    assert finding.verdict.severity == "critical"
    assert finding.verdict.evidence[0] == {"differs": ["seals"]}
    assert [piece["fact"]["type"] for piece in finding.verdict.evidence[1:]] == [
        "handover",
        "handover",
        "seal",
        "seal",
    ]


def counts(yard: Yard, quantity: float, at: str, device: str, uom: str = "CT", party: str = "") -> None:
    scan = Scan(BOX, Action.CYCLE_COUNTING, quantity=quantity, uom=uom, party=party or None)
    yard.hears(scan, at=at, device=device)


def test_another_quantity_is_major(yard):
    counts(yard, 812, "07:58", GIVERS)
    gives(yard, "08:00")
    takes(yard, "08:10")
    counts(yard, 811, "08:12", "SIP/SC-9", party=ROAD)
    yard.expect_findings(handover_mismatch="major")


@pytest.mark.parametrize(
    ("quantity", "uom", "at"), [(812, "CT", "08:12"), (811, "PF", "08:12"), (811, "CT", "09:11")]
)
def test_equal_quantities_other_units_and_other_times_are_none(yard, quantity, uom, at):
    counts(yard, 812, "07:58", GIVERS)
    gives(yard, "08:00")
    takes(yard, "08:10")
    counts(yard, quantity, at, TAKERS, uom)
    yard.expect_findings()


# ---- signatures


def signed(yard: Yard, key: Ed25519PrivateKey, place: int = -1) -> None:
    report = yard.reports["S-1"][place]
    signature = b64encode(key.sign(signed_text(report))).decode()
    fact = msgspec.structs.replace(report.fact, signature=signature)
    yard.reports["S-1"][place] = msgspec.structs.replace(report, fact=fact)


def judged(yard: Yard, **keys: Ed25519PrivateKey) -> set[str]:
    known = {f"SIP/{name}": (key.public_key().public_bytes_raw(),) for name, key in keys.items()}
    facts = msgspec.structs.replace(yard.facts(), keys=known)
    return {f.verdict.rule for f in judge(facts, clock("23:00")).findings}


def test_a_signature_of_another_key_is_a_mismatch(yard):
    right, wrong = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    gives(yard, "08:00")
    signed(yard, right)
    takes(yard, "08:10")
    assert judged(yard, **{"HH-1": right}) == set()
    assert judged(yard, **{"HH-1": wrong}) == {"handover_mismatch"}
    assert judged(yard, **{"HH-2": wrong}) == set()


def test_a_signature_is_good_for_its_own_event_alone(yard):
    key = Ed25519PrivateKey.generate()
    report = gives(yard, "08:00")
    signed(yard, key)
    keys = {GIVERS: (key.public_key().public_bytes_raw(),)}
    told = yard.reports["S-1"][0]
    assert check(told, keys) is Signed.VERIFIED
    assert check(msgspec.structs.replace(told, seq=told.seq + 1), keys) is Signed.WRONG
    assert check(report, keys) is Signed.UNSIGNED
    assert check(told, {}) is Signed.UNKNOWN_KEY
    garbled = msgspec.structs.replace(told.fact, signature="no base64!")
    assert check(msgspec.structs.replace(told, fact=garbled), keys) is Signed.WRONG


def test_what_is_signed_is_this_very_text(yard):
    report = gives(yard, "08:00")
    assert signed_text(report) == (
        b'{"code":"BNDU1000010","device":"SIP/HH-1","from_party":"91310115MA1WDEM06X","role":"giver",'
        b'"run":1,"seq":1,"time":"2026-03-10T08:00:00.000000Z","to_party":"91320594MA1WDEM02P",'
        b'"type":"handover"}'
    )
