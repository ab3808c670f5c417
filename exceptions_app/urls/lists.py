"""Lists of exceptions, search and what a person prefers."""

from django.urls import path

from exceptions_app.views import approvals, preferences, queue, search, transactions

urlpatterns = [
    path("", queue.my_queue, name="my_queue"),
    path("queue/", queue.queue, name="queue"),
    path("approvals/", approvals.approvals, name="approvals"),
    path("transactions/", transactions.transactions, name="transactions"),
    path("search/", search.search, name="search"),
    path("preferences/", preferences.preferences, name="preferences"),
]
