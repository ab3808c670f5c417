"""What decides who may do what: the files that are changed, the tests that are about them, and what is no hole."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.mutants.changes import Mutant, Source, of_python
from tests.mutants.sql_changes import of_sql

ROOT = Path(__file__).parents[2]

# In the order in which they are composed of each other.
COMPOSED = (
    "exceptions_app.models.demands",
    "exceptions_app.models.duties",
    "exceptions_app.granted",
    "exceptions_app.authority",
    "exceptions_app.hands",
    "exceptions_app.duties",
    "exceptions_app.policies",
    "exceptions_app.queries.reach",
)

MADE_BEFORE: Final = frozenset({"refuse_who_is_no_second"})
"""Called once, while models are declared, for triggers that are not made anew: a change would run nowhere."""
ALL: tuple[str, ...] = ()
NONE = ("",)
# Of each file the functions whose Python is changed, and the constants whose SQL is.
CHANGED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    **{f"{module.replace('.', '/')}.py": (ALL, ALL) for module in COMPOSED},
    "exceptions_app/models/case.py": (
        ("ExceptionCaseQuerySet.visible_to", "ExceptionCaseQuerySet.granting", "granted_objects"),
        ("_DECIDED_BEFORE_IT_LEAVES_OR_CLOSES",),
    ),
    "exceptions_app/models/decision.py": (NONE, ALL),
}

TESTS = (
    "tests/exceptions_app/test_policies.py",
    "tests/exceptions_app/test_delegations.py",
    "tests/exceptions_app/test_duties.py",
    "tests/exceptions_app/test_duties_of_lists.py",
    "tests/exceptions_app/test_emergencies.py",
    "tests/exceptions_app/queries/test_reach.py",
    "tests/exceptions_app/actions/test_decide.py",
    "tests/exceptions_app/actions/test_authority.py",
    "tests/exceptions_app/value_mappings/test_database_guards.py",
    "tests/exceptions_app/test_database_refusals.py",
)

_NARROWED = (
    "entries = MappingEntry.objects.filter(mapping__in=numbers, source_value__in={source for _, _, source in asked})"
)
_WORDS = 'above=Decimal(above), currency=currency, entity=entity or "", object_type=object_type, approvers=approvers,'
_NO_ROLE = 'return Demand(ref, approvers, role or "", told)'
_AT_THIS_MOMENT = "AND d.begins_at <= statement_timestamp() AND d.ends_at > statement_timestamp()"
_NO_VERB = "return Ruling(False, _missing_verb(transition.verb or Verb.SEE, case))"
EQUIVALENT: Mapping[tuple[str, str, str], str] = {
    ("exceptions_app/hands.py", _NARROWED, "source_value__in not asked for"): (
        "It narrows what is read; what is taken of that is asked for again, with its version."
    ),
    ("exceptions_app/authority.py", _WORDS, "condition 2 of 2 dropped"): "The words leave out None as well.",
    ("exceptions_app/authority.py", _NO_ROLE, "condition 2 of 2 dropped"): "None is left out by `roles_of` as well.",
    ("exceptions_app/granted.py", _AT_THIS_MOMENT, "the limit moved: >="): (
        "Nothing that was written before has the very microsecond of the statement that reads it."
    ),
    ("exceptions_app/policies.py", _NO_VERB, "condition 2 of 2 dropped"): (
        "A move without a verb is one of the machine, which is answered before; the type does not know."
    ),
}
"""Of changes that nobody could notice, by `Mutant.key`, why not."""


def sources() -> dict[str, Source]:
    return {path: Source(path, (ROOT / path).read_text(encoding="utf-8")) for path in CHANGED}


def mutants(found: Mapping[str, Source]) -> list[Mutant]:
    """All there are, in the order of the files and of their lines."""
    return [mutant for path, source in found.items() for mutant in _of(source)]


def _of(source: Source) -> list[Mutant]:
    functions, constants = CHANGED[source.path]
    found = sorted({*of_python(source, within=functions), *of_sql(source, within=constants)})
    return [mutant for mutant in found if source.function_at(mutant.start) not in MADE_BEFORE]
