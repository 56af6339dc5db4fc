from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from loadgen.judging.slo_judge import SloResult
from loadgen.judging.verdict import Verdict
from loadgen.results.junit import build_junit
from tests.unit.samples import entry, summary


def slo(held: bool | None) -> SloResult:
    return SloResult(
        slo="p95 < 2 s", held=held, measured=2.5, limit=2, unit="s", sentence="p95 was 2.5 s"
    )


def suite(verdict: Verdict, *slos: SloResult, name: str = "/") -> ET.Element:
    document = build_junit(summary(verdict, ("why",), slos), [entry(name)])
    found = ET.fromstring(document.encode()).find("testsuite")
    assert found is not None
    return found


def counts(element: ET.Element) -> tuple[str | None, ...]:
    return tuple(element.get(key) for key in ("tests", "errors", "failures", "skipped"))


def test_a_passed_run_has_neither_errors_nor_failures() -> None:
    assert counts(suite("passed", slo(True))) == ("3", "0", "0", "0")


def test_a_failed_slo_is_a_failure_that_says_why() -> None:
    element = suite("failed", slo(False), slo(True))
    assert counts(element) == ("4", "0", "1", "0")
    failure = element.find("testcase/failure")
    assert failure is not None
    assert failure.get("message") == "p95 was 2.5 s"


def test_an_invalid_run_is_an_error_and_judges_no_slo() -> None:
    assert counts(suite("invalid", slo(False))) == ("3", "1", "0", "1")


def test_an_slo_without_data_did_not_hold() -> None:
    assert counts(suite("failed", slo(None))) == ("3", "0", "1", "0")


@given(st.text())
def test_any_name_gives_well_formed_xml(name: str) -> None:
    assert len(suite("passed", name=name).findall("testcase")) == 2
