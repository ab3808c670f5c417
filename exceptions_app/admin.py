"""Configuration by administrators: queues, legal entities, routes and connections. No payload and no case is here."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from django.utils.timezone import now
from simple_history.admin import SimpleHistoryAdmin

from exceptions_app.actions.connections import save_configuration
from exceptions_app.models import LegalEntity, Queue, Route
from integrations.connectors.registry import CONNECTORS
from integrations.envelope import faults_of
from integrations.models import Archive, Connection, PullSource, RetryPolicy
from integrations.promises import StrongerThanDeclared, refuse_stronger
from integrations.webhooks import is_secret


class ConfigurationForm(forms.ModelForm[Any]):
    because = forms.CharField(label="Reason", max_length=500, help_text="Why; the auditor reads it.")


class ConfigurationAdmin(SimpleHistoryAdmin):  # type: ignore[misc]  # the library has no types
    """Saves through the one function that also writes the audit event; nothing is deleted here."""

    form = ConfigurationForm

    def save_model(self, request: HttpRequest, obj: models.Model, form: forms.ModelForm[Any], change: bool) -> None:  # noqa: FBT001 - Django's signature
        save_configuration(
            obj,
            by=request.user,  # type: ignore[arg-type]
            at=now(),
            because=form.cleaned_data["because"],
            fields=form.changed_data if change else None,
        )

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    has_add_permission = has_view_permission
    has_change_permission = has_view_permission

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


class ConnectionForm(ConfigurationForm):
    """Secrets are written and never shown; leaving a secret empty keeps it."""

    connector = forms.ChoiceField(choices=lambda: [(name, found.title) for name, found in CONNECTORS.items()])
    target_url = forms.URLField(required=False, assume_scheme="https", help_text="Where corrected documents are sent.")
    write_back_url = forms.URLField(
        required=False, assume_scheme="https", help_text="Where the source is told how it ended."
    )
    target_token = forms.CharField(
        required=False, widget=forms.PasswordInput, help_text="Leave empty to keep the token that is stored."
    )
    write_back_secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput,
        help_text="Standard Webhooks secret (whsec_…). Leave empty to keep the one that is stored.",
    )
    webhook_secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput,
        help_text="With which the source signs its webhooks (whsec_…). Leave empty to keep the one that is stored. "
        "The command rotate_webhook_secret keeps the old one valid for a while.",
    )
    webhook_envelope = forms.JSONField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="What stands where in the source's own webhooks, as JSON Pointers: id, payload, payload_media_type, "
        "refusal, refusal_media_type, refusal_status, purpose, ordering_key. Empty for webhooks in our own shape.",
    )

    class Meta:
        model = Connection
        fields = (
            "slug",
            "name",
            "connector",
            "owner",
            "target_url",
            "target_token",
            "write_back_url",
            "write_back_secret",
            "webhook_secret",
            "webhook_envelope",
            "most_pending",
            "per_minute",
            "watched_folder",
            "refusal_optional",
            "max_bytes",
            "timeout_seconds",
            "resend_when_absent",
            "target_kind",
            "collect_seconds",
            "sends_per_minute",
            "breaker_after",
        )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        cleaned["collect_seconds"] = cleaned.get("collect_seconds") or 0
        if cleaned.get("breaker_after") is None:
            cleaned["breaker_after"] = self.instance.breaker_after
        self._refuse_stronger(cleaned)
        for name in ("target_token", "write_back_secret", "webhook_secret"):
            cleaned[name] = cleaned.get(name) or getattr(self.instance, name)
        return cleaned

    def clean_webhook_secret(self) -> str:
        secret = str(self.cleaned_data["webhook_secret"])
        if secret and not is_secret(secret):
            raise forms.ValidationError("A webhook secret is whsec_ followed by 24 to 64 bytes in base64.")
        return secret

    def clean_webhook_envelope(self) -> dict[str, str]:
        rule = self.cleaned_data["webhook_envelope"] or {}
        if faults := faults_of(rule):
            raise forms.ValidationError(faults)
        return dict(rule)

    def _refuse_stronger(self, cleaned: dict[str, Any]) -> None:
        try:
            refuse_stronger(connector=cleaned.get("connector", ""), target_kind=cleaned.get("target_kind", ""))
        except StrongerThanDeclared as error:
            self.add_error("target_kind", str(error))


@admin.register(Connection)
class ConnectionAdmin(ConfigurationAdmin):
    form = ConnectionForm
    list_display = ("name", "slug", "connector", "owner", "paused_at")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return ("slug",) if obj is not None else ()


_PULL_EXAMPLE = (
    'Of a REST feed for example <code>{"url": "https://feed.example/items", "next_cursor": "/next"}</code>, of an SFTP '
    'folder <code>{"host": "sftp.bank.example", "user": "meridian", "folder": "/outgoing", "host_keys": ["SHA256:…"]}'
    "</code>. All settings stand in docs/operations.md under “Sources that are fetched from”; how to try one with the "
    "simulator, in docs/simulator.md."
)

_ARCHIVE_EXAMPLE = (
    'Of a folder for example <code>{"folder": "evidence"}</code>, below the one of WB_ARCHIVE_FOLDER; of an SFTP '
    'folder <code>{"host": "archive.example", "user": "us", "folder": "/evidence", "host_keys": ["SHA256:…"]}</code>; '
    'of an S3 bucket <code>{"endpoint": "https://s3.eu-central-1.amazonaws.com", "region": "eu-central-1", "bucket": '
    '"evidence", "access_key": "AKIA…"}</code>. All settings stand in docs/operations.md under “The archive”.'
)


class PlaceForm(ConfigurationForm):
    """Of a place outside. The secret is written and never shown; leaving it empty keeps it."""

    settings = forms.JSONField(
        widget=forms.Textarea(attrs={"rows": 8, "cols": 80, "spellcheck": "false"}),
        error_messages={
            "invalid": "This is no JSON. Write an object with the names in double quotes, as in the example.",
            "required": "Write where it is and how it is read, as in the example.",
        },
    )
    secret = forms.CharField(
        required=False,
        widget=forms.PasswordInput,
        strip=False,
        help_text="The password, token or secret key. Leave empty to keep the one that is stored.",
    )
    private_key = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        strip=False,
        help_text="For sign_in key: an OpenSSH private key without pass phrase; it is stored as the secret.",
    )
    example = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if "settings" in self.fields:
            self.fields["settings"].help_text = self.example

    def add_error(self, field: str | None, error: Any) -> None:
        """What could not even be read is not judged as well."""
        if field is None and hasattr(error, "error_dict"):
            error = forms.ValidationError(
                {name: faults for name, faults in error.error_dict.items() if name not in self.errors}
            )
        super().add_error(field, error)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        given = cleaned.get("private_key") or cleaned.get("secret")
        cleaned["secret"] = given or self.instance.secret
        return cleaned


class PlaceAdmin(ConfigurationAdmin):
    def save_model(self, request: HttpRequest, obj: models.Model, form: forms.ModelForm[Any], change: bool) -> None:  # noqa: FBT001 - Django's signature
        if "private_key" in form.changed_data:
            form.changed_data.append("secret")
        super().save_model(request, obj, form, change)


class PullSourceForm(PlaceForm):
    example = _PULL_EXAMPLE

    class Meta:
        model = PullSource
        fields = ("connection", "slug", "name", "kind", "settings", "secret", "every_seconds")


@admin.register(PullSource)
class PullSourceAdmin(PlaceAdmin):
    form = PullSourceForm
    list_display = ("name", "slug", "connection", "kind", "paused_at", "last_ok_at", "failures")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return ("connection", "slug", "kind") if obj is not None else ()


class ArchiveForm(PlaceForm):
    example = _ARCHIVE_EXAMPLE

    class Meta:
        model = Archive
        fields = ("slug", "name", "kind", "settings", "secret", "timeout_seconds", "in_use")


@admin.register(Archive)
class ArchiveAdmin(PlaceAdmin):
    form = ArchiveForm
    list_display = ("name", "slug", "kind", "in_use", "paused_at")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return ("slug", "kind") if obj is not None else ()


@admin.register(RetryPolicy)
class RetryPolicyAdmin(ConfigurationAdmin):
    list_display = ("connection", "about", "first_seconds", "most_seconds", "tries", "deadline_seconds")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return ("connection", "about") if obj is not None else ()


@admin.register(Queue)
class QueueAdmin(ConfigurationAdmin):
    list_display = ("name", "slug", "purpose")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return ("slug",) if obj is not None else ()


@admin.register(LegalEntity)
class LegalEntityAdmin(ConfigurationAdmin):
    list_display = ("name", "code", "country", "currency")

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        return ("code",) if obj is not None else ()


@admin.register(Route)
class RouteAdmin(ConfigurationAdmin):
    list_display = ("position", "connection", "object_type", "party_id", "category", "queue", "entity", "priority")
