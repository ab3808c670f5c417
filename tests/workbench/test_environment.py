from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from workbench import environment


def test_secret_comes_from_the_file_without_its_line_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s3cret\n")
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    assert environment.secret("A_KEY") == "s3cret"


def test_secret_given_twice_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("A_KEY", "one")
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ImproperlyConfigured, match="A_KEY and A_KEY_FILE are both set"):
        environment.secret("A_KEY")


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_secret_file_without_a_secret_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    monkeypatch.setenv("A_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(ImproperlyConfigured, match=r"A_KEY_FILE names .*key"):
        environment.secret("A_KEY")


def test_required_names_the_variable_and_what_to_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("A_KEY", raising=False)
    with pytest.raises(ImproperlyConfigured) as refused:
        environment.required("A_KEY", write="at least 50 random characters")
    assert str(refused.value) == "A_KEY is not set. Set A_KEY (or A_KEY_FILE) to at least 50 random characters."


@pytest.mark.parametrize(("value", "expected"), [("", True), ("1", True), ("Yes", True), ("off", False), ("0", False)])
def test_boolean_reads_common_words(monkeypatch: pytest.MonkeyPatch, value: str, expected: bool) -> None:
    monkeypatch.setenv("A_SWITCH", value)
    assert environment.boolean("A_SWITCH", default=True) is expected


def test_boolean_refuses_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SWITCH", "maybe")
    with pytest.raises(ImproperlyConfigured, match=r"A_SWITCH='maybe' is not a truth value\. Write true or false"):
        environment.boolean("A_SWITCH", default=True)


@pytest.mark.parametrize("value", ["x", "-1", "1.5", "9"])
def test_integer_refuses_what_is_no_number_or_too_small(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("A_COUNT", value)
    with pytest.raises(
        ImproperlyConfigured, match=f"A_COUNT='{value}' is not usable. Write a whole number of at least 10"
    ):
        environment.integer("A_COUNT", default=20, minimum=10)


def test_words_are_split_at_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_HOSTS", " a.example, ,b.example ")
    assert environment.words("SOME_HOSTS") == ["a.example", "b.example"]


def test_choice_lists_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_PROFILE", "prod")
    with pytest.raises(ImproperlyConfigured, match=r"A_PROFILE='prod' is not known\. Write one of: test, production"):
        environment.choice("A_PROFILE", ("test", "production"), default="test")


def test_database_reads_what_libpq_reads() -> None:
    read = environment.database("postgresql://app:p%40ss@db.example:5433/book?sslmode=require", name="DATABASE_URL")
    assert read == {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "book",
        "USER": "app",
        "PASSWORD": "p@ss",
        "HOST": "db.example",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }


def test_database_reads_a_socket_directory_with_spaces() -> None:
    assert environment.database("postgresql://app@/book?host=%2Fsome%20where", name="X")["HOST"] == "/some where"


@pytest.mark.parametrize(
    "url", ["mysql://root:hunter2@db/x", "postgresql://app:hunter2%zz@db/x", "postgresql://app:hunter2@db"]
)
def test_database_refuses_without_showing_the_password(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DATABASE_URL .*Write postgresql://USER:PASSWORD@HOST") as refused:
        environment.database(url, name="DATABASE_URL")
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "broker"),
    [
        ("redis://broker.example:6379/2", "redis://broker.example:6379/2"),
        ("rediss://:pw@broker.example/0", "rediss://:pw@broker.example/0"),
        ("unix:///run/a%20b/valkey.sock?db=3", "redis+socket:///run/a%20b/valkey.sock?virtual_host=3"),
        ("unix:///run/valkey.sock", "redis+socket:///run/valkey.sock?virtual_host=0"),
    ],
)
def test_celery_broker_spells_sockets_in_its_own_way(url: str, broker: str) -> None:
    assert environment.celery_broker(url) == broker


@pytest.mark.parametrize("url", ["amqp://broker.example", "unix://", "broker.example:6379"])
def test_celery_broker_refuses_other_schemes(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="REDIS_URL is not usable"):
        environment.celery_broker(url)
