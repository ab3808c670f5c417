"""That somebody looks at an exception: written down for their colleagues, and for nothing else."""

from datetime import datetime

from django.contrib.auth.models import AbstractUser

from exceptions_app.models import Presence


def be_seen(case_id: int, *, by: AbstractUser, at: datetime) -> None:
    """One statement, whatever was there. Not audited: it says that a page is open, and decides nothing."""
    Presence.objects.bulk_create(
        [Presence(case_id=case_id, person_id=by.pk, seen_at=at)],
        update_conflicts=True,
        unique_fields=["case", "person"],
        update_fields=["seen_at"],
    )


def forget_where(by: AbstractUser, *, before: datetime) -> None:
    """What nobody is shown any more, so that the table stays as small as the number of open pages."""
    Presence.objects.filter(person_id=by.pk, seen_at__lt=before).delete()
