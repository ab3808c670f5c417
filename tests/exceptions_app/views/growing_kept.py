"""More exchange rates, more playbooks, and more archives with what goes there."""

from collections.abc import Mapping
from datetime import timedelta

from django.db import transaction
from django.urls import reverse
from django.utils.timezone import localdate

from exceptions_app.actions import archive_plan
from exceptions_app.actions.connections import save_configuration
from exceptions_app.actions.exchange_rates import import_rates
from exceptions_app.actions.playbook_run import use_playbook
from exceptions_app.actions.playbooks import save_playbook
from exceptions_app.machines import SETUP, machine
from exceptions_app.playbook_steps import Step, StepKind
from integrations.models import Archive
from tests import factories
from tests.cast import MORNING, Cast
from tests.exceptions_app.views.growing import Asked, api


def exchange_rates(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    for number in range(begun, rows):
        content = f"Date,A{chr(65 + number // 26)}{chr(65 + number % 26)}\n{localdate()},1.2\n".encode()
        import_rates(content, by=cast.administrator, at=MORNING, because="Daily.", source="eurofxref.csv")
    page = reverse("exceptions:exchange_rates")
    return {
        "exceptions:exchange_rates": Asked("administrator", page),
        "exceptions:exchange_rates, all": Asked("administrator", f"{page}?show=all"),
        "/api/v1/exchange-rates": api("clerk", "exchange-rates"),
    }


def playbooks(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """Versions of one, by the same person; and as many others, each for a code of its own and used once."""
    cause = factories.make_case(cast, cause=factories.make_cause("BR-PB", "It has a playbook.")).cause
    for number in range(begun, rows):
        steps = [Step(kind=StepKind.WORDS, value=f"Step {number}.")]
        save_playbook(cause.pk, steps, seen=number, because="As agreed.", by=cast.clerk, at=MORNING)
        other = factories.make_case(cast, cause=factories.make_cause(f"BR-PB{number}", "Another."))
        tag = [Step(kind=StepKind.TAG, value="vat")]
        version = save_playbook(other.cause_id, tag, seen=0, because="As agreed.", by=cast.clerk, at=MORNING)
        use_playbook(other.pk, version.pk, [1], by=cast.second_clerk, at=MORNING)
    return {
        "exceptions:playbook": Asked("clerk", reverse("exceptions:playbook", args=[cause.ref]), most=0),
        "exceptions:playbooks": Asked("clerk", reverse("exceptions:playbooks")),
    }


def archived(cast: Cast, begun: int, rows: int) -> Mapping[str, Asked]:
    """Deliveries that wait for their pack, and archives, of which the first is switched on."""
    for number in range(begun, rows):
        archive = Archive(
            slug=f"archive-{number}", name=f"Archive {number}", kind="folder", settings={"folder": "evidence"},
            in_use=number == 0,
        )  # fmt: skip
        save_configuration(archive, by=machine(SETUP), at=MORNING, because="For this test.")
        day = archive_plan._beginning_of_day(MORNING) + timedelta(days=number)
        case = factories.claim(factories.make_case(cast, number=f"INV-KEPT-{number}"), cast.clerk)
        factories.dismiss(case, cast.clerk, approver=cast.controller, at=day + timedelta(hours=9))
        with transaction.atomic():
            archive_plan._planned(day, at=MORNING)
    return {
        "exceptions:archives": Asked("administrator", "/archives/"),
        "/api/v1/archives": api("administrator", "archives"),
        "/api/v1/archive-deliveries": api("administrator", "archive-deliveries"),
    }
