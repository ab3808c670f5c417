from typing import Any

import pytest

from integrations.pull_settings import RestSettings, SettingsRefused, SftpSettings, read_settings

REST = {"url": "https://feed.example/items"}
SFTP = {"host": "sftp.example", "user": "us", "folder": "/out", "host_keys": ["SHA256:" + "A" * 43]}


def faults(kind: str, given: Any) -> list[str]:
    with pytest.raises(SettingsRefused) as refused:
        read_settings(kind, given)
    return refused.value.faults


def test_least_that_is_needed():
    rest, sftp = read_settings("rest", REST), read_settings("sftp", SFTP)
    assert isinstance(rest, RestSettings)
    assert isinstance(sftp, SftpSettings)
    assert (rest.cursor_parameter, rest.items, rest.needs_secret) == ("cursor", "/items", "token")
    assert (sftp.port, sftp.afterwards, sftp.needs_secret) == (22, "done", "password")


@pytest.mark.parametrize(
    ("kind", "changes", "field"),
    [
        ("rest", {"url": "ftp://feed.example"}, "url"),
        ("rest", {"url": "https://me:pw@feed.example/"}, "url"),
        ("rest", {"url": "https://feed.example/?key=1"}, "url"),
        ("rest", {"items": "items"}, "items"),
        ("rest", {"payload": "/a~2"}, "payload"),
        ("rest", {"sign_in": "digest"}, "sign_in"),
        ("rest", {"sign_in": "basic"}, "user"),
        ("rest", {"item_cursor": "/id", "next_cursor": "/next"}, "item_cursor"),
        ("rest", {"gap_url": "https://feed.example/x?from={first}&to={last}"}, "gap_url"),
        ("rest", {"sequence": "/n", "gap_url": "https://feed.example/x?from={first}"}, "gap_url"),
        ("rest", {"sequence": "/n", "gap_minutes": 0}, "gap_minutes"),
        ("rest", {"parameters": {"api_key": "x"}}, "parameters"),
        ("rest", {"parameters": {"access_token": "x"}}, "parameters"),
        ("rest", {"parameters": {"limit": 5}}, "parameters"),
        ("rest", {"parameters": {"cursor": "5"}}, "parameters"),
        ("rest", {"purpose": "burn"}, "purpose"),
        ("rest", {"page_bytes": 999}, "page_bytes"),
        ("rest", {"pages": "5"}, "pages"),
        ("sftp", {"host": "user@sftp.example"}, "host"),
        ("sftp", {"host": "sftp.example/out"}, "host"),
        ("sftp", {"port": 0}, "port"),
        ("sftp", {"folder": "/out/../in"}, "folder"),
        ("sftp", {"folder": ".."}, "folder"),
        ("sftp", {"host_keys": []}, "host_keys"),
        ("sftp", {"host_keys": ["MD5:aa"]}, "host_keys"),
        ("sftp", {"host_keys": "SHA256:" + "A" * 43}, "host_keys"),
        ("sftp", {"afterwards": "burn"}, "afterwards"),
        ("sftp", {"purpose": "/kind"}, "purpose"),
    ],
)
def test_fault_names_its_field_and_what_to_write(kind: str, changes: dict[str, Any], field: str):
    [fault] = faults(kind, (REST if kind == "rest" else SFTP) | changes)
    assert fault.startswith(f"{field}: ")
    assert fault.endswith((".", "…"))


def test_everything_that_is_missing_is_named():
    assert [fault.partition(":")[0] for fault in faults("sftp", {})] == ["host", "user", "folder", "host_keys"]


def test_unknown_setting_is_refused_with_those_that_there_are():
    [fault] = faults("rest", REST | {"ulr": "x"})
    assert fault.startswith("ulr: there is no such setting. Those of this kind are url, parameters, sign_in")


@pytest.mark.parametrize("given", [None, [], "x", 5])
def test_what_is_no_object_is_refused(given: Any):
    assert faults("rest", given) == [
        'Write an object with the settings, such as {"url": "https://feed.example/items"}.'
    ]


def test_unknown_kind_is_refused():
    assert faults("ftp", {}) == ["There is no kind “ftp”; write sftp or rest."]


@pytest.mark.parametrize("folder", ["/out", "out", "out/a b", "/", "/a..b/c"])
def test_folders(folder: str):
    read_settings("sftp", SFTP | {"folder": folder})
