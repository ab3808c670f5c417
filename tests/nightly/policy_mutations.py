"""A plugin of pytest that changes the policies condition by condition, and counts which changes the tests notice.

    ./test -p tests.nightly.policy_mutations TESTS…

The tests are run once as they are, which tells what each of them reaches. Then, for each change, those that reach it
are run until one fails. Python is changed by its syntax tree: comparisons are turned round, parts of `and` and `or`
left out, `not` taken away, refusals made permissions and the other way round, and nothing raised. Of the triggers that
keep the second pair of eyes, each refusal is taken out, and each part of their conditions that stands on a line.
"""

import ast
import copy
import importlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType, FunctionType, ModuleType
from typing import Any

import psycopg
import pytest
from _pytest.runner import runtestprotocol
from django.db import connection as database

MODULES = ("exceptions_app.policies", "exceptions_app.duties", "exceptions_app.authority", "exceptions_app.hands",
           "exceptions_app.actions.first_approval", "exceptions_app.actions.fresh_proof")  # fmt: skip
REPORT = "WB_MUTATIONS_REPORT"
"""A file for what was found, as JSON."""
BUDGET = float(os.environ.get("WB_MUTATIONS_SECONDS", "7200"))
ONLY = os.environ.get("WB_MUTATIONS_ONLY", "")
TURNED: Mapping[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
    ast.Lt: ast.GtE, ast.GtE: ast.Lt, ast.Gt: ast.LtE, ast.LtE: ast.Gt,
}  # fmt: skip
REFUSAL = re.compile(r"\bIF\b((?:(?!\bTHEN\b).)*?)\bTHEN(\s+RAISE EXCEPTION\s+'(?:four eyes|authority))", re.DOTALL)
PART = re.compile(r"^[ \t]*(?:AND|OR) [^\n]+$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the policy. `reaches` says whether a test that reached these can notice it."""

    what: str
    apply: Callable[[], Callable[[], None]]
    reached_by: str = ""  # the function of Python; empty for what the database does


@dataclass
class Found:
    noticed: list[str] = field(default_factory=list)
    survived: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)


# Python --------------------------------------------------------------------------------------------------------


