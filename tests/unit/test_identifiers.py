"""One thing, one URI, however it was written; and nothing is mended silently."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices import gs1
from devices.identifiers import (
    OWN_KINDS,
    Thing,
    container_warning,
    credit_code_warning,
    normal_plate,
    own_thing,
    parse_thing,
    plate_hint,
)

PALLET = Thing("https://id.gs1.org/00/340123453111111115", "handling_unit", "340123453111111115")
ITEM = Thing("https://id.gs1.org/01/09521141111116/21/A%2FB", "item", "09521141111116 A/B")
BOX = Thing("urn:epc:id:bic:CSQU3054383", "container", "CSQU3054383")
TRUCK = Thing("urn:bondwatch:vehicle:苏E1289K", "vehicle", "苏E1289K")
DEPOT = Thing("https://id.gs1.org/414/4012345000115", "location", "4012345000115")


@pytest.mark.parametrize(
    ("text", "thing"),
    [
        ("340123453111111115", PALLET),
        ("00340123453111111115", PALLET),
        ("(00)340123453111111115", PALLET),
        ("(00)340123453111111115(37)12", PALLET),
        ("]C100340123453111111115", PALLET),
        ("\x1d00340123453111111115", PALLET),
        (" ００３４０１２３４５３１１１１１１１１５ ", PALLET),
        ("urn:epc:id:sscc:4012345.3311111111", PALLET),
        ("https://id.gs1.org/00/340123453111111115", PALLET),
        ("HTTPS://example.cn/track/00/340123453111111115?x=1", PALLET),
        ("(01)09521141111116(21)A/B", ITEM),
        ("(01)09521141111116(10)LOT7(21)A/B", ITEM),
        ("]d2010952114111111621A/B\x1d10LOT7", ITEM),
        ("https://example.cn/01/9521141111116/10/LOT7/21/A%2FB", ITEM),
        ("urn:epc:id:sgtin:9521141.011111.A%2FB", ITEM),
        ("urn:epc:id:sgln:4012345.00011.0", DEPOT),
        ("(414)4012345000115", DEPOT),
        ("CSQU3054383", BOX),
        ("csqu 305438-3", BOX),
        ("CSQU 305438/3", BOX),
        ("urn:epc:id:bic:CSQU3054383", BOX),
        ("苏E1289K", TRUCK),
        ("苏E·1289k", TRUCK),
        ("苏Ｅ １２８９Ｋ", TRUCK),
        ("urn:bondwatch:vehicle:苏E1289K", TRUCK),
        ("urn:bondwatch:seal:es-77031", Thing("urn:bondwatch:seal:es-77031", "seal", "es-77031")),
    ],
)
def test_a_thing_has_one_name_in_all_its_dresses(text: str, thing: Thing) -> None:
    assert parse_thing(text) == thing


@pytest.mark.parametrize(
    ("text", "uri", "kind"),
    [
        ("09521141111116", "https://id.gs1.org/01/09521141111116", "product"),
        ("9521141111116", "https://id.gs1.org/01/09521141111116", "product"),
        ("urn:epc:class:lgtin:9521141.011111.L1", "https://id.gs1.org/01/09521141111116/10/L1", "product"),
        ("(414)4012345000115(254)D 7", "urn:bondwatch:code:%28414%294012345000115%28254%29D%207", "code"),
        ("(414)4012345000115(254)D7", "https://id.gs1.org/414/4012345000115/254/D7", "location"),
        ("urn:epc:id:giai:4012345.A1.B", "https://id.gs1.org/8004/4012345A1.B", "asset"),
        ("(8004)4012345A1", "https://id.gs1.org/8004/4012345A1", "asset"),
        ("urn:epc:id:grai:4012345.11122.S7", "https://id.gs1.org/8003/04012345111224S7", "asset"),
        ("urn:epc:id:ginc:4012345.C1", "https://id.gs1.org/401/4012345C1", "consignment"),
        ("urn:epc:id:gsin:4012345.123456789", "https://id.gs1.org/402/40123451234567894", "consignment"),
        ("PLT 00/17", "urn:bondwatch:code:PLT%2000%2F17", "code"),
        ("https://example.cn/00/abc", "urn:bondwatch:code:https%3A%2F%2Fexample.cn%2F00%2Fabc", "code"),
        ("http://[broken", "urn:bondwatch:code:http%3A%2F%2F%5Bbroken", "code"),
        ("(99)A", "urn:bondwatch:code:%2899%29A", "code"),
        ("托盘7", "urn:bondwatch:code:托盘7", "code"),
    ],
)
def test_other_keys_and_codes_of_anybodys_own(text: str, uri: str, kind: str) -> None:
    thing = parse_thing(text)
    assert (thing.uri, thing.kind) == (uri, kind)


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("CSQU3054380", "check digit 0, should be 3"),
        ("TCLU9012345", "check digit 5, should be 0"),
        ("CSQU1234567", "check digit 7, should be 0"),
        ("MSKU7654321", "check digit 1, should be 8"),
        ("TEMU4567890", "check digit 0, should be 4"),
        ("(00)340123453111111114", "check digit 4, should be 5"),
        ("https://id.gs1.org/01/09521141111117", "check digit 7, should be 6"),
        ("(00)34012345311111111", "not 18 digits"),
        ("urn:epc:id:sscc:4012345", "not complete"),
        ("urn:epc:id:sgtin:9521141.011111", "not complete"),
        ("]C1XX", "application identifier"),
        ("苏E12O9K", "perhaps 苏E1209K"),
        ("urn:bondwatch:ghost:1", "kind 'ghost'"),
    ],
)
def test_what_looks_right_and_is_wrong_stays_a_code_and_says_so(text: str, warning: str) -> None:
    thing = parse_thing(text)
    assert thing.kind == "code"
    assert thing.label == text
    assert warning in str(thing.warning)


@pytest.mark.parametrize("text", ["", "  \t", "x" * 2001])
def test_nothing_and_too_much_are_no_things(text: str) -> None:
    with pytest.raises(ValueError, match="characters"):
        parse_thing(text)


@given(
    st.text(min_size=1, max_size=200)
    | st.text("0123456789()]C1d2/.:urnepcidsgtin\x1d%", min_size=1, max_size=60)
)
def test_any_text_is_a_thing_and_its_uri_names_the_same_thing(text: str) -> None:
    if not text.strip():
        return
    try:
        thing = parse_thing(text)
    except ValueError:
        return  # empty once cleaned, or too long
    again = parse_thing(thing.uri)
    assert (again.uri, again.kind) == (thing.uri, thing.kind)


@pytest.mark.parametrize(
    "number", ["CSQU3054383", "TEXU3070079", "MSKU6011672", "TEXU1000010", "BNDU1000047"]
)
def test_good_container_numbers(number: str) -> None:
    assert container_warning(number) is None


@given(st.from_regex(r"[A-Z]{3}[UJZ][0-9]{6}", fullmatch=True))
def test_exactly_one_check_digit_is_right(stem: str) -> None:
    assert sum(container_warning(f"{stem}{digit}") is None for digit in range(10)) == 1


@pytest.mark.parametrize("number", ["CSQA3054383", "CSQU305438", "csqu3054383", "", "CSQU305438３"])
def test_a_container_number_has_a_form(number: str) -> None:
    assert "is not" in str(container_warning(number))


@pytest.mark.parametrize(
    ("text", "plate"),
    [
        ("苏E1289K", "苏E1289K"),
        ("沪AD666K", "沪AD666K"),
        ("苏EF12345", "苏EF12345"),
        ("沪A12345D", "沪A12345D"),
        ("苏E1289挂", "苏E1289挂"),
        ("粤Z·1234港", "粤Z1234港"),
        ("鄂a jl371", "鄂AJL371"),
        ("苏E12O9K", None),
        ("苏I12345", None),
        ("苏E1234", None),
        ("苏E123456", None),
        ("X苏E1289K", None),
        ("苏E1289K\n", "苏E1289K"),
        ("E1289K", None),
    ],
)
def test_plates(text: str, plate: str | None) -> None:
    assert normal_plate(text) == plate


def test_a_hint_is_given_only_where_it_makes_a_plate() -> None:
    assert plate_hint("苏E12O9K") == "苏E1209K"
    assert plate_hint("苏EI289K") == "苏E1289K"
    assert plate_hint("苏E1289K") is None
    assert plate_hint("OIL-01") is None


@pytest.mark.parametrize(
    "code", ["91320594MA1WDEM01L", "91320594MA1WDEM02P", "91320583MA1WDEM040", "91310115ma1wdem06x"]
)
def test_good_credit_codes(code: str) -> None:
    assert credit_code_warning(code) is None


@pytest.mark.parametrize(
    ("code", "warning"),
    [
        ("91320594MA1WDEM01M", "should be L"),
        ("91320594MA1WDEM0", "is not 18"),
        ("91320594MA1WDEMO1L", "is not 18"),
    ],
)
def test_a_doubtful_credit_code_is_a_warning(code: str, warning: str) -> None:
    assert warning in str(credit_code_warning(code))


def test_things_of_our_own_by_kind() -> None:
    assert own_thing("seal", " ES-77031 ").uri == "urn:bondwatch:seal:ES-77031"
    assert own_thing("vehicle", "苏E·1289k") == TRUCK
    for kind in OWN_KINDS:
        assert parse_thing(own_thing(kind, "SH-1007").uri) == own_thing(kind, "SH-1007")
    with pytest.raises(ValueError, match="kind"):
        own_thing("ghost", "1")
    with pytest.raises(ValueError, match="number"):
        own_thing("seal", " ")


def test_gs1_check_digits() -> None:
    assert gs1.check_digit("34012345311111111") == "5"
    assert gs1.check_digit("401234500011") == "5"
    assert gs1.parse("hello") is None
