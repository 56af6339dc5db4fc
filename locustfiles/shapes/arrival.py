"""The load shape of an open model: give it together with a locustfile with an `OpenModelUser`.

The options are those of `loadgen/scenario/shapes/arrival.py`: `--arrival-rate 10` and so on.
"""

from loadgen.scenario import ArrivalShape

__all__ = ["ArrivalShape"]
