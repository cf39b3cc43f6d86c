"""How long a training is where nothing is said; kept apart from what needs PyTorch, so that it can be told at once."""

from __future__ import annotations

import math

USUAL_EPOCHS = 3
FEWEST_STEPS = 300  # that small encoders learn in from 500 rows (benchmarks/results/default_rates.md)
FEWEST_STEPS_BETWEEN = 50  # evaluations, where nothing is said


def usual_epochs(steps: float) -> int:
    """Passes over rows that make so many steps: three, or as many as a small task needs to be learned."""
    return max(USUAL_EPOCHS, math.ceil(FEWEST_STEPS / steps))
