"""One iteration, step by step, against a simulator."""

import subprocess
import sys

from tests.servers import ROOT, simulator


def _probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "operations.probe", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )


def test_probe_prints_each_request_in_order() -> None:
    with simulator("dspace") as url:
        walked = _probe("locustfiles/dspace_submission.py", "--host", url)
    assert walked.returncode == 0, walked.stdout + walked.stderr
    lines = walked.stdout.splitlines()
    assert lines[0] == "Submitter"
    assert f"   1 GET     {url}/server/api/security/csrf  204" in walked.stdout
    assert lines.index("   start") < lines.index("   deposit") < lines.index("   log_out")
    assert lines[-1] == "12 requests, 0 failed"


def test_probe_tells_what_failed_and_ends_with_1() -> None:
    with simulator("hello") as url:
        walked = _probe("locustfiles/dspace_submission.py", "--host", url)
    assert walked.returncode == 1
    assert "FAILED" in walked.stdout
    assert "Traceback" not in walked.stdout + walked.stderr


def test_missing_locustfile_is_one_sentence() -> None:
    walked = _probe("nowhere.py", "--host", "http://127.0.0.1:1")
    assert walked.returncode == 2
    assert "locustfile nowhere.py does not exist" in walked.stderr
