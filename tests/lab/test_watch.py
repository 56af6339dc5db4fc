"""The live view of a fleet, from the controller."""

import re

from tests.lab.fleet import INVENTORY, Loadgen, read_until, start_make


def test_a_fleets_run_shows_in_this_terminal(loadgen: Loadgen) -> None:
    run = loadgen.start("run", "--users", "20", "--run-time", "20s")
    watching = start_make("watch", "WATCH_OPTIONS=--terminal")
    try:
        shown = read_until(watching, r" running  20 users  [1-9]")
        assert re.search(r"[1-9][\d,.]* requests/s", shown)
    finally:
        watching.terminate()
        watching.communicate(timeout=30)
    output, _ = run.communicate(timeout=120)
    assert run.returncode == 0, f"{INVENTORY}: {output}"
