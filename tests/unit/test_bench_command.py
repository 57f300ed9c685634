"""``bondwatch bench``: what was measured is told, whatever happens to the files that were asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.bench.growth import Growth, GrowthReport
from gateway.commands import bench

REPORT = GrowthReport([Growth("zones", 500, 5000, 60.0, 66.0, 1.1)], worst=1.1, each=40, factor=10)


def test_a_plot_that_cannot_be_written_costs_no_figure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "measure_growth", lambda *_: REPORT)
    nowhere = tmp_path / "nowhere" / "plot.svg"
    done = CliRunner().invoke(bench.app, ["growth", "--json", "--svg", str(nowhere)])
    assert isinstance(done.exception, FileNotFoundError)
    assert json.loads(done.stdout.splitlines()[-1])["worst"] == 1.1
