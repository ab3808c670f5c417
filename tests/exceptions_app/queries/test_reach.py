"""What is read once for a list agrees with what is asked for a single exception."""

import pytest

from exceptions_app import policies
from exceptions_app.models import ExceptionCase
from exceptions_app.queries.reach import cases_within, reach_of
from exceptions_app.states import Verb
from tests import factories
from tests.cast import grant


@pytest.mark.parametrize(
    "who", ["clerk", "local_clerk", "controller", "support", "auditor", "outsider", "administrator"]
)
def test_reach_agrees_with_the_policy(cast, who):
    user = getattr(cast, who)
    for queue in (cast.einvoicing, cast.holds):
        for entity in (cast.netherlands, cast.germany):
            case = factories.make_case(cast, queue=queue, entity=entity)
            assert reach_of(user).verbs_of(case) == policies.verbs_of(user, case)


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize(
    "who", ["clerk", "local_clerk", "controller", "support", "auditor", "outsider", "administrator"]
)
def test_cases_within_reach_are_those_that_grant_the_verb(cast, who, verb):
    user = getattr(cast, who)
    for queue in (cast.einvoicing, cast.holds):
        for entity in (cast.netherlands, cast.germany):
            factories.make_case(cast, queue=queue, entity=entity)
    within = cases_within(reach_of(user), verb).order_by("pk")
    assert list(within) == list(ExceptionCase.objects.granting(user, verb).order_by("pk"))


def test_grants_of_group_and_person_add_up(cast, django_assert_num_queries):
    grant(cast.support, [Verb.CORRECT], cast.einvoicing, cast.netherlands)
    case = factories.make_case(cast)
    with django_assert_num_queries(2):
        reach = reach_of(cast.support)
    assert reach.verbs_of(case) == {Verb.SEE, Verb.CORRECT}


def test_verb_on_the_queue_alone_is_not_enough(cast):
    grant(cast.outsider, list(Verb), cast.einvoicing)
    assert reach_of(cast.outsider).verbs_of(factories.make_case(cast)) == frozenset()
    assert not reach_of(cast.outsider).has(Verb.SEE)


def test_account_that_was_switched_off_reaches_nothing(cast):
    cast.clerk.is_active = False
    assert reach_of(cast.clerk).verbs_of(factories.make_case(cast)) == frozenset()
