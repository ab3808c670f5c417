"""Whoever opens the address of an action, as after a refused form without JavaScript, comes to the page of the form."""

import pytest
from django.test import Client
from django.urls import reverse

from exceptions_app.models import ExceptionCase
from exceptions_app.states import State
from tests import factories
from tests.exceptions_app.views.repair import address, take_in, text_of
from tests.exceptions_app.views.test_form_tokens import failed, quarantined
from tests.exceptions_app.views.test_moves import VERBS

ADDRESSES = (*VERBS, "draft/discard")
EVIDENCE = [
    ("intake_failure", "intake_read_again"),
    ("intake_failure", "intake_set_aside"),
    ("quarantined_file", "quarantined_file_set_aside"),
    ("connection", "connection_pause"),
    ("connection", "connection_resume"),
]


@pytest.mark.parametrize("verb", ADDRESSES)
def test_address_of_an_action_leads_to_the_exception(cast, signed_in, verb):
    case = factories.make_case(cast)
    client = signed_in(cast.clerk)
    for answer in (client.get(address(case, verb)), client.head(address(case, verb))):
        assert (answer.status_code, answer["Location"]) == (302, address(case))
    unchanged = ExceptionCase.objects.get(pk=case.pk)
    assert (unchanged.state, unchanged.revision) == (State.NEW, 1)


@pytest.mark.parametrize("verb", ADDRESSES)
def test_address_of_an_action_is_not_there_for_who_may_not_see_the_exception(cast, signed_in, verb):
    case = factories.make_case(cast)
    assert signed_in(cast.outsider).get(address(case, verb)).status_code == 404
    assert signed_in(cast.clerk).get(f"/exceptions/EX-999999/{verb}/").status_code == 404


def test_refused_form_can_be_left_by_its_address(cast, signed_in):
    case = take_in(cast)
    client = signed_in(cast.clerk)
    assert client.post(address(case, "correct"), {"base_version": "1", "because": ""}).status_code == 422
    answer = client.get(address(case, "correct"), follow=True)
    assert answer.redirect_chain == [(address(case), 302)]
    assert "The issue date is missing." in text_of(answer.content.decode())


def test_address_of_an_action_asks_to_sign_in_first(cast):
    case = factories.make_case(cast)
    answer = Client().get(address(case, "claim"))
    assert answer["Location"] == f"/accounts/login/?next=%2Fexceptions%2F{case.ref}%2Fclaim%2F"


@pytest.mark.parametrize(("page", "action"), EVIDENCE)
def test_address_of_another_action_leads_to_its_page(cast, signed_in, page, action):
    things = {"intake_failure": failed(cast).pk, "quarantined_file": quarantined(cast).pk}
    ref = things.get(page, cast.connection.slug)
    answer = signed_in(cast.clerk).get(reverse(f"exceptions:{action}", args=[ref]))
    assert (answer.status_code, answer["Location"]) == (302, reverse(f"exceptions:{page}", args=[ref]))
    assert signed_in(cast.outsider).get(reverse(f"exceptions:{action}", args=[ref])).status_code == 404
