"""What a file is that holds no run: other programs' results, or one file of a run."""

import re
from pathlib import Path

from loadgen.shared.files import open_regular
from loadgen.shared.run_ids import SUMMARY_FILE

READ_BYTES = 4096
OF_LOCUST = re.compile(
    r"(^|_)(stats|stats_history|failures|exceptions|requests|distribution)\.csv$"
)
LOCUSTS = (
    "of `locust --csv`, which {holds} no histograms, so nothing can be compared or drawn of"
    " {it}, and there is nothing to import. Repeat the test with loadgen run, which takes the"
    " same locustfile"
)
_AGAIN = (
    "which {} writes; loadgen reads its own runs only. Write the test as a locustfile, and load"
    " with loadgen run"
)
# How each begins, after blanks and a byte order mark.
_BEGINNINGS = (
    (r'"?(Type"?,"?Name"?,"?(Request Count|# requests)|Timestamp"?,"?User Count|Method"?,"?Name"?,'
     r'"?(Error|# requests)|Count"?,"?Message"?,"?Traceback|Name"?,"?# requests)',
     f"a file {LOCUSTS.format(holds='holds', it='it')}"),
    (r"(timeStamp|startTime|elapsed|label)[,;\t]\w+[,;\t]", f"a JTL, {_AGAIN.format('JMeter')}"),
    (r"\d{13}[,;\t]\d+[,;\t][^,;\t]*[,;\t]\d{3}[,;\t]", f"a JTL, {_AGAIN.format('JMeter')}"),
    (r"(<\?xml[^>]*>\s*)?<testResults\b", f"a JTL, {_AGAIN.format('JMeter')}"),
    (r"(<\?xml[^>]*>\s*)?<testsuites?\b", "a JUnit report, which has verdicts but no figures"),
    (r"metric_name,timestamp,", f"a CSV output, {_AGAIN.format('k6')}"),
    (r'\{"(type|metric)": ?"[^"]*", ?"(data|metric|type)":',
     f"a JSON output, {_AGAIN.format('k6')}"),
    (r'\{(?=[\s\S]*"(metrics|root_group)"\s*:)(?=[\s\S]*"(http_reqs|http_req_\w+|iterations'
     r'|thresholds|groups|root_group)"\s*:)', f"a summary, {_AGAIN.format('k6')}"),
    (r'\{\s*"aggregate"\s*:', f"a report, {_AGAIN.format('Artillery')}"),
    (r'\{\s*"latencies"\s*:', f"a report, {_AGAIN.format('Vegeta')}"),
    (r"(ASSERTION\b[^\n]*\n)*RUN\t", f"a simulation.log, {_AGAIN.format('Gatling')}"),
    (r'\{\s*"log"\s*:', "a recording (HAR): loadgen record makes a locustfile of it"),
    (r"(<!doctype[^>]*>\s*)?<(html|head)\b",
     "an HTML page: give the directory of a run, such as results/latest, and not its report"),
    (r"PK\x03\x04|\x1f", "packed: give what is in it, or take a run in with loadgen import"),
    (r"PAR1", "a Parquet file outside of a run: give the directory of the run that it is of"),
)  # fmt: skip


def kind_of(path: Path) -> str:
    """Say what a file is, after "is"; empty when nothing is known of it, or it can't be read.

    A log may also be a tester's, whose beginning is none of these.
    """
    if path.suffix != ".log" and (path.parent / SUMMARY_FILE).is_file():
        return f"a file of the run in {path.parent}: give that directory"
    if OF_LOCUST.search(path.name):
        return f"a file {LOCUSTS.format(holds='holds', it='it')}"
    try:
        with open_regular(path) as file:
            begin = file.read(READ_BYTES)
    except OSError:
        return ""
    text = begin.decode("utf-8", "replace").removeprefix("\ufeff").lstrip(" \t\r\n")
    found = (what for form, what in _BEGINNINGS if re.match(form, text, re.IGNORECASE))
    return next(found, "")
