-- depends_on: {{ ref("stg_convex__alert_notifications") }}
-- depends_on: {{ ref("int_recipients_zoned") }}
{{
    config(
        materialized="incremental",
        unique_key="notification_id",
        indexes=[
            {"columns": ["notification_id"], "unique": true},
            {"columns": ["trigger_id"]},
            {"columns": ["workspace_id", "created_at"]},
        ],
    )
}}

with {% if is_incremental() %}
    changed as materialized (
        select notification_id
        from {{ ref("stg_convex__alert_notifications") }}
        where
            changed_at >= {{ changed_since() }}
            or {{ in_backfill("(created_at at time zone 'UTC')::date") }}
        union
        -- A member who moves to another zone has had their pages at other hours than stored.
        select stored.notification_id
        from {{ this }} as stored
        left join {{ ref("int_recipients_zoned") }} as recipients
            on
                stored.workspace_id = recipients.workspace_id
                and stored.recipient_id = recipients.user_id
        where stored.recipient_timezone <> coalesce(recipients.timezone, 'UTC')
    ),

{% endif %}
classified as (
    select *
    from {{ ref("int_notifications_classified") }}
    {% if is_incremental() %}
        where notification_id in (select changed.notification_id from changed)
    {% endif %}
)

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
from classified
left join {{ ref("stg_convex__alert_triggers") }} as triggers
    on classified.trigger_id = triggers.trigger_id
