"""Steps: each number of users for a while, with rests between if wanted.

    --step-users 10,20,30     users of each step, in order (STEP_USERS)
    --step-time 60s           length of each step (STEP_TIME)
    --step-rest 0s            time without users between steps (STEP_REST)

The study's first search was 10, 20, 30 … for 2 minutes with 2 minutes of rest.
"""

from argparse import ArgumentParser, Namespace

from locust import events

from loadgen.scenario import Plan, PlannedShape, Steps, add_option, seconds_of, span, spawn_rate


def _add_options(parser: ArgumentParser) -> None:
    add_option(
        parser,
        "--step-users",
        default="10,20,30",
        help="Number of users in each step, separated by commas",
    )
    add_option(parser, "--step-time", type=span, default="60s", help="Length of each step")
    add_option(
        parser, "--step-rest", type=span, default="0s", help="Time without users between two steps"
    )


events.init_command_line_parser.add_listener(_add_options)


class StepsShape(PlannedShape):
    """Climbs, or descends, in steps."""

    def make_plan(self, options: Namespace) -> Plan:
        """Read the steps. Raises ValueError when one is no number of users."""
        numbers = options.step_users.split(",")
        if not all(number.strip().isdigit() for number in numbers):
            raise ValueError(f"--step-users is {options.step_users!r}; give numbers as 10,20,30")
        step = seconds_of(options.step_time)
        if step <= 0:
            raise ValueError(f"--step-time is {options.step_time!r}; it must be above 0")
        users = [int(number) for number in numbers]
        return Steps(users, step, seconds_of(options.step_rest), spawn_rate(options))
