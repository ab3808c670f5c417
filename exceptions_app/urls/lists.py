"""Lists of exceptions, transactions handed over, search and what a person prefers."""

from django.urls import path

from exceptions_app.views import (
    approvals,
    keys,
    preferences,
    queue,
    replay_batch_new,
    replay_batches,
    search,
    transaction,
    transactions,
    unknown,
)

urlpatterns = [
    path("", queue.my_queue, name="my_queue"),
    path("queue/", queue.queue, name="queue"),
    path("approvals/", approvals.approvals, name="approvals"),
    path("unknown/", unknown.unknown, name="unknown"),
    path("batches/", replay_batches.batches, name="batches"),
    path("batches/new/", replay_batch_new.batch_new, name="batch_new"),
    path("batches/new/propose/", replay_batch_new.batch_propose, {"ref": "new"}, name="batch_propose"),
    path("batches/<str:ref>/", replay_batches.batch, name="batch"),
    path("batches/<str:ref>/approve/", replay_batches.approve, name="batch_approve"),
    path("batches/<str:ref>/reject/", replay_batches.reject, name="batch_reject"),
    path("batches/<str:ref>/suspend/", replay_batches.suspend, name="batch_suspend"),
    path("batches/<str:ref>/resume/", replay_batches.resume, name="batch_resume"),
    path("batches/<str:ref>/cancel/", replay_batches.cancel, name="batch_cancel"),
    path("transactions/", transactions.transactions, name="transactions"),
    path("transactions/<str:ref>/", transaction.transaction, name="transaction"),
    path("transactions/<str:ref>/payload/", transaction.payload, name="transaction_payload"),
    path("transactions/<str:ref>/sent/", transaction.sent, name="transaction_sent"),
    path("search/", search.search, name="search"),
    path("search/palette/", keys.palette, name="palette"),
    path("keys/", keys.keys, name="keys"),
    path("preferences/", preferences.preferences, name="preferences"),
]
