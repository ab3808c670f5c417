"""An honest pack holds; whatever is changed in one is found, and named."""

import base64
import hashlib
import io
import json
import random
import shutil
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable, Iterable
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path

import pytest

from audit import evidence as packs
from audit import verify_evidence
from audit.evidence import Listed, NothingSealed, evidence
from audit.keys import key_from_seed, signing_key
from audit.merkle import leaf_hash
from audit.models import AuditCheckpoint, AuditEvent
from audit.verify_evidence import Fault, read_keys, verify, write_container
from tests.audit.conftest import NOON

Members = dict[str, bytes]


def exceptions_of(subjects: Iterable[str]) -> list[Listed]:
    return [
        Listed(ref=subject.removeprefix("case:"), number="INV-1", state="open", amount="10.50", currency="EUR")
        for subject in subjects
        if subject.startswith("case:")
    ]


def made(events=None) -> bytes:
    chosen = AuditEvent.objects.all() if events is None else events
    return b"".join(evidence(chosen, at=NOON, by="auditor", asked_for={}, lookup=exceptions_of))


def members(pack: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(pack)) as container:
        return {name: container.read(name) for name in container.namelist()}


def signed_again(files: Members, seed: bytes | None = None) -> bytes:
    """What a forger makes who knows the format: all hashes and counts fit; signed with their own key, or ours."""
    key = signing_key() if seed is None else key_from_seed(base64.b64encode(seed).decode(), name="example.test/audit")
    manifest = json.loads(files["manifest.json"])
    for name in manifest["files"]:
        digest = hashlib.sha256(files[name]).hexdigest()
        manifest["files"][name] = {"sha256": digest, "bytes": len(files[name])}
    files["manifest.json"] = json.dumps(manifest).encode()
    text = f"{verify_evidence.FORMAT}\n".encode() + files["manifest.json"]
    signature = bytes.fromhex(key.verifier.key_id) + key.sign(text)
    files["manifest.sig"] = base64.b64encode(signature) + b"\n"
    return b"".join(write_container((name, [content]) for name, content in files.items()))


def check(pack: bytes, *, keys=None, outside=()):
    trusted = read_keys([str(signing_key().verifier)]) if keys is None else keys
    return verify(io.BytesIO(pack), trusted, outside)


def fault(pack: bytes, **more) -> str:
    with pytest.raises(Fault) as found:
        check(pack, **more)
    return str(found.value)


def outside() -> list[verify_evidence.Note]:
    """Every checkpoint so far, as somebody else kept it."""
    notes = "".join(str(row.signed_note) for row in AuditCheckpoint.objects.order_by("size"))
    return [verify_evidence._note(match) for match in verify_evidence._NOTE.finditer(notes)]


