"""docs/metrics.md and the metrics that there are say the same."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
PLACES = ("gateway.pipeline.metrics", "tracking.judge.measures", "tracking.api.app")


def metrics() -> dict[str, MetricWrapperBase]:
    """Every metric of ours by the name under which it is shown."""
    for place in PLACES:
        importlib.import_module(place)
    found = {}
    for collector in list(REGISTRY._collector_to_names):
        if isinstance(collector, MetricWrapperBase) and collector._name.startswith("bondwatch_"):
            suffix = "_total" if collector._type == "counter" else ""
            found[collector._name + suffix] = collector
    return found


def documented() -> dict[str, str]:
    """The table rows of the page: the metric, and its labels as they are written."""
    rows = re.findall(r"^\| `(bondwatch_\w+)` \| ([^|]*)\|", DOCUMENT.read_text(), re.MULTILINE)
    return dict(rows)


def test_every_metric_is_documented_and_every_documented_one_exists() -> None:
    assert sorted(documented()) == sorted(metrics())


def test_the_labels_are_those_of_the_page() -> None:
    page = documented()
    for name, metric in metrics().items():
        assert re.findall(r"`(\w+)`", page[name]) == list(metric._labelnames), name


def test_every_metric_is_shown_with_a_sentence() -> None:
    for name, metric in metrics().items():
        assert metric._documentation.endswith("."), name
