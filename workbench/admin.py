"""People and their roles, for administrators. Every change leaves an audit event."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from allauth.account.admin import EmailAddress, EmailConfirmation
from allauth.mfa.admin import Authenticator
from allauth.socialaccount.admin import SocialAccount, SocialApp, SocialToken
from django import forms
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin as DjangoGroupAdmin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import Group
from django.db import models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.timezone import now

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.fresh_proof import FreshProofNeeded
from exceptions_app.actions.grants import add_to_role, refusal_of_access, remove_from_role
from exceptions_app.machines import is_machine
from exceptions_app.policies import NotPermitted
from exceptions_app.queries.access_conflicts import would_approve
from workbench import proofs
from workbench.leaving import come_back, leave
from workbench.models import User
from workbench.second_factor import remove_of_another
from workbench.sessions import end_all

admin.site.unregister(Group)
# What opens an account is no list to look through, and is changed by its actions alone.
for model in (Authenticator, EmailAddress, EmailConfirmation, SocialAccount, SocialApp, SocialToken):
    if admin.site.is_registered(model):
        admin.site.unregister(model)

# Their values are told; those of other fields are left out, the password is among them.
TOLD = ("is_staff", "is_superuser")
STATUS = ("is_active", *TOLD, "groups")
STATES = ("is_staff", "is_active")
# Labels of fields that no event of the form tells: the reason, and what is done by an action with an event of its own.
ACTS = ("Reason", "Active", "Remove the second factor", "End all sessions")
PROOF = "Accounts are changed with a proof of who you are that is no older than five minutes."
NOT_BOTH = (
    "Nobody both administers accounts and approves: whoever gives access could make their own second person. "
    "Take one of the two away first."
)


class StaffAdmin(admin.ModelAdmin[Any]):
    """For whoever has staff status: Django's own permissions have no effect in this product and are hidden."""

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    has_add_permission = has_view_permission
    has_change_permission = has_view_permission

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False  # their name stands in the history; people who leave are made inactive


class PersonForm(UserChangeForm):
    because = forms.CharField(label="Reason", max_length=500, help_text="Why; the auditor reads it.")
    remove_second_factor = forms.BooleanField(
        label="Remove the second factor",
        required=False,
        help_text="For somebody who lost it. Say in the reason how you know that it is this person who asks. Their "
        "sessions end too.",
    )
    end_sessions = forms.BooleanField(
        label="End all sessions",
        required=False,
        help_text="From the next click on the person is asked to sign in, wherever they are signed in. Making an "
        "account inactive ends them too, and its tokens, its delegations both ways and its emergency access.",
    )

    def clean(self) -> dict[str, Any]:
        """What would make an administrator an approver, or an approver an administrator, is said beside its field."""
        entered: dict[str, Any] = super().clean() or self.cleaned_data
        if "groups" not in entered:
            return entered
        begins = [name for name in STATES if entered.get(name) and not self.initial.get(name)]
        if entered.get("is_staff") and begins and would_approve(self.instance, entered["groups"]):
            self.add_error(begins[0], NOT_BOTH)
        elif refused := refusal_of_access(
            self.instance, entered["groups"], **{name: entered[name] for name in STATES if name in entered}
        ):
            words = NOT_BOTH if entered.get("is_staff") else f"{refused} Take one of the two away first."
            self.add_error(begins[0] if begins else "groups", words)
        return entered


