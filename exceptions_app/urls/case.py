"""One exception: its page and one address for each action."""

from django.urls import URLPattern, path

from exceptions_app.views import answer, case, case_print, correction, drafts, moves, notifications, presence

urlpatterns: list[URLPattern] = [
    path("exceptions/<str:ref>/", case.case, name="case"),
    path("exceptions/<str:ref>/raw/", case.raw, name="raw"),
    path("exceptions/<str:ref>/status/", case.status, name="status"),
    path("exceptions/<str:ref>/presence/", presence.presence, name="presence"),
    path("exceptions/<str:ref>/versions/<int:number>/download/", case.version, name="version"),
    path("exceptions/<str:ref>/messages/<int:occurrence_id>/payload/", case.payload, name="message_payload"),
    path("exceptions/<str:ref>/messages/<int:occurrence_id>/refusal/", case.refusal, name="message_refusal"),
    path("exceptions/<str:ref>/correct/", correction.correct, name="correct"),
    path("exceptions/<str:ref>/draft/", drafts.draft, name="draft"),
    path("exceptions/<str:ref>/draft/discard/", drafts.discard, name="discard"),
    path("exceptions/<str:ref>/draft/compare/", drafts.compare, name="compare"),
    path("exceptions/<str:ref>/claim/", moves.claim, name="claim"),
    path("exceptions/<str:ref>/assign/", moves.assign, name="assign"),
    path("exceptions/<str:ref>/hold/", moves.hold, name="hold"),
    path("exceptions/<str:ref>/resume/", moves.resume, name="resume"),
    path("exceptions/<str:ref>/translate/", moves.translate, name="translate"),
    path("exceptions/<str:ref>/propose/", moves.replay, name="propose"),
    path("exceptions/<str:ref>/release/", moves.release, name="release"),
    path("exceptions/<str:ref>/decline/", moves.decline, name="decline"),
    path("exceptions/<str:ref>/dismiss/", moves.dismiss, name="dismiss"),
    path("exceptions/<str:ref>/reverse/", moves.reverse, name="reverse"),
    path("exceptions/<str:ref>/report_wrong_booking/", moves.report_wrong_booking, name="report_wrong_booking"),
    path("exceptions/<str:ref>/withdraw/", moves.withdraw, name="withdraw"),
    path("exceptions/<str:ref>/approve/", moves.approve, name="approve"),
    path("exceptions/<str:ref>/reject/", moves.reject, name="reject"),
    path("exceptions/<str:ref>/ask_again/", moves.ask_again, name="ask_again"),
    path("exceptions/<str:ref>/confirm_booked/", moves.confirm_booked, name="confirm_booked"),
    path("exceptions/<str:ref>/declare_absent/", moves.declare_absent, name="declare_absent"),
    path("exceptions/<str:ref>/evidence/<int:proposal_id>/", case.evidence, name="evidence"),
    path("exceptions/<str:ref>/reopen/", moves.reopen, name="reopen"),
    path("exceptions/<str:ref>/comment/", moves.comment, name="comment"),
    path("exceptions/<str:ref>/attachments/<int:attachment_id>/", case.attachment, name="attachment"),
    path("exceptions/<str:ref>/answer/", answer.answer, name="answer"),
    path("exceptions/<str:ref>/print/", case_print.case_print, name="case_print"),
    path("exceptions/<str:ref>/subscription/", notifications.subscription, name="subscription"),
]
