"""Who gets what at each address: the status of the answer, and `in` for being led to sign in.

With what is there in the addresses, and nothing in the form. Accounts and signing in are in `tests/workbench`.
"""

PEOPLE = ("anonymous", "outsider", "neighbour", "administrator", "support", "auditor", "clerk", "controller")

# The statuses of these people, one after the other, and the addresses that answer so.
_ANSWERS = {
    # Read and not posted to.
    "405 405 405 405 405 405 405 405": """
        GET: exceptions:preferences oauth_token
        POST: api-docs api-problems exceptions:access exceptions:access_export exceptions:access_review
            exceptions:access_reviews exceptions:answer exceptions:approval_rules exceptions:approvals
            exceptions:audit exceptions:audit_export exceptions:audit_export_file
            exceptions:audit_export_manifest exceptions:audit_exports exceptions:audit_made
            exceptions:batch exceptions:batch_new exceptions:erasures exceptions:exchange_rates exceptions:retention
            exceptions:batches exceptions:bulk_new
            exceptions:bulk_outcomes exceptions:bulk_run exceptions:bulk_runs exceptions:case_evidence
            exceptions:case_playbook exceptions:case_print exceptions:cause exceptions:causes
            exceptions:connection exceptions:connection_sending exceptions:connections exceptions:effects
            exceptions:effects_export exceptions:emergencies exceptions:emergency
            exceptions:evidence_verifier exceptions:field_map exceptions:field_map_compare
            exceptions:field_map_version exceptions:field_maps exceptions:intake_failure
            exceptions:intake_failures exceptions:intake_original exceptions:keys
            exceptions:mapping_mends exceptions:mapping_proposal exceptions:my_queue
            exceptions:notification exceptions:notifications exceptions:palette exceptions:playbook exceptions:playbooks
            exceptions:presence exceptions:pull_source exceptions:quarantined_file exceptions:queue
            exceptions:rehearsals exceptions:field_rules exceptions:routing_rules exceptions:search
            exceptions:sequence_gap exceptions:suggestions exceptions:transaction exceptions:transaction_payload
            exceptions:transaction_sent exceptions:transactions exceptions:unknown exceptions:value_mapping
            exceptions:value_mapping_export exceptions:value_mapping_import exceptions:value_mapping_new
            exceptions:value_mappings exceptions:view exceptions:view_new exceptions:view_open exceptions:views
            exceptions:archives exceptions:archive_delivery livez readyz
    """,
    # Addresses of forms lead to the page of the form, for whoever sees what it is about.
    "in 404 404 404 302 302 302 302": """
        GET: exceptions:approve exceptions:ask_again exceptions:assign exceptions:batch_approve
            exceptions:batch_cancel exceptions:batch_look exceptions:batch_reject exceptions:batch_resume
            exceptions:batch_suspend exceptions:cause_join exceptions:cause_note exceptions:cause_owner
            exceptions:cause_split exceptions:cause_take_back exceptions:claim exceptions:comment
            exceptions:confirm_booked exceptions:connection_pause
            exceptions:connection_resume exceptions:connection_send_again exceptions:correct
            exceptions:declare_absent exceptions:decline exceptions:deep_link exceptions:discard
            exceptions:dismiss exceptions:draft exceptions:field_map_edit
            exceptions:field_map_translate_held exceptions:field_map_use exceptions:hold
            exceptions:maintenance_cancel exceptions:maintenance_plan exceptions:mapping_approve
            exceptions:mapping_mends_propose exceptions:mapping_reject exceptions:mapping_withdraw
            exceptions:playbook_decide exceptions:playbook_save exceptions:playbook_use
            exceptions:propose exceptions:pull_source_now exceptions:pull_source_pause
            exceptions:pull_source_resume exceptions:reject exceptions:release exceptions:reopen
            exceptions:report_wrong_booking exceptions:resume exceptions:reveal exceptions:reverse
            exceptions:snooze exceptions:subscription exceptions:tag exceptions:translate exceptions:undo
            exceptions:wake exceptions:withdraw
        POST: exceptions:discard exceptions:field_map_translate_held exceptions:subscription
    """,
    # Seen by whoever sees the place.
    "in 404 404 404 200 200 200 200": """
        GET: exceptions:answer exceptions:attachment exceptions:batch exceptions:case
            exceptions:case_evidence exceptions:case_playbook exceptions:case_print exceptions:cause
            exceptions:connection exceptions:connection_sending exceptions:evidence exceptions:playbook
            exceptions:field_map exceptions:field_map_compare exceptions:field_map_version exceptions:field_maps
            exceptions:mapping_mends exceptions:mapping_proposal exceptions:message_payload
            exceptions:message_refusal exceptions:pull_source exceptions:raw exceptions:status
            exceptions:transaction exceptions:transaction_payload exceptions:transaction_sent
            exceptions:value_mapping exceptions:value_mapping_export exceptions:version
    """,
    # The API looks at the form before the verb, and at the place before the form.
    "401 404 404 404 422 422 422 422": """
        POST: api:approve api:approve-batch api:approve-mapping api:assign api:cancel-batch api:comment
            api:confirm_booked api:correct api:declare_absent api:decline api:dismiss api:field-map-versions
            api:case-playbook api:decide-playbook api:hold api:join-cause api:maintenance-windows api:pause
            api:playbook api:propose api:reject api:reject-batch
            api:reject-mapping api:release api:reopen api:report_wrong_booking api:resume-batch api:reveal
            api:reverse api:split-cause api:suspend-batch api:take-back-cause
        PUT: api:use-field-map
    """,
    # Of one person, or of those who may work there.
    "in 404 404 404 404 404 302 404": """
        GET: exceptions:bulk_cancel exceptions:bulk_pause exceptions:bulk_resume exceptions:intake_read_again
            exceptions:intake_set_aside exceptions:quarantined_file_set_aside exceptions:sequence_gap_set_aside
            exceptions:view_change exceptions:view_delete exceptions:view_open exceptions:view_pin
            exceptions:view_stop_sharing exceptions:view_unpin exceptions:view_up
        POST: exceptions:bulk_cancel exceptions:bulk_pause exceptions:intake_read_again exceptions:view_delete
            exceptions:view_pin exceptions:view_stop_sharing exceptions:view_unpin exceptions:view_up
    """,
    # Lists, which hold what the person sees: nothing for strangers.
    "401 200 200 200 200 200 200 200": """
        GET: api:approval-rules api:exchange-rates api:legal-holds api:retention-policies api:batches
            api:bulk-runs api:canonical-schema api:causes api:comparisons
            api:connections api:delegations
            api:effect-totals api:effects api:emergencies api:exceptions api:findings
            api:mapping-proposals api:me api:messages api:proposals api:quarantine api:rehearsals
            api:field-rules api:routing-rules api:sending api:transactions
            api:value-mappings api:views api:archives api:archive-deliveries
    """,
    # Lists, which hold what the person sees: nothing for strangers.
    "in 200 200 200 200 200 200 200": """
        GET: exceptions:approval_rules exceptions:approvals exceptions:batch_new exceptions:batches
            exceptions:bulk_runs exceptions:causes exceptions:emergencies exceptions:exchange_rates
            exceptions:field_rules exceptions:retention
            exceptions:evidence_verifier exceptions:keys exceptions:notifications exceptions:palette
            exceptions:playbooks exceptions:queue exceptions:routing_rules exceptions:search exceptions:suggestions
            exceptions:unknown exceptions:value_mapping_import exceptions:value_mapping_new exceptions:value_mappings
            exceptions:view_new exceptions:views
    """,
    "in 404 404 404 422 422 422 422": """
        POST: exceptions:approve exceptions:batch_approve exceptions:batch_cancel exceptions:batch_reject
            exceptions:batch_resume exceptions:batch_suspend exceptions:cause_join exceptions:cause_owner
            exceptions:cause_split exceptions:comment
            exceptions:confirm_booked exceptions:correct exceptions:declare_absent exceptions:decline
            exceptions:dismiss exceptions:draft exceptions:mapping_approve exceptions:mapping_mends_propose
            exceptions:mapping_reject exceptions:playbook_decide exceptions:playbook_save
            exceptions:playbook_use exceptions:propose exceptions:reject exceptions:release
            exceptions:reopen exceptions:report_wrong_booking exceptions:reveal exceptions:reverse
            exceptions:snooze
    """,
    "in 302 302 302 302 302 302 302": """
        GET: exceptions:access_review_open exceptions:audit_export_start exceptions:approval_rule_move
            exceptions:approval_rule_propose exceptions:archive_move
            exceptions:field_rule_move exceptions:field_rule_propose
            exceptions:batch_propose exceptions:bulk_preview exceptions:bulk_selection
            exceptions:bulk_start
            exceptions:delegation_end exceptions:delegation_give exceptions:emergency_take
            exceptions:exchange_rates_import
            exceptions:erasure_move exceptions:erasure_propose exceptions:hold_lift exceptions:hold_place
            exceptions:notification_read exceptions:notifications_read exceptions:retention_move
            exceptions:retention_propose exceptions:routing_rule_move exceptions:routing_rule_propose
            exceptions:sending_resume exceptions:sending_stop
            exceptions:value_mapping_import_propose exceptions:value_mapping_propose exceptions:view_save
        POST: exceptions:deep_link exceptions:notifications_read
    """,
    # Seen by whoever sees the place.
    "401 404 404 404 200 200 200 200": """
        GET: api:batch api:batch-items api:case-playbook api:cause api:connection api:deliveries api:events
            api:exception api:field-map api:playbook
            api:field-map-version api:field-map-versions api:field-maps api:maintenance-windows
            api:mapping-proposal api:mapping-proposal-rows api:proposals-of-mapping api:transaction
            api:value-mapping api:value-mapping-entries api:version api:version-content
    """,
    "in 405 405 405 405 405 405 405": """
        POST: exceptions:attachment exceptions:case exceptions:compare exceptions:evidence
            exceptions:message_payload exceptions:message_refusal exceptions:raw exceptions:status
            exceptions:version
    """,
    "401 404 404 404 404 404 200 404": """
        GET: api:bulk-run api:bulk-run-items api:message api:message-original api:quarantined-file
        POST: api:cancel-bulk-run api:pause-bulk-run api:read-again
    """,
    # Needs a verb or a right that only some who see it hold.
    "in 404 404 404 403 403 302 403": """
        POST: exceptions:assign exceptions:connection_resume exceptions:connection_send_again
            exceptions:maintenance_cancel exceptions:mapping_withdraw exceptions:pull_source_now
            exceptions:pull_source_resume exceptions:withdraw
    """,
    # Of one person, or of those who may work there.
    "in 404 404 404 404 404 200 404": """
        GET: exceptions:bulk_outcomes exceptions:bulk_run exceptions:compare exceptions:intake_failure
            exceptions:intake_original exceptions:quarantined_file exceptions:sequence_gap exceptions:view
    """,
    # For everybody.
    "200 200 200 200 200 200 200 200": """
        GET: api-docs api-problems api-try exceptions:presence livez readyz schema
    """,
    "401 422 422 422 422 422 422 422": """
        POST: api:batches api:bulk api:bulk-runs api:delegations api:emergencies api:messages
            api:preview-value-mapping api:stop-sending api:transactions api:value-mappings
    """,
    # Needs a verb or a right that only some who see it hold.
    "in 404 404 404 403 403 422 403": """
        POST: exceptions:connection_pause exceptions:field_map_edit exceptions:field_map_use exceptions:hold
            exceptions:cause_take_back exceptions:maintenance_plan exceptions:pull_source_pause exceptions:tag
    """,
    "in 422 422 422 422 422 422 422": """
        POST: exceptions:batch_propose exceptions:delegation_give exceptions:emergency_take
            exceptions:value_mapping_import_propose
            exceptions:value_mapping_propose exceptions:view_save
    """,
    # Needs a verb or a right that only some who see it hold.
    "401 404 404 404 403 403 200 403": """
        POST: api:cancel-maintenance api:resume-connection api:send-again api:withdraw api:withdraw-mapping
    """,
    "401 404 404 404 403 403 409 403": """
        POST: api:ask_again api:claim api:resume api:wake
    """,
    "in 403 200 403 200 200 200 200": """
        GET: exceptions:connections exceptions:effects exceptions:effects_export exceptions:transactions
    """,
    "in 404 404 404 404 404 422 404": """
        POST: exceptions:intake_set_aside exceptions:quarantined_file_set_aside
            exceptions:sequence_gap_set_aside exceptions:view_change
    """,
    "in 404 404 404 403 403 409 403": """
        POST: exceptions:ask_again exceptions:claim exceptions:resume exceptions:wake
    """,
    "401 404 404 404 403 403 422 403": """
        POST: api:snooze api:tag api:try-field-map
    """,
    "401 404 404 404 404 404 422 404": """
        POST: api:set-aside api:set-file-aside
    """,
    "in 403 302 302 403 403 302 403": """
        POST: exceptions:sending_resume exceptions:sending_stop
    """,
    # Of those who configure a connection, and of administrators.
    "in 403 422 422 403 403 422 403": """
        POST: exceptions:approval_rule_move exceptions:approval_rule_propose exceptions:erasure_move
            exceptions:erasure_propose exceptions:hold_lift exceptions:hold_place exceptions:retention_move
            exceptions:retention_propose exceptions:routing_rule_move exceptions:routing_rule_propose
            exceptions:field_rule_move exceptions:field_rule_propose
    """,
    "in 403 200 200 403 403 200 403": """
        GET: exceptions:erasures
    """,
    # A delivery to the archive: for administrators, and who may read all that is in it.
    "in 404 404 200 404 200 404 404": """
        GET: exceptions:archive_delivery
    """,
    "in 404 404 302 404 302 404 404": """
        GET: exceptions:archive_deliver_again
    """,
    "in 404 404 422 404 403 404 404": """
        POST: exceptions:archive_deliver_again
    """,
    "in 403 422 403 403 403 422 422": """
        POST: exceptions:bulk_preview exceptions:bulk_start
    """,
    "in 404 404 404 404 404 404 302": """
        GET: exceptions:notification
        POST: exceptions:notification_read
    """,
    "302 302 302 302 302 302 302 302": """
        POST: exceptions:preferences
    """,
    "401 400 400 400 400 400 400 400": """
        GET: api:search
    """,
    "401 401 401 401 401 401 401 401": """
        GET: scim_group scim_groups scim_provider scim_schema scim_schemas scim_type scim_types scim_user
            scim_users
        POST: hook scim_groups scim_users
        PATCH: scim_group scim_user
    """,
    # A form is asked for before who sends it: `tests/workbench/test_services.py`.
    "400 400 400 400 400 400 400 400": """
        POST: oauth_token
    """,
    "401 403 200 200 403 403 200 403": """
        POST: api:resume-sending
    """,
    "401 404 404 200 404 404 404 200": """
        POST: api:end-delegation
    """,
    "401 404 404 404 403 403 403 403": """
        POST: api:translate
    """,
    "401 404 404 404 404 404 409 404": """
        POST: api:resume-bulk-run
    """,
    "in 200 200 200 302 302 200 302": """
        GET: exceptions:my_queue
    """,
    "in 403 200 403 403 200 403 200": """
        GET: exceptions:rehearsals
    """,
    "in 403 200 200 403 200 403 403": """
        GET: exceptions:access exceptions:access_export exceptions:archives
    """,
    "401 403 200 200 403 200 403 403": """
        GET: api:access
    """,
    "401 403 403 200 403 403 403 403": """
        GET: api:access-reviews
    """,
    "401 404 404 200 404 404 404 404": """
        GET: api:access-review api:access-review-items
    """,
    "401 403 403 422 403 403 403 403": """
        POST: api:access-reviews
    """,
    "401 404 404 422 404 404 404 404": """
        POST: api:cancel-access-review api:close-access-review api:confirm-access api:end-access
    """,
    # For administrators.
    "in 403 403 200 403 403 403 403": """
        GET: exceptions:access_reviews
    """,
    "in 403 403 422 403 403 403 403": """
        POST: exceptions:access_review_open exceptions:archive_move exceptions:exchange_rates_import
    """,
    "in 404 404 200 404 404 404 404": """
        GET: exceptions:access_review
    """,
    "in 404 404 302 404 404 404 404": """
        GET: exceptions:access_review_cancel exceptions:access_review_close exceptions:access_review_confirm
            exceptions:access_review_end
    """,
    "in 404 404 422 404 404 404 404": """
        POST: exceptions:access_review_cancel exceptions:access_review_close exceptions:access_review_confirm
            exceptions:access_review_end
    """,
    # Of who took it, of who reviews there, and of administrators.
    "in 404 404 200 404 200 404 200": """
        GET: exceptions:emergency
    """,
    "in 404 404 302 404 302 404 302": """
        GET: exceptions:emergency_end exceptions:emergency_review
        POST: exceptions:emergency_end
    """,
    "in 404 404 403 404 422 404 422": """
        POST: exceptions:emergency_review
    """,
    "401 404 404 200 404 200 404 200": """
        GET: api:emergency
        POST: api:end-emergency
    """,
    "401 404 404 422 404 422 404 422": """
        POST: api:review-emergency
    """,
    "in 403 200 403 403 200 403 403": """
        GET: exceptions:audit exceptions:audit_exports
    """,
    "in 403 200 403 403 403 200 200": """
        GET: exceptions:bulk_new
    """,
    "in 403 200 403 403 403 200 403": """
        GET: exceptions:intake_failures
    """,
    # Exports of the audit trail: for whoever may read all that is in them.
    "401 403 200 403 403 200 403 403": """
        GET: api:audit-exports
    """,
    "401 403 422 403 403 422 403 403": """
        POST: api:audit-exports
    """,
    "401 404 404 404 404 200 404 404": """
        GET: api:audit-export
        POST: api:cancel-audit-export api:pause-audit-export
    """,
    "401 404 404 404 404 409 404 404": """
        GET: api:audit-export-file
        POST: api:resume-audit-export
    """,
    "in 404 404 404 404 200 404 404": """
        GET: exceptions:audit_export_manifest exceptions:audit_made
    """,
    "in 404 404 404 404 409 404 404": """
        GET: exceptions:audit_export_file
        POST: exceptions:audit_export_resume
    """,
    "in 404 404 404 404 302 404 404": """
        GET: exceptions:audit_export_cancel exceptions:audit_export_pause exceptions:audit_export_resume
        POST: exceptions:audit_export_cancel exceptions:audit_export_pause
    """,
    "in 403 302 403 403 403 302 302": """
        POST: exceptions:bulk_selection
    """,
    "in 403 422 403 403 422 403 403": """
        GET: exceptions:audit_export
        POST: exceptions:audit_export_start
    """,
    "in 404 404 302 404 404 404 302": """
        POST: exceptions:delegation_end
    """,
    "in 404 404 404 403 403 422 422": """
        POST: exceptions:cause_note
    """,
    "in 404 404 404 404 404 404 404": """
        POST: exceptions:batch_look
    """,
    "in 404 404 404 404 404 409 404": """
        POST: exceptions:bulk_resume
    """,
    "in 404 404 404 409 409 409 409": """
        POST: exceptions:undo
    """,
    "in 404 404 404 403 403 403 403": """
        POST: exceptions:translate
    """,
}


def _named() -> dict[str, str]:
    """The statuses by method and name."""
    found: dict[str, str] = {}
    for statuses, addresses in _ANSWERS.items():
        method = ""
        for word in addresses.split():
            if word.endswith(":"):
                method = word.removesuffix(":")
            else:
                assert f"{method} {word}" not in found
                found[f"{method} {word}"] = statuses
    return found


STATUSES = _named()
