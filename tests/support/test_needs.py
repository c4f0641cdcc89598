"""A missing requirement fails a test only in CI."""

from pathlib import Path

import pytest

from tests.support.needs import lacking, needs_file


def test_in_ci_it_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no browser"):
        lacking("no browser")


def test_elsewhere_the_test_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no browser"):
        lacking("no browser")


def test_a_file_that_is_missing_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CI", "true")
    needs_file(str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match=r"has no .*/none"):
        needs_file(str(tmp_path / "none"))
