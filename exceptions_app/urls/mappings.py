"""Value mappings and what is proposed for them."""

from django.urls import URLPattern, path

from exceptions_app.views import (
    mapping_mends,
    mapping_proposals,
    suggestions,
    value_mapping_csv,
    value_mapping_new,
    value_mappings,
)

urlpatterns: list[URLPattern] = [
    path("mappings/", value_mappings.value_mappings, name="value_mappings"),
    path("mappings/new/", value_mapping_new.value_mapping_new, name="value_mapping_new"),
    path(
        "mappings/new/propose/", value_mapping_new.value_mapping_propose, {"ref": "new"}, name="value_mapping_propose"
    ),
    path("mappings/import/", value_mapping_csv.value_mapping_import, name="value_mapping_import"),
    path(
        "mappings/import/propose/",
        value_mapping_csv.value_mapping_import_propose,
        {"ref": "import"},
        name="value_mapping_import_propose",
    ),
    path("mappings/<str:ref>/export/", value_mapping_csv.value_mapping_export, name="value_mapping_export"),
    path("mappings/<str:ref>/mends/", mapping_mends.mapping_mends, name="mapping_mends"),
    path("mappings/<str:ref>/mends/propose/", mapping_mends.propose, name="mapping_mends_propose"),
    path("mappings/<str:ref>/", value_mappings.value_mapping, name="value_mapping"),
    path("suggestions/", suggestions.suggestions, name="suggestions"),
    path("mapping-proposals/<str:ref>/", mapping_proposals.mapping_proposal, name="mapping_proposal"),
    path("mapping-proposals/<str:ref>/approve/", mapping_proposals.approve, name="mapping_approve"),
    path("mapping-proposals/<str:ref>/reject/", mapping_proposals.reject, name="mapping_reject"),
    path("mapping-proposals/<str:ref>/withdraw/", mapping_proposals.withdraw, name="mapping_withdraw"),
]