@pytest.fixture
def sealed(write, seal) -> Callable[[int], None]:
    """So many events, sealed in batches of five, on three days."""

    def sealed(number: int) -> None:
        for place in range(1, number + 1):
            write(place, action=("case.approved", "case.corrected")[place % 2])
        for batch in range(-(-number // 5)):
            assert seal(limit=5, at=NOON + timedelta(hours=12 * batch))

    return sealed


def test_pack_of_everything_holds(sealed):
    sealed(23)
    manifest, walk = check(made(), outside=outside())
    assert (walk.by_action.total(), walk.first, walk.last, walk.tree.size) == (23, 1, 23, 23)
    assert dict(walk.by_action) == {"case.approved": 11, "case.corrected": 12}
    assert manifest["exceptions"] == {"count": 23, "money": {"EUR": "241.50"}}
    assert walk.compared == 3  # the last checkpoint of each day


@pytest.mark.parametrize("place", [1, 2, 8, 9, 22, 23])
def test_pack_of_one_exception_shows_it_and_hides_the_others(sealed, place):
    sealed(23)
    pack = made(AuditEvent.objects.filter(subject=f"case:EX-{place:06}"))
    _, walk = check(pack, outside=outside())
    assert (walk.by_action.total(), walk.first, walk.last, walk.tree.size) == (1, place, place, 23)
    assert b"Approved correction" in pack
    assert pack.count(b"Approved correction") == 1


def test_pack_of_a_thousand_places_shows_few_hashes(write, seal):
    for place in range(1, 1001):
        write(place)
    assert seal(limit=1000, at=NOON) == 1000
    log = members(made(AuditEvent.objects.filter(subject="case:EX-000500")))["log.jsonl"]
    assert len(log.splitlines()) < 2 + 2 * 10


def test_pack_of_nothing_holds(sealed):
    sealed(7)
    _, walk = check(made(AuditEvent.objects.none()))
    assert (walk.by_action.total(), walk.tree.size) == (0, 7)


@pytest.mark.django_db(transaction=True)
def test_nothing_sealed_makes_no_pack(write):
    write()
    with pytest.raises(NothingSealed):
        made()


def test_what_is_not_sealed_yet_is_counted_and_not_shown(sealed, write):
    sealed(5)
    write(6)
    manifest, walk = check(made())
    assert (walk.by_action.total(), manifest["not_sealed_yet"]) == (5, 1)


def test_any_changed_bit_is_found(sealed):
    sealed(12)
    pack = made(AuditEvent.objects.filter(action="case.corrected"))
    chance = random.Random(1)  # noqa: S311 - the same places in every run
    for place in chance.sample(range(len(pack) * 8), 1_000):
        changed = bytearray(pack)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Fault):
            check(bytes(changed))


@pytest.mark.parametrize("more", [b"\0", b"hidden"])
def test_nothing_can_be_hidden_around_the_files(sealed, more):
    sealed(3)
    pack = made()
    assert fault(pack + more)
    assert fault(more + pack)


def lines_of(files: Members) -> list[bytes]:
    return files["log.jsonl"].splitlines(keepends=True)


def changed_event(lines: list[bytes]) -> None:
    lines[1] = lines[1].replace(b"controller@", b"controlled@")


def rehashed_event(lines: list[bytes]) -> None:
    told = json.loads(lines[1])
    body = lines[1].partition(b'"body":')[2][:-2].replace(b"controller@", b"controlled@")
    head = f'{{"sequence":{told["sequence"]},"leaf":"{leaf_hash(body).hex()}","body":'.encode()
    lines[1] = head + body + b"}\n"


def removed_event(lines: list[bytes]) -> None:
    del lines[1]


def exchanged_events(lines: list[bytes]) -> None:
    lines[1], lines[2] = lines[2], lines[1]


def doubled_event(lines: list[bytes]) -> None:
    lines.insert(1, lines[1])


def hidden_behind_another_hash(lines: list[bytes]) -> None:
    lines[1] = b'{"leaves":1,"node":"%s"}\n' % (b"ab" * 32)


def cut_tail(lines: list[bytes]) -> None:
    del lines[7:]


def no_line(lines: list[bytes]) -> None:
    lines[1] = b"{}\n"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (changed_event, "sequence 2: the event was changed"),
        (rehashed_event, "sequence 1 to 5: an event was changed, exchanged or inserted"),
        (removed_event, "sequence 2 should follow, and 3 does"),
        (exchanged_events, "sequence 2 should follow, and 3 does"),
        (doubled_event, "sequence 3 should follow, and 2 does"),
        (hidden_behind_another_hash, "sequence 1 to 5: an event was changed, exchanged or inserted"),
        (cut_tail, "the log ends at sequence 6, where no checkpoint seals it"),
        (no_line, "after sequence 1: a line of the log is neither event, hash nor checkpoint"),
    ],
)
def test_forger_who_signs_the_manifest_anew_is_found_by_the_log(write, seal, change, words):
    for place in range(1, 11):
        write(place)
    seal(limit=5, at=NOON - timedelta(days=1))
    seal(limit=5, at=NOON)
    files = members(made())
    lines = lines_of(files)
    change(lines)
    files["log.jsonl"] = b"".join(lines)
    assert words in fault(signed_again(files))


def test_log_that_ends_at_an_earlier_checkpoint_is_found_by_one_from_outside(write, seal):
    for place in range(1, 11):
        write(place)
    seal(limit=5, at=NOON - timedelta(days=1))
    seal(limit=5, at=NOON)
    kept = outside()[-1:]
    files = members(made())
    files["log.jsonl"] = b"".join(lines_of(files)[:6])
    manifest = json.loads(files["manifest.json"])
    manifest |= {"checkpoint": 5, "last_sequence": 5, "by_action": {"case.approved": 5}}
    files["manifest.json"] = json.dumps(manifest).encode()
    cut = signed_again(files)
    assert check(cut)[1].tree.size == 5  # by itself it is a whole log: what the report says that it cannot prove
    assert "a checkpoint from outside has 10 events, the log 5" in fault(cut, outside=kept)


def test_pack_that_is_older_than_what_was_kept_outside_still_holds(sealed, write, seal):
    sealed(5)
    pack = made()
    write(6)
    seal(limit=5, at=NOON + timedelta(days=5))
    assert check(pack, outside=outside())[1].compared == 1


def test_checkpoint_at_another_place_is_no_comparison(sealed):
    sealed(23)
    only = [note for note in outside() if note.size == 10]
    assert "no checkpoint from outside is at a place where the log shows one" in fault(made(), outside=only)


def test_log_written_anew_with_the_signing_key_is_found_by_a_checkpoint_from_outside(sealed, tamper, write, seal):
    sealed(5)
    kept = outside()
    tamper("DELETE FROM audit_seal", "DELETE FROM audit_checkpoint", "DELETE FROM audit_event")
    for place in range(1, 6):
        write(place, actor="somebody.else@example.test")
    seal(limit=5, at=NOON)
    assert "the checkpoint from outside at 5 has another root" in fault(made(), outside=kept)


def test_other_key_counts_for_nothing(sealed):
    sealed(3)
    assert "which is not among the keys" in fault(signed_again(members(made()), seed=bytes(32)))


