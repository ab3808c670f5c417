"""That changing the policy finds what no test notices, and leaves everything as it was: `tests.mutants`."""

import sys
import time
from functools import partial
from pathlib import Path
from types import ModuleType

import psycopg
import pytest

from tests.connecting import connect
from tests.mutants import policy
from tests.mutants.applied import NothingChanged, change_triggers, put_to_use, triggers_put_back
from tests.mutants.changes import Mutant, Source, of_python
from tests.mutants.fork import in_a_fork
from tests.mutants.sql_changes import of_sql
from tests.mutants.told import Told, Verdict, share, summary

TOY = '''"""A policy."""
LEAST = "age >= 18 AND is_known"
RANKS = frozenset({"captain", "mate"})


class Person:
    def __init__(self, age: int, rank: str) -> None:
        self.age = age
        self.rank = rank

    @property
    def may(self) -> bool:
        if self.age < 18 or self.rank not in RANKS:
            return False
        return True
'''


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[ModuleType, Source, Path]:
    path = tmp_path / "toy_policy.py"
    path.write_text(TOY)
    module = ModuleType("toy_policy")
    module.__file__ = str(path)
    exec(compile(TOY, path, "exec"), vars(module))  # noqa: S102 - the text above
    monkeypatch.setitem(sys.modules, "toy_policy", module)
    return module, Source("toy_policy.py", TOY), path


def notices_children(module: ModuleType) -> bool:
    return module.Person(17, "mate").may is not False


def notices_strangers(module: ModuleType) -> bool:
    return module.Person(40, "cook").may is not False


def notices_who_may(module: ModuleType) -> bool:
    return any(module.Person(18, rank).may is not True for rank in ("captain", "mate"))


ALL = (notices_children, notices_strangers, notices_who_may)


def survivors(module: ModuleType, source: Source, tests: tuple) -> list[str]:
    def is_noticed(mutant: Mutant) -> bool:
        put_to_use(mutant, source, followed_by=("toy_policy",))
        return any(test(module) for test in tests)

    found = of_python(source)
    return [mutant.what for mutant in found if not in_a_fork(partial(is_noticed, mutant), seconds=30)]


def test_what_no_test_notices_is_found_and_the_policy_stays_as_it_is(toy: tuple[ModuleType, Source, Path]):
    module, source, path = toy
    assert survivors(module, source, ALL) == []
    assert survivors(module, source, (notices_strangers, notices_who_may)) == ["condition 1 of 2 dropped"]
    assert survivors(module, source, (notices_children, notices_who_may)) == ["condition 2 of 2 dropped"]
    assert "member 1 of 2 left out" in survivors(module, source, (notices_children, notices_strangers))
    assert not any(test(module) for test in ALL)
    assert path.read_text() == TOY


def test_change_that_reaches_nothing_is_told_apart(toy: tuple[ModuleType, Source, Path]):
    _, source, _ = toy
    there = TOY.index("A policy")
    mutant = source.mutant((there, there + 1), "Some", "words")
    with pytest.raises(NothingChanged):
        put_to_use(mutant, source, followed_by=("toy_policy",))


def test_each_kind_of_change_is_made():
    text = (
        "def may(by, case):\n    if by and not case:\n        raise ValueError\n"
        "    return rows.filter(a=by, b=case) if by.age > 18 else {1, 2} & by.ranks\n"
    )
    found = {(one.what, one.written) for one in of_python(Source("x.py", text))}
    assert found == {
        ("a condition negated", "(not (by and (not case)))"),
        ("or in place of and", "(by or not case)"),
        ("condition 1 of 2 dropped", "(not case)"),
        ("condition 2 of 2 dropped", "(by)"),
        ("not left out", "(case)"),
        ("not raised", "pass"),
        ("nothing returned", "return None"),
        ("a not asked for", "rows.filter(b=case)"),
        ("b not asked for", "rows.filter(a=by)"),
        ("compared the other way", "(by.age <= 18)"),
        ("the limit moved", "(by.age >= 18)"),
        ("member 1 of 2 left out", "{2}"),
        ("member 2 of 2 left out", "{1}"),
        ("BitOr in place of BitAnd", "({1, 2} | by.ranks)"),
    }


def test_each_kind_of_change_is_made_of_sql():
    text = 'WHO = """SELECT id FROM a JOIN b ON b.id = a.id WHERE x = 1 AND NOT (y < 2 OR z) AND w IS NULL"""\n'
    source = Source("x.py", text)
    found = {
        (one.what, one.applied_to(text).partition("WHERE ")[2].strip().removesuffix('"""').strip())
        for one in of_sql(source)
    }
    assert found == {
        ("OR in place of AND", "x = 1 OR NOT (y < 2 OR z) AND w IS NULL"),
        ("OR in place of AND", "x = 1 AND NOT (y < 2 OR z) OR w IS NULL"),
        ("AND in place of OR", "x = 1 AND NOT (y < 2 AND z) AND w IS NULL"),
        ("NOT left out", "x = 1 AND (y < 2 OR z) AND w IS NULL"),
        ("IS NOT NULL in place of IS NULL", "x = 1 AND NOT (y < 2 OR z) AND w IS NOT NULL"),
        ("compared the other way: <>", "x <> 1 AND NOT (y < 2 OR z) AND w IS NULL"),
        ("compared the other way: >=", "x = 1 AND NOT (y >= 2 OR z) AND w IS NULL"),
        ("the limit moved: <=", "x = 1 AND NOT (y <= 2 OR z) AND w IS NULL"),
        ("dropped: AND NOT (y < 2 OR z)", "x = 1 AND w IS NULL"),
        ("dropped: OR z", "x = 1 AND NOT (y < 2 ) AND w IS NULL"),
        ("dropped: AND w IS NULL", "x = 1 AND NOT (y < 2 OR z)"),
        ("dropped: x = 1", "NOT (y < 2 OR z) AND w IS NULL"),
    }


@pytest.mark.django_db(transaction=True)
def test_trigger_is_changed_and_put_back():
    found = policy.sources()
    source = found["exceptions_app/models/duties.py"]
    mutant = next(
        one for one in of_sql(source) if one.what == "compared the other way: =" and "other.id <> p" in one.was
    )
    texts, is_local = in_a_fork(lambda: put_to_use(mutant, source, followed_by=policy.COMPOSED), seconds=60)
    assert not is_local
    with connect() as database:
        before = triggers(database)
        with triggers_put_back(database):
            count = change_triggers(database, texts)
            changed = [name for name, body in triggers(database).items() if body != before[name]]
            assert count == len(changed) > 3
            assert any("other.id = person.id" in body for body in triggers(database).values())
        assert triggers(database) == before


def triggers(database: psycopg.Connection) -> dict[str, str]:
    return dict(database.execute("SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'pgtrigger_%'").fetchall())


def test_fork_that_takes_too_long_is_ended():
    with pytest.raises(TimeoutError):
        in_a_fork(lambda: time.sleep(60), seconds=0.2)


def test_only_what_a_test_says_counts_as_noticed():
    mutant = Mutant("a.py", 0, 1, "", "not raised", 7, "raise")
    told = [Told(mutant, verdict) for verdict in Verdict]
    assert share(told) == 25
    assert summary(told, of=9, seed=2)[-1].startswith("7 of 9 changes, seed 2: 1 of 4 noticed, 25.0 %")
    assert share([]) == 0


def test_what_is_said_to_be_no_hole_is_a_change_that_is_made():
    made = {mutant.key for mutant in policy.mutants(policy.sources())}
    assert set(policy.EQUIVALENT) <= made
