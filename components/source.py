"""The code that a node runs, found by reading it: what its modules import, and what those do.

Nothing is imported for it: it takes the time of parsing some dozens of files.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from darkroom.storage.fingerprint import digest_files

PACKAGE: Final = "darkroom"
ROOT: Final = Path(__file__).resolve().parent.parent
"""The package's folder: the checkout, or where it is installed."""


class _Module(NamedTuple):
    files: list[Path]
    imports: set[str]


class SourceTree:
    """The project's modules as their files are now; each is read once."""

    def __init__(self, root: Path = ROOT) -> None:
        self._root = root
        self._modules: dict[str, _Module | None] = {}

    def fingerprint(self, names: Iterable[str]) -> str:
        """Digest (64 digits) of what `files` finds, wherever the root lies; empty without any."""
        files = self.files(names)
        return digest_files(self._root, files) if files else ""

    def files(self, names: Iterable[str]) -> list[Path]:
        """The modules named, all that they import, directly or not, and the data of packages.

        Imports within functions count, those for type checkers only do not. A text that is the
        dotted path of a module counts as an import of it: so are processes started and classes
        looked up. Data of a package are the files that lie beside its `__init__`.

        Args:
            names: Modules, or classes and functions in them, by dotted path. What is not ours is
                passed over.

        Raises:
            SyntaxError: One of the modules is no Python.
        """
        waiting = list(names)
        found: dict[str, _Module] = {}
        while waiting:
            for name in _with_parents(waiting.pop()):
                module = None if name in found else self._find(name)
                if module:
                    found[name] = module
                    waiting += module.imports
        return sorted(file for module in found.values() for file in module.files)

    def _find(self, name: str) -> _Module | None:
        if name not in self._modules:
            self._modules[name] = self._read(name)
        return self._modules[name]

    def _read(self, name: str) -> _Module | None:
        """The module of that name; None where it is none, or not ours."""
        package, *parts = name.split(".")
        # The package itself only hands on what its rooms define.
        if package != PACKAGE or not parts or not all(part.isidentifier() for part in parts):
            return None
        folder = self._root.joinpath(*parts)
        if (folder / "__init__.py").is_file():
            tree = ast.parse((folder / "__init__.py").read_bytes())
            return _Module(_own_files(folder), set(self._imports(tree, name)))
        path = folder.with_suffix(".py")
        if not path.is_file():
            return None
        package = name.rpartition(".")[0]
        return _Module([path], set(self._imports(ast.parse(path.read_bytes()), package)))

    def _imports(self, tree: ast.Module, package: str) -> Iterator[str]:
        for node in _executed(tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = _absolute(node, package)
                # What is imported from a package may be a module of it.
                yield from (f"{base}.{alias.name}" for alias in node.names)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield from self._named(node.value)

    def _named(self, text: str) -> Iterator[str]:
        """The module that a text names, itself or by something in it, such as a function.

        Without a dot a module's name is a word, such as config, and `config.json` is a file.
        """
        for name in (text, text.rpartition(".")[0]):
            if "." in name and self._find(name):
                yield name


def _own_files(package: Path) -> list[Path]:
    """`__init__.py` and the data beside it; not what editors and desktops leave there."""
    return [
        file
        for file in package.iterdir()
        if (file.suffix != ".py" or file.name == "__init__.py")
        and not (file.name.startswith(".") or file.name.endswith("~"))
        and file.is_file()
    ]


def _with_parents(name: str) -> list[str]:
    """Returns the packages that hold a module, from the top, and the module.

    >>> _with_parents("darkroom.serving.protos")
    ['darkroom', 'darkroom.serving', 'darkroom.serving.protos']
    """
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, node.module] if node.module else above)


def _executed(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes of a tree but those that only type checkers read."""
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and _is_type_checking(child.test):
            for other in child.orelse:
                yield from _executed(other)
        else:
            yield from _executed(child)


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"