def _changed(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of a node."""
    match node:
        case ast.Compare(ops=[one], left=left, comparators=comparators):
            yield "turned round", ast.Compare(left=left, ops=[TURNED[type(one)]()], comparators=comparators)
        case ast.BoolOp(op=op, values=values):
            for place in range(len(values)):
                rest = [value for number, value in enumerate(values) if number != place]
                yield f"without its part {place + 1}", rest[0] if len(rest) == 1 else ast.BoolOp(op=op, values=rest)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield "without not", operand
        case ast.If(test=ast.Name() | ast.Call() | ast.Attribute() as test):
            yield "turned round", ast.If(ast.UnaryOp(ast.Not(), test), node.body, node.orelse)
        case ast.IfExp(test=ast.Name() | ast.Call() | ast.Attribute() as test):
            yield "turned round", ast.IfExp(ast.UnaryOp(ast.Not(), test), node.body, node.orelse)
        case ast.Return() | ast.Raise():
            yield from _ended_otherwise(node)


def _ended_otherwise(node: ast.Return | ast.Raise) -> Iterator[tuple[str, ast.AST]]:
    match node:
        case ast.Return(value=ast.Call(func=ast.Name(id="Ruling"))):
            yield "allowed", ast.Return(ast.Name("ALLOWED", ast.Load()))
        case ast.Return(value=ast.Name(id="ALLOWED")):
            refused = ast.Call(ast.Name("Ruling", ast.Load()), [ast.Constant(False), ast.Constant("No.")], [])
            yield "refused", ast.Return(refused)
        case ast.Return(value=ast.Constant(value=True | False as said)):
            yield "the opposite", ast.Return(ast.Constant(not said))
        case ast.Raise():
            yield "not raised", ast.Pass()


class _Replace(ast.NodeTransformer):
    """The node of that number, in the order of a walk, by another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> Any:
        return self.new if node is self.old else self.generic_visit(node)


def python_changes(module: ModuleType) -> Iterator[Change]:
    path = Path(str(module.__file__))
    text = path.read_text()
    tree = ast.parse(text)
    for owner, function in _functions(tree):
        name = f"{owner}.{function.name}" if owner else function.name
        for number, node in enumerate(ast.walk(function)):
            for place, (words, _) in enumerate(_changed(node)):
                line = ast.get_source_segment(text, node) or ""
                what = f"{path.name}:{getattr(node, 'lineno', function.lineno)} {words}: {' '.join(line.split())[:90]}"
                yield Change(what, _swap(module, tree, owner, function.name, number, place), f"{path}:{name}")


def _functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield "", node
        elif isinstance(node, ast.ClassDef):
            yield from ((node.name, one) for one in node.body if isinstance(one, ast.FunctionDef))


def _swap(
    module: ModuleType, tree: ast.Module, owner: str, name: str, number: int, place: int
) -> Callable[[], Callable[[], None]]:
    """Give the function the code of its changed text, wherever it was imported to. Returns what undoes it."""

    def apply() -> Callable[[], None]:
        mine = copy.deepcopy(tree)
        [function] = [one for its, one in _functions(mine) if (its, one.name) == (owner, name)]
        node = list(ast.walk(function))[number]
        _, new = list(_changed(node))[place]
        changed = ast.fix_missing_locations(_Replace(node, ast.copy_location(new, node)).visit(mine))
        there = _function_of(module, owner, name)
        before = there.__code__
        there.__code__ = _code_of(compile(changed, str(module.__file__), "exec"), owner, name)

        def undo() -> None:
            there.__code__ = before

        return undo

    return apply


def _function_of(module: ModuleType, owner: str, name: str) -> FunctionType:
    found: Any = vars(getattr(module, owner))[name] if owner else getattr(module, name)
    found = getattr(found, "fget", found)
    while hasattr(found, "__wrapped__"):
        found = found.__wrapped__
    assert isinstance(found, FunctionType)
    return found


def _code_of(code: CodeType, owner: str, name: str) -> CodeType:
    for wanted in (owner, name):
        if wanted:
            code = next(one for one in code.co_consts if isinstance(one, CodeType) and one.co_name == wanted)
    return code


# The database --------------------------------------------------------------------------------------------------


def open_database() -> psycopg.Connection:
    """Beside the tests' own connection, as its owner: what is changed is changed for all."""
    known = database.settings_dict
    return psycopg.connect(
        dbname=known["NAME"], user=known["USER"], password=known["PASSWORD"], host=known["HOST"],
        port=known["PORT"] or None, autocommit=True,
    )  # fmt: skip


def trigger_changes(session: psycopg.Connection) -> Iterator[Change]:
    wanted = (
        "SELECT p.oid::regproc::text, pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n"
        " ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND p.prosrc ~ '(four eyes|authority):'"
    )
    for name, body in session.execute(wanted).fetchall():
        for found in REFUSAL.finditer(body):
            changed = f"{body[: found.start()]}IF FALSE THEN{found[2]}{body[found.end() :]}"
            yield _statement(session, name, "no refusal", found[0], body, changed)
        for found in PART.finditer(body):
            if found[0].count("(") == found[0].count(")"):
                changed = body[: found.start()] + body[found.end() :]
                yield _statement(session, name, "without", found[0], body, changed)


def _statement(session: psycopg.Connection, name: str, words: str, part: str, body: str, changed: str) -> Change:
    def apply() -> Callable[[], None]:
        session.execute(changed.encode())
        return lambda: (session.execute(body.encode()), None)[1]

    return Change(f"{name} {words}: {' '.join(part.split())[:110]}", apply)


# The tests -----------------------------------------------------------------------------------------------------


class Reaching:
    """Which functions of the policies the test that runs calls."""

    def __init__(self) -> None:
        self.files = {str(Path(str(importlib.import_module(name).__file__))) for name in MODULES}
        self.seen: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename in self.files:
            self.seen.add(f"{frame.f_code.co_filename}:{getattr(frame.f_code, 'co_qualname', frame.f_code.co_name)}")


class Mutating:
    def __init__(self, session: pytest.Session) -> None:
        self.items = session.items
        self.reached: dict[str, list[tuple[float, pytest.Item]]] = {}
        self.seconds: list[tuple[float, pytest.Item]] = []

    def passes(self, item: pytest.Item) -> bool:
        # The next one is any other: what a session shares stays.
        other = self.items[0] if item is not self.items[0] else self.items[-1]
        return not any(report.failed for report in runtestprotocol(item, nextitem=other, log=False))

    def learn(self) -> list[str]:
        """Run all as they are; returns those that fail."""
        failed = []
        for item in list(self.items):
            reaching, began = Reaching(), time.monotonic()
            sys.setprofile(reaching)
            try:
                passed = self.passes(item)
            finally:
                sys.setprofile(None)
            took = time.monotonic() - began
            if not passed:
                failed.append(item.nodeid)
                continue
            self.seconds.append((took, item))
            for name in reaching.seen:
                self.reached.setdefault(name, []).append((took, item))
        return failed

    def is_noticed(self, change: Change) -> bool:
        items = self.reached.get(change.reached_by, []) if change.reached_by else self.seconds
        undo = change.apply()
        try:
            return any(not self.passes(item) for _, item in sorted(items, key=lambda one: one[0]))
        finally:
            undo()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool:
    if session.config.option.collectonly or not session.items:
        return True
    began, mutating, found = time.monotonic(), Mutating(session), Found()
    failed = mutating.learn()
    if failed:
        raise pytest.UsageError(f"These fail without any change: {failed}")
    print(f"\n{len(mutating.items)} tests in {time.monotonic() - began:.0f} s", flush=True)
    with open_database() as owner:
        changes = [change for name in MODULES for change in python_changes(importlib.import_module(name))]
        changes += trigger_changes(owner)
        for change in [change for change in changes if ONLY in change.what]:
            if time.monotonic() - began > BUDGET:
                found.left_out.append(change.what)
                continue
            try:
                noticed = mutating.is_noticed(change)
            except psycopg.Error:
                continue  # no statement any more: nobody could have written that
            (found.noticed if noticed else found.survived).append(change.what)
            if not noticed:
                print(f"survived: {change.what}", flush=True)
    told = len(found.noticed) + len(found.survived)
    print(f"{len(found.noticed)} of {told} noticed, {len(found.left_out)} left out, {time.monotonic() - began:.0f} s")
    if os.environ.get(REPORT):
        Path(os.environ[REPORT]).write_text(json.dumps(vars(found), indent=1))
    return True
