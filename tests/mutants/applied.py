"""A change put to use in a process that runs already: no file is written, and the database gets its triggers back.

Functions get the code of the changed source. Constants are made anew, and take the place of the old ones wherever they
were imported to. What the triggers hold of a changed text is changed in the database.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import psycopg

from tests.mutants.changes import Mutant, Source
from tests.mutants.sql_changes import literal_at

SHORTEST = 12
"""Of texts that are looked for in triggers: a shorter one could stand there for something else."""
_PLAIN = (str, int, tuple, frozenset, list, dict)
_FUNCTIONS = "SELECT oid::bigint, prosrc, pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'pgtrigger_%'"
Texts = dict[str, str]


class NothingChanged(Exception):
    """The change reaches nothing that runs."""


def put_to_use(mutant: Mutant, source: Source, *, followed_by: tuple[str, ...]) -> tuple[Texts, bool]:
    """Change this process; which texts became which, and whether nothing changed but the function it stands in.

    `followed_by` are modules that are composed of its constants. A module that is not among them declares models, which
    cannot be declared twice: of such a one, functions and the texts of triggers are changed, and no constants.
    """
    changed = mutant.applied_to(source.text)
    name = _module_name(mutant.path)
    module = import_module(name)
    function = source.function_at(mutant.start)
    swapped = bool(function) and _swap(module, function, compile(changed, str(module.__file__), "exec"))
    texts: Texts = {}
    is_local = True
    if name in followed_by:
        is_local = not _renew(module, changed, texts)
        for follower in followed_by[followed_by.index(name) + 1 :] if not is_local else ():
            live = import_module(follower)
            _renew(live, Path(str(live.__file__)).read_text(encoding="utf-8"), texts)
    elif not function:
        texts, is_local = _of_literal(mutant, source, module), False
    if is_local and not swapped:
        raise NothingChanged(mutant.where)
    return texts, is_local


def _module_name(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


def _swap(module: ModuleType, qualname: str, code: CodeType) -> bool:
    """Give the live function the code of the changed one, so that whoever imported it runs that."""
    new = next((one for one in _codes(code) if one.co_qualname == qualname), None)
    found: Any = module
    for part in qualname.split("."):
        found = vars(found).get(part)
    live = getattr(found, "fget", found)
    if new is None or not isinstance(live, FunctionType):
        return False
    is_other = live.__code__ != new
    live.__code__ = new
    return is_other


def _codes(code: CodeType) -> Iterator[CodeType]:
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield one
            yield from _codes(one)


def _renew(module: ModuleType, text: str, texts: Texts) -> bool:
    """Make its constants anew, and put those that became others in the place of the old ones, everywhere."""
    is_other = False
    made: dict[str, Any] = {"__name__": module.__name__, "__file__": module.__file__}
    exec(compile(text, str(module.__file__), "exec"), made)  # noqa: S102 - our own source, with one change
    for name, new in made.items():
        old = vars(module).get(name)
        if name.startswith("__") or old is None:
            continue
        renewed = _as_there(new, old)
        if renewed is None or renewed == old:
            continue
        is_other = True
        if isinstance(old, str):
            texts[old] = renewed
        for other in list(sys.modules.values()):
            if getattr(other, "__dict__", {}).get(name) is old:
                setattr(other, name, renewed)
    return is_other


def _as_there(new: object, old: object) -> Any:
    """The new value, of the classes that are in use; None for what is no constant."""
    if is_dataclass(old) and not isinstance(old, type):
        return type(old)(*(getattr(new, field.name) for field in fields(old)))
    return new if isinstance(new, _PLAIN) and isinstance(old, _PLAIN) else None


def _of_literal(mutant: Mutant, source: Source, module: ModuleType) -> Texts:
    """What a text that stands in the declaration of a model was, and what it is."""
    start, end = source.span(literal_at(source, mutant.start))
    after = end + len(mutant.written.encode()) - (mutant.end - mutant.start)
    was = source.slice(start, end)
    is_now = mutant.applied_to(source.text).encode()[start:after].decode()
    known = dict(vars(module))
    return {eval(f"({was})", known): eval(f"({is_now})", known)}  # noqa: S307 - our own source, with one change


def change_triggers(connection: "psycopg.Connection[Any]", texts: Mapping[str, str]) -> int:
    """In every trigger that holds one of the texts; of several the longest, of which the others are parts."""
    pairs = sorted(((_one_line(was), _one_line(new)) for was, new in texts.items()), key=lambda pair: -len(pair[0]))
    count = 0
    for _, body, definition in connection.execute(_FUNCTIONS).fetchall():
        changed = body
        for was, new in pairs:
            if len(was) >= SHORTEST:
                changed = changed.replace(was, new)
        if changed != body:
            connection.execute(definition.replace(body, changed).encode())
            count += 1
    return count


def _one_line(text: str) -> str:
    """As `audit.guard` writes it into a trigger."""
    return " ".join(text.split())


@contextmanager
def triggers_put_back(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    """What stands in the functions of triggers before, stands there afterwards, whoever changed them."""
    before = {number: definition for number, _, definition in connection.execute(_FUNCTIONS).fetchall()}
    try:
        yield
    finally:
        for number, _, definition in connection.execute(_FUNCTIONS).fetchall():
            if before[number] != definition:
                connection.execute(before[number].encode())
