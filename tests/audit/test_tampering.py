"""Sixteen kinds of tampering with the whole database in hand, and thousands of single changes in a copy of a pack.

Each is found by the program that an auditor runs, without the workbench, and it says where.
"""

import hashlib
import io
import json
import random
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test import override_settings
from pytest_django import DjangoDbBlocker

from audit import verify as online
from audit import verify_evidence
from audit.evidence import evidence
from audit.keys import key_from_seed, signing_key
from audit.log import record
from audit.models import AuditCheckpoint, AuditEvent
from audit.notes import parse_notes
from audit.verify_evidence import EXCEPTIONS, KEYS, LOG, MANIFEST, README, SIGNATURE, Fault, read_keys, write_container
from tests import guards, sealing
from tests.audit.conftest import NOON, SEED
from tests.audit.forger import Forger
from tests.audit.test_evidence import exceptions_of, members, signed_again

pytestmark = pytest.mark.django_db
OTHER_SEED = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
ORIGIN = "example.test/audit"
INSTALLED = {
    "AUDIT_ORIGIN": ORIGIN,
    "AUDIT_SIGNING_KEY": SEED,
    "AUDIT_VERIFIER_KEYS": [],
    "AUDIT_CHECKPOINT_SINK": "",
}
CHECKPOINTS = (4, 8, 12)


@dataclass(frozen=True, slots=True)
class Kept:
    """What somebody else has of a log of twelve events under three checkpoints, a day apart."""

    pack: bytes
    checkpoints: str
    key: str


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Kept]:
    """Committed once: each test takes back what it did to it."""
    with override_settings(**INSTALLED), django_db_blocker.unblock():
        try:
            for place in range(1, CHECKPOINTS[-1] + 1):
                approve(place)
                if place in CHECKPOINTS:
                    sealing.seal(limit=100, at=NOON + timedelta(days=place))
            notes = "".join(str(row.signed_note) for row in AuditCheckpoint.objects.order_by("size"))
            yield Kept(made(), notes, str(signing_key().verifier))
        finally:
            call_command("flush", interactive=False, verbosity=0, reset_sequences=False)
            connection.close()


def made() -> bytes:
    """A pack of everything, a day after the last checkpoint."""
    at = NOON + timedelta(days=CHECKPOINTS[-1] + 1)
    return b"".join(evidence(AuditEvent.objects.all(), at=at, by="auditor", asked_for={}, lookup=exceptions_of))


@transaction.atomic
def approve(place: int) -> None:
    record(
        "case.approved", subject=f"case:EX-{place:06}", scope="NL01/tax-compliance", actor="controller@example.test",
        at=NOON + timedelta(hours=place), summary=f"Approved correction {place}", because="It agrees with the order.",
        data={"amount": f"{place}.50", "lines": [place, place + 1]},
    )  # fmt: skip


def replaced_checkpoint(forger: Forger) -> None:
    """One of the three states another root, and is signed with a key of the same name."""
    forger.rewrite(6, leaf=True, actor="somebody@example.test")
    forger.rehash(key_from_seed(OTHER_SEED, name=ORIGIN))


def replaced_key(forger: Forger) -> None:
    """The whole log is signed with another key, and the pack is signed with that one and brings it."""
    forger.rehash(key_from_seed(OTHER_SEED, name=ORIGIN), all_of_them=True)


def in_the_replica_role(forger: Forger) -> None:
    if not guards.may_pass():
        pytest.skip("Only the owner of the tests' own cluster may take this role.")
    forger.run(guards.PASS, "UPDATE audit_event SET body = 'x' WHERE id = (SELECT min(id) FROM audit_event)")


def emptied_and_begun_anew(forger: Forger) -> None:
    """With the key of the log itself, so that what is there now holds by itself."""
    forger.delete(2, 12)
    AuditCheckpoint.objects.exclude(size=4)._raw_delete(using="default")
    AuditCheckpoint.objects.update(size=1)
    forger.rehash(signing_key())


def older_dump(forger: Forger) -> None:
    forger.delete(9, 12)
    AuditCheckpoint.objects.filter(size=12)._raw_delete(using="default")


def truncated(forger: Forger) -> None:
    forger.run("TRUNCATE audit_event, audit_seal CASCADE")


