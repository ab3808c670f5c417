"""What surrounds every page: the places one may go, with what waits there."""

import pytest
from django.urls import reverse
from guardian.shortcuts import assign_perm

from exceptions_app.queries.counters import intake_failures_for
from exceptions_app.queries.intake_failures import failures_to_do
from integrations.models import InboxMessage
from tests import factories


def entries(browser, address="/"):
    items = browser.get(address).context["navigation"]
    return {item.label: (item.current, str(item.count) if item.count is not None else "") for item in items}


EVERYBODY = ["My queue", "All queues", "Search", "API"]


@pytest.mark.parametrize(
    ("who", "more"),
    [
        ("clerk", ["Approvals", "Intake failures", "Connections"]),
        ("controller", ["Approvals", "Connections"]),
        ("support", ["Connections"]),
        ("auditor", ["Connections", "Audit"]),
        ("outsider", []),
        ("administrator", ["Intake failures", "Connections", "Administration"]),
    ],
)
def test_entries_by_role(cast, signed_in, who, more):
    assert sorted(entries(signed_in(getattr(cast, who)))) == sorted(EVERYBODY + more)


def test_counts_say_what_waits_for_the_person(cast, signed_in):
    factories.claim(factories.make_case(cast), cast.clerk)
    factories.make_case(cast)
    factories.make_proposal(factories.make_case(cast), cast.clerk)
    factories.make_message(cast, status=InboxMessage.Status.FAILED, problem="Cannot be read.")
    counts = {label: count for label, (_, count) in entries(signed_in(cast.clerk)).items() if count}
    assert counts == {"My queue": "2", "All queues": "3", "Intake failures": "1"}
    counts = {label: count for label, (_, count) in entries(signed_in(cast.controller)).items() if count}
    assert counts == {"All queues": "3", "Approvals": "1"}


def test_outsider_sees_no_number(cast, signed_in):
    factories.make_case(cast)
    factories.make_message(cast, status=InboxMessage.Status.FAILED)
    assert {count for _, count in entries(signed_in(cast.outsider)).values()} == {""}


def test_page_of_an_exception_is_a_part_of_all_queues(cast, signed_in):
    case = factories.make_case(cast)
    browser = signed_in(cast.clerk)
    assert [label for label, (current, _) in entries(browser).items() if current] == ["My queue"]
    address = reverse("exceptions:case", kwargs={"ref": case.ref})
    assert [label for label, (current, _) in entries(browser, address).items() if current] == ["All queues"]


def test_sign_in_page_has_no_navigation(client, db):
    assert list(client.get(reverse("login")).context["navigation"]) == []


@pytest.mark.parametrize("who", ["clerk", "local_clerk", "controller", "outsider", "administrator"])
def test_number_of_intake_failures_agrees_with_their_page(cast, who):
    user = getattr(cast, who)
    failure = factories.make_message(cast, status=InboxMessage.Status.FAILED)
    assert set(intake_failures_for(user)) == set(failures_to_do(user))
    assign_perm("configure_connection", user, cast.connection)
    assert list(intake_failures_for(user)) == list(failures_to_do(user)) == [failure]
