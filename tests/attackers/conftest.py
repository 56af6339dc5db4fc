"""The command as its own tests run it, for those who attack a run."""

from tests.local.conftest import loadgen

__all__ = ["loadgen"]
