"""Where the modules lie that finetuning starts anew, as a classifier."""

from collections.abc import Sequence


def within(name: str, heads: Sequence[str]) -> bool:
    """Return True if a module or parameter is one of the heads, or lies in one."""
    return any(name == head or name.startswith(f"{head}.") for head in heads)
