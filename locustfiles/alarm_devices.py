"""Alarm devices: each sends an alarm, repeats it until it is acknowledged, waits, and goes on.

Rows: `POST /` are attempts (`/ (host 2)` at the second host, and so on), `ALARM alarm` are
transactions, from the trigger to the first 2xx. Totals count the attempts only, so judge the alarms
by method.

    --alarm-interval 1        seconds between alarms, or a range such as 20-90 (ALARM_INTERVAL)
    --alarm-hosts URL,URL     further hosts to try when HOST does not acknowledge (ALARM_HOSTS)
    --alarm-retry-delay 1     seconds before every host is tried again (ALARM_RETRY_DELAY)
    --alarm-seed 42           for the intervals (ALARM_SEED)
"""

import time
from argparse import ArgumentParser
from typing import ClassVar

import gevent
from locust import events, task

from loadgen.scenario import (
    AlarmClient,
    FastUser,
    Numbers,
    Undelivered,
    interval_text,
    parse_interval,
)

SIMULATOR = "alarm_receiver"
ALARM = {"id": "070010", "body": "alarm"}


def _add_options(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("alarm devices")
    group.add_argument(
        "--alarm-interval",
        type=interval_text,
        default="1",
        env_var="ALARM_INTERVAL",
        help="Seconds from an acknowledgement to the next alarm, or a range such as 20-90",
    )
    group.add_argument(
        "--alarm-hosts",
        default="",
        env_var="ALARM_HOSTS",
        help="Further base URLs, separated by commas, to try when the host does not acknowledge",
    )
    group.add_argument(
        "--alarm-retry-delay",
        type=float,
        default=1.0,
        env_var="ALARM_RETRY_DELAY",
        help="Seconds to wait when every host has failed",
    )
    group.add_argument(
        "--alarm-seed", type=int, default=42, env_var="ALARM_SEED", help="Seed of the intervals"
    )


events.init_command_line_parser.add_listener(_add_options)


class AlarmDevice(FastUser):
    """One device of an alarm system."""

    network_timeout = 30.0
    connection_timeout = 30.0
    numbers: ClassVar = Numbers()

    def on_start(self) -> None:
        options = self.environment.parsed_options
        self.interval = parse_interval(options.alarm_interval)
        self.generator = self.numbers.generator(self, options.alarm_seed)
        further = [host.strip().rstrip("/") for host in options.alarm_hosts.split(",")]
        hosts = [str(self.host).rstrip("/"), *filter(None, further)]
        self.names = {
            host: "/" if number == 1 else f"/ (host {number})"
            for number, host in enumerate(hosts, 1)
        }
        self.alarms = AlarmClient(hosts, self.attempt, options.alarm_retry_delay)
        if self.interval.low < self.interval.high:
            self.wait()  # type: ignore[no-untyped-call]  # Locust leaves it untyped

    def wait_time(self) -> float:
        return self.interval.draw(self.generator)

    @task
    def alarm(self) -> None:
        started = time.time()
        try:
            delivery = self.alarms.deliver()
        except Undelivered as fault:
            self.record(started, fault.seconds, fault)
            raise gevent.GreenletExit from fault
        self.record(started, delivery.seconds, None)

    def attempt(self, host: str) -> bool:
        response = self.client.post(f"{host}/", json=ALARM, name=self.names[host])
        return 200 <= response.status_code < 300

    def record(self, started: float, seconds: float, fault: BaseException | None) -> None:
        self.environment.events.request.fire(
            request_type="ALARM",
            name="alarm",
            response_time=seconds * 1000,
            response_length=0,
            exception=fault,
            context={},
            start_time=started,
        )
