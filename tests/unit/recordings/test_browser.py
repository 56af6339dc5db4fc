"""`loadgen record --browser`: what it says where it can't record."""

import builtins
from typing import Any

import pytest

from tests.unit.recordings.hars import run_record


def test_without_playwright_it_says_how_to_record_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("playwright"):
            raise ImportError(name)
        return given(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run_record("--browser", "https://shop.example") == 2
    said = capsys.readouterr().err
    assert "--browser needs Playwright" in said
    assert "Save all as HAR" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((), "no recording was given"), (("--browser", "shop"), "--browser shop is not a URL")],
)
def test_what_can_not_be_recorded_is_refused(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_record(*arguments) == 2
    assert words in capsys.readouterr().err
