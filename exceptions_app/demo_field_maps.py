"""The field maps of the demonstration, on a connection: saved and put to use as any administrator would."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser

from exceptions_app.actions.field_maps import save_version, use_version
from integrations.demo.field_maps import maps_of_the_deal
from integrations.models import Connection


def seed_field_maps(connection: Connection, *, by: AbstractUser, at: datetime) -> None:
    """From a deal of the CRM to an invoice, and on to the ERP. Again, it changes nothing."""
    for found in maps_of_the_deal():
        saved = save_version(
            connection.pk, direction=found.direction, object_type=found.object_type, declared=found.declared,
            note=found.note, by=by, at=at,
        )  # fmt: skip
        use_version(
            connection.pk, direction=found.direction, object_type=found.object_type, number=saved.number, by=by, at=at,
            because="Agreed with sales operations and accounting.",
        )  # fmt: skip
