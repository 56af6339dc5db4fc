"""Near the limit trials disagree: a curve of the chance that a load holds, with an interval.

The chance that a trial holds is a logistic curve in the logarithm of the load,
`1 / (1 + (load / middle) ** steepness)`: it is one half at `middle`. Both are fitted to all trials
by maximum likelihood. The interval is the profile likelihood's: every middle for which some
steepness explains the trials not much worse than the best does. Where trials never disagreed it is
the gap between the loads. How much worse is enough follows from simulated searches, not from the
chi-squared law: a search goes where its trials send it, and under that law a stated 95 % were 84 %
where trials disagree over 30 % of the load. `make coverage` prints what is held with this one.
"""

import math
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# The curve falls from 9 in 10 to 1 in 10 over a factor of 81 ** (1 / steepness) of load.
STEEPNESSES = (1.0, 400.0, 40)
"""From, to, and how many are looked at."""
MIDDLES = 200
PENALTY = 1.5
"""A middle may be less likely than the best by the factor (1 - confidence) ** PENALTY."""
REACH = 16.0
"""How far beyond the loads that were tried a middle is looked for, as a factor."""


class Curve(BaseModel):
    """The fitted curve. `middle` is the load that half of the trials hold.

    `low` and `high` bound it at `confidence`; None where the trials don't bound it.
    """

    model_config = ConfigDict(frozen=True)

    middle: float
    steepness: float
    low: float | None
    high: float | None
    confidence: float

    def chance(self, load: float) -> float:
        """Return the chance that a trial at this load holds."""
        return float(1 / (1 + (load / self.middle) ** self.steepness))


def fit_curve(counts: Sequence[tuple[int, int, int]], confidence: float) -> Curve | None:
    """Fit loads with how many trials held of how many; None unless some held and some did not."""
    import numpy as np  # noqa: PLC0415  it takes a moment, and most runs are no search

    held = sum(held for _, held, _ in counts)
    if not 0 < held < sum(tried for *_, tried in counts):
        return None
    loads = np.array([load for load, *_ in counts], dtype=float)
    bounds = np.log(loads.min() / REACH), np.log(loads.max() * REACH)
    enough = -PENALTY * math.log(1 - confidence)
    inside = bounds
    for _ in range(3):
        middles = np.linspace(*inside, MIDDLES)
        likelihood = _likelihoods(middles, counts)
        profile = likelihood.max(axis=1)
        likely = np.flatnonzero(profile >= profile.max() - enough)
        first, last = max(0, likely[0] - 1), min(MIDDLES - 1, likely[-1] + 1)
        inside = float(middles[first]), float(middles[last])
    best = np.flatnonzero(profile >= profile.max() - 1e-9)
    middle = best[len(best) // 2]
    low, high = inside
    return Curve(
        middle=float(np.exp(middles[middle])),
        steepness=float(np.geomspace(*STEEPNESSES)[likelihood[middle].argmax()]),
        low=None if low <= bounds[0] else float(np.exp(low)),
        high=None if high >= bounds[1] else float(np.exp(high)),
        confidence=confidence,
    )


def _likelihoods(
    middles: "NDArray[np.float64]", counts: Sequence[tuple[int, int, int]]
) -> "NDArray[np.float64]":
    """Return the logarithm of the likelihood for each middle (rows) and steepness."""
    import numpy as np  # noqa: PLC0415  as above

    steepnesses = np.geomspace(*STEEPNESSES)
    total = np.zeros((len(middles), len(steepnesses)))
    for load, held, tried in counts:
        odds = steepnesses[None, :] * (middles[:, None] - np.log(load))
        total -= held * np.logaddexp(0, -odds) + (tried - held) * np.logaddexp(0, odds)
    return total


def count_by_load(outcomes: Sequence[tuple[int, bool]]) -> list[tuple[int, int, int]]:
    """Return load, trials that held, trials made, by load."""
    tried = Counter(load for load, _ in outcomes)
    held = Counter(load for load, one in outcomes if one)
    return [(load, held[load], tried[load]) for load in sorted(tried)]
