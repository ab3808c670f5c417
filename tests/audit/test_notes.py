import base64
from datetime import UTC, datetime

import pytest

from audit.keys import signing_key, verifier_keys
from audit.notes import Checkpoint, NotANote, SignedNote, parse_notes, parse_text, sign

CHECKPOINT = Checkpoint(
    origin="example.test/audit",
    size=7,
    root=bytes(range(32)),
    chain_head=bytes(32),
    at=datetime(2026, 3, 2, 12, 0, 0, 42, tzinfo=UTC),
    previous_digest=b"\xff" * 32,
)
TEXT = (
    "example.test/audit\n"
    "7\n"
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    "chain AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
    "at 2026-03-02T12:00:00.000042Z\n"
    "previous //////////////////////////////////////////8=\n"
)


def test_text_of_checkpoint_is_read_back_exactly():
    assert CHECKPOINT.text == TEXT
    assert parse_text(TEXT) == CHECKPOINT


def test_signed_note_is_read_back_and_trusted():
    note = sign(CHECKPOINT, key=signing_key())
    assert str(note).startswith(TEXT + "\n— example.test/audit ")
    assert parse_notes(str(note)) == [note]
    assert note.fault(verifier_keys()) is None


def test_header_holds_the_note_in_one_line():
    note = sign(CHECKPOINT, key=signing_key())
    assert base64.b64decode(note.header).decode() == str(note)
    assert "\n" not in note.header


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("7\n", "8\n"), "its signature is not valid"),
        (("000042Z", "000043Z"), "its signature is not valid"),
        (("example.test/audit\n", "example.test/other\n"), "its origin example.test/other is not that of key"),
    ],
)
def test_changed_text_is_not_trusted(change, message):
    note = sign(CHECKPOINT, key=signing_key())
    changed = SignedNote(text=note.text.replace(*change), key_id=note.key_id, signature=note.signature)
    assert message in (changed.fault(verifier_keys()) or "")


def test_several_notes_are_found_in_order_among_other_text():
    first = sign(CHECKPOINT, key=signing_key())
    cut = str(first)[:90]
    assert parse_notes(f"From: log\n\n{first}{first}{cut}\n{first}") == [first, first, first]
    assert parse_notes(cut) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT[:-1],
        TEXT + "more\n",
        TEXT.replace("7\n", "07\n"),
        TEXT.replace("7\n", "-7\n"),
        TEXT.replace("chain ", "chains "),
        TEXT.replace("AAEC", "AA*C"),
        TEXT.replace("Z\n", "+00:00\n"),
    ],
)
def test_text_that_is_not_exact_is_refused(text):
    with pytest.raises(NotANote):
        parse_text(text)
