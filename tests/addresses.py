"""Every address that a person's browser can ask for, and which of them answer with a page."""

from collections.abc import Callable, Iterable, Iterator
from inspect import getclosurevars
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

# What answers with a part of a page, a file or data: nothing that is looked at by itself.
NO_PAGES = frozenset(
    {
        "exceptions:access_export",
        "exceptions:attachment",
        "exceptions:audit_export",
        "exceptions:audit_export_file",
        "exceptions:audit_export_manifest",
        "exceptions:bulk_outcomes",
        "exceptions:case_evidence",
        "exceptions:effects_export",
        "exceptions:evidence",
        "exceptions:evidence_verifier",
        # Sent to by the form of `field_map`, to which they lead back.
        "exceptions:field_map_edit",
        "exceptions:field_map_translate_held",
        "exceptions:field_map_use",
        "exceptions:intake_original",
        "exceptions:message_payload",
        "exceptions:message_refusal",
        "exceptions:notification",  # leads on to what it is about
        "exceptions:palette",
        "exceptions:presence",
        "exceptions:status",
        "exceptions:transaction_payload",
        "exceptions:transaction_sent",
        "exceptions:value_mapping_export",
        "exceptions:version",
        "exceptions:view_open",  # leads on to the list
        "hook",
        "livez",
        "login_code",  # leads back to signing in; its page comes after the password
        "oidc",  # leads to the provider
        "oidc_callback",  # leads on to what was asked for
        "readyz",
        "schema",
        # For directories, with a token: `tests/workbench/test_scim.py`.
        "scim_group",
        "scim_groups",
        "scim_provider",
        "scim_schema",
        "scim_schemas",
        "scim_type",
        "scim_types",
        "scim_user",
        "scim_users",
    }
)
# Django's administration is not ours to lay out; the API has no page but its documentation.
_NOT_OURS = frozenset({"admin", "api"})


def names() -> set[str]:
    return {name for name, _ in _named(get_resolver().url_patterns, "")}


def pages() -> list[str]:
    """The names of all addresses that answer a GET with a page of their own."""
    return sorted(
        name for name, view in _named(get_resolver().url_patterns, "") if name not in NO_PAGES and _reads(view)
    )


def _named(patterns: Iterable[Any], namespace: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inner = pattern.namespace or namespace
            if inner not in _NOT_OURS:
                yield from _named(pattern.url_patterns, inner)
        elif isinstance(pattern, URLPattern) and pattern.name and pattern.callback is not None:
            yield f"{namespace}:{pattern.name}" if namespace else pattern.name, pattern.callback


def _reads(view: Callable[..., Any]) -> bool:
    """Whether a GET is answered by the view itself, and not refused or led to the page with the form."""
    of_class = getattr(view, "view_class", None)
    if of_class is not None:
        return "get" in of_class.http_method_names and hasattr(of_class, "get")
    return all(_answers_get(function) for function in _unwrapped(view))


def _unwrapped(view: Callable[..., Any] | None) -> Iterator[Callable[..., Any]]:
    while view is not None:
        yield view
        view = getattr(view, "__wrapped__", None)


def _answers_get(function: Callable[..., Any]) -> bool:
    if function.__code__.co_qualname.startswith("posted_from."):
        return False
    methods = getclosurevars(function).nonlocals.get("request_method_list")
    return methods is None or "GET" in methods
