-- depends_on: {{ ref("stg_convex__alert_rules") }}
-- depends_on: {{ ref("stg_convex__metrics") }}
{{
    config(
        materialized="incremental",
        unique_key="trigger_id",
        indexes=[
            {"columns": ["trigger_id"], "unique": true},
            {"columns": ["workspace_id", "opened_on"]},
        ],
    )
}}

{% do look_at_stored(["workspace_id", "framework_id", "rule_id", "metric_id"]) %}

{% set references = {
    "rule_id": (ref("stg_convex__alert_rules"), "rule_id"),
    "metric_id": (ref("stg_convex__metrics"), "metric_id"),
} %}

with {% if is_incremental() %}
    changed as materialized (
        select trigger_id
        from {{ ref("int_alert_triggers_measured") }}
        where
            changed_at >= {{ changed_since() }}
            or {{ reference_removed("trigger_id", references, "") }}
            or {{ in_backfill("opened_on") }}
        union
        select trigger_id
        from {{ ref("fct_notifications") }}
        where
            trigger_id is not null
            and refreshed_at > {{ last_refreshed_at() }}
    ),

{% endif %}
notified as (
    select
        trigger_id,
        count(*) filter (where is_sent) as notifications_sent,
        count(*) filter (where is_suppressed) as notifications_suppressed,
        count(*) filter (where state = 'failed') as notifications_failed,
        count(*) filter (where is_page) as pages,
        count(*) filter (where page_hours = 'business') as pages_business_hours,
        count(*) filter (where page_hours = 'off') as pages_off_hours,
        count(*) filter (where page_hours = 'sleep') as pages_sleep_hours
    from {{ ref("fct_notifications") }}
    where
        trigger_id is not null
        {% if is_incremental() %}
            and trigger_id in (select changed.trigger_id from changed)
        {% endif %}
    group by trigger_id
),

flapping as (
    select distinct trigger_id
    from {{ ref("stg_convex__trigger_transitions") }}
    where
        kind = 'flapping'
        {% if is_incremental() %}
            and trigger_id in (select changed.trigger_id from changed)
        {% endif %}
)

select
    triggers.trigger_id,
    triggers.workspace_id,
    triggers.framework_id,
    triggers.rule_id,
    triggers.metric_id,
    triggers.series_id,
    triggers.source,
    triggers.rule_name,
    triggers.metric_name,
    triggers.type,
    triggers.severity,
    triggers.state,
    triggers.value,
    triggers.threshold,
    triggers.is_historical,
    triggers.opened_at,
    triggers.acknowledged_at,
    triggers.resolved_at,
    triggers.resolution,
    triggers.feedback,
    triggers.opened_on,
    triggers.week_starts_on,
    triggers.month_starts_on,
    triggers.opened_weekday,
    triggers.opened_hour,
    triggers.response_minutes,
    triggers.resolve_minutes,
    triggers.is_auto_resolved,
    flapping.trigger_id is not null as is_flapping,
    triggers.repeat_count,
    coalesce(notified.notifications_sent, 0)::integer as notifications_sent,
    (coalesce(notified.notifications_suppressed, 0) + triggers.suppressed_count)::integer
        as notifications_suppressed,
    coalesce(notified.notifications_failed, 0)::integer as notifications_failed,
    coalesce(notified.pages, 0)::integer as pages,
    coalesce(notified.pages_business_hours, 0)::integer as pages_business_hours,
    coalesce(notified.pages_off_hours, 0)::integer as pages_off_hours,
    coalesce(notified.pages_sleep_hours, 0)::integer as pages_sleep_hours,
    triggers.changed_at,
    {{ refreshed_at() }} as refreshed_at
from {{ ref("int_alert_triggers_measured") }} as triggers
left join notified
    on triggers.trigger_id = notified.trigger_id
left join flapping
    on triggers.trigger_id = flapping.trigger_id
{% if is_incremental() %}
    -- An array, so that the few are looked up by the index whatever the planner thinks of them.
    where triggers.trigger_id = any(array(select changed.trigger_id from changed))
{% endif %}
