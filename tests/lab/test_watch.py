"""Watching a fleet: the live view on the controller, and Prometheus on the monitoring host."""

import json
import re
import shlex
import time
from urllib.parse import urlencode

from tests.lab.fleet import Loadgen, on_host, read_until, start_make

COUNTED = "sum(locust_requests_total)"


def test_a_fleets_run_shows_in_this_terminal_and_in_prometheus(loadgen: Loadgen) -> None:
    before = sum(ask(COUNTED))
    run = loadgen.start("run", "--users", "20", "--run-time", "20s")
    watching = start_make("watch", "WATCH_OPTIONS=--terminal")
    try:
        shown = read_until(watching, r" running  20 users  [1-9]")
        assert re.search(r"[1-9][\d,.]* requests/s", shown)
    finally:
        watching.terminate()
        watching.communicate(timeout=30)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, output
    counted = before + loadgen.summary["requests"]
    assert comes_to(COUNTED, counted), f"{ask(COUNTED)} instead of {counted}"
    run_id = loadgen.summary["run_id"]
    assert ask(f'count(last_over_time(locust_run_info{{run_id="{run_id}"}}[5m]))') == [1]
    # The master's exporter tells of the verdict, which the controller has given.
    verdict = loadgen.summary["verdict"]
    assert comes_to(f'locust_run_verdict{{run_id="{run_id}",verdict="{verdict}"}}', 1)


def comes_to(query: str, value: float) -> bool:
    """Wait until Prometheus on the monitoring host has this value; False after half a minute."""
    deadline = time.monotonic() + 30
    while ask(query) != [value]:
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    return True


def ask(query: str) -> list[float]:
    """Return the values of a query on the monitoring host; none for no data."""
    url = f"http://127.0.0.1:9090/api/v1/query?{urlencode({'query': query})}"
    read = f"import urllib.request; print(urllib.request.urlopen({url!r}).read().decode())"
    # A hardened host's proxy would be asked, even for its own loopback address.
    answer = on_host("monitor1", f"no_proxy=127.0.0.1 python3 -c {shlex.quote(read)}")
    return [float(one["value"][1]) for one in json.loads(answer)["data"]["result"]]
