"""An archive in an object store, against one that verifies every signature; and what it says when it is refused."""

import hashlib
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils.timezone import now

from integrations.archive_settings import S3Settings, read_archive_settings
from integrations.archives import ArchiveFailed, FileChanged, Parcel
from integrations.archives.s3 import S3Store, s3_store
from integrations.pull_settings import SettingsRefused
from tests.s3_server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, S3Server, Said, Stored, s3_server
from tests.scripted_server import answering, scripted

CONTENT = b"evidence " * 100_000
NAME = "2026-10-10.digest.evidence.zip"
PATH = f"/{BUCKET}/finance/evidence/{NAME}"
PARCEL = Parcel(
    name=NAME, size=len(CONTENT), sha256=hashlib.sha256(CONTENT).hexdigest(), attempt=1,
    chunks=lambda: iter([CONTENT[:700_000], CONTENT[700_000:]]),
)  # fmt: skip


@pytest.fixture(autouse=True)
def allow_loopback(settings: Any) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = True


@pytest.fixture
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def settings_of(endpoint: str, **more: Any) -> S3Settings:
    given = {
        "endpoint": endpoint, "region": REGION, "bucket": BUCKET, "access_key": ACCESS_KEY,
        "folder": "finance/evidence",
    } | more  # fmt: skip
    read = read_archive_settings("s3", given)
    assert isinstance(read, S3Settings)
    return read


def keep(endpoint: str, *, secret: str = SECRET_KEY, timeout: float = 5, deadline: float = 20, **more: Any) -> bool:
    """As `integrations.archives.keep` does it, without a database."""
    with s3_store(settings_of(endpoint, **more), secret, timeout=timeout, deadline=deadline) as store:
        if store.holds(PARCEL):
            return False
        store.put(PARCEL)
        return store.holds(PARCEL)


def failed(endpoint: str, **more: Any) -> ArchiveFailed:
    with pytest.raises(ArchiveFailed) as told:
        keep(endpoint, **more)
    return told.value


def test_put_once_whole_signed_and_read_back(server: S3Server) -> None:
    assert keep(server.endpoint) is True
    assert {path: stored.content for path, stored in server.objects.items()} == {PATH: CONTENT}
    assert server.methods == ["GET", "PUT", "GET"]
    _, _, headers = server.asked[1]
    assert headers["if-none-match"] == "*"
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["x-amz-content-sha256"] == PARCEL.sha256
    assert "x-amz-object-lock-mode" not in headers


def test_put_twice_lies_there_once(server: S3Server) -> None:
    assert (keep(server.endpoint), keep(server.endpoint)) == (True, False)
    assert server.methods.count("PUT") == 1


def test_no_folder_and_a_path_before_the_bucket(server: S3Server) -> None:
    server.buckets.add("storage")
    settings = S3Settings(
        endpoint=f"{server.endpoint}/storage/v1/", bucket=BUCKET, access_key=ACCESS_KEY, region=REGION
    )  # fmt: skip
    with s3_store(settings, SECRET_KEY, timeout=5, deadline=20) as store:
        store.put(PARCEL)
        assert store.holds(PARCEL)
    assert server.names == [f"/storage/v1/{BUCKET}/{NAME}"]


def test_somebody_elses_object_is_left_as_it_is(server: S3Server) -> None:
    server.objects[PATH] = Stored(b"theirs")
    with pytest.raises(FileChanged, match=f"{NAME} with other content: 6 bytes"):
        keep(server.endpoint)
    assert (server.objects[PATH].content, server.methods) == (b"theirs", ["GET"])


@pytest.mark.parametrize(("theirs", "is_mine"), [(b"theirs", False), (CONTENT, True)])
def test_who_comes_between_looking_and_putting_is_not_overwritten(
    server: S3Server, theirs: bytes, is_mine: bool
) -> None:
    def come_first(s3: S3Server) -> None:
        s3.objects[PATH] = Stored(theirs)

    server.accidents["PUT"] = come_first
    if is_mine:
        assert keep(server.endpoint) is True
    else:
        with pytest.raises(FileChanged):
            keep(server.endpoint)
    assert (server.objects[PATH].content, server.methods) == (theirs, ["GET", "PUT", "GET"])


