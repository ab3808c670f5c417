"""`./run manage compare`: hold what is proven against the targets' own lists now, without waiting for the schedule."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.timezone import now

from exceptions_app.actions.compare import UnderWay, compare
from exceptions_app.actions.raise_finding import GENERAL
from integrations.comparing import CannotCompare, Kind, lists_what_it_has
from integrations.models import Comparison, Connection


class Command(BaseCommand):
    help = "Compare what is proven here with what the targets say that they booked, in both directions."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connection", nargs="*", help="names of connections; all with a list when left out")
        parser.add_argument("--since", type=_time, help="booked at or after it, such as 2026-11-01T00:00:00+00:00")
        parser.add_argument("--until", type=_time, help="booked before it")

    def handle(self, *args: Any, **options: Any) -> None:
        since, until = options["since"], options["until"]
        if since is not None and until is not None and since >= until:
            raise CommandError("--until: the period ends before it begins.")
        failed = False
        for connection in _chosen(options["connection"]):
            try:
                comparison = compare(connection.pk, at=now(), since=since, until=until)
            except (CannotCompare, UnderWay) as error:
                self.stderr.write(str(error))
                failed = True
                continue
            self._tell(comparison)
            failed = failed or comparison.state == Comparison.State.FAILED
        if failed:
            raise CommandError("Not every list could be compared.")

    def _tell(self, comparison: Comparison) -> None:
        if comparison.state == Comparison.State.FAILED:
            self.stderr.write(f"{comparison.connection.slug}: {comparison.detail}")
            return
        findings = list(comparison.findings.order_by("id"))
        self.stdout.write(
            f"{comparison.connection.slug}: listed={comparison.listed} matched={comparison.matched} "
            f"not_ours={comparison.not_ours} left_out={comparison.left_out} new_findings={len(findings)}"
        )
        for finding in findings:
            where = finding.subject.removeprefix("case:") or "no exception"
            self.stdout.write(f"  {where}: {GENERAL[Kind(finding.kind)]} {', '.join(finding.references)}")


def _chosen(names: list[str]) -> list[Connection]:
    if not names:
        return [found for found in Connection.objects.order_by("pk") if lists_what_it_has(found)]
    found = {connection.slug: connection for connection in Connection.objects.filter(slug__in=names)}
    unknown = sorted(set(names) - found.keys())
    if unknown:
        raise CommandError(f"There is no connection {', '.join(unknown)}.")
    return [found[name] for name in names]


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError("no offset from UTC")
    return time
