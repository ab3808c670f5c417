"""What was typed on a page of many things comes back after a lost sign-in, and after a proof given elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from guardian.shortcuts import assign_perm

from exceptions_app.actions.access_review import open_review
from exceptions_app.actions.erasures import propose_erasure
from exceptions_app.actions.field_rules import approve_field_rule
from exceptions_app.actions.legal_holds import place_hold
from exceptions_app.actions.retention import Asked, propose_policy
from exceptions_app.models import (
    Delegation,
    Emergency,
    ErasureRequest,
    FieldRule,
    LegalHold,
    RetentionPolicy,
    RoutingRule,
)
from exceptions_app.models.retention import RecordClass
from exceptions_app.queries.access_review import ALL
from exceptions_app.states import Verb
from exceptions_app.views.interrupted import SESSION_KEY
from tests import factories
from tests.cast import MORNING, Cast, grant, person
from tests.exceptions_app.archive.archiving import folder_archive
from tests.exceptions_app.test_emergencies import take
from tests.exceptions_app.views.growing_access import led, released, ruled
from workbench import services
from workbench.models import ServiceAccount, User

pytestmark = pytest.mark.django_db
WHY = "Words that nobody wants to type twice."
SignIn = Callable[[User], Client]


@dataclass(frozen=True, slots=True)
class Sent:
    """A form of a page: who sends it where, and what they type."""

    by: User
    page: str
    to: str
    typed: dict[str, Any]


def page_of(name: str, *arguments: object) -> str:
    return reverse(f"exceptions:{name}", args=arguments)


def administrators(cast: Cast) -> dict[str, Sent]:
    """Of the pages that only administrators write on, by what is done there."""
    adam, signed = person("adam", "Adam Administrator", is_staff=True), {"at": MORNING, "because": "A claim."}
    ada: dict[str, Any] = {"by": cast.administrator, **signed}
    for make in (ruled, led, released):
        make(cast, 0)
    place_hold(counterparty="Party", **ada)
    propose_erasure("Subject", **ada)
    propose_policy(Asked(record_class=RecordClass.FILES, days=100), **ada)
    rule, field_rule, policy, erasure = (
        model.objects.get() for model in (RoutingRule, FieldRule, RetentionPolicy, ErasureRequest)
    )
    found: dict[str, dict[str, Any]] = {
        "approval_rule_propose": {"above": "77.00", "currency": "USD"},
        "routing_rule_propose": {"position": "77", "code": "E-77", "priority": "1"},
        "routing_rule_move": {"rule": str(rule.pk), "move": "reject", "frozen_sha256": rule.frozen_sha256},
        "field_rule_propose": {"position": "77", "who": "roles", "roles": ["auditor", "controller"]},
        "field_rule_move": {"rule": str(field_rule.pk), "move": "reject", "frozen_sha256": field_rule.frozen_sha256},
        "retention_propose": {"record_class": "documents", "days": "777"},
        "retention_move": {"policy": str(policy.pk), "move": "reject", "frozen_sha256": policy.frozen_sha256},
        "hold_place": {"counterparty": "Van Loon"},
        "hold_lift": {"hold": str(LegalHold.objects.get().pk)},
        "erasure_propose": {"counterparty": "Van Loon"},
        "erasure_move": {"request": str(erasure.pk), "move": "reject", "frozen_sha256": erasure.frozen_sha256},
    }
    pages = {
        "approval": "approval_rules", "routing": "routing_rules", "field": "field_rules", "retention": "retention",
        "hold": "retention", "erasure": "erasures",
    }  # fmt: skip
    return {
        name: Sent(adam, page_of(pages[name.partition("_")[0]]), page_of(name), typed | {"because": WHY})
        for name, typed in found.items()
    }


def interrupted(sent: Sent, *, client: Client | None = None, back_to: str = "") -> Any:
    """The page after the session ended while the form was typed, and its author signed in again."""
    back_to = back_to or sent.page
    client = client or Client()
    client.force_login(sent.by)
    assert client.get(sent.page).status_code == 200
    del client.cookies["sessionid"]
    answer = client.post(sent.to, sent.typed)
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/login/?next={back_to.replace('/', '%2F')}")
    client.force_login(sent.by)
    return client.get(back_to, follow=True)


def holds(html: str, sent: Sent) -> None:
    """All that was typed stands in the page, where it can be sent again."""
    squeezed = " ".join(html.split())
    assert squeezed.count(f"{WHY}</textarea>") == 1
    assert html.count("<details") == 0 or "move" not in sent.typed or 'class="disclosure" open' in squeezed
    texts = [text for name, text in sent.typed.items() if name not in ("because", "move")]
    for text in [one for found in texts for one in (found if isinstance(found, list) else [found])]:
        assert f'value="{text}"' in squeezed, text


def test_what_was_typed_comes_back_on_every_page_that_two_people_keep(cast: Cast):
    for name, sent in administrators(cast).items():
        page = interrupted(sent)
        holds(page.content.decode(), sent)
        assert page.content.decode().count("It has not been sent; look it over and send it again.") == 1, name
        if name == "field_rule_propose":
            assert page.context["form"]["roles"].value() == ["auditor", "controller"]


def test_it_goes_once_it_is_sent(cast: Cast):
    client = Client()
    for name, sent in administrators(cast).items():
        if not name.startswith("approval") and not name.startswith("routing_rule_propose"):  # previewed first
            interrupted(sent, client=client)
            assert SESSION_KEY in client.session
            assert client.post(sent.to, sent.typed).status_code == 302, name
            assert SESSION_KEY not in client.session, name


def test_change_of_a_rule_stays_a_change_of_it_and_another_choice_begins_anew(cast: Cast):
    released(cast, 0)
    rule = FieldRule.objects.get()
    adam = person("adam", "Adam Administrator", is_staff=True)
    approve_field_rule(rule.pk, by=adam, at=MORNING, frozen_sha256=rule.frozen_sha256, because="Yes.")
    page, client = page_of("field_rules"), Client()
    typed = {"position": "77", "who": "nobody", "because": WHY, "replaces": str(rule.pk)}
    back = interrupted(Sent(adam, page, page_of("field_rule_propose"), typed), client=client)
    assert (back.context["changed"], back.context["form"]["position"].value()) == (rule, "77")
    chosen = client.get(f"{page}?change={rule.pk}")
    assert chosen.context["form"]["position"].value() == rule.position


def test_what_was_typed_comes_back_where_the_address_stands_below_no_page(cast: Cast):
    assign_perm("configure_connection", cast.support, cast.connection)
    person("cora", "Cora Controller", role="controller")
    today = now().date()
    given = {"taker": "cora", "first_day": f"{today}", "last_day": f"{today + timedelta(days=9)}", "because": WHY}
    stop = Sent(cast.support, page_of("connections"), page_of("sending_stop"), {"because": WHY})
    lent = Sent(cast.controller, page_of("approvals"), page_of("delegation_give"), given)
    for sent, name in ((stop, "stop_form"), (lent, "delegation_form")):
        client = Client()
        back = interrupted(sent, client=client, back_to=sent.to)
        assert back.redirect_chain == [(sent.page, 302)]
        assert {field: back.context[name][field].value() for field in sent.typed} == sent.typed
        assert f"{WHY}</textarea>" in back.content.decode()
        assert 'class="disclosure" open' in " ".join(back.content.decode().split())
        assert client.post(sent.to, sent.typed).status_code == 302
        assert SESSION_KEY not in client.session
    end = page_of("delegation_end", Delegation.objects.get().pk)
    ended = interrupted(Sent(cast.controller, page_of("approvals"), end, {}), back_to=end)
    assert ended.redirect_chain == [(page_of("approvals"), 302)]


def test_reason_to_join_a_cause_comes_back_also_when_the_other_is_not_there(cast: Cast):
    case = factories.make_case(cast, opened_at=now())
    page = page_of("cause", case.cause.ref)
    sent = Sent(cast.clerk, page, page_of("cause_join", case.cause.ref), {"into": "CA-0", "because": WHY})
    html = interrupted(sent).content.decode()
    assert "There is no such cause of this kind of connection" in html
    assert f"{WHY}</textarea>" in html


def test_reason_comes_back_on_the_page_of_the_archive(cast: Cast, settings: LazySettings, tmp_path: Path):
    archive = folder_archive(settings, tmp_path)
    typed = {"archive": archive.slug, "move": "pause", "because": WHY}
    page = interrupted(Sent(cast.administrator, page_of("archives"), page_of("archive_move"), typed))
    assert page.context["form"]["because"].value() == WHY


def test_review_of_an_emergency_and_of_access_comes_back(cast: Cast):
    nora = person("nora", "Nora Night")
    grant(nora, [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    taken = take(cast, nora, at=now() - timedelta(minutes=31))
    page, typed = page_of("emergency", taken.ref), {"verdict": Emergency.Verdict.values[0], "review": WHY}
    back = interrupted(Sent(cast.controller, page, page_of("emergency_review", taken.ref), typed))
    assert {name: back.context["form"][name].value() for name in typed} == typed

    review = open_review("Q4", scope=ALL, due_at=now() + timedelta(days=9), by=cast.administrator, at=now())
    page, first = page_of("access_review", review.pk), review.items.exclude(person=cast.administrator)[0].position
    sent = Sent(cast.administrator, page, page_of("access_review_cancel", review.pk), {"because": WHY})
    assert interrupted(sent).context["cancel"]["because"].value() == WHY
    sent = Sent(cast.administrator, page, page_of("access_review_end", review.pk), {"item": str(first), "because": WHY})
    lines = interrupted(sent).context["lines"]
    assert [line.item.position for line in lines if line.form["because"].value()] == [first]
    sent = Sent(cast.administrator, page, page_of("access_review_confirm", review.pk), {"item": [first, first + 1]})
    lines = interrupted(sent).context["lines"]
    assert [line.item.position for line in lines if line.is_ticked] == [first, first + 1]


@pytest.fixture
def proved_elsewhere(settings: LazySettings) -> LazySettings:
    settings.LOCAL_PASSWORDS, settings.OIDC_NAME = False, "Meridian"
    return settings


def test_what_was_typed_comes_back_after_a_proof_that_is_given_elsewhere(
    cast: Cast, signed_in: SignIn, proved_elsewhere: LazySettings, time_machine: Any
):
    nora = person("nora", "Nora Night")
    grant(nora, [Verb.EMERGENCY], cast.einvoicing, cast.netherlands)
    account = services.make_service_account(
        "erp", purpose="Intake", owner=cast.clerk, ends_at=now() + timedelta(days=30), by=cast.administrator, at=now(),
        because=WHY,
    )  # fmt: skip
    until = now().date() + timedelta(days=70)
    taking = {"queue": "e-invoicing", "entity": "NL01", "role": "controller", "minutes": "17", "because": WHY}
    making = {"name": "bank", "purpose": "Statements", "owner": "clara", "until": f"{until}", "because": WHY}
    token = {"name": "gateway", "kind": "token", "scopes": ["comment", "read"], "days": "17"}
    forms: list[tuple[Sent, Callable[[Any], Any]]] = [
        (Sent(nora, page_of("emergencies"), page_of("emergency_take"), taking), lambda context: context["form"]),
        (
            Sent(cast.administrator, reverse("services"), reverse("service_make"), making),
            lambda context: context["form"],
        ),
        (
            Sent(cast.administrator, reverse("services"), reverse("service_token", args=[account.pk]), token),
            lambda context: context["services"][0][2],
        ),
    ]
    for sent, form_of in forms:
        client = signed_in(sent.by)
        time_machine.move_to(now() + timedelta(minutes=6))
        asked = client.post(sent.to, sent.typed)
        assert (asked.status_code, asked.context["page"]) == (403, sent.page)
        form = form_of(client.get(sent.page).context)
        assert {name: form[name].value() for name in sent.typed} == sent.typed
    assert ServiceAccount.objects.count() == 1
