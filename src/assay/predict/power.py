"""What a system draws while it trains, before cooling."""

from __future__ import annotations

from assay.hardware import System
from assay.predict.ops import Array

# Share of rated power that a training accelerator draws while it waits on others, and while it computes: idle chips of
# a running job stay clocked up (Patel et al. 2024, "Characterizing Power Management Opportunities for LLMs", fig. 5-7).
_WAITING, _COMPUTING = 0.45, 0.92
_IDLE = 0.15  # of a chip no job runs on
# Host, fans and network beside the accelerators, as a share of their rated power, where the node's own is unknown:
# DGX H100 is 10.2 kW around 8 × 700 W at most, 8.4 kW typical.
_BESIDE = 0.4


def node_power_w(system: System, busy: Array) -> Array | None:
    """Average draw of all nodes at this share of busy time; None when nobody says what the accelerator draws."""
    rated = system.accelerator.power_w
    if rated is None:
        return None
    devices, spare = rated * system.count_per_node, rated * system.spare_per_node
    beside = max(0.0, system.power_w - devices - spare) if system.power_w else _BESIDE * (devices + spare)
    drawn = devices * (_WAITING + (_COMPUTING - _WAITING) * busy) + _IDLE * spare + 0.6 * beside
    return system.nodes * drawn
