"""What was measured: costs by contestant and round, and their arithmetic.

Everything is kept as a cost, so that less is better and the minimum is the machine at
its best; only what people read turns seconds an image into images a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Unit:
    """How a cost is kept and how it is shown.

    Attributes:
        name: The unit of the cost.
        shown: The unit that people read.
        factor: What the cost, or one over it, is multiplied by for them.
        inverse: Whether they read one over the cost.
    """

    name: str
    shown: str
    factor: float = 1.0
    inverse: bool = False

    def show(self, cost: float) -> str:
        """Return a cost with the unit that people read."""
        value = self.factor / cost if self.inverse else self.factor * cost
        return f"{format_number(value)} {self.shown}"


SECONDS = Unit("s", "s")
SPEED = Unit("s/image", "images/s", inverse=True)
MEMORY = Unit("bytes", "MB", factor=1e-6)
IMAGES = Unit("images", "images")


@dataclass(frozen=True)
class Figure:
    """A figure of several contestants.

    Attributes:
        name: What was measured.
        unit: In what.
        costs: By contestant, a cost for each round; the first contestant is the one
            that the others are compared with.
    """

    name: str
    unit: Unit
    costs: dict[str, list[float]]

    def minimum(self, contestant: str) -> float:
        """Return the least cost."""
        return min(self.costs[contestant])

    def median(self, contestant: str) -> float:
        """Return the median cost."""
        return median(self.costs[contestant])

    def tenth_percentile(self, contestant: str) -> float:
        """Return the cost that a tenth of the rounds doesn't exceed."""
        return lowest_share(self.costs[contestant], 0.1)

    def ratio(self, contestant: str, base: str) -> float:
        """Return the ratio of the least costs."""
        return self.minimum(contestant) / self.minimum(base)

    def paired_ratio(self, contestant: str, base: str) -> float:
        """Return the median of the rounds' ratios."""
        pairs = zip(self.costs[contestant], self.costs[base], strict=True)
        return median(cost / base_cost for cost, base_cost in pairs)


def lowest_share(costs: Sequence[float], share: float) -> float:
    """Return the cost at the end of the lowest share, such as 0.1, of all costs."""
    return sorted(costs)[int(share * (len(costs) - 1))]


def format_number(value: float) -> str:
    """Return a number with three digits that count, or more before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
