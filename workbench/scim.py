"""SCIM 2.0 (RFC 7644): a directory adds people, gives and takes the roles of its groups, and ends who leaves.

It acts by a service account with the scope `scim`. The identifier that it calls somebody by (`externalId`) is their
subject at the OpenID provider, so that whoever it adds finds this very account at their first sign-in.
"""

from collections.abc import Callable
from typing import Any

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.http import Http404
from django.utils.timezone import now
from rest_framework.exceptions import APIException, NotAuthenticated
from rest_framework.exceptions import AuthenticationFailed as Unauthenticated
from rest_framework.permissions import IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from audit import log
from exceptions_app.actions.connections import SCOPE
from exceptions_app.actions.grants import told_through
from exceptions_app.actions.mover import Invalid
from exceptions_app.actions.roles import change_roles
from exceptions_app.api.parsing import SafeJSONParser
from exceptions_app.api.problems import Problem
from exceptions_app.api.scopes import SCIM
from exceptions_app.machines import PREFIX, SERVICE_PREFIX, machine
from exceptions_app.machines import SCIM as ACTOR
from exceptions_app.policies import NotPermitted
from workbench import oidc
from workbench import scim_documents as documents
from workbench.leaving import come_back, leave
from workbench.models import ServiceAccount, User
from workbench.scim_reading import (
    ScimError,
    a_boolean,
    a_text,
    an_object,
    apply_to,
    changes_of,
    fill_in,
    filter_of,
    operations_of,
    window_of,
)
from workbench.tokens import TokenAuthentication


class ScimRenderer(JSONRenderer):
    media_type = "application/scim+json"


class ScimParser(SafeJSONParser):
    media_type = "application/scim+json"


class ScimView(APIView):
    authentication_classes = [TokenAuthentication]
    permission_classes = [IsAuthenticated]
    renderer_classes = [ScimRenderer, JSONRenderer]
    parser_classes = [ScimParser, SafeJSONParser]
    schema = None  # described by itself, and no part of the API's document

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if SCIM not in (getattr(request.auth, "scopes", None) or ()):
            raise ScimError(403, f"This takes a token of a service account with the scope {SCIM}.")

    def handle_exception(self, exc: Exception) -> Response:
        error = _error_of(exc)
        if error is None:
            return super().handle_exception(exc)
        body = {"schemas": [documents.ERROR], "status": str(error.status_code), "detail": error.words}
        answer = Response(body | ({"scimType": error.kind} if error.kind else {}), status=error.status_code)
        if error.status_code == 401:
            answer["WWW-Authenticate"] = "Bearer"
        return answer

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        final = super().finalize_response(request, response, *args, **kwargs)
        final.headers.setdefault("Cache-Control", "no-store")
        return final


UNIQUE_VIOLATION = "23505"
OWN = "Nobody gives themselves roles, or another address, by a service account for which they answer."
_TAKEN = ScimError(409, "There is an account of this userName or externalId.", "uniqueness")


def _error_of(exc: Exception) -> ScimError | None:
    match exc:
        case ScimError():
            return exc
        case Http404():
            return ScimError(404, "There is no such resource.")
        case NotAuthenticated() | Unauthenticated():
            return ScimError(401, "Send a token that counts: Authorization: Bearer TOKEN.")
        case Problem():
            return ScimError(400, exc.detail, "invalidSyntax")
        case NotPermitted():
            return ScimError(403, exc.reason)
        case Invalid():
            return ScimError(409, exc.problem)
        case IntegrityError() if getattr(exc.__cause__, "sqlstate", "") == UNIQUE_VIOLATION:
            return _TAKEN  # by a request at the same time
        case APIException():
            return ScimError(exc.status_code, str(exc.detail))
    return None


class Users(ScimView):
    def get(self, request: Request) -> Response:
        found = _people()
        name, value = filter_of(request, ("username", "externalid"))
        if name == "username":
            found = found.filter(username__iexact=value)
        elif name == "externalid":
            found = found.filter(pk__in=_identities().filter(uid=value).values("user"))
        start, count = window_of(request)
        rows = list(found[start - 1 : start - 1 + count])
        ids = _external_ids(rows)
        shown = [documents.user_document(one, ids.get(one.pk, "")) for one in rows]
        return Response(documents.list_document(shown, total=found.count(), start=start))

    @transaction.atomic
    def post(self, request: Request) -> Response:
        body = an_object(request.data)
        person = User(username=a_text(body, "userName", 150))
        fill_in(person, body)
        person.is_active = a_boolean(body.get("active", True))
        try:
            User.username_validator(person.username)
        except ValidationError:
            raise ScimError(400, "userName takes letters, digits and @ . + - _ alone.", "invalidValue") from None
        external_id = a_text(body, "externalId", 191) if body.get("externalId") else ""
        taken = User.objects.filter(username__iexact=person.username).exists()
        if taken or (external_id and _identities().filter(uid=external_id).exists()):
            raise _TAKEN
        person.set_unusable_password()
        person.save()
        if external_id:
            SocialAccount.objects.create(user=person, provider=_issuer(), uid=external_id)
        _tell("person.added", person, f"added {person}", request, externalId=external_id)
        return _answer(person, status=201)


