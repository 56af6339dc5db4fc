"""The bundled target that a run starts when it is given no host."""

import pytest

from loadgen.cluster.local import LocalCluster
from loadgen.shared.errors import OperationError
from loadgen.specification.run import specify


def test_bundled_target_that_ends_by_itself_says_why() -> None:
    cluster = LocalCluster(specify({}))
    try:
        with pytest.raises(OperationError, match=r"ended by itself: .*no_such_target.*--host"):
            cluster.start_bundled_target("no_such_target")
    finally:
        cluster.kill()
