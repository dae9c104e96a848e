"""Every metric has a listed name, a unit and a meaning, and no label can contain a person, a URL or an address."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from jalons.process import metrics

DECLARED = {metric.name: metric for metric in metrics.METRICS}
LABELS = {"service", "type", "outcome", "topic", "partition", "method", "route", "status", "channel", "part"}
"""Closed or bounded sets all; a new label is thought about here first."""
UNITS = {  # in brackets, or what is counted stands first, in the plural
    Gauge: r"\((rows|records|seconds)\)|^1 where|^[A-Z][a-z]+s ",
    Histogram: r"\(seconds\)",
    Counter: r"^[A-Z][a-z]+s ",
}
ROOT = Path(__file__).parents[2]


def test_the_list_of_metric_names_is_complete() -> None:
    made = [each for each in vars(metrics).values() if isinstance(each, Counter | Gauge | Histogram)]
    assert {metric._name for metric in made} == DECLARED.keys()
    assert len(made) == len(metrics.METRICS)


@pytest.mark.parametrize("name", DECLARED)
def test_every_metric_states_its_unit_and_meaning(name: str) -> None:
    metric = DECLARED[name]
    assert metric.name.startswith("jalons_")
    assert len(metric.meaning.split()) >= 3
    assert re.search(UNITS[metric.kind], metric.meaning), metric.meaning


@pytest.mark.parametrize("name", DECLARED)
def test_no_label_can_contain_a_person_or_an_address(name: str) -> None:
    assert set(DECLARED[name].labels) <= LABELS


def test_dashboards_and_alerts_use_only_listed_names() -> None:
    suffixes = re.compile(r"_(total|bucket|sum|count|created)$")
    text = (ROOT / "deploy/prometheus/alerts.yml").read_text("utf-8")
    dashboards = sorted((ROOT / "deploy/grafana/dashboards").glob("*.json"))
    for path in dashboards:
        text += json.dumps(json.loads(path.read_text("utf-8")))
    used = {suffixes.sub("", name) for name in re.findall(r"\bjalons_[a-z_]+", text)}
    assert dashboards and used
    assert used <= DECLARED.keys()
