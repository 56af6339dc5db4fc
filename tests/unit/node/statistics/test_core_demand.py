import subprocess
import sys

from loadgen.node.statistics.reporter import DEMAND_SECONDS

MEASURE = """
import os, time, psutil
from loadgen.node.statistics.reporter import CoreDemand

def burn(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
demand = CoreDemand(psutil.Process())
time.sleep(0.6)
print(demand.percent())
looked = time.monotonic()
burn(0.05)
print(demand.percent())
print(time.monotonic() - looked)
rivals = []
for _ in range(3):
    pid = os.fork()
    if not pid:
        burn(1.5)
        os._exit(0)
    rivals.append(pid)
demand.percent()
burn(1.0)
print(demand.percent(), psutil.Process().cpu_percent())
for pid in rivals:
    os.waitpid(pid, 0)
"""


def test_waiting_for_a_core_counts_as_needing_it() -> None:
    finished = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, timeout=60, check=True
    )
    idle, moment, seconds, busy = finished.stdout.splitlines()
    # A busy machine may make more than a moment of it.
    is_moment = float(seconds) < DEMAND_SECONDS
    assert moment == idle or not is_moment, "a moment is too short to tell a percentage"
    assert float(busy.split()[0]) > 90, "a process that shares its core four ways is saturated"
