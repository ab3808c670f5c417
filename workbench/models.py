from typing import ClassVar

import pgtrigger
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import AbstractUser, Group
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models, transaction
from django.utils.timezone import now

from audit import log
from audit.guard import audit_required, frozen_columns, truncate_refused
from exceptions_app.models.organisation import known_time_zone
from exceptions_app.models.toxic import BECAME_ADMINISTRATOR, ROLE_APPROVES, no_administrator_approves
from workbench.session_store import SessionStore

_OF_PERSON = "'person:' || (SELECT username FROM public.workbench_user WHERE id = NEW.user_id)"
# What opens an account, what it may do, and whose it is said to be.
_TOLD = ("is_active", "is_staff", "is_superuser", "password", "email", "first_name", "last_name")
_TOLD_CHANGES = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _TOLD)


class User(AbstractUser):
    """A person who signs in. What they may do comes from groups and from grants on queues and legal entities."""

    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[known_time_zone],
        help_text="IANA name, for instance Europe/Berlin. Times are stored in UTC.",
    )

    class Meta(AbstractUser.Meta):
        triggers: ClassVar = [
            # The trail names people by it: under another name nothing of what they did would be found to be theirs.
            frozen_columns("username", "date_joined"),
            audit_required(
                "'person:' || NEW.username",
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(_TOLD_CHANGES),
            ),
            no_administrator_approves(
                "SELECT NEW.id", about="TRUE", operation=pgtrigger.Update, condition=BECAME_ADMINISTRATOR
            ),
        ]

    def __str__(self) -> str:
        return self.get_full_name() or self.get_username()

    def check_password(self, raw_password: str | None) -> bool:
        """Whether it is theirs. One that is stored in an older way is stored anew, with the event of that."""
        return check_password(raw_password, self.password, self._store_anew)

    def _store_anew(self, raw_password: str) -> None:
        with transaction.atomic():
            self.set_password(raw_password)
            self._password = None  # it is no other password, so that nothing that follows a change is to happen
            self.save(update_fields=["password"])
            log.record(
                "person.password_stored_anew",
                subject=f"person:{self.get_username()}",
                scope="configuration",
                actor=self.get_username(),
                at=now(),
                summary=f"The password of {self} was stored in the present way when it was given rightly.",
            )


class Role(Group):
    """A role: the trail names it as it does people, so it is named once."""

    class Meta:
        proxy = True
        triggers: ClassVar = [frozen_columns("name")]


class RoleMembership(User.groups.through):  # type: ignore[name-defined]  # made by Django at run time
    """Who has which role: given and taken in `exceptions_app.actions.grants`, each with its event."""

    class Meta:
        proxy = True
        triggers: ClassVar = [
            audit_required(_OF_PERSON, operation=pgtrigger.Insert | pgtrigger.Delete),
            frozen_columns("user", "group"),
            no_administrator_approves("SELECT NEW.user_id", about=ROLE_APPROVES),
            truncate_refused(),
        ]


class SecondFactor(Authenticator):
    """An app for codes or recovery codes, changed in `second_factor.py` alone, each time with its event."""

    class Meta:
        proxy = True
        triggers: ClassVar = [
            audit_required(_OF_PERSON, operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete),
            frozen_columns("user", "type"),
            truncate_refused(),
        ]


class Identity(SocialAccount):
    """Who an account is at the OpenID provider: `provider` is the issuer, `uid` its subject. See oidc.py."""

    class Meta:
        proxy = True
        triggers: ClassVar = [
            audit_required(_OF_PERSON, operation=pgtrigger.Insert | pgtrigger.Delete),
            frozen_columns("user", "provider", "uid"),
            truncate_refused(),
        ]


class Session(AbstractBaseSession):
    """A session of Django's, with whose it is, since when and from where. See session_store.py and sessions.py."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    opened_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True, default="")
    browser = models.CharField(max_length=60, blank=True, default="")

    class Meta(AbstractBaseSession.Meta):
        constraints = [
            models.CheckConstraint(
                name="session_of_a_person_says_when",
                condition=models.Q(user=None) | models.Q(opened_at__isnull=False, seen_at__isnull=False),
            )
        ]

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore


class ApiToken(models.Model):
    """A program's way in, as the user that it acts for. See tokens.py."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(
        max_length=100, help_text="What uses it, so that it can be recognised when it is withdrawn."
    )
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token, hexadecimal.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="api_token_name_unique_per_user")]
        triggers: ClassVar = [
            audit_required(_OF_PERSON, operation=pgtrigger.Insert | pgtrigger.Delete),
            frozen_columns("user", "name", "digest", "created_at", "expires_at"),
        ]
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name
