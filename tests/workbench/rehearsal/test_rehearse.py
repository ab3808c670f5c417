"""What a rehearsal may be asked for, where it refuses, and what it prints."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from exceptions_app.models import Rehearsal
from integrations.connectors.base import TargetKind
from integrations.connectors.registry import get_connector
from integrations.delivery.safeguards import Safeguard, stands
from integrations.models import Connection
from tests.rehearsals import lane, make_rehearsal, result
from workbench.rehearsal.checks import CHECKS
from workbench.rehearsal.documents import Document, documents_of
from workbench.rehearsal.lanes import BY_DEFAULT, LANES
from workbench.rehearsal.plan import PROOFS, Plan, plan_without, scene_of
from workbench.rehearsal.report import lines_of
from workbench.rehearsal.scenes import SCENES


def test_rehearsal_refuses_where_a_database_is_configured(settings: Any):
    settings.APPLICATION_DATABASE = {"NAME": "business"}
    settings.EMBEDDED_SERVERS = ["valkey"]
    with pytest.raises(CommandError, match="DATABASE_URL names a database"):
        call_command("rehearse", replays=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"replays": 0}, "--replays: write a number from 1"),
        ({"replays": 2}, "--replays: write at least one for each kind"),
        ({"minutes": 0}, "--minutes: write a number above 0"),
        ({"minutes": 61}, "--minutes: write a number above 0"),
        ({"without": "epoch", "kind": ["neither"]}, "--without: it decides the kind"),
        ({"without": "epoch", "engine": "naive"}, "--without: it decides the kind"),
    ],
)
def test_rehearsal_names_the_option_that_is_wrong(settings: Any, options: dict[str, object], words: str):
    settings.APPLICATION_DATABASE = {}
    with pytest.raises(CommandError, match=words):
        call_command("rehearse", **options)


@pytest.mark.django_db
def test_people_and_workers_of_a_rehearsal_refuse_where_business_is_done(tmp_path: Path):
    plan = tmp_path / "plan.json"
    plan.write_text(
        json.dumps({"documents": {}, "targets": {}, "seed": 1, "timeout": 2, "notes": ""}), encoding="utf-8"
    )
    with pytest.raises(CommandError, match="Only a rehearsal may play its people"):
        call_command("rehearsal_desk", str(plan))
    with pytest.raises(CommandError, match="Only a rehearsal may play its workers"):
        call_command("rehearsal_worker", without="epoch")
    assert stands(Safeguard.EPOCH)
    assert not Connection.objects.exists()


@pytest.mark.django_db
def test_result_kept_with_what_it_showed():
    assert PROOFS[Safeguard.ASK_FIRST].kind == "askable"
    kept = make_rehearsal(lane("askable", doubled=3, failed={"one effect": ["x"]}), without="ask-first")
    again = Rehearsal.objects.get(pk=kept.pk)
    assert (again.doubled, again.replays, again.passed) == (3, 700, False)
    assert again.figures["shown"] is True
    assert again.figures["proof"] == {"kind": "askable", "check": "one effect"}


def test_report_ends_with_the_line_for_machines():
    lines = list(lines_of(result(lane(replays=350), lane("neither", replays=350, waiting_for_person=30))))
    assert lines[-1] == "replays=700 lost=0 doubled=0 false_resolved=0 waiting_for_person=30"
    assert f"{len(CHECKS)} of {len(CHECKS)} checks hold for every kind of target." in lines


def test_report_says_how_long_it_was_not_known_what_was_booked():
    lines = list(lines_of(result(lane("askable", in_doubt=23, in_doubt_p95=7.25), lane("upserts"))))
    assert "askable: 23 without an answer, 95 % of them known after 7.2 s." in lines
    assert not any(line.startswith("upserts:") for line in lines)


def test_report_says_when_a_target_was_later_than_it_promises():
    lines = list(lines_of(result(lane("askable", later_than_promised=1), lane("upserts"))))
    assert "askable: 1 booked by the target later than it promises: no fault of ours." in lines
    assert not any(line.startswith("upserts:") for line in lines)


def test_report_says_when_a_storm_without_a_safeguard_showed_nothing():
    shown = list(lines_of(result(lane("askable", failed={"one effect": ["x"]}), without="ask-first")))
    assert "Without ask-first, the check “one effect” on askable failed, as it must." in shown
    told_nothing = "\n".join(lines_of(result(lane("askable"), without="ask-first")))
    assert "DID NOT FAIL" in told_nothing


def test_every_kind_of_target_is_rehearsed():
    kinds = {LANES[kind].connection.get("target_kind") or LANES[kind].kind for kind in BY_DEFAULT}
    assert kinds == {kind.value for kind in TargetKind}
    settle = {kind: get_connector(lane.connector).capabilities.settle_time for kind, lane in LANES.items()}
    # What a target without dedup books late must show before the settle time, or its promise would be a false one.
    late = {kind: lane.late for kind, lane in LANES.items()}
    assert all(late[kind] * 1.3 <= settle[kind].total_seconds() for kind in ("askable", "askable-resend", "neither"))
    assert all(late[kind] > settle[kind].total_seconds() for kind in ("deduplicates", "upserts"))


def test_every_safeguard_has_its_proof():
    assert {*PROOFS} == {*Safeguard}
    assert {proof.check for proof in PROOFS.values()} <= {*CHECKS}
    assert {proof.kind for proof in PROOFS.values()} <= {*LANES}
    assert {*SCENES} == {*Safeguard}
    plan = plan_without(Safeguard.EPOCH, seed=3)
    assert (plan.kinds, plan.scene, plan.without) == (("askable",), Safeguard.EPOCH, Safeguard.EPOCH)
    assert (plan.replays, plan.seconds, plan.seed) == (8, 0.0, 3)


@pytest.mark.parametrize("safeguard", [Safeguard.ONE_LIVE, Safeguard.APPROVAL])
def test_scene_has_no_more_documents_than_one_claim_takes(safeguard: Safeguard):
    plan = scene_of(safeguard)
    assert (plan.scene, plan.without, plan.replays) == (safeguard, None, 4)


def test_report_tells_the_scene():
    told = result(lane("askable", replays=8), workers=2, scene="epoch", without="epoch")
    assert list(lines_of(told))[:2] == [
        "A scene of 2 workers over the workbench, seed 1:",
        "  A worker stands still until its leases are over; another begins; then the first goes on.",
    ]


def test_replays_are_shared_by_the_kinds():
    assert Plan(replays=700).shares() == dict(zip(BY_DEFAULT, (175,) * 4, strict=True))
    assert sum(Plan(replays=10, kinds=("askable", "neither", "upserts")).shares().values()) == 10


@pytest.mark.parametrize("suppliers", [False, True])
def test_documents_are_refused_as_they_come_and_right_once_corrected(suppliers: bool):
    connector = get_connector("erp_master" if suppliers else "erp")
    documents = documents_of("x", 40, run=1, seed=1, suppliers=suppliers, twins=0.1, unapproved=0.1, doubtful=0.25)
    assert len({document.reference for document in documents}) == len(documents) == 48
    assert any(document.booked_before for document in documents)
    for document in documents:
        corrected = connector.correct(document.as_it_came, document.correction)
        assert connector.check(corrected).passed
        assert connector.business_key(corrected) == connector.business_key(document.right)
    twins = [document for document in documents if document.twin_of]
    assert {connector.business_key(twin.right) for twin in twins} <= {
        connector.business_key(document.right) for document in documents if not document.twin_of
    }


def test_documents_of_a_seed_are_always_the_same():
    def drawn(seed: int) -> list[Document]:
        return documents_of("askable", 20, run=1, seed=seed, doubtful=0.5)

    assert drawn(4) == drawn(4) != drawn(5)
