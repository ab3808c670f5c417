"""Which documents of a target can be reversed for an exception."""

from exceptions_app.models import ExceptionCase
from integrations.models import Delivery, Effect


def reversible_references(case: ExceptionCase) -> list[str]:
    """The target's documents with our content under the name of this one, the last that was seen first.

    So that of two the second is proposed, by which the first keeps its place. What was reversed already stays in the
    list: the target knows a second reversal by its name.
    """
    seen = Effect.objects.filter(
        connection=case.connection_id, object_type=case.object_type, business_key=case.business_key, is_ours=True
    ).exclude(reference="")
    return list(dict.fromkeys(seen.order_by("-id").values_list("reference", flat=True)))


def booked_content(case: ExceptionCase) -> bytes | None:
    """What the target booked under the name of this document, byte for byte as it was sent; None when nothing was."""
    effect = (
        Effect.objects.filter(
            connection=case.connection_id, object_type=case.object_type, business_key=case.business_key, is_ours=True
        )
        .exclude(delivery__operation=Delivery.Operation.REVERSE)
        .select_related("delivery__content")
        .order_by("-id")
        .first()
    )
    return bytes(effect.delivery.content.body) or None if effect is not None else None