@pytest.mark.parametrize("conditions", ["ignored", "refused"])
def test_store_that_knows_no_condition_is_looked_at_first(server: S3Server, conditions: str) -> None:
    server.conditions = conditions
    assert (keep(server.endpoint), keep(server.endpoint)) == (True, False)
    puts = [headers for method, _, headers in server.asked if method == "PUT"]
    assert ["if-none-match" in headers for headers in puts] == [True] + [False] * (conditions == "refused")
    server.objects[PATH] = Stored(b"theirs")
    with pytest.raises(FileChanged):
        keep(server.endpoint)
    assert server.objects[PATH].content == b"theirs"


def test_other_bytes_read_back_do_not_count(server: S3Server) -> None:
    server.spoils = True
    told = failed(server.endpoint)
    assert (type(told), told.pauses) == (ArchiveFailed, False)
    assert "What was read back is not what was written." in told.problem
    with pytest.raises(FileChanged):  # and the next time it is what lies there
        keep(server.endpoint)
    server.spoils = False
    assert keep(server.endpoint) is False


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"secret": "wrong"}, "secret: it does not belong to access_key."),
        ({"access_key": "AKIAOTHER"}, "access_key: the store does not know it."),
        ({"bucket": "another"}, "bucket: the store has none of this name."),
        ({"region": "us-east-1"}, f"region: it is not that of the bucket, which is in {REGION}. Write the right one, "),
        ({"lock_days": 30}, "lock_days: nothing can be locked in this bucket."),
    ],
)  # fmt: skip
def test_what_a_person_has_to_mend_names_the_field_and_pauses(server: S3Server, given: Any, words: str) -> None:
    told = failed(server.endpoint, **given)
    assert told.problem.startswith(words)
    assert "and resume. The store answered 4" in told.problem
    assert (told.pauses, server.names) == (True, [])
    assert SECRET_KEY not in told.problem


@pytest.mark.parametrize(("right", "doing"), [("GET", "read"), ("PUT", "write")])
def test_missing_right_is_named(server: S3Server, right: str, doing: str) -> None:
    server.rights.discard(right)
    told = failed(server.endpoint)
    assert told.pauses is True
    assert told.problem.startswith(f"access_key: it may not {doing} there. Give it s3:ListBucket, ")


RIGHTS = "access_key: it may not read there. Give it s3:ListBucket, s3:GetObject and s3:PutObject on the bucket"
REGION_WORDS = "region: it is not that of the bucket. Write the right one, with its endpoint,"
ENDPOINT_WORDS = "endpoint: it leads to another address, which is not followed. Write that of the store itself,"
CLOCK = "The clock of this machine is not that of the store. Have it set."


def say(*said: Any, location: str = "") -> Any:
    def accident(_: S3Server) -> None:
        raise Said(*said, location=location)

    return accident


@pytest.mark.parametrize(
    ("said", "pauses", "words"),
    [
        ((503, "SlowDown", "Please reduce your request rate."), False,
         "The store answered 503 SlowDown: Please reduce your request rate."),
        ((500, "InternalError", "Once more"), False, "The store answered 500 InternalError: Once more."),
        ((500, ""), False, "The store answered 500."),
        ((409, "ConditionalRequestConflict", "Meanwhile"), False,
         "The store answered 409 ConditionalRequestConflict: Meanwhile."),
        ((403, "RequestTimeTooSkewed", "No"), False, CLOCK + " The store answered 403 RequestTimeTooSkewed: No."),
        ((403, ""), True, RIGHTS + ", and resume. The store answered 403."),
        ((301, "PermanentRedirect", "Elsewhere"), True,
         REGION_WORDS + " and resume. The store answered 301 PermanentRedirect: Elsewhere."),
        ((301, ""), True, ENDPOINT_WORDS + " and resume. The store answered 301."),
        ((307, "TemporaryRedirect", "Soon"), False, "The store answered 307 TemporaryRedirect: Soon."),
    ],
)  # fmt: skip
def test_what_the_store_says_instead(server: S3Server, said: Any, pauses: bool, words: str) -> None:
    server.accidents["GET"] = say(*said, location="http://127.0.0.1:1/elsewhere")
    told = failed(server.endpoint)
    assert (told.problem, told.pauses, server.methods) == (words, pauses, ["GET"])


def test_503_and_then_right(server: S3Server) -> None:
    server.accidents["PUT"] = say(503, "SlowDown")
    assert failed(server.endpoint).pauses is False
    assert server.names == []
    server.accidents.clear()
    assert keep(server.endpoint) is True


