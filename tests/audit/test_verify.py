# ruff: noqa: S608 - SQL made of the test's own values is what these tests are about
import base64
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from audit.canonical import canonical_bytes
from audit.keys import key_from_seed, signing_key
from audit.log import body_fields
from audit.merkle import CompactRange, leaf_hash
from audit.models import AuditCheckpoint, AuditEvent, AuditSeal
from audit.notes import Checkpoint, sign
from audit.seal import chain_hash
from audit.verify import verify

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OTHER_KEY = key_from_seed(base64.b64encode(bytes(32)).decode(), name="example.test/audit")


@pytest.fixture
def log(write, seal):
    """Nine sealed events under three checkpoints, and one that waits."""
    for start in (1, 4, 7):
        for number in range(start, start + 3):
            write(number)
        seal(limit=100, at=NOON)
    write(10)
    return [checkpoint.signed_note for checkpoint in AuditCheckpoint.objects.order_by("size")]


def event(sequence: int) -> AuditEvent:
    return AuditEvent.objects.get(seal__sequence=sequence)


def hexed(value: bytes) -> str:
    return f"'\\x{bytes(value).hex()}'"


def forged(sequence: int) -> tuple[AuditEvent, str]:
    """The event with another actor, consistent in itself, and the SQL that puts it in place of the true one."""
    changed = event(sequence)
    changed.actor = "somebody@example.test"
    changed.body = canonical_bytes(body_fields(changed))
    changed.leaf = leaf_hash(changed.body)
    sql = (
        f"UPDATE audit_event SET actor = '{changed.actor}', body = {hexed(changed.body)}, leaf = {hexed(changed.leaf)}"
        f" WHERE id = {changed.pk}"
    )
    return changed, sql


def rechained(sequence: int, leaf: bytes) -> list[str]:
    """SQL that gives every seal from ``sequence`` on the chain hash that goes with another leaf."""
    head = bytes(AuditSeal.objects.get(sequence=sequence - 1).chain_hash)
    statements = []
    for row in AuditSeal.objects.filter(sequence__gte=sequence).select_related("event").order_by("sequence"):
        head = chain_hash(head, leaf if row.sequence == sequence else bytes(row.event.leaf))
        statements.append(f"UPDATE audit_seal SET chain_hash = {hexed(head)} WHERE sequence = {row.sequence}")
    return statements


def test_untouched_log_is_whole(log):
    result = verify(outside=log)
    assert (result.sealed, result.unsealed, result.checkpoints, result.fault) == (9, 1, 3, None)
    assert result.fault is None


def test_empty_log_is_whole():
    result = verify()
    assert (result.sealed, result.unsealed, result.checkpoints, result.fault) == (0, 0, 0, None)


@pytest.mark.parametrize(
    "change",
    [
        "summary = 'Nothing happened'",
        "actor = 'somebody@example.test'",
        "actor_kind = 'machine'",
        "at = at + interval '1 microsecond'",
        "because = 'Another reason'",
        "subject = 'case:EX-999999'",
        "scope = 'DE01/other'",
        "action = 'case.rejected'",
        "correlation_id = 'another'",
        """data = '{"total": "1.00"}'""",
        "event_id = gen_random_uuid()",
        "body = body || ' '::bytea",
        "leaf = sha256('x')",
    ],
)
def test_changed_column_is_found_at_its_sequence(log, tamper, change):
    tamper(f"UPDATE audit_event SET {change} WHERE id = {event(5).pk}")
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("event changed", 5)


def test_event_hashed_anew_is_found_at_its_sequence(log, tamper):
    _, statement = forged(5)
    tamper(statement)
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("chain broken", 5)


def test_event_hashed_and_linked_anew_is_found_at_the_next_link(log, tamper):
    changed, statement = forged(5)
    tamper(statement, rechained(5, bytes(changed.leaf))[0])
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("chain broken", 6)


