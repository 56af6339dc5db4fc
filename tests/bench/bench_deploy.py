"""How a first deploy's time grows with the number of worker hosts.

    make lab LAB_WORKERS=4; python -m tests.bench.bench_deploy

Prints a line a fleet: worker hosts, seconds of the first deploy, seconds of one that changes
nothing. Leaves the lab's hosts bare.
"""

import re
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.lab.fleet import INVENTORY, inventory_with, make


def keep_workers(hosts: str, count: int) -> str:
    """Take every worker beyond the first `count` out of a lab's hosts.yml."""
    return re.sub(
        r" +worker(\d+):\n +ansible_host: \S+\n",
        lambda found: found[0] if int(found[1]) <= count else "",
        hosts,
    )


def seconds(verb: str, inventory: Path) -> float:
    """Return how long a verb takes."""
    began = time.monotonic()
    make(verb, inventory=inventory)
    return time.monotonic() - began


def main() -> None:
    """Deploy fleets of one worker host and more, each from bare hosts."""
    available = len(re.findall(r"^ +worker\d+:", (INVENTORY / "hosts.yml").read_text(), re.M))
    (INVENTORY / ".secrets").mkdir(mode=0o700, exist_ok=True)
    make("teardown")
    print("workers  first deploy  second deploy")
    with tempfile.TemporaryDirectory() as directory:
        for count in range(1, available + 1):
            fleet = inventory_with(Path(directory) / str(count), partial(keep_workers, count=count))
            first, second = seconds("deploy", fleet), seconds("deploy", fleet)
            print(f"{count:>7}  {first:>10.0f} s  {second:>11.0f} s", flush=True)
            make("teardown", inventory=fleet)


if __name__ == "__main__":
    main()