class OneUser(ScimView):
    def get(self, request: Request, number: int) -> Response:
        return _answer(_person(number))

    def patch(self, request: Request, number: int) -> Response:
        changed = changes_of(request)
        with transaction.atomic():
            person = _person(number)
            if "active" in changed:
                (come_back if a_boolean(changed.pop("active")) else leave)(person, **_signed(request))
            before = {field: getattr(person, field) for field in ("first_name", "last_name", "email")}
            fill_in(person, changed)
            told = sorted(field for field, was in before.items() if getattr(person, field) != was)
            if "email" in told and _answers(person, request):
                raise NotPermitted(OWN)  # by it one is known under another name
            if told:
                person.save(update_fields=told)
                labels = {"first_name": "First name", "last_name": "Last name", "email": "Email address"}
                fields = [labels[field] for field in told]
                _tell("person.changed", person, f"changed person {person}", request, fields=fields)
        return _answer(person)


class Groups(ScimView):
    def get(self, request: Request) -> Response:
        name, value = filter_of(request, ("displayname",))
        found = [(ref, *group) for ref, group in documents.groups().items() if not name or group[0] == value]
        start, count = window_of(request)
        page = found[start - 1 : start - 1 + count]
        members = _members({role for _, _, role in page})
        shown = [documents.group_document(ref, called, members[role]) for ref, called, role in page]
        return Response(documents.list_document(shown, total=len(found), start=start))

    def post(self, request: Request) -> Response:
        name = a_text(an_object(request.data), "displayName", 200)
        if name in settings.OIDC_ROLES:
            raise ScimError(409, "This group is known already.", "uniqueness")
        raise ScimError(400, "No role is mapped to a group of this name (WB_OIDC_ROLES).", "invalidValue")


class OneGroup(ScimView):
    def get(self, request: Request, ref: str) -> Response:
        name, role = _group(ref)
        return Response(documents.group_document(ref, name, _members({role})[role]))

    def patch(self, request: Request, ref: str) -> Response:
        name, role = _group(ref)
        _refuse_if_shared(role)
        with transaction.atomic():
            held = {one.pk for one in _members({role})[role]}
            wanted = set(held)
            for operation, path, value in operations_of(request):
                apply_to(wanted, operation, path, value, called=name)
            people = {one.pk: one for one in _people().filter(pk__in=wanted | held)}
            for number in sorted((wanted ^ held) & set(people)):
                give, take = ([role], []) if number in wanted else ([], [role])
                change_roles(
                    people[number], give=give, take=take, **_signed(request),
                    why_none=OWN if _answers(people[number], request) else "",
                )  # fmt: skip
        return Response(documents.group_document(ref, name, _members({role})[role]))


class Told(ScimView):
    """What is written in the program."""

    document: Callable[[], Any] = staticmethod(documents.provider_document)

    def get(self, request: Request, ref: str = "") -> Response:
        told = self.document()
        if not isinstance(told, list):
            return Response(told)
        if not ref:
            return Response(documents.list_document(told, total=len(told), start=1))
        for one in told:
            if one["id"] == ref:
                return Response(one)
        raise Http404


class ResourceTypes(Told):
    document = staticmethod(documents.resource_types)


class Schemas(Told):
    document = staticmethod(documents.schemas)


def _people() -> QuerySet[User]:
    found = User.objects.exclude(username__startswith=PREFIX).exclude(username__startswith=SERVICE_PREFIX)
    return found.prefetch_related("groups").order_by("pk")


def _person(number: int) -> User:
    found = _people().filter(pk=number).first() if number < 2**63 else None
    if found is None:
        raise Http404
    return found


def _issuer() -> str:
    return settings.OIDC_ISSUER or SCIM


def _identities() -> QuerySet[SocialAccount]:
    return oidc.identities() if settings.OIDC_ISSUER else SocialAccount.objects.filter(provider=SCIM)


def _external_ids(people: list[User]) -> dict[int, str]:
    return dict(_identities().filter(user__in=people).reverse().values_list("user", "uid"))


def _group(ref: str) -> tuple[str, str]:
    found = documents.groups().get(ref)
    if found is None:
        raise Http404
    return found


def _refuse_if_shared(role: str) -> None:
    """Who has a role is known, and not by which group: what one of two would take, the other gives."""
    sharing = sorted(name for name, given in settings.OIDC_ROLES.items() if given == role)
    if len(sharing) > 1:
        named = ", ".join(sharing)
        raise ScimError(
            409, f"WB_OIDC_ROLES maps the role {role} to several groups ({named}). SCIM takes one for each."
        )


def _members(roles: set[str]) -> dict[str, list[User]]:
    """Of each role; also who is not active, who would have it again when they come back. Two queries."""
    found: dict[str, list[User]] = {role: [] for role in roles}
    for one in _people().filter(groups__name__in=roles).distinct():
        for group in one.groups.all():
            if group.name in found:
                found[group.name].append(one)
    return found


def _answer(person: User, *, status: int = 200) -> Response:
    fresh = _person(person.pk)
    document = documents.user_document(fresh, _external_ids([fresh]).get(fresh.pk, ""))
    headers = {"Location": document["meta"]["location"]} if status == 201 else None
    return Response(document, status=status, headers=headers)


def _answers(person: User, request: Request) -> bool:
    """Whether it is their own service account that asks."""
    return ServiceAccount.objects.filter(user=request.user.pk, owner=person.pk).exists()


def _signed(request: Request) -> dict[str, Any]:
    """By the directory, and through which service account: who answers for that one did it, as far as duties go."""
    asks = request.user.get_username()
    return {"by": machine(ACTOR), "at": now(), "because": f"By the directory, through {asks}.", "through": asks}


def _tell(name: str, person: User, words: str, request: Request, **data: object) -> None:
    log.record(
        name,
        subject=f"person:{person.get_username()}",
        scope=SCOPE,
        actor=ACTOR,
        actor_kind="machine",
        at=now(),
        summary=f"{request.user.get_username()} {words}.",
        data=told_through(request.user.get_username(), **data),
    )
