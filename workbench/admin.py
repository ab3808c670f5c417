"""People and their roles, for administrators. Every change leaves an audit event."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.http import HttpRequest
from django.utils.timezone import now

from audit import log
from workbench.models import User

admin.site.unregister(Group)


class AuditedAdmin(admin.ModelAdmin[Any]):
    """Writes who changed which fields of whom; values are left out, passwords are among them."""

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        self._record(request, obj, "added", [])
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        fields = [
            name for part in message if isinstance(part, dict) for name in part.get("changed", {}).get("fields", [])
        ]
        self._record(request, obj, "changed", fields)
        return super().log_change(request, obj, message)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False  # their name stands in the history; people who leave are made inactive

    @transaction.atomic
    def _record(self, request: HttpRequest, obj: models.Model, verb: str, fields: list[str]) -> None:
        kind = "person" if isinstance(obj, User) else "role"
        log.record(
            f"{kind}.{verb}",
            subject=f"{kind}:{obj.get_username() if isinstance(obj, User) else obj}",
            scope="configuration",
            actor=request.user.get_username(),
            at=now(),
            summary=f"{request.user} {verb} {kind} {obj}" + (f": {', '.join(fields)}." if fields else "."),
            data={"fields": fields},
        )


@admin.register(User)
class UserAdmin(AuditedAdmin, DjangoUserAdmin):
    fieldsets = (
        *(DjangoUserAdmin.fieldsets or ()),
        ("Preferences", {"fields": ("time_zone",)}),
    )


@admin.register(Group)
class GroupAdmin(AuditedAdmin, DjangoGroupAdmin):
    pass