def test_chain_hashed_anew_to_the_end_is_found_at_its_checkpoint(log, tamper):
    changed, statement = forged(5)
    tamper(statement, *rechained(5, bytes(changed.leaf)))
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("log differs from checkpoint", 4)
    assert "sequence 4 to 6" in fault.message


def test_checkpoint_forged_to_fit_is_found_by_its_signature(log, tamper):
    """All is hashed anew up to the last checkpoint, but the key is not there."""
    changed, statement = forged(8)
    chain = rechained(8, bytes(changed.leaf))
    tamper(statement, *chain)
    tree = CompactRange()
    tree.extend(bytes(row.event.leaf) for row in AuditSeal.objects.select_related("event").order_by("sequence"))
    head = bytes(AuditSeal.objects.get(sequence=9).chain_hash)
    true = log[2].checkpoint
    fake = Checkpoint(
        origin=true.origin,
        size=9,
        root=tree.root(),
        chain_head=head,
        at=true.at,
        previous_digest=true.previous_digest,
    )
    update = (
        f"UPDATE audit_checkpoint SET root = {hexed(fake.root)}, chain_head = {hexed(head)},"
        f" frontier = {hexed(tree.frontier)}, note = '{fake.text}'"
    )
    tamper(f"{update} WHERE size = 9")
    assert (verify().fault.kind, verify().fault.sequence) == ("signature refused", 7)
    assert "its signature is not valid" in verify().fault.message

    other = sign(fake, key=OTHER_KEY)
    tamper(f"{update}, signature = {hexed(other.signature)}, key_id = '{other.key_id}' WHERE size = 9")
    assert "not known here" in verify().fault.message

    # Even with the signing key the checkpoint that is kept outside tells.
    stolen = sign(fake, key=signing_key())
    tamper(f"{update}, signature = {hexed(stolen.signature)}, key_id = '{stolen.key_id}' WHERE size = 9")
    assert verify().fault is None
    fault = verify(outside=log).fault
    assert (fault.kind, fault.sequence) == ("log differs from checkpoint", 7)


def test_exchanged_events_are_found(log, tamper):
    tamper(
        "UPDATE audit_seal SET sequence = 1000 WHERE sequence = 4",
        "UPDATE audit_seal SET sequence = 4 WHERE sequence = 6",
        "UPDATE audit_seal SET sequence = 6 WHERE sequence = 1000",
    )
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("chain broken", 4)


def test_exchanged_contents_are_found(log, tamper):
    columns = "at, action, actor, actor_kind, subject, scope, summary, because, correlation_id, data, body, leaf"
    other = ", ".join(f"other.{column}" for column in columns.split(", "))
    tamper(
        f"UPDATE audit_event e SET ({columns}) = (SELECT {other} FROM audit_event other"
        f" WHERE other.id = {event(4).pk} + {event(6).pk} - e.id) WHERE id IN ({event(4).pk}, {event(6).pk})",
    )
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("event changed", 4)


def test_event_deleted_from_the_middle_is_found(log, tamper):
    deleted = event(5).pk
    tamper(
        f"DELETE FROM audit_seal WHERE event_id = {deleted}",
        f"DELETE FROM audit_event WHERE id = {deleted}",
    )
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("event missing", 5)
    assert "it is not there" in fault.message


def test_event_deleted_under_its_seal_is_found(log, tamper):
    deleted = event(5).pk
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE audit_event DISABLE TRIGGER USER")
        try:
            # The foreign key is checked at commit, which never comes.
            with transaction.atomic():
                cursor.execute("DELETE FROM audit_event WHERE id = %s", [deleted])
                fault = verify().fault
                transaction.set_rollback(True)
        finally:
            cursor.execute("ALTER TABLE audit_event ENABLE TRIGGER USER")
    assert (fault.kind, fault.sequence) == ("event missing", 5)
    assert "its event is gone" in fault.message


