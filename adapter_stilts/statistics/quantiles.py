"""Quantiles of the normal distribution and of Student's t; scipy was a third of what `plan` imports, so only now."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any


def normal_quantile(p: float) -> float:
    """The z below which a share p lies."""
    return NormalDist().inv_cdf(p)


def t_quantile(freedom: Any, p: float) -> Any:
    """The t below which a share p lies; freedom: a number, or many, for as many t."""
    from scipy.special import stdtrit

    return stdtrit(freedom, p)


def t_share(freedom: float, t: float) -> float:
    """The share that lies below t."""
    from scipy.special import stdtr

    return float(stdtr(freedom, t))
