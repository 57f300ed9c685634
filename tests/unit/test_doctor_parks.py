"""What the doctor says of parks with a leaf node, from what the server says of the stream."""

from __future__ import annotations

from gateway.doctor import stream
from gateway.doctor.finding import Level

SECOND_NS = 1_000_000_000


def source(park: str, active_s: float, lag: int = 0) -> dict[str, object]:
    active = -1 if active_s < 0 else int(active_s * SECOND_NS)
    return {"name": "BW_EDGE", "external": {"api": f"$JS.{park}.API"}, "active": active, "lag": lag}


def test_a_park_that_talks_is_fine_and_its_lag_is_told() -> None:
    (found,) = stream.parks({"sources": [source("SIP", 2, lag=1234)]})
    assert found.level is Level.FINE
    assert "SIP" in found.says
    assert "1,234" in found.says


def test_a_park_that_is_silent_is_a_warning() -> None:
    cut, never = stream.parks({"sources": [source("SIP", 125), source("KSH", -1)]})
    assert (cut.level, never.level) == (Level.WARNING, Level.WARNING)
    assert "SIP for 125 s" in cut.says
    assert "KSH" in never.says


def test_no_park_no_finding() -> None:
    assert list(stream.parks({})) == []
