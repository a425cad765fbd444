"""The arithmetic of benches/ratio.sh: the median of paired ratios, its interval, and what both say of a limit.

A ratio is one run divided by the run that it is compared with, of the same round, so that slow changes of a shared machine
cancel out. What is left is noise of no known shape, with outliers to the slow side: hence the median, and an interval for it
that assumes no distribution, only that rounds do not depend on each other.

The interval. Let m be the true median. Each of n ratios lies below m with probability 1/2, so the number of those that do
is binomial, B(n, 1/2). Sort the ratios. The k-th smallest is above m only if fewer than k lie below m, and the k-th largest
is below m only if fewer than k lie above it: both have probability P(B <= k - 1). So [k-th smallest, k-th largest] misses
m with probability 2 P(B <= k - 1); the interval takes the largest k for which that is at most 5 %. (Equal ratios make it
miss less often.) With n < 6 even the whole range misses m more often than that, and there is no interval.

That rounds end when the interval is narrow makes it somewhat too narrow, as a lucky stretch ends them sooner.
"""
from math import comb

MISSES = 0.05

# Processor time that is wanted at most, by the group of the program and the kind of run.
LIMITS = {
    "jvm": {"512k": 1.05, "128k": 1.10},
    "loop": {"512k": 1.20, "128k": 1.20},
    "other": {"512k": 1.03, "128k": 1.05},
}


def median(values):
    values = sorted(values)
    n = len(values)
    return (values[(n - 1) // 2] + values[n // 2]) / 2


def interval(values):
    """The 95 % interval of the median, (low, high), or None for fewer than 6 values."""
    values = sorted(values)
    n, k, below = len(values), 0, 0  # below: 2^n P(B <= k - 1)
    while 2 * (below + comb(n, k)) <= MISSES * 2**n:
        below += comb(n, k)
        k += 1
    return (values[k - 1], values[n - k]) if k > 0 else None


def verdict(bounds, limit):
    """Whether the median is at most `limit`, as far as its interval tells."""
    if bounds and bounds[1] <= limit:
        return "ok"
    if bounds and bounds[0] > limit:
        return "above"
    return "not settled"
