"""An open model's shape: beside a locustfile with an `OpenModelUser`, it keeps its generators.

The options are those of `loadgen/scenario/shapes/arrival.py`: `--arrival-rate 10` and so on.
"""

from loadgen.scenario import ArrivalShape

__all__ = ["ArrivalShape"]
