"""Tail of Student's t distribution, for degrees of freedom that need not be whole; without scipy."""

import math

_ROUNDS = 500
_SMALLEST = 1e-300
_NORMAL_FROM = 1e7  # degrees of freedom at which the normal distribution is the same to the last digit that matters


def two_sided(t: float, degrees: float) -> float:
    """
    P(|T| >= |t|) with *degrees* > 0; infinite degrees give the normal distribution.

    >>> round(two_sided(1.959963984540054, math.inf), 12)
    0.05
    >>> round(two_sided(12.706204736174705, 1.0), 12)
    0.05

    Source: Abramowitz and Stegun, 26.5.8 and 26.7.1; the continued fraction by Lentz's method.
    """
    if math.isnan(t):
        return 1.0
    if degrees > _NORMAL_FROM:
        return math.erfc(abs(t) / math.sqrt(2.0))
    return _incomplete_beta(degrees / 2.0, 0.5, degrees / (degrees + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    factor = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1.0) / (a + b + 2.0):
        return factor * _fraction(a, b, x) / a
    return 1.0 - factor * _fraction(b, a, 1.0 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    c, d = 1.0, 1.0 / _apart(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _ROUNDS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1.0 / _apart(1.0 + step * d)
            c = _apart(1.0 + step / c)
            value *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return value


def _apart(value: float) -> float:
    """*value*, kept away from 0."""
    return value if abs(value) > _SMALLEST else _SMALLEST
