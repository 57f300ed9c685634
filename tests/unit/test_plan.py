"""Capacity planning: the arithmetic, its limits, and the page that shows it."""

from __future__ import annotations

import json
import re
from math import ceil
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from gateway.commands.plan import app
from gateway.planning.figures import Bytes, Costs, Figures, Memory, load, save
from gateway.planning.model import GIB, Assumptions, needs
from gateway.planning.page import SIZES, table
from gateway.problem import Problem

MIB = 1 << 20
FIGURES = Figures(
    measured_on="2026-03-01",
    machine="test",
    events=1000,
    devices=10,
    cpu_us=Costs(broker=20, database=40, gateway=50, judge=10),
    memory=Memory(
        broker=20 * MIB, gateway=100 * MIB, judge=100 * MIB, api=100 * MIB,
        broker_per_device=10_000, gateway_per_device=500,
    ),
    bytes=Bytes(body=150, stream=200, database=500, log=600, series=400, compression_ratio=5),
)  # fmt: skip
ASSUMED = Assumptions(peak=2, utilisation=0.5, keep_days=100, late_window_days=30, stream_days=7, replicas=3)
PAGE = (Path(__file__).parents[2] / "docs" / "capacity.md").read_text("utf-8")


def test_the_arithmetic_by_hand() -> None:
    found = needs(1000, 1.0, FIGURES, ASSUMED)
    assert (found.events_per_s, found.peak_events_per_s) == (1000, 2000)
    assert msgspec.to_builtins(found.cores) == {
        "broker": 0.08,
        "database": 0.16,
        "gateway": 0.2,
        "judge": 0.04,
    }
    assert (found.total_cores, found.workers, found.judges, found.databases) == (2, 1, 1, 1)
    assert found.database_gib_per_day == round(1000 * 86_400 * 500 / GIB, 2)
    assert found.compressed_gib_per_day == round(1000 * 86_400 * 180 / GIB, 2)
    assert found.stored_gib == round(1000 * 86_400 * (30 * 500 + 70 * 180) / GIB, 1)
    assert found.stored_uncompressed_gib == round(1000 * 86_400 * 100 * 500 / GIB, 1)
    assert found.stream_gib == round(1000 * 86_400 * 200 * 7 / GIB, 1)
    assert found.network_mbit_per_s == round(2000 * (150 + 320) * 8 / 1e6, 2)
    assert found.form == "one server"
    assert needs(500, 1.0, FIGURES, ASSUMED).form == "one machine"


def test_more_than_a_primary_takes_is_shared_and_copied() -> None:
    found = needs(1_000_000, 1.0, FIGURES, ASSUMED)
    assert found.cores.database == 160
    wide = Assumptions(peak=2, utilisation=0.5, tib_per_database=1e6)
    assert needs(1_000_000, 1.0, FIGURES, wide).databases == 10
    assert (found.databases, found.form) == (ceil(found.stored_gib / 20 / 1024), "many servers")
    assert found.workers == 200
    assert found.stream_gib == round(1_000_000 * 86_400 * 200 * 7 * 3 / GIB, 1)


@settings(deadline=None)
@given(st.integers(1, 2_000_000), st.floats(0.1, 3600))
def test_nothing_gets_smaller_with_more_devices(devices: int, interval_s: float) -> None:
    one, two = (needs(count, interval_s, FIGURES, ASSUMED) for count in (devices, 2 * devices))
    for name in ("total_cores", "workers", "judges", "databases", "memory_gib", "stored_gib", "stream_gib"):
        assert getattr(two, name) >= getattr(one, name), name
    assert one.stored_gib <= one.stored_uncompressed_gib


def test_a_file_of_figures_comes_back_and_another_is_refused(tmp_path: Path) -> None:
    save(FIGURES, tmp_path / "figures.json")
    assert load(tmp_path / "figures.json") == FIGURES
    (tmp_path / "other.json").write_text('{"machine": 3}')
    with pytest.raises(Problem, match=r"other\.json"):
        load(tmp_path / "other.json")
    with pytest.raises(Problem, match="No such file"):
        load(tmp_path / "absent.json")


def test_the_shipped_figures_were_measured() -> None:
    shipped = load()
    assert shipped.events >= 50_000
    assert shipped.bytes.compression_ratio > 2
    assert shipped.bytes.series <= shipped.bytes.database
    assert min(msgspec.structs.astuple(shipped.cpu_us)) > 0


def test_the_command_tells_its_assumptions() -> None:
    told = CliRunner().invoke(
        app, ["--devices", "50000", "--interval", "30", "--json"], catch_exceptions=False
    )
    found = json.loads(told.stdout)
    assert found["needs"] == msgspec.to_builtins(needs(50_000, 30, load(), Assumptions()))
    assert found["assumptions"] == msgspec.to_builtins(Assumptions())
    assert found["figures"]["measured_on"] == load().measured_on


def test_the_page_shows_what_the_model_says() -> None:
    """After new figures: ``python -m gateway.planning.page`` prints the table."""
    assert table(load()) in PAGE


def test_the_page_gives_a_reason_for_every_assumption() -> None:
    told = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
    assert set(Assumptions.__struct_fields__) <= told


def test_the_page_names_park_city_and_province() -> None:
    assert [name for name, _, _ in SIZES] == ["park", "city", "province"]