def test_store_that_refuses_before_it_has_read_all_is_heard(server: S3Server) -> None:
    """It answers and closes with most of the content unread, so that the rest cannot be sent."""
    large = Parcel(
        name=NAME, size=60_000_000, sha256=PARCEL.sha256, attempt=1, chunks=lambda: iter([b"x" * 1_000_000] * 60)
    )  # fmt: skip
    server.accidents["PUT"] = say(403, "AccessDenied")
    with (
        s3_store(settings_of(server.endpoint), SECRET_KEY, timeout=5, deadline=20) as store,
        pytest.raises(ArchiveFailed, match="access_key: it may not write there") as told,
    ):
        store.put(large)
    assert told.value.pauses is True


def test_store_that_says_nothing_costs_one_time_out(server: S3Server) -> None:
    def sleep(_: S3Server) -> None:
        time.sleep(1.5)

    server.accidents["PUT"] = sleep
    begun = time.monotonic()
    told = failed(server.endpoint, timeout=0.3)
    assert time.monotonic() - begun < 1.4
    assert (told.problem, told.pauses) == ("The store cannot be used: timed out", False)


def test_store_that_drips_is_broken_off(server: S3Server) -> None:
    def drip(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(50):
            connection.sendall(b".")
            time.sleep(0.05)

    with scripted(drip) as slow:
        begun = time.monotonic()
        told = failed(f"http://127.0.0.1:{slow.port}", timeout=5, deadline=0.5)
        assert time.monotonic() - begun < 2
    assert told.problem.startswith("The store cannot be used: The ")


def test_no_time_left_asks_nothing(server: S3Server) -> None:
    store = S3Store(settings_of(server.endpoint), SECRET_KEY, timeout=5, ends_at=time.monotonic())
    with pytest.raises(ArchiveFailed, match="It took too long"):
        store.holds(PARCEL)
    assert server.asked == []


def test_answer_that_is_cut_short_is_no_content() -> None:
    def cut(connection: Any) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT[:1000])

    with scripted(cut) as server:
        told = failed(f"http://127.0.0.1:{server.port}")
    assert (told.problem, type(told)) == ("The store cannot be used: The answer was cut short.", ArchiveFailed)


@pytest.mark.parametrize("body", [b"<html><body>Not here</body></html>", b"Not here", b""])
def test_server_that_is_no_store(body: bytes) -> None:
    with scripted(answering("404 Not Found", body)) as server:
        told = failed(f"http://127.0.0.1:{server.port}")
    assert told.problem == "The store answered 404."


def test_crash_between_putting_and_noting_is_taken_up(server: S3Server) -> None:
    def die(_: S3Server) -> None:
        raise ConnectionError

    server.after["PUT"] = die  # it lies there, and nobody was told
    assert failed(server.endpoint).problem.startswith("The store cannot be used: ")
    server.after.clear()
    assert keep(server.endpoint) is False
    assert server.methods == ["GET", "PUT", "GET"]


def test_address_inside_is_not_asked(server: S3Server, settings: Any) -> None:
    settings.INTEGRATIONS_ALLOW_LOOPBACK = False
    told = failed(server.endpoint)
    assert told.problem.startswith("endpoint: 127.0.0.1: 127.0.0.1 is this machine itself")
    assert server.asked == []


def test_lock_is_asked_for_and_seen(server: S3Server) -> None:
    server.locks = True
    with time_machine.travel(now(), tick=False):
        until = now() + timedelta(days=3650)
        assert keep(server.endpoint, lock_days=3650, lock_mode="COMPLIANCE") is True
    assert server.objects[PATH].headers == {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": f"{until:%Y-%m-%dT%H:%M:%SZ}",
    }
    assert keep(server.endpoint, lock_days=3650) is False  # COMPLIANCE keeps more than GOVERNANCE


def test_lock_that_is_not_seen_does_not_count(server: S3Server) -> None:
    server.objects[PATH] = Stored(CONTENT)
    told = failed(server.endpoint, lock_days=30)
    assert told.problem.startswith("lock_days: the file lies there as it should, but the store does not say that it is")
    assert told.pauses is True


