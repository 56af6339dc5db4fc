"""Background load for the alarm study: requests of other kinds, sent while the devices send alarms.

Run it alone, or beside the devices as `LOCUSTFILE=locustfiles/alarm_devices.py,locustfiles/
alarm_background.py`. A failed request is recorded and not repeated.

    --background-interval 1   seconds between requests, or a range such as 1-5 (BACKGROUND_INTERVAL)
    --background-seed 42      for the choice of kinds and the intervals (BACKGROUND_SEED)
"""

from argparse import ArgumentParser
from typing import ClassVar

from locust import events, task

from loadgen.scenario import FastUser, Numbers, interval_text, parse_interval

SIMULATOR = "alarm_receiver"
KINDS = (
    "/ID_GET_MELDUNGSMERKER",
    "/ID_REQ_CMD_GETSERVERTIMESTR",
    "/ID_REQ_CMD_CLIENTHEARTBEAT",
    "/ID_PRUEFE_AUF_NEUERE_ALARME",
    "/ID_REFRESH_WORKER_TABLE",
    "/ID_REQ_LCMD_MONGETHISTORY",
    "/ID_REQ_CMD_LOGIN",
)


def _add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("alarm background")
    group.add_argument(
        "--background-interval",
        type=interval_text,
        default="1",
        env_var="BACKGROUND_INTERVAL",
        help="Seconds between requests of one user, or a range such as 1-5",
    )
    group.add_argument(
        "--background-seed",
        type=int,
        default=42,
        env_var="BACKGROUND_SEED",
        help="Seed of the choice of kinds and of the intervals",
    )


events.init_command_line_parser.add_listener(_add_options)


class BackgroundTester(FastUser):
    """Another part of the alarm system that asks the centre for things."""

    network_timeout = 30.0
    connection_timeout = 30.0
    numbers: ClassVar = Numbers()

    def on_start(self) -> None:
        options = self.environment.parsed_options
        self.interval = parse_interval(options.background_interval)
        self.generator = self.numbers.generator(self, options.background_seed)

    def wait_time(self) -> float:
        return self.interval.draw(self.generator)

    @task
    def request_of_another_kind(self) -> None:
        self.client.post(self.generator.choice(KINDS))
