"""The page of how a connection sends, the switch for all, and that every page says why nothing goes out."""

from datetime import timedelta

from django.urls import reverse
from django.utils.timezone import localtime, now
from guardian.shortcuts import assign_perm

from audit.models import AuditEvent
from exceptions_app.actions import sending
from exceptions_app.machines import SETUP, machine
from integrations.models import Gate, MaintenanceWindow, SendingStop
from tests.cast import Cast
from tests.exceptions_app.views.test_connections import deliver

WHY = {"because": "Wrong tax rates go out."}


def page(cast: Cast, name: str = "connection_sending") -> str:
    return reverse(f"exceptions:{name}", args=[cast.connection.slug])


def typed(*, starts: timedelta, ends: timedelta) -> dict[str, str]:
    at = localtime(now())
    times = {"starts_at": at + starts, "ends_at": at + ends}
    return {"because": "New server."} | {name: f"{time:%Y-%m-%dT%H:%M}" for name, time in times.items()}


def test_all_sending_is_stopped_and_every_page_says_so_until_it_is_lifted(cast, signed_in):
    assign_perm("configure_connection", cast.support, cast.connection)
    client = signed_in(cast.support)
    stop, resume = reverse("exceptions:sending_stop"), reverse("exceptions:sending_resume")
    assert client.get(stop).status_code == 302
    client.post(stop, WHY)
    found = SendingStop.objects.get()
    assert (found.because, found.stopped_by, found.lifted_at) == (WHY["because"], "sara", None)
    for address in (reverse("exceptions:queue"), reverse("exceptions:search"), page(cast), page(cast, "connection")):
        shown = signed_in(cast.clerk).get(address).content.decode()
        assert 'id="sending-stop"' in shown
        assert WHY["because"] in shown
    client.post(resume)
    assert SendingStop.objects.get().lifted_by == "sara"
    assert 'id="sending-stop"' not in client.get(reverse("exceptions:queue")).content.decode()
    assert list(AuditEvent.objects.filter(subject="sending:all").values_list("action", "actor").order_by("pk")) == [
        ("sending.stopped", "sara"),
        ("sending.resumed", "sara"),
    ]


def test_stop_needs_a_reason_and_a_permission(cast, signed_in):
    stop = reverse("exceptions:sending_stop")
    assert signed_in(cast.clerk).post(stop, WHY).status_code == 403
    assign_perm("configure_connection", cast.support, cast.connection)
    client = signed_in(cast.support)
    shown = client.post(stop, {"because": " "}, follow=True).content.decode()
    assert "Nothing was stopped" in shown
    assert not SendingStop.objects.exists()
    assert "Stop all sending" in shown
    assert "Stop all sending" not in signed_in(cast.clerk).get(reverse("exceptions:connections")).content.decode()


def test_two_who_stop_stop_once(cast):
    first = sending.stop_all(by=machine(SETUP), at=now(), because="First.")
    assert sending.stop_all(by=machine(SETUP), at=now(), because="Second.") == first
    assert SendingStop.objects.get().because == "First."


def test_maintenance_is_planned_shown_and_cancelled(cast, signed_in):
    assign_perm("configure_connection", cast.support, cast.connection)
    client = signed_in(cast.support)
    client.post(page(cast, "maintenance_plan"), typed(starts=-timedelta(hours=1), ends=timedelta(hours=1)))
    window = MaintenanceWindow.objects.get()
    shown = client.get(page(cast)).content.decode()
    assert "The target is in maintenance" in shown
    assert "New server." in shown
    assert "Held back" in signed_in(cast.clerk).get(reverse("exceptions:connections")).content.decode()
    client.post(reverse("exceptions:maintenance_cancel", args=[window.pk]))
    window.refresh_from_db()
    assert window.cancelled_by == "sara"
    assert "No maintenance is planned" in client.get(page(cast)).content.decode()


def test_maintenance_that_cannot_be_is_refused_at_its_field(cast, signed_in):
    assign_perm("configure_connection", cast.support, cast.connection)
    client = signed_in(cast.support)
    for times, problem in (
        (typed(starts=timedelta(hours=2), ends=timedelta(hours=1)), "It ends before it starts"),
        (typed(starts=-timedelta(hours=2), ends=-timedelta(hours=1)), "This time is over already"),
        ({"because": "x", "starts_at": "soon", "ends_at": ""}, "This is not a date and time"),
    ):
        response = client.post(page(cast, "maintenance_plan"), times)
        assert response.status_code == 422
        assert problem in response.content.decode()
    assert not MaintenanceWindow.objects.exists()


def test_maintenance_is_not_for_everybody(cast, signed_in):
    hour = timedelta(hours=1)
    at = now()
    window = sending.plan_maintenance(
        cast.connection.pk, starts_at=at, ends_at=at + hour, by=machine(SETUP), at=at, because="New server."
    )
    cancel = reverse("exceptions:maintenance_cancel", args=[window.pk])
    plan = page(cast, "maintenance_plan")
    clerk, outsider = signed_in(cast.clerk), signed_in(cast.outsider)
    assert [clerk.post(address, typed(starts=hour, ends=2 * hour)).status_code for address in (plan, cancel)] == [
        403
    ] * 2
    assert [outsider.post(address).status_code for address in (plan, cancel)] == [404, 404]
    assert outsider.get(page(cast)).status_code == 404
    assert MaintenanceWindow.objects.get().cancelled_at is None


def test_open_breaker_is_told_with_its_delivery_and_closed_by_hand(cast, signed_in):
    assign_perm("configure_connection", cast.support, cast.connection)
    deliver(cast, "case:EX-1")
    Gate.objects.create(
        connection=cast.connection, opened_at=now(), canary_at=now() + timedelta(minutes=1), failed=["1"],
        opened_because="The last 10 documents failed technically.",
    )  # fmt: skip
    client = signed_in(cast.support)
    shown = client.get(page(cast)).content.decode()
    assert "The target does not work at the moment" in shown
    assert "The last 10 documents failed technically." in shown
    client.post(page(cast, "connection_send_again"))
    assert "does not work" not in client.get(page(cast)).content.decode()
    assert signed_in(cast.clerk).post(page(cast, "connection_send_again")).status_code == 403
