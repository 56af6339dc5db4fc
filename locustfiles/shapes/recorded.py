"""A recorded load profile: a CSV file of arrival rates, and as many users as each rate needs.

--rate-file FILE          CSV of time in seconds and requests a second (RATE_FILE)
--rate-per-user 1         requests a second that one user sends (RATE_PER_USER)
--rate-speed 1            replay this many times as fast, with unchanged rates (RATE_SPEED)
"""

from argparse import ArgumentParser, Namespace

from locust import events

from loadgen.scenario import (
    Plan,
    PlannedShape,
    RateInUsers,
    RecordedRate,
    add_option,
    data_file,
    read_points,
)


def add_rate_options(parser: ArgumentParser) -> None:
    """Add the options that recordings and weeks share."""
    add_option(
        parser,
        "--rate-per-user",
        type=float,
        default=1.0,
        help="Requests a second that one user makes",
    )
    add_option(
        parser, "--rate-speed", type=float, default=1.0, help="How many times faster to replay"
    )


def check_rate_options(options: Namespace) -> None:
    """Raise ValueError unless both are above 0."""
    if options.rate_per_user <= 0 or options.rate_speed <= 0:
        raise ValueError(
            f"--rate-per-user is {options.rate_per_user} and --rate-speed {options.rate_speed}; "
            "both must be above 0"
        )


def _add_options(parser: ArgumentParser) -> None:
    add_option(
        parser,
        "--rate-file",
        default="",
        help="A CSV file of arrival rates, with the columns time,rps",
    )
    add_rate_options(parser)


events.init_command_line_parser.add_listener(_add_options)


class RecordedShape(PlannedShape):
    """Follows a recording and ends with it."""

    def make_plan(self, options: Namespace) -> Plan:
        """Read the recording. Raises ValueError when it can't be used."""
        check_rate_options(options)
        if not options.rate_file:
            raise ValueError("--rate-file is not given; give a CSV file of time,rps")
        points = read_points(data_file(options.rate_file))
        return RateInUsers(RecordedRate(points, options.rate_speed), options.rate_per_user)
