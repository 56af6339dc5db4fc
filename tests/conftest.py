"""Makes Locust importable in the tests' process."""

import os

# Importing locust turns threads and sockets into gevent's, too late for what pytest has imported
# and wrong for servers in threads. Child processes must get Locust as it is, so only this import.
os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
import locust  # noqa: F401

del os.environ["LOCUST_SKIP_MONKEY_PATCH"]

pytest_plugins = ["tests.faults.record", "tests.sharing_out", "tests.busy_machine"]
