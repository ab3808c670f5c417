"""Lists of exceptions, transactions handed over, search and what a person prefers."""

from django.urls import path

from exceptions_app.views import approvals, preferences, queue, search, transaction, transactions, unknown

urlpatterns = [
    path("", queue.my_queue, name="my_queue"),
    path("queue/", queue.queue, name="queue"),
    path("approvals/", approvals.approvals, name="approvals"),
    path("unknown/", unknown.unknown, name="unknown"),
    path("transactions/", transactions.transactions, name="transactions"),
    path("transactions/<str:ref>/", transaction.transaction, name="transaction"),
    path("transactions/<str:ref>/payload/", transaction.payload, name="transaction_payload"),
    path("transactions/<str:ref>/sent/", transaction.sent, name="transaction_sent"),
    path("search/", search.search, name="search"),
    path("preferences/", preferences.preferences, name="preferences"),
]
