"""What no import rule can say: who may write the tables that decide about money, and how long a file may be."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = ("audit", "exceptions_app", "integrations", "workbench")
MOST_LINES = 400
WRITES = frozenset(
    {
        "save", "create", "get_or_create", "update_or_create", "update", "delete", "bulk_create", "bulk_update",
        "asave", "acreate", "aget_or_create", "aupdate_or_create", "aupdate", "adelete", "abulk_create",
        "abulk_update", "_raw_delete",
    }
)  # fmt: skip
# Each table with the modules that may write it, folders with a slash at the end.
DOMAIN = ("exceptions_app/actions/", "exceptions_app/intake.py", "exceptions_app/models/")
WRITERS = {
    "ExceptionCase": DOMAIN,
    "Proposal": DOMAIN,
    "Decision": DOMAIN,
    "PayloadVersion": DOMAIN,
    "Transaction": ("exceptions_app/actions/",),
    "Delivery": ("integrations/delivery/", "integrations/outbox.py"),
    "InboxMessage": ("integrations/inbox.py", "integrations/receiving.py"),
    "FieldMap": ("exceptions_app/actions/",),
    "ActiveFieldMap": ("exceptions_app/actions/",),
    "PullSource": ("integrations/pull/", "exceptions_app/actions/"),
    "Archive": ("exceptions_app/actions/",),
    "ArchiveDelivery": ("exceptions_app/actions/",),
    "ArchivedCase": ("exceptions_app/actions/",),
    "SequenceGap": ("integrations/pull/gaps.py",),
}
# Relations and variables by which a row of these tables is reached without naming its class.
NAMES = {
    "case": "ExceptionCase", "cases": "ExceptionCase", "locked": "ExceptionCase", "same": "ExceptionCase",
    "proposal": "Proposal", "proposals": "Proposal",
    "decision": "Decision", "decisions": "Decision",
    "version": "PayloadVersion", "versions": "PayloadVersion", "latest": "PayloadVersion",
    "delivery": "Delivery", "deliveries": "Delivery", "submission": "Delivery", "write_back": "Delivery",
    "message": "InboxMessage", "inbox_message": "InboxMessage", "inbox_messages": "InboxMessage",
}  # fmt: skip


def product_files() -> list[Path]:
    return sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)


def written_in(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and table of each write: through the class's manager, or on something that is called like its rows."""
    held = _variables(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITES:
            for table in _tables(node.func.value, held):
                yield node.lineno, table


def _tables(value: ast.expr, held: dict[str, str]) -> set[str]:
    """The tables that the expression before the write stands for; arguments of its calls are not what is written."""
    match value:
        case ast.Call(func=ast.Name(id=name)) if name in WRITERS:
            return {name}
        case ast.Call(func=function):
            return _tables(function, held)
        case ast.Attribute(attr=attribute) if attribute in WRITERS:
            return {attribute}
        case ast.Attribute(value=ast.Name(id="self"), attr=attribute):
            return {NAMES[attribute]} if attribute in NAMES else set()
        case ast.Attribute(attr=attribute) if attribute in NAMES:
            return {NAMES[attribute]}
        case ast.Attribute(value=inner) | ast.Subscript(value=inner):
            return _tables(inner, held)
        case ast.Name(id=name):
            known = name if name in WRITERS else held.get(name) or NAMES.get(name)
            return {known} if known else set()
    return set()


def _variables(tree: ast.Module) -> dict[str, str]:
    """Names that are assigned from an expression about one of the tables."""
    held: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            for table in _tables(node.value, held):
                held[node.targets[0].id] = table
    return held


def trespasses(path: str, source: str) -> list[str]:
    found = written_in(ast.parse(source))
    return [f"{path}:{line} writes {table}" for line, table in found if not path.startswith(WRITERS[table])]


def test_tables_are_written_only_where_their_rules_are_kept():
    files = product_files()
    assert len(files) > 150
    found = [trespasses(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in files]
    assert [one for several in found for one in several] == []


@pytest.mark.parametrize(
    ("source", "table"),
    [
        ("ExceptionCase.objects.filter(pk=1).update(state='resolved')", "ExceptionCase"),
        ("ExceptionCase.objects.create(state='new')", "ExceptionCase"),
        ("ExceptionCase(state='new').save()", "ExceptionCase"),
        ("def f(case):\n    case.save(update_fields=['state'])", "ExceptionCase"),
        ("row = ExceptionCase.objects.get(pk=1)\nrow.state = 'resolved'\nrow.save()", "ExceptionCase"),
        ("for row in [1]:\n    row.case.save()", "ExceptionCase"),
        ("Proposal.objects.bulk_update([], ['state'])", "Proposal"),
        ("case.proposals.all().delete()", "Proposal"),
        ("models.Decision.objects.create()", "Decision"),
        ("Decision._default_manager.create()", "Decision"),
        ("case.versions.create(number=2)", "PayloadVersion"),
        ("Delivery.objects.filter(state='unknown').update(state='queued')", "Delivery"),
        ("connection.inbox_messages.update(status='processed')", "InboxMessage"),
    ],
)
def test_write_elsewhere_is_found(source: str, table: str):
    [found] = trespasses("exceptions_app/views/case.py", source)
    assert found.endswith(f" writes {table}")


@pytest.mark.parametrize(
    "source", ["Draft.objects.filter(case=case).delete()", "fields.update(case)", "Comment.objects.create(case=case)"]
)
def test_other_writes_are_nobodys_business(source: str):
    assert trespasses("exceptions_app/views/case.py", source) == []


def test_no_file_is_longer_than_one_can_read():
    files = [*product_files(), *(ROOT / "tests").rglob("*.py"), ROOT / "manage.py"]
    lines = {path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines()) for path in files}
    assert {path: number for path, number in lines.items() if number >= MOST_LINES} == {}
