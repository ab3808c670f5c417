"""The audit trail, intake failures and connections."""

from django.urls import URLPattern, path, re_path

from exceptions_app.views import (
    approval_rules,
    audit,
    connections,
    effects,
    field_map_edit,
    field_map_held,
    field_maps,
    intake_failures,
    pull_sources,
    quarantine,
    rehearsals,
    sending,
)

urlpatterns: list[URLPattern] = [
    path("audit/", audit.audit, name="audit"),
    path("audit/export/", audit.audit_export, name="audit_export"),
    path("audit/verify_evidence.py", audit.evidence_verifier, name="evidence_verifier"),
    path("effects/", effects.effects, name="effects"),
    path("effects/export/", effects.effects_export, name="effects_export"),
    path("approval-rules/", approval_rules.approval_rules, name="approval_rules"),
    path("approval-rules/new/", approval_rules.approval_rule_propose, {"ref": "new"}, name="approval_rule_propose"),
    path("approval-rules/move/", approval_rules.approval_rule_move, {"ref": "move"}, name="approval_rule_move"),
    path("rehearsals/", rehearsals.rehearsals, name="rehearsals"),
    path("intake-failures/", intake_failures.intake_failures, name="intake_failures"),
    path("intake-failures/<int:ref>/", intake_failures.intake_failure, name="intake_failure"),
    path("intake-failures/<int:ref>/read-again/", intake_failures.read_again, name="intake_read_again"),
    path("intake-failures/<int:ref>/set-aside/", intake_failures.set_aside, name="intake_set_aside"),
    re_path(
        r"^intake-failures/(?P<ref>[0-9]{1,18})/(?P<part>payload|refusal)/$",
        intake_failures.intake_original,
        name="intake_original",
    ),
    path("intake-failures/files/<int:ref>/", quarantine.file, name="quarantined_file"),
    path("intake-failures/files/<int:ref>/set-aside/", quarantine.set_aside, name="quarantined_file_set_aside"),
    path("intake-failures/gaps/<int:ref>/", pull_sources.gap, name="sequence_gap"),
    path("intake-failures/gaps/<int:ref>/set-aside/", pull_sources.set_gap_aside, name="sequence_gap_set_aside"),
    path("pull-sources/<slug:ref>/", pull_sources.pull_source, name="pull_source"),
    path("pull-sources/<slug:ref>/now/", pull_sources.pull_now, name="pull_source_now"),
    path("pull-sources/<slug:ref>/pause/", pull_sources.pause, name="pull_source_pause"),
    path("pull-sources/<slug:ref>/resume/", pull_sources.resume, name="pull_source_resume"),
    path("connections/", connections.connections, name="connections"),
    path("sending/stop/", sending.stop_all, {"ref": "all"}, name="sending_stop"),
    path("sending/resume/", sending.resume_all, {"ref": "all"}, name="sending_resume"),
    path("connections/<slug:ref>/sending/", sending.sending, name="connection_sending"),
    path("connections/<slug:ref>/sending/again/", sending.send_again, name="connection_send_again"),
    path("connections/<slug:ref>/sending/maintenance/", sending.plan_maintenance, name="maintenance_plan"),
    path("maintenance/<int:ref>/cancel/", sending.cancel_maintenance, name="maintenance_cancel"),
    path("connections/<slug:ref>/", connections.connection, name="connection"),
    path("connections/<slug:ref>/pause/", connections.pause, name="connection_pause"),
    path("connections/<slug:ref>/resume/", connections.resume, name="connection_resume"),
    path("connections/<slug:slug>/field-maps/", field_maps.field_maps, name="field_maps"),
    path("connections/<slug:slug>/field-maps/<slug:ref>/", field_map_edit.field_map, name="field_map"),
    path("connections/<slug:slug>/field-maps/<slug:ref>/edit/", field_map_edit.field_map_edit, name="field_map_edit"),
    path("connections/<slug:slug>/field-maps/<slug:ref>/use/", field_map_edit.field_map_use, name="field_map_use"),
    path(
        "connections/<slug:slug>/field-maps/<slug:ref>/translate-held/",
        field_map_held.translate_held,
        name="field_map_translate_held",
    ),
    path(
        "connections/<slug:slug>/field-maps/<slug:ref>/compare/", field_maps.field_map_compare, name="field_map_compare"
    ),
    path(
        "connections/<slug:slug>/field-maps/<slug:ref>/versions/<int:number>/",
        field_maps.field_map_version,
        name="field_map_version",
    ),
]
