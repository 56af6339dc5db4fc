"""A run with everything decided, as a cluster starts it."""

from dataclasses import dataclass
from pathlib import Path

from loadgen.specification.run import RunSpecification


@dataclass(frozen=True)
class RunPlan:
    """A checked specification with everything decided: what a cluster starts.

    `host` is the target's base URL. `directory` is results/<run_id>/ on this machine.
    """

    run_id: str
    specification: RunSpecification
    host: str
    has_shape: bool
    directory: Path

    @property
    def load_seconds(self) -> float | None:
        """How long the load is to last; None when a load shape alone decides."""
        run = self.specification
        if self.has_shape and "run_time" not in run.model_fields_set:
            return None
        return run.warm_up + run.run_time

    @property
    def time_limit_seconds(self) -> float | None:
        """How long a load shape may go on; None without a shape: Locust ends the test itself."""
        return self.load_seconds if self.has_shape else None

    def master_arguments(self, workers: int) -> tuple[str, ...]:
        """Return Locust's options that only the master takes.

        A load shape decides its own users and end: it gets what the user gave, and no defaults.
        """
        run = self.specification
        load = {
            "users": str(run.users),
            "spawn_rate": f"{run.spawn_rate:g}",
            "run_time": f"{run.warm_up + run.run_time:g}",
        }
        given = run.model_fields_set if self.has_shape else load
        arguments = [
            word
            for name, value in load.items()
            if name in given
            for word in (f"--{name.replace('_', '-')}", value)
        ]
        return (*arguments, "--expect-workers", str(workers))

    def locust_arguments(self) -> tuple[str, ...]:
        """Locust's options that every node takes, the user's own last."""
        run = self.specification
        # Tags take every word up to the next option, so they must not come before user classes.
        arguments = ["--tags", *run.tags] if run.tags else []
        if run.exclude_tags:
            arguments += ["--exclude-tags", *run.exclude_tags]
        arguments += ["--host", self.host, "--stop-timeout", f"{run.stop_timeout:g}"]
        return (*arguments, *run.locust_arguments, *run.user_classes)
