"""The cast and the factories are what other tests stand on."""

import pytest
from django.db import transaction

from exceptions_app.models import ExceptionCase, Proposal
from exceptions_app.policies import verbs_of
from exceptions_app.states import ProposalKind, State, Verb
from tests import factories
from tests.cast import make_cast


@pytest.mark.parametrize(
    ("who", "verbs"),
    [
        ("clerk", {Verb.SEE, Verb.COMMENT, Verb.CORRECT, Verb.PROPOSE, Verb.REVEAL}),
        ("local_clerk", {Verb.SEE, Verb.COMMENT, Verb.CORRECT, Verb.PROPOSE, Verb.REVEAL}),
        ("controller", {Verb.SEE, Verb.COMMENT, Verb.APPROVE, Verb.REVEAL}),
        ("support", {Verb.SEE}),
        ("auditor", {Verb.SEE, Verb.EXPORT}),
        ("outsider", set()),
        ("administrator", set()),
    ],
)
def test_verbs_of_the_cast(cast, who, verbs):
    case = factories.make_case(cast)
    assert verbs_of(getattr(cast, who), case) == verbs


@pytest.mark.django_db(transaction=True)
def test_factories_write_what_the_database_asks_for():
    """Committed, so that the deferred guards look at every row."""
    with transaction.atomic():
        cast = make_cast()
    case = factories.make_case(cast)
    factories.claim(case, cast.clerk)
    factories.make_version(case, cast.clerk)
    proposal = factories.make_proposal(case, cast.clerk)
    closed = factories.dismiss(factories.make_case(cast), cast.clerk, approver=cast.controller)
    assert (proposal.kind, proposal.version.number) == (ProposalKind.REPLAY, 2)
    assert ExceptionCase.objects.get(pk=case.pk).state == State.AWAITING_APPROVAL
    assert closed.state == State.DISMISSED
    assert Proposal.objects.filter(state=Proposal.State.OPEN).count() == 1
