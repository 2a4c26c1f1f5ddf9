"""How LoRA's weights start, as far as more than their training depends on it."""

from collections.abc import Mapping

# Starts that move a part of the base's weights into the adapter, so that the adapter alone is not what was learnt.
MOVING = ("olora", "pissa")


def moves(cell: Mapping) -> bool:
    """Say whether the adapter of a method cell starts with a part of the base's weights."""
    return str(cell["adapter"].get("init_lora_weights")).lower().startswith(MOVING)
