"""The keys that PEFT's config classes take, read without importing PEFT."""

import ast
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from maple.methods.own_types import BENEATH, OWN_TYPES


def config_keys(peft: str) -> set[str] | None:
    """Return the keys of the config of a type, PEFT's or ours; None if PEFT is not installed in this environment.

    They are read from PEFT's source in a tenth of a second: importing PEFT takes six seconds, because it imports torch.
    """
    if find_spec("peft") is None:
        return None
    classes = _config_classes()
    (name,) = (name for name, node in classes.items() if peft in map(_type_set, ast.walk(node)))
    return _fields(name, classes)


@cache
def _config_classes() -> dict[str, ast.ClassDef]:
    peft = find_spec("peft")
    assert peft and peft.origin
    folder = Path(peft.origin).parent
    files = [folder / "config.py", folder / "tuners/lycoris_utils.py", *folder.glob("tuners/*/config.py")]
    files += [Path(__file__).with_name(f"{name}.py") for name in sorted({*OWN_TYPES.values(), *BENEATH})]
    nodes = (node for file in files for node in ast.parse(file.read_text(encoding="utf-8")).body)
    return {node.name: node for node in nodes if isinstance(node, ast.ClassDef)}


def _type_set(node: ast.AST) -> str | None:
    """Return the type that a statement `self.peft_type = PeftType.LORA` sets; ours have their name as a text."""
    match node:
        case ast.Assign(targets=[ast.Attribute(attr="peft_type")], value=ast.Attribute(attr=name)):
            return name
        case ast.AnnAssign(target=ast.Attribute(attr="peft_type"), value=ast.Constant(value=str(name))):
            return name
    return None


def _fields(name: str, classes: Mapping[str, ast.ClassDef]) -> set[str]:
    if name not in classes:
        return set()
    fields = {
        node.target.id
        for node in classes[name].body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    return fields.union(*(_fields(base.id, classes) for base in classes[name].bases if isinstance(base, ast.Name)))
