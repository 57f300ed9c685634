"""Rehearsal on a real database: what would have been said, and that nothing is written."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.court import Court
from tests.support.recording import at
from tracking.domain.custody.terms import TermsError
from tracking.exchange.rehearsal.proposal import Proposal, ProposalError, areas_of, merge
from tracking.exchange.rehearsal.run import NoShipment, Rehearsed, rehearse

STRAY = {"rules": {"route_deviation": {"severity": "minor"}}}
BESIDE = [[120.9, 31.3], [120.91, 31.3], [120.91, 31.31], [120.9, 31.31], [120.9, 31.3]]


@pytest.fixture
def court(database: str) -> Iterator[Court]:
    court = Court(database)
    truck = court.truck().stands(0, 300).drives(0, 4000).drives(4000, 9000, 1900).drives(9000, 20_600)
    court.deliver(truck)
    court.judge()
    court.expect_findings(route_deviation=("major", "closed"))
    yield court
    court.close()


def everything(court: Court) -> list[Any]:
    tables = [
        name
        for (name,) in court.rows("select tablename from pg_tables where schemaname = 'public' order by 1")
    ]
    return [
        court.rows(f"select md5(coalesce(string_agg(t::text, '' order by t::text), '')) from {name} t")
        for name in tables
    ]


def told(found: Rehearsed) -> dict[str, list[str]]:
    return {
        "appear": [alert.rule for alert in found.appear],
        "vanish": [alert.rule for alert in found.vanish],
        "changed": [changed.proposed.severity for changed in found.changed],
    }


def test_what_stands_changes_nothing(court: Court) -> None:
    found = rehearse(court.conn, Proposal(at(-3600), terms={}))
    assert told(found) == {"appear": [], "vanish": [], "changed": []}
    assert (found.same, found.shipments) == (1, 1)


def test_a_parameter_is_tried_on_all_and_nothing_is_written(court: Court) -> None:
    before = everything(court)
    found = rehearse(court.conn, Proposal(at(-3600), terms=STRAY))
    assert told(found) == {"appear": [], "vanish": [], "changed": ["minor"]}
    assert everything(court) == before


def corridor(court: Court, tolerance_m: float) -> dict[str, Any]:
    ((code, geometry),) = court.rows(
        "select a.code, r.geometry from areas a join area_revisions r using (area_id)"
        " where a.kind = 'corridor'"
    )
    properties = {"code": code, "park": "SIP", "tolerance_m": tolerance_m}
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    return {"type": "FeatureCollection", "features": [feature]}


def test_a_wider_corridor_makes_the_alert_vanish(court: Court) -> None:
    before = everything(court)
    found = rehearse(court.conn, Proposal(at(-3600), areas=areas_of(corridor(court, 5000), at(-3600))))
    assert told(found) == {"appear": [], "vanish": ["route_deviation"], "changed": []}
    assert found.devices == 1
    assert everything(court) == before


def test_the_same_corridor_drawn_again_changes_nothing(court: Court) -> None:
    ((tolerance,),) = court.rows("select tolerance_m from area_revisions where tolerance_m is not null")
    for since in (-3600, 200, 600):  # from before the story, and from the middle of it
        proposal = Proposal(at(since), areas=areas_of(corridor(court, tolerance), at(since)))
        assert told(rehearse(court.conn, proposal)) == {"appear": [], "vanish": [], "changed": []}, since


def test_a_proposal_says_what_is_wrong_with_it(court: Court) -> None:
    with pytest.raises(NoShipment, match="S-404"):
        rehearse(court.conn, Proposal(at(0), terms={}), ["S-404"])
    with pytest.raises(TermsError, match="route_deviation"):
        rehearse(court.conn, Proposal(at(0), terms={"rules": {"route_deviation": {"severity": "huge"}}}))
    with pytest.raises(ProposalError, match="/features/0"):
        areas_of({"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}}]}, at(0))
    with pytest.raises(ProposalError, match="FeatureCollection"):
        areas_of({"type": "Feature"}, at(0))


def test_a_merge_patch_takes_away_with_null() -> None:
    # RFC 7396, the example of section 1
    assert merge({"a": "b", "c": {"d": "e", "f": "g"}}, {"a": "z", "c": {"f": None}}) == {
        "a": "z",
        "c": {"d": "e"},
    }


def test_the_command(court: Court, tmp_path: Path) -> None:
    file = tmp_path / "terms.json"
    file.write_text(json.dumps(STRAY))
    answer = json.loads(
        command(court, "--terms", str(file), "--since", "2020-01-01T00:00+08:00", "--json").stdout
    )
    assert [changed["proposed"]["severity"] for changed in answer["changed"]] == ["minor"]
    shown = command(court, "--terms", str(file), "--since", "2020-01-01T00:00+08:00")
    assert "Nothing was written" in shown.stdout
    wrong = command(court, "--terms", str(tmp_path / "none.json"), "--since", "yesterday")
    assert wrong.returncode == 1
    assert "is no time" in wrong.stderr


def command(court: Court, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gateway.cli", "rehearse", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"BONDWATCH_DATABASE_DSN": court.dsn, "PATH": "/usr/bin:/bin"},
        timeout=60,
    )