def test_event_deleted_and_the_rest_renumbered_is_found(log, tamper):
    deleted = event(5).pk
    tamper(
        f"DELETE FROM audit_seal WHERE event_id = {deleted}",
        f"DELETE FROM audit_event WHERE id = {deleted}",
        *[f"UPDATE audit_seal SET sequence = {number - 1} WHERE sequence = {number}" for number in range(6, 10)],
    )
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("chain broken", 5)


def test_tail_deleted_under_its_checkpoint_is_found(log, tamper):
    ids = f"({event(8).pk}, {event(9).pk})"
    tamper(f"DELETE FROM audit_seal WHERE event_id IN {ids}", f"DELETE FROM audit_event WHERE id IN {ids}")
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("event missing", 8)
    assert "should reach 9" in fault.message


def test_tail_deleted_with_its_checkpoint_is_found_from_outside_alone(log, tamper):
    ids = f"({event(7).pk}, {event(8).pk}, {event(9).pk})"
    tamper(
        f"DELETE FROM audit_seal WHERE event_id IN {ids}",
        f"DELETE FROM audit_event WHERE id IN {ids}",
        "DELETE FROM audit_checkpoint WHERE size = 9",
    )
    assert verify().fault is None
    fault = verify(outside=log).fault
    assert (fault.kind, fault.sequence) == ("events cut off", 7)
    assert "sequence 7 to 9 was removed" in fault.message
    assert verify(outside=log[:2]).fault is None


def test_tail_unsealed_again_is_found(log, tamper):
    first = event(7).pk
    tamper("DELETE FROM audit_seal WHERE sequence > 6", "DELETE FROM audit_checkpoint WHERE size = 9")
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("event outside the seal", None)
    assert f"event {first} is neither sealed nor queued" in fault.message


def copy_of(row: AuditEvent) -> str:
    columns = "at, action, actor, actor_kind, subject, scope, summary, because, correlation_id, data, body, leaf"
    return (
        f"INSERT INTO audit_event (event_id, transaction_id, {columns})"
        f" SELECT gen_random_uuid(), transaction_id, {columns} FROM audit_event WHERE id = {row.pk}"
    )


def test_event_put_in_past_the_sealer_is_found(log, tamper):
    tamper(copy_of(event(5)))
    added = AuditEvent.objects.latest("pk")
    assert f"event {added.pk} is neither sealed nor queued" in verify().fault.message


def test_event_inserted_into_the_sealed_order_is_found(log, tamper):
    tamper(
        *[f"UPDATE audit_seal SET sequence = {number + 1} WHERE sequence = {number}" for number in range(9, 4, -1)],
        "DELETE FROM audit_backlog",
    )
    waiting = AuditEvent.objects.latest("pk")
    link = chain_hash(bytes(AuditSeal.objects.get(sequence=4).chain_hash), bytes(waiting.leaf))
    tamper(f"INSERT INTO audit_seal (sequence, event_id, chain_hash) VALUES (5, {waiting.pk}, {hexed(link)})")
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("chain broken", 6)


def test_event_hidden_from_the_sealer_is_found(log, tamper):
    tamper("DELETE FROM audit_backlog")
    waiting = AuditEvent.objects.latest("pk")
    assert verify().fault.kind == "event outside the seal"
    assert f"event {waiting.pk} is neither" in verify().fault.message


def test_waiting_event_that_was_deleted_is_found(log, tamper):
    waiting = AuditEvent.objects.latest("pk")
    tamper(f"DELETE FROM audit_event WHERE id = {waiting.pk}")
    assert f"event {waiting.pk} is queued for sealing, but it is gone" in verify().fault.message


def test_waiting_event_that_was_changed_is_found(log, tamper):
    waiting = AuditEvent.objects.latest("pk")
    tamper(f"UPDATE audit_event SET actor = 'somebody' WHERE id = {waiting.pk}")
    fault = verify().fault
    assert (fault.kind, fault.sequence) == ("event changed", None)
    assert f"event {waiting.pk} (not sealed yet)" in fault.message


