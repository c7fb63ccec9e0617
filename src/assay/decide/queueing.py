"""How long work waits for a machine, when so many share the work.

Letters as in the field: λ arrivals a second, S mean service time, ρ = λ S servers busy on average, c servers there are.
Erlang-C holds for Poisson arrivals and exponential service; burstier work waits longer, so its answer is a least.
"""

from __future__ import annotations

import math

from assay.errors import InputError

_MOST = 1_000_000  # servers; whoever needs more has mistyped something


def busy(arrivals_hz: float, service_s: float) -> float:
    """How many servers are busy on average: L = λ S, Little 1961.

    >>> busy(40.0, 0.5)
    20.0
    """
    return arrivals_hz * service_s


def erlang_c(servers: int, busy_servers: float) -> float:
    """The share of requests that have to wait, M/M/c (Erlang 1917); all of them where servers are too few.

    By the recursion of Erlang-B, B₀ = 1, Bₙ = ρ Bₙ₋₁ / (n + ρ Bₙ₋₁), then C = c B / (c - ρ (1 - B)).

    >>> round(erlang_c(2, 1.0), 4), round(erlang_c(10, 8.0), 4)
    (0.3333, 0.4092)
    """
    if not 0 <= servers <= _MOST or busy_servers < 0:
        raise InputError(f"{servers} servers, {busy_servers:g} of them busy, cannot be", hint="give both above 0")
    if busy_servers >= servers:
        return 1.0
    B = 1.0
    for n in range(1, servers + 1):
        B = busy_servers * B / (n + busy_servers * B)
    return servers * B / (servers - busy_servers * (1.0 - B))


def wait_s(servers: int, arrivals_hz: float, service_s: float) -> float:
    """How long a request waits on average before it is served, C S / (c - ρ); for ever where servers are too few.

    >>> wait_s(1, 0.5, 1.0), wait_s(1, 2.0, 1.0)
    (1.0, inf)
    """
    spare = servers - busy(arrivals_hz, service_s)
    if spare <= 0:
        return math.inf
    return erlang_c(servers, busy(arrivals_hz, service_s)) * service_s / spare
