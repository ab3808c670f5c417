"""The machine as an actor: a named account that nobody can sign in with, so that every change has an author."""

from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

PREFIX = "machine:"
SERVICE_PREFIX = "service:"
"""Of accounts for programs of others: they act by tokens alone, and a person answers for each."""
INTAKE = "machine:intake"
WORKER = "machine:worker"
SETUP = "machine:setup"
RETRY = "machine:retry"
POLICY = "machine:policy"
SIGN_ON = "machine:sign-on"
ACCESS_REVIEW = "machine:access-review"
RETENTION = "machine:retention"
EMERGENCY = "machine:emergency"
SCIM = "machine:scim"
ARCHIVE = "machine:archive"
_NAMES = {
    INTAKE: "Intake", WORKER: "Replay worker", SETUP: "Setup", RETRY: "Technical retry", POLICY: "Policy",
    SIGN_ON: "Single sign-on", ACCESS_REVIEW: "Access review", RETENTION: "Retention",
    EMERGENCY: "End of emergencies", SCIM: "Directory",
    ARCHIVE: "Archive",
}  # fmt: skip


def machine(name: str) -> AbstractUser:
    """The account of one part of the machine, made when it first acts."""
    account, _ = get_user_model().objects.get_or_create(
        username=name, defaults={"is_active": False, "password": "!", "first_name": _NAMES[name]}
    )
    return account


def is_machine(account: AbstractUser) -> bool:
    return account.get_username().startswith(PREFIX)