@admin.register(User)
class UserAdmin(StaffAdmin, DjangoUserAdmin):
    form = PersonForm
    fieldsets = (
        (None, {"fields": ("username", "password", "because")}),
        ("Personal info", {"fields": ("first_name", "last_name", "email", "time_zone")}),
        ("Access", {"fields": STATUS}),
        ("Signing in", {"fields": ("remove_second_factor", "end_sessions")}),
        ("Important dates", {"fields": ("last_login", "date_joined")}),
    )
    filter_horizontal = ("groups",)

    def get_readonly_fields(self, request: HttpRequest, obj: models.Model | None = None) -> tuple[str, ...]:
        """Nobody changes their own status, and who is no superuser makes none.

        A username stands in the trail, and an address tells whose second account one is: not one's own to change.
        """
        fixed = ("last_login", "date_joined", *(("username",) if obj else ()))
        if isinstance(obj, User) and obj.is_service:
            return (*fixed, "is_staff", "is_superuser")
        if obj == request.user:
            return (*fixed, *STATUS, "email")
        return fixed if _is_superuser(request) else (*fixed, "is_superuser")

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        if isinstance(obj, User) and (is_machine(obj) or (obj.is_superuser and not _is_superuser(request))):
            return False
        return super().has_change_permission(request, obj)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Adds and changes. A session that somebody left open is not enough to give oneself a way in."""
        if request.method == "POST":
            _require_fresh_proof(request)
        elif object_id is None and not _is_proved(request):  # a password is typed there, which is kept nowhere
            return _prove_first(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        """Who leaves does so before the rest is saved, who comes back after it, with the roles that they have then."""
        if change and "is_active" in form.changed_data:
            if obj.is_active:
                obj.is_active = False
            else:
                leave(User.objects.get(pk=obj.pk), **_signed(request.user, form.cleaned_data))
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:  # noqa: FBT001 - Django's signature
        if change and "groups" in form.cleaned_data:
            _change_roles(form.instance, form.cleaned_data, by=request.user)
        super().save_related(request, form, formsets, change)
        if change:
            _act(form.instance, form.cleaned_data, by=request.user)

    def get_fieldsets(self, request: HttpRequest, obj: models.Model | None = None) -> Any:
        """Nobody removes their own second factor as an administrator, so this is not offered for oneself."""
        shown = super().get_fieldsets(request, obj)
        return [one for one in shown if one[0] != "Signing in"] if obj == request.user else shown

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's signature
        message: Any = super().construct_change_message(request, form, formsets, add)
        for part in message:
            if "changed" in part:
                part["changed"]["values"] = _changes(form)
                part["changed"]["because"] = form.cleaned_data.get("because", "")
        return message

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        _record("person.added", obj, by=request.user, words=f"added person {obj}")
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        changed: dict[str, Any] = next((part["changed"] for part in message if "changed" in part), {})
        fields = [name for name in changed.get("fields", []) if name not in ACTS]
        if fields:
            _record(
                "person.changed",
                obj,
                by=request.user,
                words=f"changed person {obj}: {', '.join(fields)}",
                because=changed["because"],
                data={"fields": fields, "changes": changed["values"]},
            )
        return super().log_change(request, obj, message)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's signature
        """For others. One's own is changed where the old one is asked for."""
        person = self.get_object(request, unquote(id))
        if person is not None and person.pk == request.user.pk:
            return HttpResponseRedirect(reverse("password_change"))
        if person is not None and person.is_service:
            raise NotPermitted("Nobody signs in with a service account, so it has no password.")
        if request.method == "POST":
            _require_fresh_proof(request)
        elif not _is_proved(request):
            return _prove_first(request)
        with transaction.atomic():
            answer = super().user_change_password(request, id, form_url)
            if person is not None and answer.status_code == HTTPStatus.FOUND:
                person.refresh_from_db()
                _act(person, {"end_sessions": True, "because": "Another password was set."}, by=request.user)
            return answer


@admin.register(Group)
class RoleAdmin(StaffAdmin, DjangoGroupAdmin):
    """A role's name stands in the history, so it is given once. What it may do is granted by command."""

    fields = ("name",)
    filter_horizontal = ()

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> Any:
        _record("role.added", obj, by=request.user, words=f"added role {obj}")
        return super().log_addition(request, obj, message)


def _is_proved(request: HttpRequest) -> bool:
    return proofs.is_fresh(request, at=now())


def _require_fresh_proof(request: HttpRequest) -> None:
    """Raise FreshProofNeeded, which becomes a page that keeps what was typed; see step_up.py."""
    if not _is_proved(request):
        raise FreshProofNeeded(PROOF, by_token=False)


def _prove_first(request: HttpRequest) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('prove')}?{urlencode({'next': request.get_full_path()})}")


def _is_superuser(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


def _signed(by: Any, entered: Mapping[str, Any]) -> dict[str, Any]:
    return {"by": by, "at": now(), "because": entered.get("because", "")}


def _change_roles(person: User, entered: Mapping[str, Any], *, by: Any) -> None:
    """Through the actions, so that each role that was given or taken has its own event."""
    was = set(person.groups.values_list("name", flat=True))
    will_be = {group.name for group in entered["groups"]}
    signed = _signed(by, entered)
    for role in sorted(was - will_be):
        remove_from_role(role, person, **signed)
    for role in sorted(will_be - was):
        add_to_role(role, person, **signed)


def _act(person: User, entered: Mapping[str, Any], *, by: Any) -> None:
    """What is ticked beside the columns, and coming back."""
    signed = _signed(by, entered)
    if entered.get("remove_second_factor"):
        remove_of_another(person, **signed)
    if entered.get("end_sessions"):
        end_all(person, **signed)
    if entered.get("is_active") and not person.is_active:
        come_back(person, **signed)


def _changes(form: Any) -> dict[str, Any]:
    """What became of status and roles, from the form as it was shown and as it was sent."""
    changes: dict[str, Any] = {
        name: {"was": form.initial.get(name), "will_be": form.cleaned_data[name]}
        for name in TOLD
        if name in form.changed_data
    }
    if "groups" in form.changed_data:
        was = {group.name for group in form.initial.get("groups", ())}
        will_be = {group.name for group in form.cleaned_data["groups"]}
        changes["groups"] = {"added": sorted(will_be - was), "removed": sorted(was - will_be)}
    return changes


@transaction.atomic
def _record(
    name: str,
    about: models.Model,
    *,
    by: Any,
    words: str,
    because: str = "",
    data: Mapping[str, Any] | None = None,
) -> None:
    subject = f"person:{about.get_username()}" if isinstance(about, User) else f"role:{about}"
    log.record(
        name,
        subject=subject,
        scope=SCOPE,
        actor=by.get_username(),
        at=now(),
        summary=f"{by} {words}.",
        because=because,
        data=data or {},
    )