def put_in(forger: Forger) -> None:
    forger.insert(6, like=5)


def hashed_anew_to_the_end(forger: Forger) -> None:
    forger.rewrite(6, leaf=True, actor="somebody@example.test")
    forger.rehash()


CHANGED_ANEW = "sequence 5 to 8: an event was changed, exchanged or inserted, and hashed anew."
CUT_OFF = "a checkpoint from outside has 12 events, the log {}: the rest was cut off."
FOREIGN_KEY = "which is not among the keys."
Tamper = Callable[[Forger], None]
# Each kind, and where the program of the auditor says that it is.
KINDS: dict[str, tuple[Tamper, str]] = {
    "a field is edited": (lambda forger: forger.rewrite(6, because="No reason."), "sequence 6: the event was changed"),
    "the actor is edited": (lambda forger: forger.rewrite(6, actor="x@example.test"), "sequence 6: the event was"),
    "the time is edited": (lambda forger: forger.later(6, hours=1), "sequence 6: the event was changed"),
    "two events are exchanged": (lambda forger: forger.exchange(5, 7), CHANGED_ANEW),
    "one is deleted from the middle": (lambda forger: forger.delete(6, 6), "sequence 6 should follow, and 7 does"),
    "the end is deleted": (lambda forger: forger.delete(11, 12), "ends at sequence 10, where no checkpoint seals it"),
    "all is deleted, and begun anew": (emptied_and_begun_anew, CUT_OFF.format(1)),
    "a forged one is put in": (put_in, CHANGED_ANEW),
    "one is hashed anew": (lambda forger: forger.rewrite(6, leaf=True, actor="x@example.test"), CHANGED_ANEW),
    "the whole chain is hashed anew": (hashed_anew_to_the_end, "the checkpoint at 8: its signature does not hold"),
    "the tables are truncated": (truncated, "the log ends at sequence 0, where no checkpoint seals it"),
    "the triggers are disabled": (
        lambda forger: forger.run("UPDATE audit_event SET body = '{}' WHERE id = (SELECT max(id) FROM audit_event)"),
        "sequence 12: the event was changed",
    ),
    "the replica role is taken": (in_the_replica_role, "after sequence 0: a line of the log is neither event"),
    "an old dump is restored": (older_dump, CUT_OFF.format(8)),
    "a checkpoint is replaced": (replaced_checkpoint, FOREIGN_KEY),
    "the public key is replaced": (replaced_key, FOREIGN_KEY),
}


