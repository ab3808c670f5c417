"""The page of exchange rates: what is in force, and an import that is shown before it is done."""

import re
from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils.timezone import localdate

from audit.models import AuditEvent
from exceptions_app.actions.exchange_rates import import_rates, preview_of_rates
from exceptions_app.attached_files import LARGEST_FILE
from exceptions_app.models import ExchangeRate
from exceptions_app.models.exchange_rate import RATES_SUBJECT
from exceptions_app.policies import NotPermitted
from tests.cast import MORNING, Cast
from tests.exceptions_app.views.repair import text_of

pytestmark = pytest.mark.django_db


def written(day: date, **rates: str) -> bytes:
    return f"Date,{','.join(rates)},\n{day},{','.join(rates.values())},\n".encode()


def upload(content: bytes, name: str = "eurofxref.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/csv")


def shown_in(answer) -> str:
    found = re.search(r'name="shown" value="([^"]+)"', answer.content.decode())
    return found[1] if found else ""


def test_file_is_shown_and_then_imported_as_it_was_shown(cast: Cast, signed_in):
    page, send = reverse("exceptions:exchange_rates"), reverse("exceptions:exchange_rates_import")
    today = localdate()
    old, new = written(today - timedelta(days=1), USD="1.2", JPY="160"), written(today, USD="1.5", CHF="0.93")
    import_rates(old, by=cast.administrator, at=MORNING, because="Before.", source="some/where/hist\x00.csv")
    client = signed_in(cast.administrator)

    assert 'name="csrfmiddlewaretoken"' in client.get(page).content.decode().partition(f'action="{send}"')[2]
    looked = client.post(send, {"file": upload(new), "because": ""})
    assert looked.status_code == 422
    words = text_of(looked.content.decode())
    assert "2 rates would be new, 0 are known already. Nothing is kept yet." in words
    assert "25.00 %" in words
    assert "look twice" in words
    assert list(looked.context["form"].errors) == ["because"]
    assert ExchangeRate.objects.count() == 2

    # The file is not asked for again; what was shown to somebody else, or changed, is not taken.
    shown = shown_in(looked)
    for forged in (shown[:-1] + ("A" if shown[-1] != "A" else "B"), "x", ""):
        answer = client.post(send, {"shown": forged, "because": "Daily."})
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["file"])
    done = client.post(send, {"shown": shown, "because": "Daily."}, follow=True)
    assert "2 rates imported; 0 were known already." in text_of(done.content.decode())
    again = client.post(send, {"shown": shown, "because": "Daily."}, follow=True)
    assert "0 rates imported; 2 were known already." in text_of(again.content.decode())
    event = AuditEvent.objects.filter(subject=RATES_SUBJECT).latest("id")
    assert (event.action, event.actor, event.because) == (
        "exchange_rates.imported", cast.administrator.username, "Daily.",
    )  # fmt: skip
    assert (event.data["source"], event.data["rates"]) == ("eurofxref.csv", 2)
    assert AuditEvent.objects.filter(subject=RATES_SUBJECT).count() == 2

    # In force is the newest of each currency; all is all, the newest first.
    rows = client.get(page).context["rates"]
    assert [(rate.currency, rate.rate, rate.source) for rate in rows] == [
        ("CHF", Decimal("0.93"), "eurofxref.csv"), ("USD", Decimal("1.5"), "eurofxref.csv"),
        ("JPY", Decimal(160), "hist.csv"),
    ]  # fmt: skip
    assert [rate.currency for rate in client.get(f"{page}?show=all&currency=usd").context["rates"]] == ["USD", "USD"]
    assert client.get(f"{page}?currency=1").context["filter"].errors
    last = f"Last import: {cast.administrator.get_full_name()}"
    assert last in text_of(client.get(page).content.decode())
    assert "Last import" not in signed_in(cast.clerk).get(page).content.decode()
    assert "Who imported them" in signed_in(cast.auditor).get(page).content.decode()


