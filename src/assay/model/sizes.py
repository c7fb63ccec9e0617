"""What holds for a size of any shape."""

from __future__ import annotations


def within(noun: object, most: int, *names: str) -> None:
    """Refuse a count below 0, or above what any model has, before a formula loops over it."""
    for name in names:
        value = getattr(noun, name)
        if not 0 <= value <= most:
            raise ValueError(f"{name}: {value} cannot be; write 0 to {most:,}")


def above_zero(noun: object, *names: str) -> None:
    """Refuse a size below 1 before a formula divides by it or multiplies with it."""
    for name in names:
        value = getattr(noun, name)
        if value is not None and value < 1:
            raise ValueError(f"{name}: {value} cannot be; write 1 or more")
