from datetime import date, datetime, timedelta
from typing import ClassVar

import pgtrigger
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX, check_password
from django.contrib.auth.models import AbstractUser, Group
from django.contrib.postgres.fields import ArrayField
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models, transaction
from django.db.models import Q
from django.utils.timezone import localdate, now

from audit import log
from audit.guard import Guard, audit_required, frozen_columns, never_deleted, truncate_refused
from exceptions_app.machines import SERVICE_PREFIX
from exceptions_app.models.organisation import known_time_zone
from exceptions_app.models.toxic import BECAME_ADMINISTRATOR, ROLE_APPROVES, no_administrator_approves
from workbench.session_store import SessionStore

_OF_PERSON = "'person:' || (SELECT username FROM public.workbench_user WHERE id = NEW.user_id)"
# What opens an account, what it may do, and whose it is said to be.
_TOLD = (
    "is_active", "is_staff", "is_superuser", "password", "email", "first_name", "last_name", "emergency",
    "emergency_until",
)  # fmt: skip
_TOLD_CHANGES = " OR ".join(f"OLD.{name} IS DISTINCT FROM NEW.{name}" for name in _TOLD)


_SCOPED_WHERE_NOBODY_SIGNS_IN = Guard(
    name="scoped",
    when=pgtrigger.Before,
    operation=pgtrigger.Insert,
    condition=pgtrigger.Condition("NEW.scopes IS NULL OR NEW.expires_at IS NULL"),
    func=f"""
    IF NEW.kind = 'secret' OR EXISTS (
        SELECT 1 FROM public.workbench_user u
        WHERE u.id = NEW.user_id AND starts_with(u.username, '{SERVICE_PREFIX}')
    ) THEN
        RAISE EXCEPTION 'a token of a service account has scopes and an end' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
    """,  # noqa: S608 - a constant of this product
)


class User(AbstractUser):
    """A person who signs in. What they may do comes from groups and from grants on queues and legal entities."""

    time_zone = models.CharField(
        max_length=64,
        default="UTC",
        validators=[known_time_zone],
        help_text="IANA name, for instance Europe/Berlin. Times are stored in UTC.",
    )

    # Read with the account itself, so that every event of theirs can carry the mark without another look.
    emergency = models.CharField(
        max_length=20, blank=True, default="", db_default="", editable=False, help_text="Such as EM-3."
    )
    emergency_until = models.DateTimeField(null=True, editable=False)

    class Meta(AbstractUser.Meta):
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=~Q(username__startswith=SERVICE_PREFIX)
                | Q(password__startswith=UNUSABLE_PASSWORD_PREFIX, is_staff=False, is_superuser=False),
                name="service_account_opens_no_door",
            )
        ]
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

    @property
    def is_service(self) -> bool:
        """Whether it is a program's, with which nobody signs in."""
        return self.username.startswith(SERVICE_PREFIX)

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


class ServiceAccount(models.Model):
    """What a machine's account has beside its name: who answers for it, until when, and what for. See services.py."""

    user = models.OneToOneField(User, on_delete=models.PROTECT, primary_key=True, related_name="service")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    ends_at = models.DateTimeField()
    purpose = models.CharField(max_length=150)

    class Meta:
        default_permissions = ()
        triggers: ClassVar = [
            audit_required(_OF_PERSON),
            frozen_columns("user", "purpose"),
            never_deleted(),
            truncate_refused(),
        ]

    def __str__(self) -> str:
        return self.user.get_username()

    @property
    def last_day(self) -> date:
        """The last day on which its tokens work, by the reader's clock."""
        return localdate(self.ends_at - timedelta(microseconds=1))

    def counts(self, *, at: datetime) -> bool:
        """Whether its tokens work."""
        return self.user.is_active and self.owner.is_active and self.ends_at > at


class ApiToken(models.Model):
    """A program's way in, as the user that it acts for. See tokens.py."""

    class Kind(models.TextChoices):
        TOKEN = "token", "Token, sent with each request"
        SECRET = "secret", "Secret for OAuth 2, exchanged for short-lived tokens"

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(
        max_length=100, help_text="What uses it, so that it can be recognised when it is withdrawn."
    )
    digest = models.CharField(max_length=64, unique=True, help_text="SHA-256 of the token, hexadecimal.")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.TOKEN, db_default=Kind.TOKEN)
    # Of a token of a person, none: it may do what the person may.
    scopes = ArrayField(models.CharField(max_length=20), null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "name"], name="api_token_name_unique_per_user")]
        triggers: ClassVar = [
            audit_required(_OF_PERSON, operation=pgtrigger.Insert | pgtrigger.Delete),
            frozen_columns("user", "name", "digest", "kind", "scopes", "created_at", "expires_at"),
            _SCOPED_WHERE_NOBODY_SIGNS_IN,
        ]
        verbose_name = "API token"

    def __str__(self) -> str:
        return self.name