@pytest.mark.parametrize("who", ["clerk", "controller", "auditor", "outsider"])
def test_only_an_administrator_imports_and_everybody_reads(cast: Cast, signed_in, who: str):
    person, page = getattr(cast, who), reverse("exceptions:exchange_rates")
    client = signed_in(person)
    assert client.get(page).context["form"] is None
    answer = client.post(f"{page}import/", {"file": upload(written(localdate(), USD="1.2")), "because": "So."})
    assert answer.status_code == 403
    with pytest.raises(NotPermitted, match="An administrator may"):
        import_rates(written(localdate(), USD="1.2"), by=person, at=MORNING, because="So.")
    assert not ExchangeRate.objects.exists()


def test_what_is_wrong_is_said_with_line_and_column_and_nothing_is_kept(cast: Cast, signed_in):
    send, client, today = reverse("exceptions:exchange_rates_import"), signed_in(cast.administrator), localdate()
    import_rates(written(today, USD="1.2"), by=cast.administrator, at=MORNING, because="Before.")
    for content, words in (
        (f"Date,USD,JPY\n{today},1.2,160\n{today},1.2,x\n".encode(), "Line 3, column JPY: “x” is no rate"),
        (b"Date,USD,dollar\n", "Line 1, column 3: “dollar” is no currency code"),
        (b"Date,USD\n1.1.2026,1\n", "Line 2, column Date: “1.1.2026” is no day"),
        (f"Date,USD\n{today},1.2\n{today},1.25\n".encode(), "stands there twice, with two rates"),
        (b"", "Line 1: the first column is not “Date”"),
        (written(today, USD="1.3", JPY="160"), "here. Nothing was kept."),
        (b"x" * (LARGEST_FILE + 1), "The file is larger than 5 MB"),
    ):
        answer = client.post(send, {"file": upload(content), "because": "Daily."})
        assert (answer.status_code, list(answer.context["form"].errors)) == (422, ["file"])
        assert words in text_of(answer.content.decode())
        assert "Daily." in answer.content.decode()
    known = client.post(send, {"file": upload(written(today, USD="1.2")), "because": "Daily."})
    assert "Nothing: all 1 rates of the file are here already." in text_of(known.content.decode())
    assert not shown_in(known)
    assert ExchangeRate.objects.count() == 1
    assert client.post(send, {"because": "Daily."}).status_code == 422
    assert client.get(send).status_code == 302


def test_pages_and_the_api_hold_fifty_and_the_rest_follows(cast: Cast, signed_in):
    today, client = localdate(), signed_in(cast.clerk)
    lines = "".join(f"{today - timedelta(days=back)},1.{back + 100}\n" for back in range(60))
    content = f"Date,USD\n{lines}".encode()
    preview = preview_of_rates(content)
    assert [(change.new, change.day, change.before) for change in preview.changes] == [(60, today, None)]
    import_rates(content, by=cast.administrator, at=MORNING, because="All.")
    first = client.get(reverse("exceptions:exchange_rates"), {"show": "all"})
    assert [rate.day for rate in first.context["rates"]] == [today - timedelta(days=back) for back in range(50)]
    second = client.get(first.context["next_url"])
    assert (len(second.context["rates"]), bool(second.context["previous_url"])) == (10, True)
    back = client.get(second.context["previous_url"])
    assert [rate.pk for rate in back.context["rates"]] == [rate.pk for rate in first.context["rates"]]

    url = "/api/v1/exchange-rates"
    assert client.get(url).json()["results"] == [
        {"day": str(today), "currency": "USD", "rate": "1.1", "source": ""}
    ]  # fmt: skip
    one = client.get(url, {"show": "all", "page_size": 59}).json()
    assert len(one["results"]) == 59
    assert len(client.get(one["next"]).json()["results"]) == 1
    assert client.get(url, {"currency": "JPY"}).json()["results"] == []
    for asked in ({"currency": "usd"}, {"show": "some"}, {"cursor": "after.x"}, {"day": "1"}):
        assert client.get(url, asked).status_code == 400