def audited(pack: bytes, kept: Kept, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Exit status and words of the program, as an auditor runs it with what somebody else kept."""
    file, checkpoints = folder / "pack.zip", folder / "checkpoints"
    file.write_bytes(pack)
    checkpoints.write_text(kept.checkpoints, encoding="utf-8")
    status = verify_evidence.main([str(file), "--checkpoint", str(checkpoints), "--key", kept.key])
    return status, capsys.readouterr().out


def test_there_are_sixteen_kinds():
    assert len(KINDS) == 16


@pytest.mark.parametrize("kind", KINDS)
def test_tampering_is_found_and_its_place_is_named(
    kept: Kept, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    tamper, place = KINDS[kind]
    assert audited(made(), kept, tmp_path, capsys)[0] == 0
    forger = Forger()
    if tamper is not in_the_replica_role:
        forger.disarm()
    tamper(forger)
    with override_settings(AUDIT_SIGNING_KEY=OTHER_SEED if tamper is replaced_key else SEED):
        status, words = audited(made(), kept, tmp_path, capsys)
    assert (status, words[:7]) == (1, "FAULT: ")
    assert place in words
    # The installation finds it too.
    assert online.verify(outside=parse_notes(kept.checkpoints)).fault is not None
    transaction.set_rollback(True)


# ---- single changes in a copy

PLACE = re.compile(
    r"^(?:after )?sequence (\d+)(?: to (\d+))?|^the checkpoint at (\d+)|^the log (?:ends at sequence|has) (\d+)"
)
FILES = (LOG, EXCEPTIONS, KEYS, README, MANIFEST, SIGNATURE)


def fault(pack: bytes, kept: Kept) -> str:
    notes = [verify_evidence._note(match) for match in verify_evidence._NOTE.finditer(kept.checkpoints)]
    with pytest.raises(Fault) as found:
        verify_evidence.verify(io.BytesIO(pack), read_keys([kept.key]), notes)
    return str(found.value)


def test_each_of_thousands_of_changed_bytes_is_found_and_its_place_is_named(kept: Kept):
    """Between its two checkpoints when it is in the log; else by its file, or where in the container."""
    chance = random.Random(20)  # noqa: S311 - the same changes in every run
    lines = places_of_lines(kept.pack)
    for _ in range(5_000):
        at = chance.randrange(len(kept.pack))
        changed = bytearray(kept.pack)
        changed[at] = (changed[at] + chance.randrange(1, 256)) % 256
        said = fault(bytes(changed), kept)
        within = next((line for line in lines if at in line.bytes), None)
        if within is None:
            assert PLACE.match(said) or any(name in said for name in (*FILES, "container")), (at, said)
        else:
            named = PLACE.match(said)
            # Of the line with a signature, the name before it is no part of what is signed: there it is the file.
            assert named is not None or (LOG in said and within.is_checkpoint), (at, said)
            first = int(next(group for group in named.groups() if group)) if named else within.first
            assert within.first <= first <= within.last, (at, said)


@dataclass(frozen=True, slots=True)
class Line:
    """Where a line of the log stands in the pack, and which sequences may be named when it is changed."""

    bytes: range
    first: int
    last: int
    is_checkpoint: bool


def places_of_lines(pack: bytes) -> list[Line]:
    """From the checkpoint before it to the one behind it."""
    with zipfile.ZipFile(io.BytesIO(pack)) as container:
        begun = pack.index(b"{", container.getinfo(LOG).header_offset)
        lines = container.read(LOG).splitlines(keepends=True)
    found = []
    sequence = 0
    for line in lines:
        is_event = line.startswith(b'{"sequence"')
        before = max((size for size in CHECKPOINTS if size <= sequence), default=0)
        sequence += is_event
        behind = min(size for size in CHECKPOINTS if size >= sequence)
        # A line that cannot be read any more is told by the place before it.
        found.append(Line(range(begun, begun + len(line)), max(before - 1, 0), behind + 1, not is_event))
        begun += len(line)
    return found


def test_each_of_thousands_of_changed_fields_is_found_at_its_event(kept: Kept):
    """Whoever changes a value leaves the hash of the event as it is, or hashes it anew; the rest is signed anew."""
    chance = random.Random(16)  # noqa: S311 - the same changes in every run
    files = members(kept.pack)
    for number in range(2_000):
        lines = files[LOG].splitlines(keepends=True)
        sequence = chance.randrange(1, 13)
        place = next(place for place, line in enumerate(lines) if line.startswith(b'{"sequence":%d,' % sequence))
        anew = number % 2 == 1
        lines[place] = with_another_value(lines[place], chance, anew=anew)
        said = fault(signed_again(files | {LOG: b"".join(lines)}), kept)
        before = max((size for size in CHECKPOINTS if size < sequence), default=0)
        wanted = f"sequence {before + 1} to {before + 4}: " if anew else f"sequence {sequence}: the event was changed"
        assert said.startswith(wanted), said


def with_another_value(line: bytes, chance: random.Random, *, anew: bool) -> bytes:
    told: dict[str, Any] = json.loads(line)
    holder, name = chance.choice([*fields(told["body"])])
    value = holder[name]
    holder[name] = value + 1 if isinstance(value, int) else f"{value}x" if chance.random() < 0.5 else value[:-1] + "~"
    body = json.dumps(told["body"], ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()
    leaf = hashlib.sha256(b"\0" + body).hexdigest() if anew else told["leaf"]
    return b'{"sequence":%d,"leaf":"%s","body":%s}\n' % (told["sequence"], leaf.encode(), body)


def fields(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each value within, by what holds it and its name there."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    for name, inner in pairs:
        if isinstance(inner, dict | list):
            yield from fields(inner)
        else:
            yield value, name


def test_container_that_is_written_again_is_the_same_byte_for_byte(kept: Kept):
    """So the changed packs above differ from the honest one in nothing else."""
    assert b"".join(write_container((name, [content]) for name, content in members(kept.pack).items())) == kept.pack
