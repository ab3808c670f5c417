"""Celery is a doorbell: it says that there may be work. What the work is, and whether it is done, PostgreSQL knows."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "workbench.settings")

app = Celery("workbench")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Each run claims its rows in the database, so a run too many costs one query and a run too few only costs time.
# A tick that waited longer than its interval expires: after a pause nobody wants a heap of old ticks.
BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    # Finds everything that is due: nudges lost by the broker, leases that ran out, outcomes still unknown. Two
    # seconds, because this bounds how long a person waits after a lost nudge.
    "sweep": {"task": "exceptions_app.tasks.sweep", "schedule": 2.0, "options": {"expires": 2.0}},
    # Watched folders have no notification that works on every file system. Two seconds reads as "at once".
    "collect-folders": {"task": "integrations.tasks.collect_folders", "schedule": 2.0, "options": {"expires": 2.0}},
    # Sources to fetch from: each has its own interval, this only looks which are due.
    "pull-due": {"task": "integrations.tasks.pull_due", "schedule": 2.0, "options": {"expires": 2.0}},
    # Targets whose own list is due to be compared, each by its own interval of a day; this only looks which.
    "compare-due": {
        "task": "exceptions_app.tasks.compare_due",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    # Reviews of access whose time is over: what nobody confirmed ends.
    "access-reviews-due": {
        "task": "exceptions_app.tasks.access_reviews_due",
        "schedule": 60.0,
        "options": {"expires": 60.0},
    },
    # What policies of retention no longer keep; without one in force it is one query.
    "purge-due": {"task": "exceptions_app.tasks.purge_due", "schedule": 3600.0, "options": {"expires": 3600.0}},
    # Emergencies whose time is over, so that they can be reviewed.
    "emergencies-due": {"task": "exceptions_app.tasks.emergencies_due", "schedule": 15.0, "options": {"expires": 15.0}},
    # Sessions that are over open nothing; this keeps them from filling the table.
    "clear-sessions": {"task": "workbench.tasks.clear_sessions", "schedule": 600.0, "options": {"expires": 600.0}},
    # Who was refused more often in a minute than there are events for it: the rest is told when the minute is over.
    "tell-refused": {"task": "exceptions_app.tasks.tell_refused", "schedule": 60.0, "options": {"expires": 60.0}},
    # Exports of the audit trail: one worker at a time writes some parts, the others go back to their work at once.
    "make-exports": {"task": "exceptions_app.tasks.make_exports", "schedule": 2.0, "options": {"expires": 2.0}},
    # Evidence of what was closed, day by day; without an archive it is three queries.
    "archive-due": {"task": "exceptions_app.tasks.archive_due", "schedule": 60.0, "options": {"expires": 60.0}},
    # Events are readable at once and sealed shortly after: with a look each second, 99 of 100 within two.
    "seal": {"task": "audit.tasks.seal", "schedule": 1.0, "options": {"expires": 1.0}},
}
app.conf.beat_schedule = BEAT_SCHEDULE
