import stat

import pytest
from django.core.exceptions import ImproperlyConfigured

from audit.keys import key_from_seed, origin, parse_verifier_key, signing_key, verifier_keys

# The key that the documentation of Go's note package uses; the format is shared with C2SP signed-note.
PUBLISHED = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_published_verifier_key_has_its_key_id():
    key = parse_verifier_key(PUBLISHED)
    assert (key.name, key.key_id, str(key)) == ("PeterNeumann", "c74f20a3", PUBLISHED)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense", "not a verifier key"),
        ("PeterNeumann+c74f20a3+ARpc", "does not hold an Ed25519"),
        ("PeterNeumann+c74f20a3+***", "does not hold an Ed25519"),
        (PUBLISHED.replace("c74f20a3", "c74f20a4"), "does not match its own key id c74f20a3"),
        (PUBLISHED.replace("Peter", "Paul"), "does not match its own key id"),
    ],
)
def test_malformed_verifier_key_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_verifier_key(text)


@pytest.mark.parametrize("seed", ["", "short", "c2hvcnQ=", "!" * 44])
def test_malformed_seed_is_refused_and_not_repeated(seed):
    with pytest.raises(ImproperlyConfigured, match="base64 of exactly 32 bytes") as refusal:
        key_from_seed(seed, name="x")
    assert not seed or seed not in str(refusal.value)


def test_representation_of_signing_key_is_public():
    assert repr(signing_key()) == f"SigningKey({signing_key().verifier})"


def test_key_is_made_once_in_development_readable_by_its_owner_alone(settings, tmp_path):
    settings.AUDIT_SIGNING_KEY = ""
    settings.PRODUCTION = False
    settings.WB_HOME = tmp_path
    first = signing_key().verifier
    assert signing_key().verifier == first
    files = list((tmp_path / "secrets").iterdir())
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600]


def test_retired_keys_stay_accepted(settings):
    settings.AUDIT_VERIFIER_KEYS = [PUBLISHED]
    assert set(verifier_keys()) == {"c74f20a3", signing_key().verifier.key_id}


def test_verifier_keys_need_no_private_key(settings):
    settings.AUDIT_SIGNING_KEY = ""
    settings.PRODUCTION = True
    settings.AUDIT_VERIFIER_KEYS = [PUBLISHED]
    assert set(verifier_keys()) == {"c74f20a3"}


@pytest.mark.parametrize("name", ["two words", "a+b", "line\nbreak"])
def test_origin_that_a_note_cannot_carry_is_refused(settings, name):
    settings.AUDIT_ORIGIN = name
    with pytest.raises(ImproperlyConfigured, match="AUDIT_ORIGIN"):
        origin()
