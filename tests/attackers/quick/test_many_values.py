"""Documents of few bytes and many values: what reads them takes a bounded part of memory."""

import json
import queue
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgpack
import pytest

from loadgen.cli import fleet as fleet_verbs
from loadgen.fleet import follower
from loadgen.fleet.connections.ssh import ask
from loadgen.fleet.follower import Waiting
from loadgen.fleet.requests import Status
from loadgen.shared.errors import OperationError
from loadgen.shared.project import PROJECT
from loadgen.shared.snapshot import SNAPSHOT_VALUES_MAX, Snapshot, as_json, unpack
from loadgen.shared.text import require_few_values
from loadgen.specification.run import RunSpecification
from tests.attackers.quick.test_hosts_words import RUN, Hostile
from tests.faults.record import Outcome
from tests.unit.samples import entry, snapshot, worker

PART = "Attackers: data from a host"
MEGABYTES_MAX = 900
READING = """
import resource, sys
from loadgen.cli.fleet import _specification
from loadgen.fleet.follower import Follower
from loadgen.fleet.requests import Status
from loadgen.shared.snapshot import as_json, unpack
from tests.attackers.quick.test_hosts_words import Hostile, ask, RUN

def follow(line):
    mine = Follower.__new__(Follower)
    mine._lines = lambda: iter([line])
    class Ended(Exception): pass
    class Remote:
        def close(self): raise Ended
    mine._remote, mine._ended = Remote(), __import__("threading").Event()
    try:
        mine._follow()
    except Ended:
        pass

def read(action):
    try:
        action()
    except Exception as error:
        print(type(error).__name__, end=" ")

resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for unit in (b"[],", b'"",', b'{"a":1},'):
    many = b"[" + unit * ((4 << 20) // len(unit)) + b"0]"
    for field in (b"entries", b"nothing"):
        read(lambda: follow(b'{"run_id": "", "' + field + b'": ' + many + b"}"))
    for field in (b"faults", b"machine"):
        read(lambda: ask(Hostile(b'{"report": {"' + field + b'": ' + many + b"}}\\n"), Status()))
    read(lambda: _specification(many[:1 << 20].decode()))
for byte in (b"\\x90", b"\\x01", b"\\xdd\\x00\\x04\\x00\\x00"):
    message = b"\\x81\\xa7entries\\xdd\\x02\\x00\\x00\\x00" + byte * ((8 << 20) // len(byte))
    read(lambda: as_json(message))
    read(lambda: unpack(message))
now = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print("\\nMB:", (now - before) // 1024)
"""


@pytest.mark.fault(
    PART, "Answers, snapshots and settings consist of millions of empty lists, maps and texts."
)
@pytest.mark.timeout(60)
def test_many_values_take_a_bounded_part_of_memory(outcome: Outcome) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READING], cwd=PROJECT, capture_output=True, text=True, check=False
    )

    assert not done.returncode, done.stderr[-2000:]
    taken = int(done.stdout.rpartition("MB:")[2])
    assert "MemoryError" not in done.stdout
    assert taken < MEGABYTES_MAX, done.stdout
    outcome(f"All of them are refused; reading them takes {taken} MB of memory.")


def large(names: int) -> Snapshot:
    """What an honest master with many names says."""
    times = {float(one): 3 for one in range(350)}
    entries = [
        replace(entry(), name=f"/{one}/{{id}}", response_times=times) for one in range(names)
    ]
    workers = [replace(worker(), id=f"w{one}") for one in range(100)]
    return replace(snapshot(1.0, entries, workers), run_id=RUN)


def test_a_snapshot_of_a_thousand_names_and_a_hundred_workers_passes() -> None:
    said = large(1000)
    line = as_json(said.pack())

    require_few_values(line, SNAPSHOT_VALUES_MAX)
    assert b"\n" not in line
    assert len(line) < follower.LINE_BYTES_MAX
    assert follower._SNAPSHOT.validate_json(line) == said == unpack(said.pack())


def test_the_agent_prints_a_snapshot_on_one_line() -> None:
    said = replace(large(1), host="http://x/\n\u2028\x1b[2J\N{PILE OF POO}")

    assert follower._SNAPSHOT.validate_json(as_json(said.pack())) == said
    assert as_json(said.pack()).splitlines() == [as_json(said.pack())]
    for broken in (b"", b"\xc1", msgpack.packb([1]), msgpack.packb({"entries": [[1]]})):
        with pytest.raises(ValueError, match="this release of loadgen can't read the snapshot"):
            as_json(broken)


@pytest.mark.fault(
    PART, "A host sends thirty snapshots of the maximum size before the controller has read one."
)
def test_what_waits_is_bounded_as_a_sum(outcome: Outcome) -> None:
    waiting = Waiting()
    for number in range(40):
        waiting.put_newest(replace(snapshot(), time=float(number)), 10 << 20)
    assert [waiting.get_nowait().time for _ in range(waiting.qsize())] == [37.0, 38.0, 39.0]
    waiting.put_newest(snapshot(), 1 << 30)
    assert waiting.qsize() == 1
    assert waiting.get(timeout=0.1) == snapshot()
    with pytest.raises(queue.Empty):
        waiting.get(timeout=0.01)
    outcome("The queue of unread snapshots holds at most 32 MiB, and keeps the newest snapshot.")


@pytest.mark.fault(
    PART, "A master reports that the requests of its run may take an hour to finish."
)
def test_stop_waits_no_longer_than_the_run_was_given_here(
    tmp_path: Path, outcome: Outcome, capsys: pytest.CaptureFixture[str]
) -> None:
    said = RunSpecification(stop_timeout=3600)
    assert fleet_verbs._patience(said, tmp_path) == 60
    assert "waits only 60 s" in capsys.readouterr().err
    (tmp_path / "scenario").mkdir()
    (tmp_path / "scenario" / "hello.py").write_text("")
    for given, waited in ((300, 300), (None, 10), (1e9, 60), ("x", 60), ([], 60)):
        fields: dict[str, Any] = {"locustfile": "scenario/hello.py", "stop_timeout": given}
        if given is None:
            del fields["stop_timeout"]
        (tmp_path / "specification.json").write_text(json.dumps(fields))
        assert fleet_verbs._patience(said, tmp_path) == waited
    assert fleet_verbs._patience(RunSpecification(stop_timeout=3), tmp_path) == 3
    outcome(
        "`loadgen stop` waits a minute, or as long as the run's settings on this machine allow."
    )


def test_what_has_too_many_values_is_refused_in_a_sentence() -> None:
    with pytest.raises(OperationError, match="another release"):
        fleet_verbs._specification("[" + "0," * 60_000 + "0]")
    with pytest.raises(OperationError, match="run loadgen deploy"):
        ask(Hostile(b'{"report": [' + b"[]," * 100_000 + b"0]}\n"), Status())
