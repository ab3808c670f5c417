"""What many exceptions have in common."""

from django.urls import URLPattern, path

from exceptions_app.views import cause, cause_joins, causes, playbooks

urlpatterns: list[URLPattern] = [
    path("causes/", causes.causes, name="causes"),
    path("playbooks/", playbooks.playbooks, name="playbooks"),
    path("causes/<str:ref>/", cause.cause, name="cause"),
    path("causes/<str:ref>/note/", cause.note, name="cause_note"),
    path("causes/<str:ref>/owner/", cause.owner, name="cause_owner"),
    path("causes/<str:ref>/join/", cause_joins.join, name="cause_join"),
    path("causes/<str:ref>/take_back/", cause_joins.take_back, name="cause_take_back"),
    path("causes/<str:ref>/split/", cause_joins.split, name="cause_split"),
    path("causes/<str:ref>/playbook/", playbooks.playbook, name="playbook"),
    path("causes/<str:ref>/playbook_save/", playbooks.save, name="playbook_save"),
    path("causes/<str:ref>/playbook_decide/", playbooks.decide, name="playbook_decide"),
]
