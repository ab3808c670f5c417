"""The addresses of the API, version 1. Without a slash at the end."""

from django.urls import path

from exceptions_app.api import (
    account,
    actions,
    bulk,
    cases,
    corrections,
    field_maps,
    messages,
    proposals,
    tending,
    transactions,
)

app_name = "api"

urlpatterns = [
    path("messages", messages.Messages.as_view(), name="messages"),
    path("messages/<int:number>", messages.MessageItem.as_view(), name="message"),
    path("messages/<int:number>/read-again", tending.ReadAgain.as_view(), name="read-again"),
    path("messages/<int:number>/set-aside", tending.SetAside.as_view(), name="set-aside"),
    path("transactions", transactions.Transactions.as_view(), name="transactions"),
    path("transactions/<str:ref>", transactions.TransactionItem.as_view(), name="transaction"),
    path("exceptions", cases.ExceptionList.as_view(), name="exceptions"),
    path("exceptions/bulk", bulk.BulkAction.as_view(), name="bulk"),
    path("exceptions/<str:ref>", cases.ExceptionItem.as_view(), name="exception"),
    path("exceptions/<str:ref>/versions/<int:number>", cases.VersionItem.as_view(), name="version"),
    path("exceptions/<str:ref>/versions/<int:number>/content", cases.VersionContent.as_view(), name="version-content"),
    path("exceptions/<str:ref>/events", cases.EventList.as_view(), name="events"),
    path("exceptions/<str:ref>/claim", actions.Claim.as_view(), name="claim"),
    path("exceptions/<str:ref>/assign", actions.Assign.as_view(), name="assign"),
    path("exceptions/<str:ref>/hold", actions.Hold.as_view(), name="hold"),
    path("exceptions/<str:ref>/resume", actions.Resume.as_view(), name="resume"),
    path("exceptions/<str:ref>/correct", corrections.Correct.as_view(), name="correct"),
    path("exceptions/<str:ref>/propose", actions.Propose.as_view(), name="propose"),
    path("exceptions/<str:ref>/release", actions.Release.as_view(), name="release"),
    path("exceptions/<str:ref>/decline", actions.Decline.as_view(), name="decline"),
    path("exceptions/<str:ref>/dismiss", actions.Dismiss.as_view(), name="dismiss"),
    path("exceptions/<str:ref>/withdraw", actions.Withdraw.as_view(), name="withdraw"),
    path("exceptions/<str:ref>/approve", actions.Approve.as_view(), name="approve"),
    path("exceptions/<str:ref>/reject", actions.Reject.as_view(), name="reject"),
    path("exceptions/<str:ref>/reopen", actions.Reopen.as_view(), name="reopen"),
    path("exceptions/<str:ref>/comment", actions.Comment.as_view(), name="comment"),
    path("proposals", proposals.ProposalList.as_view(), name="proposals"),
    path("connections", account.ConnectionList.as_view(), name="connections"),
    path("connections/<slug:slug>/pause", tending.Pause.as_view(), name="pause"),
    path("connections/<slug:slug>/resume", tending.Resume.as_view(), name="resume-connection"),
    path("connections/<slug:slug>/field-maps", field_maps.FieldMaps.as_view(), name="field-maps"),
    path("connections/<slug:slug>/field-maps/<str:name>", field_maps.FieldMapItem.as_view(), name="field-map"),
    path(
        "connections/<slug:slug>/field-maps/<str:name>/versions",
        field_maps.FieldMapVersions.as_view(),
        name="field-map-versions",
    ),
    path(
        "connections/<slug:slug>/field-maps/<str:name>/versions/<int:number>",
        field_maps.FieldMapVersionItem.as_view(),
        name="field-map-version",
    ),
    path(
        "connections/<slug:slug>/field-maps/<str:name>/active", field_maps.ActiveVersion.as_view(), name="use-field-map"
    ),
    path("connections/<slug:slug>/field-maps/<str:name>/preview", field_maps.TryMap.as_view(), name="try-field-map"),
    path("canonical/<str:object_type>", field_maps.CanonicalSchema.as_view(), name="canonical-schema"),
    path("me", account.MeItem.as_view(), name="me"),
]
