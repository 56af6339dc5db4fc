"""A soak test: the load rises slowly, stays at `--users` for long, and falls slowly.

All of this fits into `--run-time`.

--soak-ramp 5m            time to go up, and to go down (SOAK_RAMP)
"""

from argparse import ArgumentParser, Namespace

from locust import events

from loadgen.scenario import (
    Plan,
    PlannedShape,
    Soak,
    add_option,
    run_time_seconds,
    seconds_of,
    span,
)


def _add_options(parser: ArgumentParser) -> None:
    add_option(
        parser,
        "--soak-ramp",
        type=span,
        default="5m",
        help="Time in which the users start, and in which they stop",
    )


events.init_command_line_parser.add_listener(_add_options)


class SoakShape(PlannedShape):
    """Holds a load for long."""

    def make_plan(self, options: Namespace) -> Plan:
        """Read the soak. Raises ValueError when both ramps do not fit into the run time."""
        total, ramp = run_time_seconds(options), seconds_of(options.soak_ramp)
        if total is None or 2 * ramp > total:
            raise ValueError(
                f"--run-time is {total or 'not given'} and --soak-ramp is {ramp:g} s; a soak needs "
                "a run time of at least two ramps"
            )
        return Soak(int(options.num_users or 1), ramp, total)
