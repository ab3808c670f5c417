"""What PostgreSQL cannot hold as text is answered as any other text that is nowhere, wherever it is asked for."""

import pytest
from drf_spectacular.generators import SchemaGenerator

PAGES = {
    "/queue/": ("q", "state", "queue", "entity", "connection", "cause", "assignee", "category", "object_type"),
    "/transactions/": ("q", "contains", "state", "connection", "since"),
    "/search/": ("q",),
    "/approvals/": ("show", "sort"),
    "/causes/": ("contains", "state", "sort", "after", "before"),
    "/intake-failures/": ("q", "contains", "connection", "kind"),
    "/playbooks/": ("contains", "state", "connector", "after", "before"),
    "/exchange-rates/": ("currency", "show", "after", "before"),
    "/audit/": ("about", "subject", "actor", "action", "since", "until", "entity"),
    "/archives/": ("after", "before"),
    "/audit/exports/": ("after", "before"),
}


def lists_of_the_api():
    paths = SchemaGenerator().get_schema(request=None, public=True)["paths"]
    for path, methods in paths.items():
        if "{" not in path and "get" in methods:
            yield path, [found["name"] for found in methods["get"].get("parameters", ()) if found["in"] == "query"]


@pytest.mark.django_db
@pytest.mark.parametrize("path", PAGES)
def test_page_answers_a_nul_in_any_parameter(cast, signed_in, path):
    client = signed_in(cast.clerk if path == "/intake-failures/" else cast.auditor)
    assert client.get(path).status_code == 200
    for name in PAGES[path]:
        assert client.get(path, {name: "\x00a"}).status_code < 500, name


@pytest.mark.django_db
def test_api_answers_a_nul_in_any_parameter(cast, signed_in):
    client = signed_in(cast.auditor)
    asked = [(path, name) for path, names in lists_of_the_api() for name in names]
    assert len(asked) > 30
    for path, name in asked:
        assert client.get(path, {name: "\x00a"}).status_code < 500, (path, name)
