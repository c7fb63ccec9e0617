"""What decides the processor's clocks: governor, turbo, limits of frequency, and the caps on its power."""

from __future__ import annotations

from pathlib import Path

from assay.measure.inventory.facts import Part, look, named, number, said


def power(root: Path = Path("/"), governor: str | None = None) -> Part:
    """Clocks and power caps of the processor, and which of them the machine does not show."""
    caps, why = _caps(root)
    facts: dict[str, object] = {
        "governor": _alike(root, "scaling_governor") or governor,
        "cpufreq_driver": _alike(root, "scaling_driver"),
        "cpu_clock_limits_hz": _limits(root),
        "energy_preference": _alike(root, "energy_performance_preference"),
        "turbo": _turbo(root),
        "cpu_power_cap_w": caps,
    }
    hidden = [] if facts["cpufreq_driver"] else ["CPU clocks and governor: no cpufreq here"]
    return Part(facts, (*hidden, *([why] if why else [])))


def _policies(root: Path) -> list[Path]:
    cpufreq = root / "sys/devices/system/cpu/cpufreq"
    return [path for path in named(cpufreq) if path.name.startswith("policy")] or [
        root / "sys/devices/system/cpu/cpu0/cpufreq"
    ]


def _alike(root: Path, name: str) -> str | None:
    """One word where all processors agree, all words where they do not: "performance / powersave"."""
    return " / ".join(sorted({said(policy / name) for policy in _policies(root)} - {""})) or None


def _limits(root: Path) -> list[float] | None:
    """The lowest and the highest frequency that is permitted anywhere."""
    low = [number(policy / "scaling_min_freq", 1e3) for policy in _policies(root)]
    high = [number(policy / "scaling_max_freq", 1e3) for policy in _policies(root)]
    lows, highs = [v for v in low if v is not None], [v for v in high if v is not None]
    return [min(lows), max(highs)] if lows and highs else None


def _turbo(root: Path) -> bool | None:
    """Whether clocks may rise above the base frequency; drivers say it in opposite ways."""
    cpus = root / "sys/devices/system/cpu"
    no_turbo, boost = said(cpus / "intel_pstate/no_turbo"), said(cpus / "cpufreq/boost")
    if no_turbo in ("0", "1"):
        return no_turbo == "0"
    if boost in ("0", "1"):
        return boost == "1"
    each = {said(policy / "boost") for policy in _policies(root)} & {"0", "1"}
    return each == {"1"} if each else None


def _caps(root: Path) -> tuple[dict[str, float] | None, str]:
    """RAPL's constraints in W: "package-0 long_term" (Documentation/power/powercap/powercap.rst)."""
    caps: dict[str, float] = {}
    refused = ""
    zones = [path for path in named(root / "sys/class/powercap") if (path / "name").is_file()]
    for zone in zones:
        constraints = sorted(zone.glob("constraint_*_name")) if said(zone / "enabled") != "0" else []
        for constraint in constraints:
            limit = constraint.with_name(constraint.name.replace("_name", "_power_limit_uw"))
            text, why = look(limit)
            refused = why if why == "permission denied" else refused
            if text.isdecimal():
                name, watts = f"{said(zone / 'name')} {said(constraint)}", int(text) / 1e6
                caps[name] = min(watts, caps.get(name, watts))  # set in two places, the lower one holds
    if refused:
        return caps or None, f"RAPL limits: {refused}"
    return caps or None, "" if caps else f"RAPL limits: {'no constraint told' if zones else 'no powercap here'}"
