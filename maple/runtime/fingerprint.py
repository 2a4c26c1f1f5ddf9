"""Digests of what a result depends on: a script with all project modules that it imports, and a model's files."""

import ast
from functools import cache
from hashlib import blake2b
from pathlib import Path

from maple.runtime.files import check_folder

PACKAGE = "maple"


def _without_docstrings(tree: ast.Module) -> ast.Module:
    """Remove docstrings, those below the fields of records too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]
    return tree


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


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
def digest_and_imports(path: Path) -> tuple[str, frozenset[str]]:
    """Return the digest of a file's syntax tree, and the names of the project modules that it imports; cached."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    imports = frozenset(_imported(tree))
    return blake2b(ast.dump(_without_docstrings(tree)).encode(), digest_size=16).hexdigest(), imports


def sources(script: Path, root: Path) -> list[Path]:
    """Return `script` and every file of the package that it imports, directly or not, sorted.

    Imports inside functions count. Relative imports are not followed; this project uses none.
    """
    seen, queue = set(), [script]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in digest_and_imports(path)[1]:
            parents = [name.rsplit(".", cut)[0] for cut in range(name.count(".") + 1)]
            queue.extend(file for file in (_module_file(root, parent) for parent in parents) if file)
    return sorted(seen)


def fingerprint(script: str | Path, root: str | Path) -> str:
    """Return a digest of `script` and the project modules that it imports.

    It covers their syntax trees without docstrings: an edit of a comment, a docstring or the layout leaves it the same,
    any other edit changes it. It also covers Jinja templates named like a module (page.py, page.html.jinja).
    """
    script, root = Path(script), Path(root)
    parts = []
    for path in sources(script, root):
        parts.append(f"{path.relative_to(root)} {digest_and_imports(path)[0]}")
        parts += [
            blake2b(template.read_bytes()).hexdigest() for template in sorted(path.parent.glob(f"{path.stem}.*.jinja"))
        ]
    return blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()


def weights_digest(model: str | Path) -> str:
    """Return a digest of the files in a model's or adapter's folder that decide its answers.

    These are its weights, its Python code if it has any, and its configs, one of which names the end-of-text tokens.
    Raises DamagedFileError if the folder is not as it was written.
    """
    digest = blake2b(digest_size=16)
    names = ("config", "generation_config", "tokenizer", "tokenizer_config", "adapter_config")
    names += ("processor_config", "preprocessor_config")  # how pictures are prepared
    for path, of_file in ((Path(name), of_file) for name, of_file in sorted(check_folder(model).items())):
        decides = path.suffix in (".safetensors", ".py") or (path.suffix == ".json" and path.stem in names)
        if decides and len(path.parts) == 1:
            digest.update(path.name.encode() + bytes.fromhex(of_file))
    return digest.hexdigest()
