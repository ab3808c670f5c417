"""What a directory asks by SCIM, read strictly: filters, windows, operations and values."""

import re
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from workbench import scim_documents as documents
from workbench.models import User

_FILTER = re.compile(r'\s*([A-Za-z]+)\s+eq\s+"((?:[^"\\]|\\["\\])*)"\s*', re.IGNORECASE)
_MEMBER = re.compile(r'members\[value\s+eq\s+"(\d{1,18})"\]', re.IGNORECASE)
_NAMES = {"givenname": "first_name", "familyname": "last_name"}


class ScimError(APIException):
    def __init__(self, status: int, words: str, kind: str = "") -> None:
        super().__init__(words)
        self.status_code, self.words, self.kind = status, words, kind


def apply_to(wanted: set[int], operation: str, path: str, value: Any, *, called: str) -> None:
    """Change who is wanted in the group of this name: nobody, unless its members are named, also when it is renamed."""
    one = _MEMBER.fullmatch(path)
    if one is not None and operation == "remove":
        wanted.discard(int(one[1]))
        return
    if not path and operation == "remove":
        raise ScimError(400, "What is removed is named by a path, such as members.", "noTarget")
    for name, what in ({path: value} if path else an_object(value)).items():
        folded = name.lower()
        if folded == "members":
            _change_members(wanted, operation, what)
        elif folded == "displayname":
            if operation == "remove" or what != called:
                raise ScimError(400, "The name of a group stands in WB_OIDC_ROLES, and is changed there.", "mutability")
        elif path or folded not in ("schemas", "id"):
            raise ScimError(400, "Of a group, its members can be changed.", "invalidPath")


def _change_members(wanted: set[int], operation: str, value: Any) -> None:
    named = {
        a_number(an_object(member).get("value"))
        for member in (value if isinstance(value, list) else [value] if value else [])
    }
    if operation == "add":
        wanted |= named
    elif operation == "remove" and value is not None:
        wanted -= named
    else:
        wanted.clear()
        wanted |= named


def operations_of(request: Request) -> list[tuple[str, str, Any]]:
    operations = an_object(request.data).get("Operations")
    if not isinstance(operations, list) or not operations:
        raise ScimError(400, "Send Operations.", "invalidSyntax")
    found = []
    for one in map(an_object, operations):
        operation = str(one.get("op", "")).lower()
        if operation not in ("add", "remove", "replace"):
            raise ScimError(400, "An operation is add, remove or replace.", "invalidSyntax")
        found.append((operation, str(one.get("path") or ""), one.get("value")))
    return found


def changes_of(request: Request) -> dict[str, Any]:
    """What of somebody becomes what. Raises ScimError for what cannot be changed here."""
    changed: dict[str, Any] = {}
    for operation, path, value in operations_of(request):
        if operation == "remove":
            raise ScimError(400, "Nothing of a person is removed; replace it.", "mutability")
        given = an_object(value) if not path else {path: value}
        for name, what in given.items():
            folded = name.lower()
            if folded == "active":
                changed["active"] = what
            elif folded == "name":
                changed["name"] = changed.get("name", {}) | an_object(what)
            elif folded.startswith("name.") and folded.removeprefix("name.") in _NAMES:
                changed["name"] = changed.get("name", {}) | {name[5:]: what}
            elif folded == "emails" or folded.startswith("emails["):
                changed["emails"] = what if isinstance(what, list) else [{"value": what}]
            elif folded not in ("displayname", "schemas"):
                raise ScimError(400, f"{name[:60]} cannot be changed here.", "mutability")
    return changed


def fill_in(person: User, body: Mapping[str, Any]) -> None:
    for name, value in an_object(body.get("name") or {}).items():
        if name.lower() in _NAMES:
            setattr(person, _NAMES[name.lower()], a_text({name: value or ""}, name, 150, needed=False))
    emails = body.get("emails")
    if isinstance(emails, list):
        ranked = sorted(map(an_object, emails), key=lambda one: one.get("primary") is not True)
        address = a_text(ranked[0], "value", 254) if ranked else ""
        try:
            validate_email(address or "a@example.test")
        except ValidationError:
            raise ScimError(400, "This is no e-mail address.", "invalidValue") from None
        person.email = address


def an_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ScimError(400, "This is not a JSON object.", "invalidSyntax")
    return value


def a_text(body: Mapping[str, Any], name: str, most: int, *, needed: bool = True) -> str:
    value = body.get(name, "")
    if not isinstance(value, str) or len(value) > most or (needed and not value.strip()) or not value.isprintable():
        raise ScimError(400, f"{name}: send a text of at most {most} characters.", "invalidValue")
    return value.strip()


def a_boolean(value: Any) -> bool:
    """Also as a text, which some directories send."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ScimError(400, "active is true or false.", "invalidValue")
    return value


def a_number(value: Any) -> int:
    text = str(value)
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ScimError(400, "A member is named by the id of a user.", "invalidValue")
    return int(text)


def filter_of(request: Request, names: tuple[str, ...]) -> tuple[str, str]:
    text = request.query_params.get("filter", "")
    if not text:
        return "", ""
    found = _FILTER.fullmatch(text)
    if found is None or found[1].lower() not in names or "\x00" in text:
        raise ScimError(400, f'A filter is ATTRIBUTE eq "VALUE", of {", ".join(names)}.', "invalidFilter")
    return found[1].lower(), re.sub(r"\\(.)", r"\1", found[2])


def window_of(request: Request) -> tuple[int, int]:
    """From which on, beginning with one, and how many."""
    texts = request.query_params.get("startIndex", "1"), request.query_params.get("count", str(documents.MOST))
    if not all(re.fullmatch(r"-?\d{1,9}", text) for text in texts):
        raise ScimError(400, "startIndex and count are numbers.", "invalidValue")
    return max(1, int(texts[0])), max(0, min(int(texts[1]), documents.MOST))
