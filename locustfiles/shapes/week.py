"""A week of load: the requests of each hour, sent with as many users as that needs.

--week-file FILE          CSV of hour from 0 and requests in it (WEEK_FILE); without one, an
                          invented week with the study's peak of 44,466 requests in an hour
--rate-per-user 1         requests a second that one user sends (RATE_PER_USER)
--rate-speed 1            replay this many times as fast, with unchanged rates (RATE_SPEED)
"""

from argparse import ArgumentParser, Namespace

from locust import events

from loadgen.scenario import (
    HourlyRate,
    Plan,
    PlannedShape,
    RateInUsers,
    add_option,
    data_file,
    read_hours,
    sample_week,
)
from locustfiles.shapes.recorded import add_rate_options, check_rate_options


def _add_options(parser: ArgumentParser) -> None:
    add_option(parser, "--week-file", default="", help="CSV file with the columns hour,requests")
    add_rate_options(parser)


events.init_command_line_parser.add_listener(_add_options)


class WeekShape(PlannedShape):
    """Follows the hours of a week and ends with them."""

    def make_plan(self, options: Namespace) -> Plan:
        """Read the week. Raises ValueError when its file can't be used."""
        check_rate_options(options)
        hours = read_hours(data_file(options.week_file)) if options.week_file else sample_week()
        return RateInUsers(HourlyRate(hours, options.rate_speed), options.rate_per_user)
