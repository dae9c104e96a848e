"""Every alert fires on what it is for, the first time too, and not on a hub that is well: asked of promtool itself."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, generate_latest

from jalons.process import metrics

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"
PROMTOOL = shutil.which("promtool")

ON = 'service="observation"'
FIRES: dict[str, dict[str, str]] = {
    "ServiceDown": {'up{job="jalons", instance="a"}': "0x30"},
    "Degraded": {f'jalons_degraded{{{ON}, part="relay"}}': "1x30"},
    "BatchWaits": {f"jalons_batch_waiting_seconds{{{ON}}}": "0+60x30"},
    "Forged": {f"jalons_forged_open{{{ON}}}": "1x40"},
    "EventSetAside": {f"jalons_dead_letters_open{{{ON}}}": "0 1x30"},
    "SubjectParked": {f"jalons_subjects_parked{{{ON}}}": "0 1x30"},
    "FuseOpen": {f'jalons_fuse_open{{{ON}, topic="t", partition="1"}}': "1x30"},
    "SequenceConflict": {f"jalons_sequence_conflicts_total{{{ON}}}": "0x25 1x10"},
    "TopicLost": {f'jalons_topic_missing{{{ON}, topic="t"}}': "0 3x40"},
    "SendingRefused": {f"jalons_sending_refused{{{ON}}}": "0 1x40"},
    "OutboxStuck": {f"jalons_outbox_oldest_seconds{{{ON}}}": "0+60x30"},
    "DeadlinesOverdue": {f"jalons_deadlines_oldest_seconds{{{ON}}}": "0+60x30"},
    "ConsumerLagGrowing": {f'jalons_consumer_lag{{{ON}, topic="t", partition="1"}}': "0+10x40"},
    "FoundByReconciler": {f"jalons_reconciled_total{{{ON}}}": "0x25 1x10"},
    "DeliveriesFail": {'jalons_deliveries_total{channel="email", outcome="failed"}': "0x25 1x10"},
    "NoBackup": {"jalons_backup_made_timestamp_seconds": "-259200x120"},
    "CallsFail": {f'jalons_http_requests_seconds_count{{{ON}, status="500"}}': "0+10x40"},
}
"""Alert → series, a value a minute, on which it fires after half an hour; NoBackup after an hour and a half."""


def _rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_every_alert_has_a_case() -> None:
    assert set(FIRES) == set(_rules())


def test_counters_that_alerts_watch_begin_at_zero() -> None:
    watched = {name for rule in _rules().values() for name in re.findall(r"increase\((\w+)_total", rule["expr"])}
    assert watched == {each._name for zeros in metrics.ZEROS.values() for each, _ in zeros}
    for service in metrics.ZEROS:
        metrics.begin_at_zero(service)
    shown = generate_latest(REGISTRY).decode()
    for name in watched:
        assert re.search(rf"^{name}_total{{", shown, re.MULTILINE), name


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; CI installs it")
@pytest.mark.parametrize("alert", FIRES)
def test_an_alert_fires_and_is_quiet_where_all_is_well(alert: str, tmp_path: Path) -> None:
    assert PROMTOOL is not None
    asked = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
    at, cases = "91m" if alert == "NoBackup" else "31m", []
    for series, samples in (
        (FIRES[alert], [{"labels": "{}", "value": 1}]),
        (dict.fromkeys(FIRES[alert], "1x120" if alert in {"ServiceDown", "NoBackup"} else "0x40"), []),
    ):
        inputs = [{"series": name, "values": values} for name, values in series.items()]
        tests = [{"expr": asked, "eval_time": at, "exp_samples": samples}]
        cases.append({"interval": "1m", "input_series": inputs, "promql_expr_test": tests})
    path = tmp_path / "cases.yml"
    path.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": cases}), "utf-8")
    done = subprocess.run([PROMTOOL, "test", "rules", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
