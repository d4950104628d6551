"""The rules of the house as functions: each takes a folder of sources and returns what offends, one line a finding.

They know nothing of this repository, so that every rule can be shown to fail on a small bad tree.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "misc", "common"}
SECOND_FORMULAS = {"rel_entr", "kl_div", "jensenshannon"}
LOGARITHMS = {"log", "log2", "log10", "log1p"}
TRANSCENDENTAL = LOGARITHMS | {
    "exp",
    "exp2",
    "expm1",
    "pow",
    "logaddexp",
    "logsumexp",
    "logcumsumexp",
    "logit",
}
TRANSCENDENTAL |= {"softmax", "log_softmax", "softmin", "softplus", "logsigmoid", "sigmoid", "xlogy", "entr"}
TRANSCENDENTAL |= {"cross_entropy", "binary_cross_entropy_with_logits", "nll_loss"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(root: Path) -> list[Path]:
    return sorted(p for p in root.rglob("*.py") if "__pycache__" not in p.parts)


def parse(path: Path) -> ast.Module:
    return _parsed(path.read_text(encoding="utf-8"))


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def functions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function with its dotted name; nested ones come with the name of what holds them."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield prefix + node.name, node
            yield from functions(node, f"{prefix}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from functions(node, f"{prefix}{node.name}.")
        else:
            yield from functions(node, prefix)


def exported(folder: Path) -> set[str]:
    """The names that some `__all__` in the folder promises."""
    return {
        str(name.value)
        for path in folder.glob("*.py")
        for node in parse(path).body
        if isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets)
        for name in getattr(node.value, "elts", ())
        if isinstance(name, ast.Constant)
    }


def public_functions(root: Path) -> Iterator[tuple[str, Function]]:
    """Functions that their room exports, and the public methods of such classes, as `file.py:Class.method`."""
    files = python_files(root)
    promised = {folder: exported(folder) for folder in {path.parent for path in files}}
    for path in files:
        names = promised[path.parent]
        for name, node in functions(parse(path)):
            parts = name.split(".")
            if parts[0] in names and "<locals>" not in parts and not any(is_private(part) for part in parts):
                yield f"{path.relative_to(root).as_posix()}:{name}", node


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def long_files(root: Path, limit: int = 400) -> list[str]:
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in python_files(root)}
    return [f"{path}: {n} lines, at most {limit}" for path, n in lengths.items() if n > limit]


def long_functions(root: Path, limit: int = 40) -> list[str]:
    """Signature and body count, the docstring does not: formula and example are not what makes a function long."""
    return [
        f"{path}:{node.lineno} {name}: {n} lines, at most {limit}"
        for path in python_files(root)
        for name, node in functions(parse(path))
        if (n := _code_lines(node)) > limit
    ]


def _code_lines(node: Function) -> int:
    total = (node.end_lineno or node.lineno) - node.lineno + 1
    first = node.body[0]
    if ast.get_docstring(node, clean=False) is None:
        return total
    return total - ((first.end_lineno or first.lineno) - first.lineno + 1)


def forbidden_names(root: Path) -> list[str]:
    places = [p for p in root.rglob("*") if p.is_dir() or p.suffix == ".py"]
    return [
        f"{p}: a name that says nothing about the content"
        for p in sorted(places)
        if FORBIDDEN_NAMES & set(p.stem.lower().strip("_").split("_"))
    ]


def open_keywords(root: Path) -> list[str]:
    return [
        f"{name} takes **{node.args.kwarg.arg}: name the arguments"
        for name, node in public_functions(root)
        if node.args.kwarg
    ]


def positional_options(root: Path, exempt: frozenset[str] = frozenset()) -> list[str]:
    """A parameter with a default is an option, not data; options are keyword-only."""
    return [
        f"{name}: `{arg.arg}` has a default and must come after `*`"
        for name, node in public_functions(root)
        if name not in exempt
        for arg in _positional_with_default(node)
    ]


def _positional_with_default(node: Function) -> list[ast.arg]:
    positional = [*node.args.posonlyargs, *node.args.args]
    return positional[len(positional) - len(node.args.defaults) :]


def changing_returns(root: Path) -> list[str]:
    """A union with a tuple in it is the mark of a flag that changes what comes back."""
    return [
        f"{name} returns {ast.unparse(node.returns)}: a tuple on some calls only"
        for name, node in public_functions(root)
        if node.returns and _mixes_tuple(node.returns)
    ]


def _mixes_tuple(annotation: ast.expr) -> bool:
    if not (isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr)):
        return False
    return any(re.match(r"(\w+\.)?[tT]uple\b", ast.unparse(side)) for side in _union_members(annotation))


def _union_members(annotation: ast.expr) -> Iterator[ast.expr]:
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        yield from _union_members(annotation.left)
        yield from _union_members(annotation.right)
    else:
        yield annotation


def imports(tree: ast.AST) -> Iterator[tuple[int, str, tuple[str, ...]]]:
    """(line, module, names) of every import, those inside functions and `import_module("...")` included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, ()) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.lineno, node.module or "", tuple(alias.name for alias in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            yield from ((node.lineno, str(a.value), ()) for a in node.args[:1] if isinstance(a, ast.Constant))


def misplaced_imports(root: Path, places: dict[str, tuple[str, ...]]) -> list[str]:
    """`places` names, for a package, the files or folders (ending in /) below root that may import it."""
    found = []
    for path in python_files(root):
        place = path.relative_to(root).as_posix()
        for line, module, _ in imports(parse(path)):
            package = module.split(".")[0]
            if package in places and not place.startswith(places[package]):
                found.append(
                    f"{place}:{line} imports {package}; only {', '.join(places[package]) or 'nobody'} may"
                )
    return found


def private_imports(root: Path) -> list[str]:
    """Names with an underscore stay in their file."""
    return [
        f"{path}:{line} imports {name} from {module}"
        for path in python_files(root)
        for line, module, names in imports(parse(path))
        if module.startswith("kullback")
        for name in names
        if is_private(name) and (module, name) != ("kullback", "_ops")
    ]


def transcendental_functions(root: Path, family: str) -> set[str]:
    """Functions of a file or a folder (ending in /) that take an exponential or a logarithm, as `file.py:name`."""
    return {
        f"{path.relative_to(root).as_posix()}:{name}"
        for path in python_files(root)
        if path.relative_to(root).as_posix().startswith(family)
        for name, node in functions(parse(path))
        if any(isinstance(call, ast.Call) and _called(call) in TRANSCENDENTAL for call in _own_nodes(node))
    }


def _own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function without those of the functions inside it, which have names of their own."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, Function):
            yield child
            yield from _own_nodes(child)


def second_formulas(root: Path, homes: tuple[str, ...] = ()) -> list[str]:
    """p·log(p/q) by hand, or another library's, outside the folders where the formulas live."""
    found = []
    for path in python_files(root):
        place = path.relative_to(root).as_posix()
        if not place.startswith(homes):
            found += [
                f"{place}:{node.lineno} writes a divergence by hand: {ast.unparse(node)[:60]}"
                for node in ast.walk(parse(path))
                if _is_formula(node)
            ]
    return found


def _is_formula(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return _called(node) in SECOND_FORMULAS
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult)):
        return False
    pairs = ((node.left, node.right), (node.right, node.left))
    return any(_log_of_ratio(weight, factor) or _difference_of_logs(factor) for weight, factor in pairs)


def _log_of_ratio(weight: ast.expr, factor: ast.expr) -> bool:
    if not (isinstance(factor, ast.Call) and _called(factor) in LOGARITHMS and factor.args):
        return False
    ratio = factor.args[0]
    same = isinstance(ratio, ast.BinOp) and ast.dump(ratio.left) == ast.dump(weight)
    return same and isinstance(ratio.op, ast.Div)


def _difference_of_logs(node: ast.expr) -> bool:
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)):
        return False
    return all(isinstance(side, ast.Call) and _called(side) in LOGARITHMS for side in (node.left, node.right))


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def text_findings(files: list[Path], pattern: str) -> list[str]:
    return [
        f"{path}:{number} {line.strip()[:80]}"
        for path in files
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(pattern, line)
    ]


def docstring_gap(text: str | None) -> str:
    """What a public docstring lacks: a formula (LaTeX, or code that computes it) and a number to verify."""
    if not text:
        return "a docstring"
    if not re.search(r"\$[^$]+\$|`[^`]*=[^`]*`", text):
        return "a formula"
    return "" if ">>>" in text else "an example"
