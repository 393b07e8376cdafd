-- depends_on: {{ ref("int_recipients_zoned") }}
-- depends_on: {{ ref("stg_convex__channels") }}
-- depends_on: {{ ref("stg_convex__users") }}
{{
    config(
        materialized="incremental",
        unique_key="notification_id",
        indexes=[
            {"columns": ["notification_id"], "unique": true},
            {"columns": ["trigger_id"]},
            {"columns": ["refreshed_at"], "type": "brin"},
        ],
    )
}}

{% do look_at_stored(["workspace_id", "framework_id", "channel_id", "recipient_id", "recipient_timezone"]) %}

{% set references = {
    "channel_id": (ref("stg_convex__channels"), "channel_id"),
    "recipient_id": (ref("stg_convex__users"), "user_id"),
} %}

select
    classified.notification_id,
    classified.workspace_id,
    triggers.framework_id,
    classified.trigger_id,
    classified.transition_id,
    classified.recipient_id,
    classified.recipient_timezone,
    classified.channel_id,
    classified.channel_kind,
    classified.kind,
    classified.step,
    classified.state,
    classified.reason,
    classified.severity,
    classified.attempts,
    classified.created_at,
    classified.due_at,
    classified.delivered_at,
    classified.latency_seconds,
    classified.is_sent,
    classified.is_suppressed,
    classified.is_page,
    classified.page_hours,
    classified.changed_at,
    {{ refreshed_at() }} as refreshed_at
from {{ ref("int_notifications_classified") }} as classified
left join {{ ref("stg_convex__alert_triggers") }} as triggers
    on classified.trigger_id = triggers.trigger_id
{% if is_incremental() %}
    where
        classified.changed_at >= {{ changed_since() }}
        or {{ reference_removed("notification_id", references, "classified.") }}
        or {{ recipient_moved("classified.workspace_id", "classified.recipient_id") }}
        or {{ in_backfill("(classified.created_at at time zone 'UTC')::date") }}
{% endif %}