def test_other_amounts_are_found(sealed):
    sealed(3)
    files = members(made())
    files["exceptions.jsonl"] = files["exceptions.jsonl"].replace(b"10.50", b"99.50", 1)
    assert "other money of exceptions" in fault(signed_again(files))
    assert "exceptions.jsonl was changed" in fault(
        b"".join(write_container((name, [content]) for name, content in (members(made()) | {
            "exceptions.jsonl": files["exceptions.jsonl"]
        }).items()))
    )  # fmt: skip


def test_file_that_the_manifest_does_not_list_is_found(sealed):
    sealed(3)
    files = members(made()) | {"more.txt": b"Not ours."}
    pack = b"".join(write_container((name, [content]) for name, content in files.items()))
    assert "more.txt: the files are not those that the manifest lists" in fault(pack)


def test_deleted_event_makes_a_pack_that_does_not_hold(sealed, tamper):
    sealed(5)
    tamper("DELETE FROM audit_seal WHERE sequence = 3")
    assert "sequence 3 should follow, and 4 does" in fault(made())


@pytest.fixture
def bare_python(tmp_path) -> Path:
    """A virtual environment with nothing but `cryptography` and what it needs."""
    venv.create(tmp_path / "bare", with_pip=False, symlinks=True)
    packages = next((tmp_path / "bare" / "lib").glob("python3.*")) / "site-packages"
    for name in ("cryptography", "cffi", "_cffi_backend", "pycparser"):
        spec = find_spec(name)
        if spec is not None and spec.origin is not None:
            place = Path(spec.origin)
            (packages / (place.name if place.stem != "__init__" else name)).symlink_to(
                place if place.stem != "__init__" else place.parent
            )
    return tmp_path / "bare" / "bin" / "python"


def test_report_says_line_by_line_what_was_asked_for_and_counts_its_scopes(sealed):
    sealed(1)
    asked = {"actor": "ada", "subject": "", "until": None, "subjects": [], "scopes": ["NL01/a", "NL01/b"]}
    manifest, walk = check(b"".join(evidence(
        AuditEvent.objects.all(), at=NOON, by="auditor", asked_for=asked, lookup=exceptions_of
    )))  # fmt: skip
    lines = list(verify_evidence.report(manifest, walk, own_keys=False))
    assert lines[2:5] == ['  "actor": "ada"', '  "scopes": 2', lines[4]]
    assert lines[4].startswith("Sealed by the checkpoint")
    assert "About 1 exception, 10.50 EUR." in lines


def test_pack_that_was_zipped_again_says_what_to_do(sealed):
    sealed(1)
    again = io.BytesIO()
    with zipfile.ZipFile(again, "w", zipfile.ZIP_DEFLATED) as container:
        for name, content in members(made()).items():
            container.writestr(name, content)
    assert "this was zipped again. Check the file as it was downloaded." in fault(again.getvalue())


def test_pack_is_checked_without_the_workbench(sealed, bare_python, tmp_path):
    sealed(7)
    pack, kept = tmp_path / "evidence.zip", tmp_path / "checkpoints"
    pack.write_bytes(made())
    kept.write_text("".join(str(row.signed_note) for row in AuditCheckpoint.objects.all()), encoding="utf-8")
    program = shutil.copy(verify_evidence.__file__, tmp_path / "verify_evidence.py")

    def run(*arguments: object) -> tuple[int, str]:
        command = [str(bare_python), "-I", str(program), *map(str, arguments)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert "Traceback" not in ended.stderr
        return ended.returncode, ended.stdout + ended.stderr

    status, words = run(pack, "--checkpoint", kept, "--key", signing_key().verifier)
    assert (status, words.splitlines()[0]) == (0, "All holds: 7 events of example.test/audit, sequence 1 to 7.")
    assert "About 7 exceptions, 73.50 EUR." in words
    assert "they came with the pack" not in words
    status, words = run(pack)
    assert status == 0
    assert "they came with the pack" in words
    assert "that the newest events were not cut off" in words
    files = members(pack.read_bytes())
    files["log.jsonl"] = files["log.jsonl"].replace(b"Approved correction 3", b"Approved correction 4")
    pack.write_bytes(b"".join(write_container((name, [content]) for name, content in files.items())))
    assert run(pack) == (1, "FAULT: sequence 3: the event was changed; its bytes have another hash.\n")
    assert run(tmp_path / "not there")[0] == 2
    assert run(pack, "--checkpoint", pack)[0] == 2
    assert run(program) == (1, "FAULT: the container cannot be read: File is not a zip file\n")


def test_pack_is_made_a_page_at_a_time(sealed, monkeypatch):
    monkeypatch.setattr(packs, "PAGE", 3)
    sealed(23)
    whole = made()
    monkeypatch.undo()
    assert made() == whole
    assert sys.getsizeof(next(evidence(AuditEvent.objects.all(), at=NOON, by="a", asked_for={}, lookup=exceptions_of)))
