"""What a summary says of a run's errors."""

import json
from pathlib import Path

import pytest

from loadgen.judging.check import NOTE
from loadgen.results.describe import describe, describe_briefly
from loadgen.results.summary import ErrorResult, Summary
from loadgen.results.writer import ERRORS_KEPT, most_frequent
from loadgen.shared.snapshot import ErrorCount
from tests.unit.samples import summary


def test_most_frequent_errors_are_kept_in_order() -> None:
    errors = [ErrorCount("GET", f"/{number}", "503", number) for number in range(1, 20)]
    kept = most_frequent(errors)
    assert [error.occurrences for error in kept] == list(range(19, 19 - ERRORS_KEPT, -1))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("CatchResponseError('login refused')", "login refused"),
        ("CatchResponseError(\"the body lacks 'x'\")", "the body lacks 'x'"),
        ("HTTPError('503')", "HTTPError('503')"),
    ],
)
def test_error_reads_as_one_line_with_its_count(error: str, words: str) -> None:
    found = ErrorResult(occurrences=1200, method="POST", name="/login", error=error)
    assert found.sentence == f"1,200 x POST /login: {words}"


def test_notes_are_the_reasons_that_doubt_nothing_and_stay_so_in_the_archive() -> None:
    made = summary("invalid", ("lost a worker", "the target stood still"))
    made = made.model_copy(update={"reason_kinds": ("lost_worker", NOTE)})
    assert made.notes == ("the target stood still",)
    again = Summary.model_validate_json(made.model_dump_json())
    assert again == made
    assert json.loads(made.model_dump_json())["notes"] == ["the target stood still"]


def test_what_hundreds_of_workers_have_alike_takes_a_few_lines() -> None:
    reasons = (*(f"worker {n} was blocked" for n in range(200)), "host a failed", "host b failed")
    made = summary("invalid", reasons)
    kinds = ("event_loop",) * 200 + ("fault",) * 2
    made = made.model_copy(update={"reason_kinds": kinds})
    for said in (describe(made, Path("results/one")), describe_briefly(made)):
        assert said.count("was blocked") == 3
        assert ("host a failed" in said, "host b failed" in said) == (True, True)
        assert "and 197 more of kind event_loop: summary.json has them all" in said
