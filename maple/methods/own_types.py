"""Types of adapters that PEFT does not have and this project adds to it, each by the module that defines it.

The module is imported by name and only when an adapter of its type is built or loaded, so that an edit of it retrains
no other run: the rules add the digest of this module to the params of the runs that it adapts.
"""

from importlib import import_module

OWN_TYPES = {
    "COMPACTER": "compacter",
    "COMPACTER_PLUS": "compacter",
    "HOULSBY": "bottleneck",
    "MAM": "combined",
    "PARALLEL": "bottleneck",
    "PFEIFFER": "bottleneck",
    "PREFIX_ATTENTION": "prefix",
    "UNIPELT": "combined",
}
# Modules that those import: they, too, are loaded with torch.
BENEATH = ("inversion", "tuner")


def register(peft: str) -> None:
    """Make PEFT know the type `peft`, if it is one of ours; nothing for PEFT's own types."""
    if peft in OWN_TYPES:
        import_module(f"maple.methods.{OWN_TYPES[peft]}").register()