@pytest.mark.parametrize(
    ("mode", "days", "written_days_ago", "counts"),
    [
        ("COMPLIANCE", 3650, 0, True),
        ("COMPLIANCE", 3649.5, 0, True),  # a store that counts whole days
        ("COMPLIANCE", 650, 3000, True),  # locked long enough when it was put there
        ("COMPLIANCE", 3640, 0, False),
        ("GOVERNANCE", 3650, 0, False),
        ("GOVERNANCE", 1, 0, False),
        ("", 3650, 0, False),
        ("COMPLIANCE", -0.01, 3650.5, False),  # it is over
    ],
)
def test_lock_counts_when_it_is_the_one_of_the_settings(
    server: S3Server, mode: str, days: float, written_days_ago: float, counts: bool
) -> None:
    """Of an object that an earlier attempt put there, under settings that were others then."""
    until = now() + timedelta(days=days)
    lock = {"x-amz-object-lock-retain-until-date": f"{until:%Y-%m-%dT%H:%M:%S.000Z}"}
    if mode:
        lock["x-amz-object-lock-mode"] = mode
    server.objects[PATH] = Stored(CONTENT, lock, now() - timedelta(days=written_days_ago))
    given: dict[str, Any] = {"lock_days": 3650, "lock_mode": "COMPLIANCE"}
    if counts:
        assert keep(server.endpoint, **given) is False
        return
    told = failed(server.endpoint, **given)
    assert f"says that it is locked until {until:%Y-%m-%d %H:%M} UTC as {mode or 'nothing'}. Have" in told.problem
    assert "Have it locked for 3650 days as COMPLIANCE and give access_key" in told.problem
    assert told.pauses is True


@pytest.mark.parametrize("until", ["soon", "2026-13-01T00:00:00Z"])
def test_lock_until_no_moment_does_not_count(server: S3Server, until: str) -> None:
    lock = {"x-amz-object-lock-mode": "GOVERNANCE", "x-amz-object-lock-retain-until-date": until}
    server.objects[PATH] = Stored(CONTENT, lock)
    assert "does not say that it is locked" in failed(server.endpoint, lock_days=30).problem


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"endpoint": "s3.example"}, "endpoint: Write the address of the store without the bucket, such as "),
        ({"endpoint": "https://me:secret@s3.example"}, "endpoint: "),
        ({"endpoint": "https://s3.example/?list"}, "endpoint: "),
        ({"endpoint": "https://s3.example/a/../b"}, "endpoint: "),
        ({"endpoint": "http://[::1"}, "endpoint: Write the address of the store"),
        ({"endpoint": "http://[s3.example]:9000"}, "endpoint: Write the address of the store"),
        ({"endpoint": "https://s3.example:99999"}, "endpoint: Write the address of the store"),
        ({"endpoint": "https://s3.example:port"}, "endpoint: Write the address of the store"),
        ({"endpoint": "https://:9000"}, "endpoint: Write the address of the store"),
        ({"endpoint": "https://s3.example\n"}, "endpoint: Write the address of the store"),
        ({"bucket": "evidence\n"}, "bucket: "),
        ({"access_key": "AKIA\n"}, "access_key: "),
        ({"region": "eu\n"}, "region: "),
        ({"folder": "evidence\n"}, "folder: "),
        ({"bucket": "Evidence"}, "bucket: Write the name of the bucket: "),
        ({"bucket": "a/b"}, "bucket: "),
        ({"access_key": "A/B"}, "access_key: Write the ID of the access key"),
        ({"folder": "/evidence"}, "folder: Write a folder in the bucket"),
        ({"folder": "evidence/"}, "folder: "),
        ({"folder": "a/../b"}, "folder: "),
        ({"folder": "a b"}, "folder: "),
        ({"region": "eu west"}, "region: Write the region"),
        ({"lock_days": 0}, "lock_days: Write days, from 1 to 36500."),
        ({"lock_days": 10, "lock_mode": "governance"}, "lock_mode: Write GOVERNANCE or COMPLIANCE."),
        ({"lock_mode": "COMPLIANCE"}, "lock_days: this is missing. Write for how many days lock_mode counts."),
        ({"secret_key": "x"}, "secret_key: there is no such setting. Those of this kind are endpoint, bucket, "),
    ],
)
def test_settings_that_cannot_be_used_name_the_field(change: dict[str, Any], fault: str) -> None:
    given = {"endpoint": "https://s3.example", "bucket": "evidence", "access_key": "AKIA"}
    with pytest.raises(SettingsRefused) as refused:
        read_archive_settings("s3", given | change)
    [told] = refused.value.faults
    assert told.startswith(fault)


def test_missing_settings_are_all_named() -> None:
    with pytest.raises(SettingsRefused) as refused:
        read_archive_settings("s3", {})
    assert [fault.partition(":")[0] for fault in refused.value.faults] == ["endpoint", "bucket", "access_key"]


@pytest.mark.parametrize(
    "endpoint", ["https://s3.example", "https://s3.example:9000/", "http://[::1]:9000/storage/v1/s3"]
)
def test_addresses_of_stores(endpoint: str) -> None:
    read = settings_of(endpoint)
    assert read.address == f"{endpoint.rstrip('/')}/{BUCKET}"