@pytest.mark.parametrize(
    ("statement", "kind", "sequence"),
    [
        ("DELETE FROM audit_checkpoint WHERE size = 6", "checkpoint missing", 4),
        ("DELETE FROM audit_checkpoint WHERE size = 9", "checkpoint missing", 7),
        ("UPDATE audit_checkpoint SET at = at + interval '1 s' WHERE size = 6", "checkpoint changed", 4),
        ("UPDATE audit_checkpoint SET root = sha256('x') WHERE size = 6", "checkpoint changed", 4),
        ("UPDATE audit_checkpoint SET note = 'x' WHERE size = 6", "checkpoint changed", 4),
        ("UPDATE audit_checkpoint SET frontier = frontier || frontier WHERE size = 6", "checkpoint changed", 4),
        ("UPDATE audit_checkpoint SET signature = sha512('x') WHERE size = 6", "signature refused", 4),
        ("UPDATE audit_checkpoint SET signature = 'x' WHERE size = 6", "signature refused", 4),
    ],
)
def test_changed_checkpoint_is_found(log, tamper, statement, kind, sequence):
    tamper(statement)
    fault = verify().fault
    assert (fault.kind, fault.sequence) == (kind, sequence)


def test_checkpoint_from_outside_with_foreign_signature_is_refused(log):
    stranger = sign(log[0].checkpoint, key=OTHER_KEY)
    fault = verify(outside=[stranger]).fault
    assert fault.kind == "signature refused"
    assert "which is not known here" in fault.message


def test_retired_key_stays_good(log, settings, write, seal):
    settings.AUDIT_VERIFIER_KEYS = [str(signing_key().verifier)]
    settings.AUDIT_SIGNING_KEY = base64.b64encode(bytes(32)).decode()
    assert seal(limit=10, at=NOON) == 1
    assert verify(outside=log).fault is None
    settings.AUDIT_VERIFIER_KEYS = []
    assert verify().fault.kind == "signature refused"


def test_verify_takes_as_many_queries_for_many_events_as_for_few(log, write, django_assert_num_queries, seal):
    with django_assert_num_queries(8):
        verify()
    for number in range(11, 60):
        write(number)
    seal(limit=100, at=NOON)
    write(60)
    with django_assert_num_queries(8):
        assert verify().sealed == 59


def run(*arguments: str) -> str:
    output = StringIO()
    call_command("verify_audit", *arguments, stdout=output)
    return output.getvalue()


def test_command_says_that_the_log_is_whole(log, tmp_path):
    outside = tmp_path / "checkpoints.txt"
    outside.write_text("".join(str(note) for note in log))
    assert run() == (
        "The audit log is whole: 9 sealed events, 1 waiting to be sealed, 3 checkpoints, none from outside given.\n"
    )
    assert run("--checkpoint", str(outside)).endswith("3 checkpoints, compared with 3 from outside.\n")
    assert "is whole" in run("--key", str(signing_key().verifier))


def test_command_names_the_first_fault_with_exit_status_one(log, tamper):
    tamper(f"UPDATE audit_event SET actor = 'somebody' WHERE id IN ({event(5).pk}, {event(7).pk})")
    with pytest.raises(
        CommandError, match=r"event changed: sequence 5 .*\(4 sealed events before it are good\)"
    ) as fault:
        run()
    assert fault.value.returncode == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "cannot be read"), ("", "holds no checkpoint"), ("no note\n", "holds no checkpoint")],
)
def test_command_refuses_a_checkpoint_file_without_checkpoints(log, tmp_path, content, message):
    outside = tmp_path / "checkpoints.txt"
    if content is not None:
        outside.write_text(content)
    with pytest.raises(CommandError, match=message):
        run("--checkpoint", str(outside))


def test_command_refuses_a_malformed_key(log):
    with pytest.raises(CommandError, match=r"--key: .* is not a verifier key"):
        run("--key", "nonsense")
