"""Which passwords are taken, and that they are taken as they were typed."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.password_validation import validate_password
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.test import Client

from workbench.models import User
from workbench.passwords import OwnWordsValidator

LONG = "  A rather Long päßword, with 🔑 and spaces at both ends; " + "x" * 80 + "  "


@pytest.fixture(autouse=True)
def nothing_counted() -> Iterator[None]:
    cache.clear()
    yield
    cache.clear()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("elevenchars", "password_too_short"),
        ("leavemealone", "password_too_common"),
        ("clara.clerk.1", "password_too_similar"),
        ("918273645546372", "password_entirely_numeric"),
        ("Workbench2026", "password_of_own_words"),
        ("exceptions-controller-1", "password_of_own_words"),
    ],
)
def test_password_that_others_would_try_is_refused(password: str, code: str):
    with pytest.raises(ValidationError) as refused:
        validate_password(password, User(username="clara.clerk"))
    assert code in [error.code for error in refused.value.error_list]


@pytest.mark.parametrize(
    "password", ["quietly flows", "QUIETLYFLOWS", "«»—…·¡¿§¶æøåßþ", "my workbench, in the barn", LONG]
)
def test_password_of_any_kind_and_length_is_taken(password: str):
    validate_password(password, User(username="clara.clerk"))


def test_words_of_the_company_make_no_password():
    ours = OwnWordsValidator(words=["Kowalczyk", "ledgerline"])
    for refused in ("KOWALCZYK-2026", "LedgerLine-Admin", "ledgerlineledgerline"):
        with pytest.raises(ValidationError):
            ours.validate(refused)
    for taken in ("kowalczyk walks the dog", "nothing of the kind"):
        ours.validate(taken)


@pytest.mark.django_db
def test_password_is_compared_exactly_as_it_was_typed(client: Client):
    User.objects.create_user("clara", password=LONG)

    def lets_in(password: str) -> bool:
        return bool(Client().post("/accounts/login/", {"username": "clara", "password": password}).status_code == 302)

    tried = (LONG, LONG.strip(), LONG.swapcase(), LONG[:-3])
    assert [lets_in(password) for password in tried] == [True, False, False, False]
    page = client.get("/accounts/login/").content.decode()
    [field] = [tag for tag in page.split("<") if 'name="password"' in tag]
    assert 'type="password"' in field
    assert 'autocomplete="current-password"' in field
    assert ("onpaste" in page, "maxlength" in field) == (False, False)
