"""Alarms in an open model: they arrive at a rate, whether the centre keeps up or not.

Options are those of `loadgen/scenario/shapes/arrival.py`: `--arrival-rate 10` and so on. An alarm
that is not acknowledged has failed; it is not repeated.
"""

from loadgen.scenario import ArrivalShape, OpenModelUser

__all__ = ["AlarmArrivals", "ArrivalShape"]
SIMULATOR = "alarm_receiver"


class AlarmArrivals(OpenModelUser):
    """Sends one alarm for each arrival."""

    network_timeout = 60.0
    connection_timeout = 60.0

    def arrival(self) -> None:
        response = self.client.post("/", json={"id": "070010", "body": "alarm"})
        response.raise_for_status()
