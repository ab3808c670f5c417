"""Deals whose product family no field map knows, and the map mended."""

from typing import Any

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions.field_maps import save_version, use_version
from exceptions_app.demo_field_maps import seed_field_maps
from exceptions_app.machines import SETUP, machine
from exceptions_app.models import ExceptionCase
from integrations.demo.field_maps import UNMAPPED_FAMILY, deal, maps_of_the_deal
from integrations.models import Connection
from tests.cast import MORNING
from tests.exceptions_app.handover.handing_over import document, run

MENDED = ('"Academy": "TRAINING"', '"Academy": "TRAINING", "Leasing": "HARDWARE"')


def held_by_the_map(connection: Connection, number: str = "MNL-2026-4712", name: str = "deal-1") -> ExceptionCase:
    """The exception of a deal with a family that the first versions of the maps do not know."""
    seed_field_maps(connection, by=machine(SETUP), at=MORNING)
    [transaction] = run(connection, document(name, deal(invoice_no=number, family=UNMAPPED_FAMILY)))
    assert transaction.case is not None
    return ExceptionCase.objects.get(pk=transaction.case.pk)


def mend(connection: Connection, *, also: tuple[str, str] = ("", ""), by: AbstractUser | None = None) -> None:
    """A new version of the inbound map that knows the family, put to use. `also` is another change: was and will be."""
    inbound = maps_of_the_deal()[0]
    key: dict[str, Any] = {
        "direction": inbound.direction, "object_type": inbound.object_type, "by": by or machine(SETUP), "at": MORNING,
    }  # fmt: skip
    declared = inbound.declared.replace(*MENDED)
    declared = declared.replace(*also) if also[0] else declared
    saved = save_version(connection.pk, declared=declared, note="Leasing.", **key)
    use_version(connection.pk, number=saved.number, because="Agreed.", **key)
