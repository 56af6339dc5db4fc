"""Writes `junit.xml`: the verdict for CI servers, one test case each for validity, SLOs and names.

A name fails only through an SLO that speaks of it, so the file agrees with the exit code: errors
when the run can't be trusted, failures when an SLO did not hold, none when it passed.
"""

import re
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from loadgen.judging.slo_judge import SloResult
from loadgen.results.summary import Summary
from loadgen.shared.histograms import percentile
from loadgen.shared.snapshot import EntryStatistics

# XML 1.0 has no way to write these, escaped or not.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def build_junit(summary: Summary, entries: Sequence[EntryStatistics]) -> str:
    """Return the document for one run."""
    trusted = summary.verdict in ("passed", "failed")
    cases = [_validity(summary, trusted)]
    cases += [_slo(slo, trusted) for slo in summary.slos]
    cases += [_entry(entry) for entry in entries]
    suite = ET.Element("testsuite", name=_clean(summary.run_id), time=f"{_duration(summary):.3f}")
    suite.extend(cases)
    suite.set("tests", str(len(cases)))
    for kind in ("error", "failure", "skipped"):
        count = sum(case.find(kind) is not None for case in cases)
        suite.set({"error": "errors", "failure": "failures"}.get(kind, kind), str(count))
    if summary.started_at:
        suite.set("timestamp", summary.started_at.isoformat(timespec="seconds"))
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _duration(summary: Summary) -> float:
    if not summary.started_at or not summary.ended_at:
        return 0.0
    return (summary.ended_at - summary.started_at).total_seconds()


def _validity(summary: Summary, trusted: bool) -> ET.Element:
    case = _case("validity", "the measurement can be trusted")
    if not trusted:
        text = "\n".join(summary.reasons) or f"the run ended as {summary.verdict}"
        _child(case, "error", text, summary.verdict)
    return case


def _slo(slo: SloResult, trusted: bool) -> ET.Element:
    case = _case("slo", slo.slo)
    if not trusted:
        _child(case, "skipped", "not judged: " + slo.sentence)
    elif not slo.held:
        _child(case, "failure", slo.sentence, "slo")
    return case


def _entry(entry: EntryStatistics) -> ET.Element:
    case = _case("requests", f"{entry.method} {entry.name}")
    p95 = percentile(
        entry.response_times, 0.95, entry.response_time_min_ms, entry.response_time_max_ms
    )
    text = f"{entry.requests} requests, {entry.failures} failures"
    output = ET.SubElement(case, "system-out")
    output.text = text if p95 is None else f"{text}, p95 {p95:.6g} ms"
    return case


def _case(group: str, name: str) -> ET.Element:
    return ET.Element("testcase", classname=f"loadgen.{group}", name=_clean(name))


def _child(case: ET.Element, tag: str, text: str, kind: str = "") -> None:
    first_line = text.splitlines()[0] if text else ""
    child = ET.SubElement(case, tag, message=_clean(first_line))
    child.text = _clean(text)
    if kind:
        child.set("type", kind)


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
