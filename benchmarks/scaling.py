"""What more machines give, on paper: a model of a training step, not a measurement.

Usage: ``python -m benchmarks.scaling --fixed MILLISECONDS --image MILLISECONDS``, with
the two times of your own machine; ``docs/several-machines.md`` says how to find them.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

MACHINES = (2, 4, 8, 16)
BATCH_SIZES = (32, 512, 4_096)
GIGABITS = (1, 10, 25, 100)
_MOST_MACHINES = 256


@dataclass(frozen=True)
class Setting:
    """What a step's time depends on.

    Attributes:
        fixed: Seconds of a step that don't depend on the number of images.
        image: Seconds for each image.
        num_bytes: Bytes of the gradients.
        latency: Seconds that a message is under way.
    """

    fixed: float = 2.2e-3
    image: float = 0.16e-3
    num_bytes: int = 4 * 203_898
    latency: float = 50e-6

    def exchange_seconds(self, machines: int, gigabits: float) -> float:
        """Return how long machines take to add up their gradients."""
        sent = 2 * (machines - 1) / machines * self.num_bytes
        return 8 * sent / (gigabits * 1e9) + 2 * (machines - 1) * self.latency

    def step_seconds(self, batch_size: int, machines: int, gigabits: float) -> float:
        """Return how long a step of some machines takes together."""
        computed = self.fixed + self.image * batch_size / machines
        return computed + self.exchange_seconds(machines, gigabits)

    def speed_up(self, batch_size: int, machines: int, gigabits: float) -> float:
        """Return how many times as fast as one machine some machines are."""
        alone = self.step_seconds(batch_size, 1, gigabits)
        return alone / self.step_seconds(batch_size, machines, gigabits)

    def fastest(self, batch_size: int, gigabits: float) -> int:
        """Return with how many machines a step is shortest, of up to 256."""
        most = min(batch_size, _MOST_MACHINES)
        return min(
            (count for count in range(1, most + 1) if batch_size % count == 0),
            key=lambda count: self.step_seconds(batch_size, count, gigabits),
        )


GPU_LIKE = Setting(fixed=0.1e-3, image=1e-6)


def table(setting: Setting) -> str:
    """Return how many times as fast some machines are, as a table in Markdown."""
    names = [f"{count} machines" for count in MACHINES]
    lines = [
        f"| batch size | Gbit/s | {' | '.join(names)} | fastest with |",
        f"|{'---|' * (len(names) + 3)}",
    ]
    for batch_size in BATCH_SIZES:
        for gigabits in GIGABITS:
            gains = [setting.speed_up(batch_size, n, gigabits) for n in MACHINES]
            cells = [f"{batch_size:,}", f"{gigabits}", *(f"{g:.2f} x" for g in gains)]
            best = setting.fastest(batch_size, gigabits)
            lines.append(f"| {' | '.join(cells)} | {best} |")
    return "\n".join(lines) + "\n"


def exchange_table(setting: Setting) -> str:
    """Return how long the gradients take, as a table in Markdown."""
    names = [f"{count} machines" for count in MACHINES]
    lines = [f"| Gbit/s | {' | '.join(names)} |", f"|{'---|' * (len(names) + 1)}"]
    for gigabits in GIGABITS:
        times = [1e3 * setting.exchange_seconds(n, gigabits) for n in MACHINES]
        lines.append(f"| {gigabits} | {' | '.join(f'{t:.1f} ms' for t in times)} |")
    return "\n".join(lines) + "\n"


def _main() -> None:
    usual = Setting()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fixed", type=float, default=1e3 * usual.fixed)
    parser.add_argument("--image", type=float, default=1e3 * usual.image)
    parser.add_argument("--parameters", type=int, default=usual.num_bytes // 4)
    parser.add_argument("--latency", type=float, default=1e3 * usual.latency)
    given = parser.parse_args()
    setting = Setting(
        given.fixed / 1e3, given.image / 1e3, 4 * given.parameters, given.latency / 1e3
    )
    print(exchange_table(setting))
    print(table(setting))


if __name__ == "__main__":
    _main()
