"""A spike: `--users`, suddenly many more for a while, then `--users` again for as long as before.

--spike-users 100         users during the spike (SPIKE_USERS)
--spike-after 60s         from the start to the spike (SPIKE_AFTER)
--spike-time 30s          length of the spike (SPIKE_TIME)
"""

from argparse import ArgumentParser, Namespace

from locust import events

from loadgen.scenario import (
    AT_ONCE_USERS_PER_SECOND,
    Plan,
    PlannedShape,
    Spike,
    add_option,
    seconds_of,
    span,
)


def _add_options(parser: ArgumentParser) -> None:
    add_option(parser, "--spike-users", type=int, default=100, help="Users during the spike")
    add_option(
        parser, "--spike-after", type=span, default="60s", help="Time from the start to the spike"
    )
    add_option(parser, "--spike-time", type=span, default="30s", help="Length of the spike")


events.init_command_line_parser.add_listener(_add_options)


class SpikeShape(PlannedShape):
    """Jumps up and back; the spike comes at once whatever the spawn rate is."""

    def make_plan(self, options: Namespace) -> Plan:
        """Read the spike. Raises ValueError for fewer than 0 users."""
        if options.spike_users < 0:
            raise ValueError(f"--spike-users is {options.spike_users}; it must be 0 or more")
        return Spike(
            users=int(options.num_users or 1),
            spike_users=options.spike_users,
            spike_after=seconds_of(options.spike_after),
            spike_seconds=seconds_of(options.spike_time),
            spawn_rate=AT_ONCE_USERS_PER_SECOND,
        )
