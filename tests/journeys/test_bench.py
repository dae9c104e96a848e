"""The bench runs and reports every figure, with a ratio where there is a plain form; no figure is a pass criterion."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WITH_PEER = {"intake rate", "intake p50", "intake p95", "projection rate", "relay rate"}
ALONE = {"delay p50", "delay p99", "idle memory", "idle processor"}


@pytest.mark.timeout(400)
def test_the_short_bench_reports_every_figure() -> None:
    run = [sys.executable, "-m", "bench", "--short", "--json"]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=360, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert set(figures) == WITH_PEER | ALONE
    assert all(set(figures[name]) == {"unit", "hub", "peer", "ratio"} for name in WITH_PEER)
    assert all(set(figures[name]) == {"unit", "hub"} for name in ALONE)
