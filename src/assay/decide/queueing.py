"""How many servers a stream of requests needs, how many to keep warm, and how long to keep them when it ebbs.

Letters as in the field: λ arrivals a second, S mean service time, ρ = λ S servers busy on average, c servers there are.
Erlang-C holds for Poisson arrivals and exponential service; burstier work waits longer, so its answer is a least.
"""

from __future__ import annotations

import math

from assay.decide.reliability import poisson_quantile
from assay.errors import InputError

_MOST = 1_000_000  # servers; whoever needs more has mistyped something


def busy(arrivals_hz: float, service_s: float) -> float:
    """How many servers are busy on average: L = λ S, Little 1961.

    >>> busy(40.0, 0.5)
    20.0
    """
    return arrivals_hz * service_s


def square_root_staffing(arrivals_hz: float, service_s: float, beta: float = 1.0) -> int:
    """A first guess of how many servers to have: c = ρ + β √ρ, Halfin and Whitt 1981; by β = 1 some 22 % wait.

    >>> square_root_staffing(200.0, 0.5)
    110
    """
    rho = busy(arrivals_hz, service_s)
    return math.ceil(rho + beta * math.sqrt(rho))


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


def late_share(servers: int, arrivals_hz: float, service_s: float, most_wait_s: float) -> float:
    """The share of requests that wait longer than this, M/M/c: C e^(-(c - ρ) t / S).

    >>> round(late_share(10, 8.0, 1.0, 1.0), 4)
    0.0554
    """
    spare = servers - busy(arrivals_hz, service_s)
    if spare <= 0:
        return 1.0
    return erlang_c(servers, busy(arrivals_hz, service_s)) * math.exp(-spare * most_wait_s / service_s)


def servers_for(arrivals_hz: float, service_s: float, most_wait_s: float, late: float = 0.01) -> int:
    """The fewest servers by which no more than this share waits longer than so long.

    >>> servers_for(8.0, 1.0, 1.0, 0.01)
    12
    """
    if not 0 < late < 1:
        raise InputError(f"{late:g} is no share of requests that may be late", hint="write one such as 0.01")
    if busy(arrivals_hz, service_s) > _MOST / 2:
        raise InputError("that many servers are beyond anything there is", hint="check the rate and the service time")
    servers = math.floor(busy(arrivals_hz, service_s)) + 1
    while late_share(servers, arrivals_hz, service_s, most_wait_s) > late:
        servers += 1
    return servers


def warm_pool(*, growth_hz: float, warm_up_s: float, idle_usd: float, late_usd: float) -> int:
    """How many servers to keep warm for demand that comes before a cold one is up: a newsvendor's order.

    Over a warm-up L, Poisson(growth · L) more are wanted. One more that is warm costs `idle_usd` for that time and
    saves `late_usd` if it is wanted: the smallest W with P(demand ≤ W) ≥ 1 - idle/late.

    >>> warm_pool(growth_hz=1 / 60, warm_up_s=120.0, idle_usd=0.10, late_usd=2.0)
    5
    """
    if idle_usd >= late_usd:  # nobody should wait warm who costs more than whom he would save
        return 0
    if idle_usd <= 0:
        raise InputError("a warm server that costs nothing is never one too many", hint="give what it costs")
    return poisson_quantile(growth_hz * warm_up_s, 1.0 - idle_usd / late_usd)


def hold_s(*, warm_up_s: float, restart_usd: float, idle_usd_per_s: float) -> float:
    """How long an idle server is kept before it is let go: until idling has cost a restart, and two warm-ups at least.

    The first is never worse than twice the best one could do knowing what comes (ski rental, Karlin et al. 1988); the
    second keeps a pool from being let go and asked for again within one start.

    >>> hold_s(warm_up_s=90.0, restart_usd=0.50, idle_usd_per_s=0.001)
    500.0
    """
    if idle_usd_per_s <= 0:
        return math.inf
    return max(2.0 * warm_up_s, restart_usd / idle_usd_per_s)
