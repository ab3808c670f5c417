"""Over the European standard's own test invoices: every named change is understood, and its reversal makes it good."""

import pytest

from integrations.connectors.en16931 import connector
from integrations.refusals import Category, Severity
from tests.integrations.connectors.en16931 import real_inputs
from tests.integrations.connectors.en16931.invoices import message, svrl

MUTATIONS = real_inputs.mutations()
DOCUMENTS = real_inputs.documents()


def _refused(payload: bytes) -> bytes:
    """What the official validator says about a payload, as a report."""
    return svrl(*((e.code, "fatal", e.path.replace('"', "&quot;"), "…") for e in connector.check(payload).errors))


@pytest.mark.parametrize("name", DOCUMENTS)
def test_published_document_passes_the_check(name: str) -> None:
    assert connector.check(real_inputs.read(name)).errors == ()


@pytest.mark.parametrize("name", DOCUMENTS)
def test_published_document_is_unchanged_by_an_empty_correction(name: str) -> None:
    payload = real_inputs.read(name)

    corrected = connector.correct(payload, [])

    assert connector.operations_between(payload, corrected) == []
    assert corrected.replace(b"/>", b"").count(b"\n") == payload.count(b"\n")


@pytest.mark.parametrize(("name", "change", "rules"), MUTATIONS)
def test_mutation_is_found_with_its_rules_and_fields(name: str, change: str, rules: list[str]) -> None:
    broken = real_inputs.mutated(real_inputs.read(name), change)

    [refused] = connector.parse(message(broken, _refused(broken)))

    errors = refused.refusal.errors
    assert refused.refusal.category is Category.COMPLIANCE
    assert {(error.code, error.term) for error in errors} == {(rule, real_inputs.TERMS[rule]) for rule in rules}
    assert {error.severity for error in errors} == {Severity.ERROR}
    assert all(refused.record.field_at(error.field_path) is not None for error in errors)
    assert refused.record.headline.number == connector.read(real_inputs.read(name)).number


@pytest.mark.parametrize(("name", "change", "rules"), MUTATIONS)
def test_reversal_of_a_mutation_passes_the_check(name: str, change: str, rules: list[str]) -> None:
    original = real_inputs.read(name)
    broken = real_inputs.mutated(original, change)

    corrected = connector.correct(broken, connector.operations_between(broken, original))

    assert connector.check(corrected).errors == ()
    assert connector.operations_between(corrected, original) == []


@pytest.mark.parametrize(("name", "change", "rules"), real_inputs.mutations(without=("missing", "line net")))
def test_proposed_value_restores_the_document(name: str, change: str, rules: list[str]) -> None:
    original = real_inputs.read(name)
    broken = real_inputs.mutated(original, change)
    proposals = {e.field_path: e.proposed_value for e in connector.check(broken).errors if e.proposed_value is not None}

    corrected = connector.correct(broken, connector.operations_for(broken, proposals))

    assert connector.check(corrected).errors == ()
    assert len(proposals) == 1
