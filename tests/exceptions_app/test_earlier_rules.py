"""What an earlier release has written, under rules that have changed since."""

from typing import Any

import pytest
from django.db import connection as database
from django.db import transaction

from exceptions_app.actions import batch_decide, mapping_decide
from exceptions_app.actions.batch_decide import approve_batch
from exceptions_app.actions.batch_propose import propose_batch
from exceptions_app.actions.decide import ApprovalNoLongerHolds
from exceptions_app.actions.mapping_decide import approve_mapping
from exceptions_app.models import MappingProposal, ReplayBatch
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.value_mappings import mapping
from tests.guards import GUARD, PASS, may_pass

pytestmark = pytest.mark.django_db


def test_what_was_proposed_under_earlier_rules_is_proposed_again_and_can_still_be_checked(cast: Cast):
    if not may_pass():
        pytest.skip("Only the owner of the tests' own cluster writes what an earlier release has written.")
    case = factories.make_case(cast)
    factories.make_proposal(case, cast.clerk)
    case.refresh_from_db()
    with transaction.atomic():
        batch = propose_batch([case.pk], by=cast.clerk, at=MORNING, because="Together.")
    rows = mapping.propose(cast)
    assert (batch.policy_version, rows.policy_version) == ("batch/2", "mapping/2")
    approving: list[tuple[ReplayBatch | MappingProposal, str, Any, Any, Any]] = [
        (batch, "batch/1", batch_decide.frozen_hash_of, approve_batch, batch_decide.reject_batch),
        (rows, "mapping/1", mapping_decide.frozen_hash_of, approve_mapping, mapping_decide.reject_mapping),
    ]
    for found, policy, hash_of, agree, refuse in approving:
        now_frozen = found.frozen_sha256
        found.policy_version = policy
        found.frozen_sha256 = hash_of(found)
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(PASS)
            found.save(update_fields=["policy_version", "frozen_sha256"])
            cursor.execute(GUARD)
        found.refresh_from_db()
        assert hash_of(found) == found.frozen_sha256 != now_frozen
        with pytest.raises(ApprovalNoLongerHolds, match="changed after it was proposed"):
            agree(found.pk, by=cast.controller, at=MORNING, frozen_sha256=found.frozen_sha256)
        refuse(found.pk, by=cast.controller, at=MORNING, frozen_sha256=found.frozen_sha256, because="Propose it anew.")
        found.refresh_from_db()
        assert (found.state, hash_of(found)) == ("rejected", found.frozen_sha256)
