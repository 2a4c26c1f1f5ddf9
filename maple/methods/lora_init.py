"""How LoRA's weights are initialized, as far as more than their training depends on it."""

from maple.definitions.method import PeftVariant

# Initializations that move a part of the base's weights into the adapter, so that the adapter alone is not what was
# learnt.
MOVING = ("olora", "pissa")


def init_changes_base(method: PeftVariant) -> bool:
    """Return True if the adapter starts with a part of the base's weights, which changes the base."""
    return str(method.adapter.get("init_lora_weights")).lower().startswith(MOVING)
