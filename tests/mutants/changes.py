"""One small change of a Python source at a time: what a slip of the hand, or an ill will, would leave in a line."""

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

_OPPOSITE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
_WITH_OR_WITHOUT_THE_LIMIT: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt,
}  # fmt: skip
_SETS: dict[type[ast.operator], type[ast.operator]] = {ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Sub: ast.BitOr}
_NARROWING = ("filter", "exclude", "get")


@dataclass(frozen=True, slots=True, order=True)
class Mutant:
    """A file in which the bytes from `start` to `end` are others; `what` says what was done, for a person."""

    path: str
    start: int
    end: int
    written: str
    what: str
    line: int
    was: str  # the line, by which a mutant is known when the lines above it change

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.path, self.was, self.what)

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    def applied_to(self, source: str) -> str:
        there = source.encode()
        return (there[: self.start] + self.written.encode() + there[self.end :]).decode()


class Source:
    """A file, with the offset in bytes of each of its lines: those are what `ast` counts in."""

    def __init__(self, path: str, text: str) -> None:
        self.path, self.text = path, text
        self.tree = ast.parse(text)
        self._bytes = text.encode()
        self._lines = [0]
        for line in self._bytes.splitlines(keepends=True):
            self._lines.append(self._lines[-1] + len(line))

    def span(self, node: ast.AST) -> tuple[int, int]:
        first, last = node.lineno, node.end_lineno  # type: ignore[attr-defined]
        return self._lines[first - 1] + node.col_offset, self._lines[last - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def slice(self, start: int, end: int) -> str:
        return self._bytes[start:end].decode()

    def mutant(self, span: tuple[int, int], written: str, what: str) -> Mutant:
        line = self._bytes.count(b"\n", 0, span[0]) + 1
        was = self._bytes[self._lines[line - 1] : self._lines[line]].decode().strip()
        return Mutant(self.path, *span, written, what, line, was)

    def functions(self) -> Iterator[tuple[str, ast.FunctionDef]]:
        """By qualified name; those within functions belong to them."""
        for node in self.tree.body:
            if isinstance(node, ast.FunctionDef):
                yield node.name, node
            elif isinstance(node, ast.ClassDef):
                yield from ((f"{node.name}.{one.name}", one) for one in node.body if isinstance(one, ast.FunctionDef))

    def function_at(self, offset: int) -> str:
        """Empty outside functions."""
        spans = ((name, self.span(node)) for name, node in self.functions())
        return next((name for name, (start, end) in spans if start <= offset < end), "")


def of_python(source: Source, *, within: Iterable[str] = ()) -> list[Mutant]:
    """All of one file, or of the functions named."""
    roots: list[ast.AST] = [source.tree]
    if within:
        roots = [node for name, node in source.functions() if name in within]
    found = {mutant for root in roots for node in _looked_at(root) for mutant in _of_node(source, node)}
    return sorted(found)


def _looked_at(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, decorators and defaults of parameters, which decide nothing."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "args") and not isinstance(node, ast.Call):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.JoinedStr):
                yield from _looked_at(child)


def _of_node(source: Source, node: ast.AST) -> Iterator[Mutant]:
    for kind, changes in _CHANGES.items():
        if isinstance(node, kind):
            for span, written, what in changes(source, node):
                yield source.mutant(span, written, what)


Change = tuple[tuple[int, int], str, str]


def _negated(source: Source, node: ast.If | ast.IfExp | ast.comprehension) -> Iterator[Change]:
    """But for a `not` or a comparison: that those are turned round stands for itself."""
    for test in node.ifs if isinstance(node, ast.comprehension) else [node.test]:
        if isinstance(test, ast.Compare | ast.UnaryOp):
            continue
        yield source.span(test), f"(not ({ast.unparse(test)}))", "a condition negated"


def _and_or(source: Source, node: ast.BoolOp) -> Iterator[Change]:
    other: ast.boolop = ast.Or() if isinstance(node.op, ast.And) else ast.And()
    word = "or in place of and" if isinstance(node.op, ast.And) else "and in place of or"
    yield source.span(node), f"({ast.unparse(ast.BoolOp(other, node.values))})", word
    for place, value in enumerate(node.values):
        left = [one for one in node.values if one is not value]
        kept = left[0] if len(left) == 1 else ast.BoolOp(node.op, left)
        yield source.span(node), f"({ast.unparse(kept)})", f"condition {place + 1} of {len(node.values)} dropped"


def _compared(source: Source, node: ast.Compare) -> Iterator[Change]:
    if len(node.ops) != 1:
        return
    for others, what in ((_OPPOSITE, "compared the other way"), (_WITH_OR_WITHOUT_THE_LIMIT, "the limit moved")):
        if other := others.get(type(node.ops[0])):
            changed = ast.Compare(node.left, [other()], node.comparators)
            yield source.span(node), f"({ast.unparse(changed)})", what


def _not(source: Source, node: ast.UnaryOp) -> Iterator[Change]:
    if isinstance(node.op, ast.Not):
        yield source.span(node), f"({ast.unparse(node.operand)})", "not left out"


def _sets(source: Source, node: ast.BinOp) -> Iterator[Change]:
    if other := _SETS.get(type(node.op)):
        changed = ast.BinOp(node.left, other(), node.right)
        yield source.span(node), f"({ast.unparse(changed)})", f"{other.__name__} in place of {type(node.op).__name__}"


def _returned(source: Source, node: ast.Return) -> Iterator[Change]:
    if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
        yield source.span(node), "return None", "nothing returned"


def _raised(source: Source, node: ast.Raise) -> Iterator[Change]:
    yield source.span(node), "pass", "not raised"


def _flipped(source: Source, node: ast.Constant) -> Iterator[Change]:
    if isinstance(node.value, bool):
        yield source.span(node), str(not node.value), f"{not node.value} in place of {node.value}"


def _members(source: Source, node: ast.Set | ast.List | ast.Tuple) -> Iterator[Change]:
    if isinstance(node, ast.Tuple | ast.List) and not isinstance(node.ctx, ast.Load):
        return
    for place, member in enumerate(node.elts if len(node.elts) > 1 else ()):
        left = [one for one in node.elts if one is not member]
        changed = ast.Set(left) if isinstance(node, ast.Set) else type(node)(left, ast.Load())
        yield source.span(node), ast.unparse(changed), f"member {place + 1} of {len(node.elts)} left out"


def _narrowed(source: Source, node: ast.Call) -> Iterator[Change]:
    """A condition of a filter less."""
    if not (isinstance(node.func, ast.Attribute) and node.func.attr in _NARROWING and len(node.keywords) > 1):
        return
    for keyword in node.keywords:
        left = [one for one in node.keywords if one is not keyword]
        yield source.span(node), ast.unparse(ast.Call(node.func, node.args, left)), f"{keyword.arg} not asked for"


_CHANGES: dict[Any, Callable[[Source, Any], Iterator[Change]]] = {
    (ast.If, ast.IfExp, ast.comprehension): _negated,
    ast.BoolOp: _and_or,
    ast.Compare: _compared,
    ast.UnaryOp: _not,
    ast.BinOp: _sets,
    ast.Return: _returned,
    ast.Raise: _raised,
    ast.Constant: _flipped,
    (ast.Set, ast.List, ast.Tuple): _members,
    ast.Call: _narrowed,
}
