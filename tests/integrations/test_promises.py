"""What holds on a connection: never more than its connector declares."""

from datetime import timedelta

import pytest

from integrations.connectors.base import TargetKind
from integrations.connectors.registry import UnknownConnector, get_connector
from integrations.models import Connection
from integrations.promises import StrongerThanDeclared, collecting_time, effective_capabilities, refuse_stronger


@pytest.mark.parametrize(
    ("chosen", "holds"),
    [
        ("", TargetKind.DEDUPLICATES),
        ("deduplicates", TargetKind.DEDUPLICATES),
        ("upserts", TargetKind.DEDUPLICATES),
        ("askable", TargetKind.ASKABLE),
        ("neither", TargetKind.NEITHER),
    ],
)
def test_only_a_weaker_kind_counts(chosen: str, holds: TargetKind):
    found = effective_capabilities(Connection(connector="erp", target_kind=chosen))
    assert found.target_kind is holds
    assert found.settle_time == get_connector("erp").capabilities.settle_time


def test_connector_that_is_not_installed_promises_nothing():
    with pytest.raises(UnknownConnector):
        effective_capabilities(Connection(connector="gone"))
    refuse_stronger(connector="gone", target_kind="askable")
    assert collecting_time(Connection(connector="gone", collect_seconds=30)) == timedelta(0)


def test_what_is_not_weaker_is_refused_with_what_to_choose():
    refuse_stronger(connector="erp", target_kind="askable")
    refuse_stronger(connector="erp", target_kind="")
    with pytest.raises(StrongerThanDeclared, match="choose something weaker, or leave it as declared"):
        refuse_stronger(connector="erp", target_kind="upserts")


@pytest.mark.parametrize(("connector", "seconds"), [("iso20022", 30), ("erp", 0)])
def test_only_what_can_travel_together_is_collected(connector: str, seconds: int):
    assert collecting_time(Connection(connector=connector, collect_seconds=30)) == timedelta(seconds=seconds)
