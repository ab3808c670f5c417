"""Forms of the administration: what is refused stands at its field."""

import json
import re
from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from audit.models import AuditEvent
from audit.queries import timeline
from exceptions_app.admin import ConnectionForm, PullSourceForm
from exceptions_app.models import LegalEntity
from integrations.pull_settings import read_settings
from tests.arrivals import configure
from tests.cast import Cast
from workbench.models import User


def filled(**more: str) -> ConnectionForm:
    given = {
        "slug": "bank", "name": "Bank", "connector": "en16931", "max_bytes": "5000000", "most_pending": "1000",
        "timeout_seconds": "10", "because": "A new source.",
    }  # fmt: skip
    return ConnectionForm(given | more)


def test_folder_of_another_connection_is_refused_at_its_field(cast: Cast):
    configure(cast.connection, watched_folder="nl/einvoices")
    form = filled(watched_folder="./nl/einvoices/")
    assert form.errors == {"watched_folder": ["Another connection watches this folder; name one of its own."]}


def test_folder_is_kept_in_one_spelling(cast: Cast):
    form = filled(watched_folder=" ./nl//einvoices/ ")
    assert form.errors == {}
    assert form.instance.watched_folder == "nl/einvoices"


def test_own_folder_may_stay(cast: Cast):
    connection = configure(cast.connection, watched_folder="nl/einvoices")
    connection.full_clean()
    assert connection.watched_folder == "nl/einvoices"


def test_address_with_a_password_is_refused_at_its_field(cast: Cast):
    form = filled(target_url="https://user:pw@bank.example/in", write_back_url="https://u@bank.example/")
    problem = ["Write the address without user and password; a token has a field of its own."]
    assert form.errors == {"target_url": problem, "write_back_url": problem}


def test_log_says_that_an_address_changed_without_its_secrets(cast: Cast):
    configure(cast.connection, target_url="https://bank.example/in?token=S3CRET-one")
    configure(cast.connection, target_url="https://bank.example/in?token=S3CRET-two")
    told = b"".join(bytes(event.body) for event in AuditEvent.objects.filter(subject="connection:tax-authority"))
    assert (b"bank.example" in told, b"S3CRET" in told) == (True, False)
    assert timeline("connection:tax-authority")[-1].data["changes"]["target_url"] == {
        "was": "https://bank.example/in", "will_be": "https://bank.example/in", "query": "changed",
    }  # fmt: skip


def test_configuration_saved_as_it_was_leaves_no_event(cast: Cast):
    before = len(timeline("connection:tax-authority"))
    configure(cast.connection, owner=cast.connection.owner)
    assert len(timeline("connection:tax-authority")) == before


def test_history_offers_no_revert_that_would_pass_by_the_action(cast: Cast, signed_in: Callable[[User], Client]):
    configure(cast.connection, owner="Somebody else")
    record = cast.connection.history.earliest("history_id")
    address = f"/admin/integrations/connection/{cast.connection.pk}/history/{record.pk}/"
    before = len(timeline("connection:tax-authority"))
    signed_in(cast.administrator).post(address, {"owner": "Tax team", "because": "Back."})
    cast.connection.refresh_from_db()
    assert (cast.connection.owner, len(timeline("connection:tax-authority"))) == ("Somebody else", before)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"time_zone": "Europe/Amsterdm"}, "time_zone"),
        ({"country": "zz"}, "country"),
        ({"country": "EU"}, "country"),
        ({"currency": "EURO"}, "currency"),
        ({"currency": "ZZZ"}, "currency"),
    ],
)
def test_legal_entity_at_no_known_place_is_refused_at_its_field(changes: dict[str, str], field: str):
    given = {"code": "XX01", "name": "Entity", "country": "NL", "currency": "EUR", "time_zone": "UTC"} | changes
    with pytest.raises(ValidationError) as refused:
        LegalEntity(**given).clean_fields()
    assert list(refused.value.message_dict) == [field]


def test_target_kind_may_only_be_weaker_than_declared(cast: Cast):
    assert filled(target_kind="askable").errors == {}
    assert filled(target_kind="neither").errors == {}
    assert list(filled(target_kind="upserts").errors) == ["target_kind"]


def test_collecting_left_empty_is_none_and_too_long_is_refused(cast: Cast):
    form = filled(collect_seconds="")
    assert (form.errors, form.instance.collect_seconds) == ({}, 0)
    assert list(filled(collect_seconds="3601").errors) == ["collect_seconds"]


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        ('["/payload"]', "The rule is a JSON object of names and JSON Pointers."),
        ('{"payload": "data"}', "“payload” is not a JSON Pointer, such as /data/document: data."),
        ('{"purpose": "burn"}', "“purpose” is neither a JSON Pointer nor a word that is known here: burn."),
        ('{"payload": 1}', "“payload” is not a text."),
    ],
)
def test_rule_for_webhooks_that_cannot_be_used_is_refused_at_its_field(cast: Cast, rule: str, problem: str):
    assert filled(webhook_envelope=rule).errors == {"webhook_envelope": [problem]}


def test_rule_and_secret_for_webhooks_are_kept_and_an_empty_secret_keeps_the_old(cast: Cast):
    secret = "whsec_" + "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tr"
    form = filled(webhook_envelope='{"payload": "/data", "purpose": "deliver"}', webhook_secret=secret)
    assert (form.errors, form.instance.webhook_envelope["payload"]) == ({}, "/data")
    assert form.instance.webhook_secret == secret
    assert filled(webhook_secret="secret").errors == {
        "webhook_secret": ["A webhook secret is whsec_ followed by 24 to 64 bytes in base64."]
    }


def pulled(cast: Cast, **more: str) -> PullSourceForm:
    given = {
        "connection": str(cast.connection.pk), "slug": "feed", "name": "Feed", "kind": "rest", "secret": "token",
        "settings": '{"url": "https://feed.example/items"}', "every_seconds": "60", "because": "A new source.",
    }  # fmt: skip
    return PullSourceForm(given | more)


def test_source_that_is_written_well_has_no_fault(cast: Cast):
    assert pulled(cast).errors == {}


@pytest.mark.parametrize(
    ("typed", "fault"),
    [
        ("{", "This is no JSON. Write an object with the names in double quotes, as in the example."),
        ("{}", "Write where it is and how it is read, as in the example."),
        ('{"urls": "x"}', "url: this is missing. Write an address such as https://feed.example/items, "),
    ],
)
def test_settings_of_a_source_have_one_fault_each(cast: Cast, typed: str, fault: str):
    errors = pulled(cast, settings=typed).errors
    assert list(errors) == ["settings"]
    assert errors["settings"][0].startswith(fault)
    assert len([text for text in errors["settings"] if "no JSON" in text or "as in the example" in text]) < 2


def test_source_without_a_kind_is_refused_there_alone(cast: Cast):
    assert pulled(cast, kind="").errors == {"kind": ["This field is required."]}


def test_form_of_a_source_shows_an_example_and_where_all_settings_stand(cast: Cast):
    help_text = str(pulled(cast).fields["settings"].help_text)
    assert "docs/operations.md" in help_text
    for example in re.findall(r"<code>(.*?)</code>", help_text):
        read_settings(
            "sftp" if "host" in example else "rest", json.loads(example.replace("SHA256:…", f"SHA256:{'A' * 43}"))
        )
