"""Who has which access, and its review."""

from django.urls import URLPattern, path

from exceptions_app.views import access, access_reviews, emergencies

urlpatterns: list[URLPattern] = [
    path("emergencies/", emergencies.emergencies, name="emergencies"),
    path("emergencies/take/", emergencies.emergency_take, {"ref": "emergencies"}, name="emergency_take"),
    path("emergencies/<str:ref>/", emergencies.emergency, name="emergency"),
    path("emergencies/<str:ref>/end/", emergencies.emergency_end, name="emergency_end"),
    path("emergencies/<str:ref>/review/", emergencies.emergency_review, name="emergency_review"),
    path("access/", access.access, name="access"),
    path("access/export/", access.access_export, name="access_export"),
    path("access/reviews/", access_reviews.access_reviews, name="access_reviews"),
    path("access/reviews/open/", access_reviews.access_review_open, {"ref": "reviews"}, name="access_review_open"),
    path("access/reviews/<int:ref>/", access_reviews.access_review, name="access_review"),
    path("access/reviews/<int:ref>/confirm/", access_reviews.access_review_confirm, name="access_review_confirm"),
    path("access/reviews/<int:ref>/end/", access_reviews.access_review_end, name="access_review_end"),
    path("access/reviews/<int:ref>/close/", access_reviews.access_review_close, name="access_review_close"),
    path("access/reviews/<int:ref>/cancel/", access_reviews.access_review_cancel, name="access_review_cancel"),
]
