"""Digests of code: of a script with all project modules that it imports."""

import ast
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from maple.runtime.files import read_json, write_json

PACKAGE = "maple"


class CodeDigests:
    """The digest of a file of the project, and of the project modules that it imports, by the file's path in `root`.

    It covers their syntax trees without docstrings: an edit of a comment, a docstring or the layout leaves it the same,
    any other edit changes it. It also covers Jinja templates named like a module (page.py, page.html.jinja).

    Each file is read once. `memory` is a JSON file of what its syntax tree gave for the digest of its bytes: to parse
    all modules takes a second or two, which every call of Snakemake and every job on a cluster would need again.
    """

    def __init__(self, root: Path, memory: Path | None = None):
        self._root, self._memory = root, memory
        # Another Python has other syntax trees, and another version of this file may look for something else.
        self._reader = f"{sys.version} {_digest(Path(__file__).read_bytes())}"
        self._parsed: dict[str, list] = {}
        with suppress(OSError, ValueError):
            known = read_json(memory) if memory else {}
            self._parsed = known["files"] if known.get("reader") == self._reader else {}
        self._digests: dict[str, str] = {}
        self._parts: dict[Path, list[str]] = {}
        self._imports: dict[Path, list[Path]] = {}
        self._modules: dict[str, Path | None] = {}
        self._changed = False

    def __call__(self, file: str) -> str:
        """Return the digest of a file and of the modules that it imports, directly or not."""
        if file not in self._digests:
            parts = [part for path in self.sources(file) for part in self._parts[path]]
            self._digests[file] = blake2b("\n".join(parts).encode(), digest_size=12).hexdigest()
            self._remember()
        return self._digests[file]

    def sources(self, file: str) -> list[Path]:
        """Return a file and every file of the package that it imports, directly or not, sorted.

        Imports inside functions count. Relative imports are not followed; this project uses none.
        """
        seen: set[Path] = set()
        queue = [self._root / file]
        while queue:
            path = queue.pop()
            if path not in seen:
                seen.add(path)
                queue.extend(self._imported_by(path))
        return sorted(seen)

    def _remember(self) -> None:
        if self._memory and self._changed:
            with suppress(OSError):  # without a memory, planning takes longer and says the same
                write_json({"reader": self._reader, "files": self._parsed}, self._memory)
            self._changed = False

    def _imported_by(self, path: Path) -> list[Path]:
        """Return the project's files that a file imports, and keep what the file adds to a digest."""
        if path not in self._imports:
            name = path.relative_to(self._root).as_posix()
            tree, modules = self._read(path, name)
            self._parts[path] = [f"{name} {tree}"] + [
                blake2b(template.read_bytes()).hexdigest()
                for template in sorted(path.parent.glob(f"{path.stem}.*.jinja"))
            ]
            parents = {module.rsplit(".", cut)[0] for module in modules for cut in range(module.count(".") + 1)}
            self._imports[path] = [file for parent in parents if (file := self._file(parent))]
        return self._imports[path]

    def _read(self, path: Path, name: str) -> tuple[str, list[str]]:
        """Return the digest of a file's syntax tree, and the names of the project's modules that it may import."""
        content = path.read_bytes()
        known, of_content = self._parsed.get(name), _digest(content)
        if known is None or known[0] != of_content:
            tree = ast.parse(content, filename=str(path))
            modules = sorted(_modules_imported(tree))
            _remove_docstrings(tree)
            known = self._parsed[name] = [of_content, _digest(ast.dump(tree).encode()), modules]
            self._changed = True
        return known[1], known[2]

    def _file(self, module: str) -> Path | None:
        if module not in self._modules:
            base = self._root.joinpath(*module.split("."))
            files = (base.with_suffix(".py"), base / "__init__.py")
            self._modules[module] = next((file for file in files if file.is_file()), None)
        return self._modules[module]


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()


def _statements(block: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Return all statements of a block, and those inside them; expressions hold none, and are most of a tree."""
    for statement in block:
        yield statement
        for inner in ("body", "orelse", "finalbody", "handlers", "cases"):
            yield from _statements(getattr(statement, inner, ()))


def _modules_imported(tree: ast.Module) -> set[str]:
    """Return the names of the project's modules that a tree imports, and of what it imports from them."""
    names = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return {name for name in names if name.split(".")[0] == PACKAGE}


def _remove_docstrings(tree: ast.Module) -> None:
    """Remove docstrings, those below the fields of records too."""
    for node in [tree, *_statements(tree.body)]:
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            node.body = [statement for statement in node.body if not _is_text(statement)]


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
