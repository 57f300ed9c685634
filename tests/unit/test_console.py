"""The drawing and the words of the pages, as pure functions."""

from __future__ import annotations

import re

import pytest

from tracking.console.drawing import HEIGHT, WIDTH, draw, project
from tracking.console.i18n import WORDS, Words, choose
from tracking.console.view import FIGURES, areas_named, piece_of, plain
from tracking.domain.custody.rules import RULES
from tracking.domain.tracks import KINDS

AREAS = [
    {
        "code": "SIPCBZ-E",
        "kind": "cbz",
        "geometry": {
            "type": "Polygon",
            "coordinates": [[[120.79, 31.33], [120.82, 31.33], [120.82, 31.35], [120.79, 31.33]]],
        },
        "tolerance_m": None,
        "properties": {"name_en": "East", "name_zh": "东区"},
    },
    {
        "code": "C-1",
        "kind": "corridor",
        "geometry": {"type": "LineString", "coordinates": [[120.8, 31.34], [121.7, 31.15]]},
        "tolerance_m": 1500.0,
        "properties": {},
    },
]


def test_what_is_shown_lies_within_the_page() -> None:
    projection = project((120.0, 31.0, 121.0, 32.0))
    for lon, lat in ((120.0, 31.0), (121.0, 32.0), (120.5, 31.5)):
        x, y = projection.point(lon, lat)
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT
    assert projection.point(120.0, 32.0)[1] < projection.point(120.0, 31.0)[1], "north is up"


def test_a_metre_is_the_same_in_both_directions() -> None:
    projection = project((120.0, 31.0, 121.0, 32.0))
    east = projection.point(120.51, 31.5)[0] - projection.point(120.5, 31.5)[0]
    assert east == pytest.approx(projection.metres(0.01 * 111_195 * 0.85264), rel=0.001)


def test_a_corridor_shows_its_tolerance_and_only_when_it_is_in_focus() -> None:
    drawing = draw(AREAS, [(120.8, 31.34), (121.0, 31.3)], {"C-1"}, "en")
    assert [corridor.code for corridor in drawing.corridors] == ["C-1"]
    assert drawing.corridors[0].band == pytest.approx(2 * drawing.projection.metres(1500))
    assert draw(AREAS, [], {"SIPCBZ-E"}, "en").corridors == []


def test_a_long_trace_is_simplified_and_keeps_its_ends() -> None:
    trace = [(120.8 + i * 1e-5, 31.34) for i in range(50_000)]
    drawing = draw(AREAS, trace, set(), "zh")
    assert len(re.findall(r"[\d.]+,[\d.]+", drawing.trace)) < 100
    assert drawing.last == drawing.projection.point(*trace[-1])
    assert drawing.zones[0].name == "东区"


def test_every_word_has_both_languages_and_no_page_uses_a_missing_one() -> None:
    from tracking.console.pages import HERE

    assert [key for key, pair in WORDS.items() if not all(pair)] == []
    used = set()
    for template in (HERE / "templates").glob("*.html"):
        used |= set(re.findall(r"\bw\.([a-z_]+)", template.read_text()))
    assert used - set(WORDS) - {"language"} == set()


def test_the_language_is_what_was_asked_for() -> None:
    assert choose("zh", "en", "en") == "zh"
    assert choose(None, "zh", "en") == "zh"
    assert choose(None, None, "zh-CN,zh;q=0.9") == "zh"
    assert choose("fr", None, "fr") == "en"
    assert Words("zh")["search"] == "搜索"


def test_terms_name_their_areas() -> None:
    terms = {
        "legs": [
            {"type": "move", "from_zones": ["A"], "corridor": "C", "to_zones": ["B"]},
            {"type": "stay", "zones": ["B"]},
        ]
    }
    assert areas_named(terms) == {"A", "B", "C"}


def test_every_figure_of_evidence_has_a_name_in_both_languages() -> None:
    assert not {f"figure_{name}" for name in FIGURES} - set(WORDS)
    lines = piece_of({"distance_m": 51.9, "tolerance_m": 800.0}, Words("zh"))["lines"]
    assert lines == [("超出边界（米）", "51.9"), ("容差（米）", "800")]


def test_evidence_is_readable() -> None:
    assert plain({"max_distance_m": 1834.234}) == "max_distance_m 1,834.234"
    assert plain(121.349851) == "121.34985"
    assert plain(12.0) == "12"
    assert plain(False) == "–"
    assert plain(list(range(9))) == "0, 1, 2, 3, 4, 5 … (9)"


def test_every_rule_and_every_milestone_has_a_name_in_both_languages() -> None:
    wanted = {f"rule_{code}" for code in RULES} | {f"milestone_{kind}" for kind in KINDS}
    assert wanted - WORDS.keys() == set()
