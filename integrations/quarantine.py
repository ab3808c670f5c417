"""What a person does about a file in quarantine: the file stays where it is, the entry is no longer to do."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_noop

from audit import log
from integrations.inbox import MessageRefused
from integrations.models import FolderProblem


@transaction.atomic
def set_aside(problem_id: int, *, by: str, at: datetime, because: str) -> FolderProblem:
    """A person has seen it and nothing is left to do. Raises MessageRefused without a reason or the second time."""
    if not because.strip():
        raise MessageRefused(
            gettext_noop("A reason is missing."),
            field="because",
            remedy=gettext_noop("Say why nothing is to be done."),
        )
    rows = FolderProblem.objects.select_related("connection").select_for_update(of=("self",), no_key=True)
    problem = rows.get(pk=problem_id)
    if problem.set_aside_at is not None:
        raise MessageRefused(
            gettext_noop("This file is set aside already."),
            field="file",
            remedy=gettext_noop("Reload the page to see what became of it."),
        )
    problem.set_aside_at = at
    problem.save(update_fields=["set_aside_at"])
    log.record(
        "message.file_set_aside",
        subject=f"connection:{problem.connection.slug}",
        scope=f"connection/{problem.connection.slug}",
        actor=by,
        actor_kind="person",
        at=at,
        summary=f"{by} set the file {problem.file_name} of {problem.connection} aside.",
        because=because,
        data={"file": problem.file_name, "kept_as": problem.quarantined_as},
    )
    return problem
