"""What SCIM 2.0 (RFC 7643) says of people and groups here, and of what this provider of it can do."""

from hashlib import sha256
from typing import Any, Final

from django.conf import settings

from workbench.models import User

USER: Final = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP: Final = "urn:ietf:params:scim:schemas:core:2.0:Group"
LIST: Final = "urn:ietf:params:scim:api:messages:2.0:ListResponse"
ERROR: Final = "urn:ietf:params:scim:api:messages:2.0:Error"
PATCH: Final = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
_CORE: Final = "urn:ietf:params:scim:schemas:core:2.0"
ROOT: Final = "/scim/v2"
MOST: Final = 200


def group_id(name: str) -> str:
    """Of a group of the provider, which is not stored here."""
    return sha256(name.encode()).hexdigest()[:20]


def groups() -> dict[str, tuple[str, str]]:
    """By identifier, the groups that roles are mapped to: name and role."""
    return {group_id(name): (name, role) for name, role in sorted(settings.OIDC_ROLES.items())}


def user_document(person: User, external_id: str) -> dict[str, Any]:
    held = {group.name for group in person.groups.all()}
    theirs = [{"value": number, "display": name} for number, (name, role) in groups().items() if role in held]
    document: dict[str, Any] = {
        "schemas": [USER],
        "id": str(person.pk),
        "userName": person.get_username(),
        "name": {"givenName": person.first_name, "familyName": person.last_name},
        "displayName": str(person),
        "active": person.is_active,
        "emails": [{"value": person.email, "primary": True}] if person.email else [],
        "groups": theirs,
        "meta": {"resourceType": "User", "location": f"{ROOT}/Users/{person.pk}"},
    }
    return document | ({"externalId": external_id} if external_id else {})


def group_document(number: str, name: str, people: list[User]) -> dict[str, Any]:
    members = [{"value": str(one.pk), "display": str(one)} for one in people]
    return {
        "schemas": [GROUP],
        "id": number,
        "displayName": name,
        "members": members,
        "meta": {"resourceType": "Group", "location": f"{ROOT}/Groups/{number}"},
    }


def list_document(found: list[dict[str, Any]], *, total: int, start: int) -> dict[str, Any]:
    return {
        "schemas": [LIST],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": len(found),
        "Resources": found,
    }


def provider_document() -> dict[str, Any]:
    no: dict[str, Any] = {"supported": False}
    return {
        "schemas": [f"{_CORE}:ServiceProviderConfig"],
        "patch": {"supported": True},
        "bulk": no | {"maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": True, "maxResults": MOST},
        "changePassword": no,
        "sort": no,
        "etag": no,
        "authenticationSchemes": [
            {
                "type": "oauthbearertoken",
                "name": "Token of a service account",
                "description": "With the scope scim, or a short-lived one that was exchanged for its secret.",
            }
        ],
        "meta": {"resourceType": "ServiceProviderConfig", "location": f"{ROOT}/ServiceProviderConfig"},
    }


def resource_types() -> list[dict[str, Any]]:
    return [
        {
            "schemas": [f"{_CORE}:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": f"/{name}s",
            "schema": schema,
            "meta": {"resourceType": "ResourceType", "location": f"{ROOT}/ResourceTypes/{name}"},
        }
        for name, schema in (("User", USER), ("Group", GROUP))
    ]


def schemas() -> list[dict[str, Any]]:
    user = [
        _attribute("userName", required=True, uniqueness="server", mutability="immutable"),
        _attribute("externalId", uniqueness="server", mutability="immutable", exact=True),
        _attribute("name", "complex", parts=[_attribute("givenName"), _attribute("familyName")]),
        _attribute("displayName", mutability="readOnly"),
        _attribute("active", "boolean"),
        _attribute("emails", "complex", many=True, parts=[_attribute("value"), _attribute("primary", "boolean")]),
        _attribute("groups", "complex", many=True, mutability="readOnly", parts=[_attribute("value")]),
    ]
    group = [
        _attribute("displayName", required=True, mutability="immutable", exact=True),
        _attribute("members", "complex", many=True, parts=[_attribute("value", mutability="immutable")]),
    ]
    return [
        {
            "schemas": [f"{_CORE}:Schema"],
            "id": schema,
            "name": name,
            "attributes": attributes,
            "meta": {"resourceType": "Schema", "location": f"{ROOT}/Schemas/{schema}"},
        }
        for name, schema, attributes in (("User", USER, user), ("Group", GROUP, group))
    ]


def _attribute(
    name: str, kind: str = "string", *, many: bool = False, required: bool = False, mutability: str = "readWrite",
    uniqueness: str = "none", exact: bool = False, parts: list[dict[str, Any]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    told: dict[str, Any] = {
        "name": name, "type": kind, "multiValued": many, "required": required, "caseExact": exact,
        "mutability": mutability, "returned": "default", "uniqueness": uniqueness,
    }  # fmt: skip
    return told | ({"subAttributes": parts} if parts else {})
