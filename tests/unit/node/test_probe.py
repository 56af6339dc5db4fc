"""One iteration, step by step, against a simulator."""

import subprocess
import sys
from pathlib import Path

from tests.servers import ROOT, simulator


def _probe(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loadgen.node.probe", *arguments]
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


def test_probe_verb_starts_the_scenarios_own_target() -> None:
    command = [sys.executable, "-m", "loadgen", "probe", "-f", "locustfiles/django_site.py"]
    walked = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert walked.returncode == 0, walked.stdout + walked.stderr
    assert walked.stdout.startswith("No HOST was given: the bundled target is at http://127.0.0.1:")
    assert ", 0 failed" in walked.stdout.splitlines()[-1]


def test_probe_tells_a_scenarios_own_fault_in_one_line(tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.py"
    faulty.write_text(
        "from locust import User, task\n\n\nclass Faulty(User):\n    @task\n"
        "    def go(self):\n        raise KeyError('token')\n"
    )
    walked = _probe(str(faulty), "--host", "http://127.0.0.1:1")
    assert walked.returncode == 1
    assert "FAILED: KeyError: 'token'" in walked.stdout
    assert "Traceback" not in walked.stdout + walked.stderr


def test_missing_locustfile_is_one_sentence() -> None:
    walked = _probe("nowhere.py", "--host", "http://127.0.0.1:1")
    assert walked.returncode == 2
    assert "locustfile nowhere.py does not exist" in walked.stderr
