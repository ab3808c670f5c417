"""One small change of the SQL in a source at a time. Texts are changed where they are written: a line is named."""

import ast
import re
from collections.abc import Collection, Iterator

from tests.mutants.changes import Mutant, Source

_IS_SQL = re.compile(r"\b(SELECT|WHERE|EXISTS|AND|OR|NOT|IF|ANY|CASE|JOIN)\b| (=|<>|<=|>=|<|>) ")
_PIECE = re.compile(r"'[^']*'|\(|\)|;|\"+|[A-Za-z_]+|\s+|.", re.DOTALL)
_ENDS = frozenset({
    "AND", "OR", "ORDER", "LIMIT", "OFFSET", "GROUP", "THEN", "ELSE", "END", "UNION", "WHEN", "WHERE", "JOIN", "LEFT",
    "CROSS", "RETURN", "RAISE", "USING",
})  # fmt: skip
_OPPOSITE = {"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_WITH_OR_WITHOUT_THE_LIMIT = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_COMPARED = re.compile(r"(?<= )(=|<>|<=|>=|<|>)(?= )")
_NO_CONDITION = re.compile(r"\b(ON [\w.]+|ERRCODE) $")  # the key of a join, an option of RAISE
_WORDS: tuple[tuple[re.Pattern[str], str, str], ...] = (
    (re.compile(r"\bAND\b"), "OR", "OR in place of AND"),
    (re.compile(r"\bOR\b"), "AND", "AND in place of OR"),
    (re.compile(r"\bNOT (?!NULL\b)"), "", "NOT left out"),
    (re.compile(r"\bIS NULL\b"), "IS NOT NULL", "IS NOT NULL in place of IS NULL"),
    (re.compile(r"\bIS NOT NULL\b"), "IS NULL", "IS NULL in place of IS NOT NULL"),
)


def of_sql(source: Source, *, within: Collection[str] = ()) -> list[Mutant]:
    """All of the texts in one file that are SQL, or of what is given the names."""
    found: set[Mutant] = set()
    roots = [node for node in source.tree.body if not within or _name_given(node) in within]
    for node in (text for root in roots for text in _texts(root)):
        start, end = source.span(node)
        text = source.slice(start, end)
        if not text.isascii():  # offsets are those of bytes
            continue
        for first, last, written, what in _changes(text):
            found.add(source.mutant((start + first, start + last), written, what))
    return sorted(found)


def _name_given(node: ast.stmt) -> str:
    return str(getattr(node.targets[0], "id", "")) if isinstance(node, ast.Assign) else ""


def literal_at(source: Source, offset: int) -> ast.expr:
    """The whole text that a change of SQL stands in."""
    nodes = [node for node in _texts(source.tree) if source.span(node)[0] <= offset < source.span(node)[1]]
    return nodes[0]


def _texts(node: ast.AST) -> Iterator[ast.expr]:
    """Texts that are SQL, and none within another; what describes a module, a class or a function is none."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Call) and getattr(child.func, "id", "") == "say":
            continue
        if isinstance(child, ast.JoinedStr) or (isinstance(child, ast.Constant) and isinstance(child.value, str)):
            plain = child.value if isinstance(child, ast.Constant) else ast.unparse(child)
            if _IS_SQL.search(str(plain)):
                yield child
        else:
            yield from _texts(child)


def _changes(text: str) -> Iterator[tuple[int, int, str, str]]:
    for pattern, written, what in _WORDS:
        for found in pattern.finditer(text):
            yield found.start(), found.end(), written, what
    for found in _COMPARED.finditer(text):
        if _NO_CONDITION.search(text[: found.start()]):
            continue
        for others, what in ((_OPPOSITE, "compared the other way"), (_WITH_OR_WITHOUT_THE_LIMIT, "the limit moved")):
            if other := others.get(found[0]):
                yield found.start(), found.end(), other, f"{what}: {other}"
    for found in re.finditer(r"\b(AND|OR)\s+", text):
        end = _end_of_condition(text, found.end())
        yield found.start(), end, "", f"dropped: {' '.join(text[found.start() : end].split())[:60]}"
    for found in re.finditer(r"\bWHERE\s+", text):
        end = _end_of_condition(text, found.end())
        if more := re.match(r"AND\s+", text[end:]):
            dropped = " ".join(text[found.end() : end].split())[:60]
            yield found.end(), end + more.end(), "", f"dropped: {dropped}"


def _end_of_condition(text: str, start: int) -> int:
    """Where the condition that begins there ends: before the next word that joins it to something else."""
    depth = 0
    for piece in _PIECE.finditer(text, start):
        token = piece[0]
        if token in ("(", ")"):
            depth += 1 if token == "(" else -1
        if depth < 0 or (not depth and (token in _ENDS or token == ";" or token.startswith('"'))):
            return piece.start()
    return len(text)
