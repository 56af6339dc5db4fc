from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadgen.judging.slo_judge import SloResult
from loadgen.runs.notifications import check, markdown_of, notify
from loadgen.shared.errors import UsageError
from tests.servers import webhook
from tests.unit.samples import summary

RESULTS = Path("/runs/r1")
BROKEN = SloResult(
    slo="x", held=False, measured=3, limit=2, unit="s", sentence="p95 of /a | was 3 s"
)


@pytest.fixture
def chat() -> Iterator[tuple[str, list[Any]]]:
    with webhook(lambda path: 200 if "hooks" in path else 500) as found:
        yield found


def test_a_webhook_gets_words_for_people_and_figures_for_programs(
    chat: tuple[str, list[Any]],
) -> None:
    run = summary("failed", slos=(BROKEN,))
    assert notify(run, {"LOADGEN_WEBHOOK_URL": f"{chat[0]}/hooks/s3cret"}, RESULTS) == []
    (body,) = chat[1]
    assert body["text"].startswith(f"FAILED {run.run_id}: 100 requests, 0 failed")
    assert "p95 of /a | was 3 s" in body["text"]
    assert (body["run"]["verdict"], body["run"]["requests"]) == ("failed", 100)
    assert body["run"]["results"] == str(RESULTS)


@pytest.mark.parametrize(
    ("form", "fields"), [("slack", {"text"}), ("json", {"verdict", "results"})]
)
def test_a_webhook_gets_one_form_where_one_is_asked_for(
    chat: tuple[str, list[Any]], form: str, fields: set[str]
) -> None:
    environment = {"LOADGEN_WEBHOOK_URL": f"{chat[0]}/hooks/x", "LOADGEN_WEBHOOK_FORM": form}
    check(environment)
    assert notify(summary(), environment, RESULTS) == []
    assert fields <= chat[1][0].keys()
    assert ("text" in chat[1][0]) is (form == "slack")
    assert "run" not in chat[1][0]


def test_a_targets_words_command_no_chat(chat: tuple[str, list[Any]]) -> None:
    """Slack takes <!channel> and <https://evil|text> for a call and a link."""
    slo = BROKEN.model_copy(update={"sentence": "<!channel> <https://a|b> & \x1b[2J"})
    run = summary("failed", ("500 at <!here>",), (slo,))
    assert notify(run, {"LOADGEN_WEBHOOK_URL": f"{chat[0]}/hooks/x"}, RESULTS) == []
    text = chat[1][0]["text"]
    assert "<" not in text
    assert "\x1b" not in text
    assert "500 at &lt;!here&gt;" in text


def test_an_unknown_form_is_refused_before_the_run() -> None:
    with pytest.raises(UsageError, match="LOADGEN_WEBHOOK_FORM is 'teams': set it to slack"):
        check({"LOADGEN_WEBHOOK_URL": "https://chat.example/x", "LOADGEN_WEBHOOK_FORM": "teams"})


def test_a_webhook_that_fails_is_a_sentence_without_its_address(
    chat: tuple[str, list[Any]],
) -> None:
    (fault,) = notify(summary(), {"LOADGEN_WEBHOOK_URL": f"{chat[0]}/s3cret"}, RESULTS)
    assert "did not accept the run's verdict" in fault
    assert "s3cret" not in fault
    with pytest.raises(UsageError, match="is not a URL"):
        check({"LOADGEN_WEBHOOK_URL": "chat.example"})


def test_githubs_summary_is_appended_and_escaped(tmp_path: Path) -> None:
    page = tmp_path / "summary.md"
    page.write_text("before\n")
    reasons = ("<script>alert(1)</script> [x](y)",)
    run = summary("invalid", reasons, (BROKEN,))
    assert notify(run, {"GITHUB_STEP_SUMMARY": str(page)}, RESULTS) == []
    text = page.read_text()
    assert text.startswith("before\n### Load test invalid: `")
    assert "<script>" not in text.replace("\\<", "")
    assert "| p95 of /a \\| was 3 s | **did not hold** |" in text
    absent = str(tmp_path / "no" / "page")
    assert notify(summary(), {"GITHUB_STEP_SUMMARY": absent}, RESULTS) != []


def test_nothing_is_told_where_nothing_is_configured() -> None:
    assert notify(summary(), {}, RESULTS) == []
    assert "| SLO |" not in markdown_of(summary())
