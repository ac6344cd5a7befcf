"""How large the next step is.

Adaptive steps keep the local error near `tolerance`: the embedded error estimate of every field, as root mean square over
the domain, relative to the root mean square of the field's fluctuation about its mean. A PI controller chooses

    Δt⁺ = 0.9 Δt e_n^(−0.7/p) e_{n−1}^(0.4/p),   e = error / tolerance, factor within [0.2, 2],

(K. Gustafsson, ACM Trans. Math. Softw. 17 (1991) 533, doi:10.1145/210232.210242). A step shortened to land on an output time
does not shorten the next one. A step rejected because the energy grew or a NaN appeared is halved.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

SAFETY, SMALLEST, LARGEST = 0.9, 0.2, 2.0
PROPORTIONAL, INTEGRAL = 0.4, 0.7


@dataclass
class StepControl:
    """State of the step-size control.

    size: the next step to try; nominal: the fixed step, or None when steps are adaptive; tolerance: the relative local
    error allowed, or None with fixed steps.
    """

    size: float
    nominal: float | None = None
    tolerance: float | None = None
    smallest: float = 0.0
    largest: float = math.inf
    error_order: int = 2
    previous_error: float = 1.0

    def propose(self, remaining: float) -> float:
        """The next step, shortened so that it does not jump over an event `remaining` ahead."""
        size = min(self.size, self.largest)
        # Round-off in the sum of many equal steps must not leave a sliver before an event.
        if remaining <= size * (1.0 + 1e-9):
            return remaining if remaining < size * (1.0 - 1e-9) else size
        return size

    def accept(self, size: float, error: float | None) -> None:
        """Learn from an accepted step of `size`, whose error relative to the tolerance is `error`."""
        if self.tolerance is not None and error is None:
            # The first step of a multistep scheme, taken at the cautious first size.
            return
        if self.nominal is not None:
            self.size = self.nominal if self.size >= self.nominal else min(self.nominal, 2.0 * self.size)
            return
        assert error is not None
        e = max(error, 1e-10)
        p = self.error_order
        factor = SAFETY * e ** (-INTEGRAL / p) * self.previous_error ** (PROPORTIONAL / p)
        proposal = size * min(max(factor, SMALLEST), LARGEST)
        shortened = size < self.size * (1.0 - 1e-9)
        self.size = max(proposal, self.size) if shortened else proposal
        self.size = min(max(self.size, self.smallest), self.largest)
        if not shortened:
            self.previous_error = min(max(e, 1e-2), 1.0)

    def reject(self, size: float, error: float | None) -> float:
        """A smaller step after a rejection: by the error where it is known and finite, else half."""
        factor = 0.5
        if error is not None and math.isfinite(error) and error > 1.0:
            factor = min(0.5, max(SMALLEST, SAFETY * error ** (-1.0 / self.error_order)))
        self.size = factor * size
        self.previous_error = 1.0
        return self.size

    def state(self) -> dict[str, float | None]:
        """Everything a checkpoint has to keep."""
        return asdict(self)
