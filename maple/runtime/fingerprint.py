"""What a result depends on: a digest of a script and of all project modules behind it, and one of a model."""

import ast
from functools import cache
from hashlib import blake2b, file_digest
from pathlib import Path

PACKAGE = "maple"


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = node.body[1:]
    return tree


def _module_file(root: Path, dotted: str) -> Path | None:
    base = root.joinpath(*dotted.split("."))
    return next((path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()), None)


def _imported(tree: ast.Module) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == PACKAGE}


@cache
def _digest_and_imports(path: Path) -> tuple[str, frozenset[str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    imports = frozenset(_imported(tree))
    return blake2b(ast.dump(_without_docstrings(tree)).encode(), digest_size=16).hexdigest(), imports


def sources(script: Path, root: Path) -> list[Path]:
    """Return `script` and every file of the package that it imports, at any depth, in a stable order.

    Imports inside functions count; relative imports are not used in this project and are not followed.
    """
    seen, queue = set(), [script]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _digest_and_imports(path)[1]:
            parents = [name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1)]
            queue.extend(file for file in (_module_file(root, parent) for parent in parents) if file)
    return sorted(seen)


def fingerprint(script: str | Path, root: str | Path) -> str:
    """Return a digest of the syntax trees, less docstrings, of `script` and the project modules behind it.

    A comment, a docstring or the layout of the code changes nothing; any other edit changes it, also one of the Jinja
    template beside a module that bears its name (report.py, report.html.jinja).
    """
    script, root = Path(script), Path(root)
    parts = []
    for path in sources(script, root):
        parts.append(f"{path.relative_to(root)} {_digest_and_imports(path)[0]}")
        parts += [blake2b(page.read_bytes()).hexdigest() for page in sorted(path.parent.glob(f"{path.stem}.*.jinja"))]
    return blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def weights_digest(model: str | Path) -> str:
    """Return a digest of what decides answers in the folder of a model or an adapter.

    That is its weights, its own code if it has any, and its configs: which tokens end an answer is one of theirs.
    """
    digest = blake2b(digest_size=16)
    names = ("config", "generation_config", "tokenizer", "tokenizer_config", "adapter_config")
    decides = (
        path
        for path in Path(model).iterdir()
        if path.suffix in (".safetensors", ".py") or (path.suffix == ".json" and path.stem in names)
    )
    for path in sorted(decides):
        with open(path, "rb") as file:
            digest.update(path.name.encode() + file_digest(file, "blake2b").digest())
    return digest.hexdigest()
