"""What is sealed is opened by who has a key, as it was, in its time, and by nobody else."""

import base64
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured

from integrations.secret_box import Unsealable, seal, unseal

TEXT = "a token of a target: tök-1"
OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_sealed_is_opened_with_any_key_and_sealed_with_the_first(settings: LazySettings):
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    sealed = [seal(TEXT), seal(TEXT), seal("")]
    assert len({*sealed}) == 3
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    assert [unseal(one) for one in sealed] == [TEXT, TEXT, ""]
    anew = seal(TEXT)
    settings.FIELD_ENCRYPTION_KEYS = [NEW]
    assert unseal(anew) == TEXT
    with pytest.raises(Unsealable):
        unseal(sealed[0])


def test_what_was_sealed_before_is_opened_as_ever(settings: LazySettings, time_machine: Any):
    settings.FIELD_ENCRYPTION_KEYS = [NEW, OLD]
    before = MultiFernet([Fernet(OLD)]).encrypt(TEXT.encode()).decode()
    assert (unseal(before), unseal(before, seconds=60)) == (TEXT, TEXT)


def test_any_changed_bit_and_anything_else_is_refused(settings: LazySettings):
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    kind, raw = seal(TEXT)[:3], base64.urlsafe_b64decode(seal(TEXT)[3:])
    for place in range(len(raw)):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        with pytest.raises(Unsealable):
            unseal(kind + base64.urlsafe_b64encode(bytes(changed)).decode())
    for other in ("", "g1.", "g1.AAAA", "g1.é", "g1." + "A" * 80, seal(TEXT)[3:], seal(TEXT) + "A", TEXT, "x" * 400):
        with pytest.raises(Unsealable):
            unseal(other)


def test_sealed_is_opened_in_its_time_alone(settings: LazySettings, time_machine: Any):
    settings.FIELD_ENCRYPTION_KEYS = [OLD]
    time_machine.move_to("2026-11-02T09:00:00+00:00", tick=False)
    sealed = seal(TEXT)
    time_machine.shift(300)
    assert unseal(sealed, seconds=300) == TEXT
    time_machine.shift(1)
    assert unseal(sealed) == TEXT
    with pytest.raises(Unsealable):
        unseal(sealed, seconds=300)


@pytest.mark.parametrize("key", ["", "short", "x" * 44, "é" * 44])
def test_key_that_is_none_is_named(settings: LazySettings, key: str):
    settings.FIELD_ENCRYPTION_KEYS = [key]
    with pytest.raises(ImproperlyConfigured, match="FIELD_ENCRYPTION_KEYS"):
        seal(TEXT)
