"""What surrounds every page: the places one may go, with what waits there."""

import pytest
from django.urls import reverse

from exceptions_app.actions.grants import grant_connection
from exceptions_app.machines import SETUP, machine
from exceptions_app.queries.connection_reach import connection_reach_of
from exceptions_app.queries.counters import files_in_quarantine_for, intake_failures_for
from exceptions_app.queries.intake_failures import TO_DO, failures, files_in_quarantine
from integrations.models import FolderProblem, InboxMessage
from tests import factories
from tests.cast import MORNING, SET_UP_AT


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
    file = FolderProblem.objects.create(connection=cast.connection, file_name="a.xml", found_at=MORNING)
    FolderProblem.objects.create(
        connection=cast.connection, file_name="b.xml", found_at=MORNING, set_aside_at=MORNING
    )  # fmt: skip
    for expected in (None, [failure, file]):
        connections = connection_reach_of(user).cared_for
        counted = [*intake_failures_for(user), *files_in_quarantine_for(user)]
        assert counted == [*failures(connections, TO_DO), *files_in_quarantine(connections, TO_DO)]
        assert expected in (None, counted)
        grant_connection("configure_connection", user, cast.connection, by=machine(SETUP), at=SET_UP_AT)
