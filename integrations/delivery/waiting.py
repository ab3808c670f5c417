"""Deliveries that wait for something else, or that are given back before any worker took them up."""

from django.db.models.functions import Now

from integrations.models import Delivery


def note_wait(delivery: Delivery, *, because: str) -> None:
    """Say what it waits for now."""
    Delivery.objects.filter(pk=delivery.pk).update(waiting_for=because)


def let_go(delivery: Delivery) -> None:
    """It waits for nothing any more, and is due at once."""
    Delivery.objects.filter(pk=delivery.pk).update(waiting_for="", waits_until=None, due_at=Now())


def give_back(delivery: Delivery, *, because: str) -> None:
    """Cancel what was never sent, in the caller's transaction and with its row locked."""
    delivery.state, delivery.detail = Delivery.State.CANCELLED, because
    Delivery.objects.filter(pk=delivery.pk).update(
        state=delivery.state, detail=because, due_at=Now(), finished_at=Now()
    )
