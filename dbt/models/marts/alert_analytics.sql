{{
    config(
        materialized="incremental",
        pre_hook="{{ forget_recounted() }}",
        unique_key=["workspace_id", "framework_id", "period_type", "period_start"],
        indexes=[
            {
                "columns": ["workspace_id", "framework_id", "period_type", "period_start"],
                "unique": true,
            },
            {"columns": ["workspace_id", "period_type", "period_start"]},
        ],
    )
}}

{% set periods = {"daily": "opened_on", "weekly": "week_starts_on", "monthly": "month_starts_on"} %}
{% set types = ["threshold", "anomaly", "performance", "milestone"] %}
{% set severities = ["critical", "warning", "info"] %}

with {% if is_incremental() %}
    days as materialized (
        select
            framework_id,
            opened_on,
            week_starts_on,
            month_starts_on,
            max(refreshed_at) as refreshed_at
        from {{ ref("fct_alert_triggers") }}
        group by framework_id, opened_on, week_starts_on, month_starts_on
    ),

    -- Days that hold a row which is new here, and those of periods that were dropped beforehand.
    changed as materialized (
        select
            framework_id,
            opened_on,
            week_starts_on,
            month_starts_on
        from days
        where
            refreshed_at > {{ last_refreshed_at() }}
            or {{ in_backfill("opened_on") }}
        {% for period_type, column in periods.items() %}
            union
            select
                days.framework_id,
                days.opened_on,
                days.week_starts_on,
                days.month_starts_on
            from days
            left join {{ this }} as stored
                on
                    days.framework_id = stored.framework_id
                    and stored.period_type = '{{ period_type }}'
                    and days.{{ column }} = stored.period_start
            where stored.framework_id is null
        {% endfor %}
    ),

{% endif %}
triggers as (
    {% for period_type, column in periods.items() %}
        select
            *,
            '{{ period_type }}' as period_type,
            {{ column }} as period_start
        from {{ ref("fct_alert_triggers") }}
        {% if is_incremental() %}
            where
                (framework_id, {{ column }}) in (
                    select
                        changed.framework_id,
                        changed.{{ column }}
                    from changed
                )
                and opened_on >= (select min(changed.{{ column }}) from changed)
        {% endif %}
        {% if not loop.last %}
            union all
        {% endif %}
    {% endfor %}
),

counted as (
    select
        workspace_id,
        framework_id,
        period_type,
        period_start,
        count(*) as total_triggers,
        count(*) filter (where is_historical) as historical_triggers,
        count(*) filter (where state <> 'resolved') as open_triggers,
        count(acknowledged_at) as acknowledged_triggers,
        count(resolved_at) as resolved_triggers,
        count(*) filter (where is_auto_resolved) as auto_resolved_triggers,
        count(*) filter (where is_flapping) as flapping_triggers,
        count(feedback) as marked_triggers,
        count(*) filter (where feedback = 'actionable') as actionable_triggers,
        count(*) filter (where feedback = 'false_positive') as false_positive_triggers,
        jsonb_build_object(
            {% for type in types %}
                '{{ type }}',
                count(*) filter (where type = '{{ type }}'){{ "," if not loop.last }}
            {% endfor %}
        ) as triggered_by_type,
        jsonb_build_object(
            {% for severity in severities %}
                '{{ severity }}',
                count(*) filter (where severity = '{{ severity }}'){{ "," if not loop.last }}
            {% endfor %}
        ) as triggered_by_severity,
        {{ mean_minutes("response_minutes") }} as avg_response_time_minutes,
        count(response_minutes) as response_time_n,
        {{ median_and_p90("response_minutes") }} as response_time_quantiles,
        {{ mean_minutes("resolve_minutes") }} as mttr_minutes,
        count(resolve_minutes) as mttr_n,
        {{ median_and_p90("resolve_minutes") }} as mttr_quantiles,
        sum(repeat_count) as repeats,
        sum(notifications_sent) as notifications_sent,
        sum(notifications_suppressed) as notifications_suppressed,
        sum(notifications_failed) as notifications_failed,
        count(*) filter (
            where feedback = 'actionable' and notifications_suppressed > 0 and notifications_sent = 0
        ) as suppressed_actionable_triggers,
        sum(pages) as pages,
        sum(pages_business_hours) as pages_business_hours,
        sum(pages_off_hours) as pages_off_hours,
        sum(pages_sleep_hours) as pages_sleep_hours
    from triggers
    group by workspace_id, framework_id, period_type, period_start
)

select
    workspace_id,
    framework_id,
    period_type,
    period_start,
    total_triggers,
    historical_triggers,
    open_triggers,
    acknowledged_triggers,
    resolved_triggers,
    auto_resolved_triggers,
    flapping_triggers,
    marked_triggers,
    actionable_triggers,
    false_positive_triggers,
    triggered_by_type,
    triggered_by_severity,
    avg_response_time_minutes,
    response_time_n,
    response_time_quantiles[1] as response_time_median_minutes,
    response_time_quantiles[2] as response_time_p90_minutes,
    mttr_minutes,
    mttr_n,
    mttr_quantiles[1] as mttr_median_minutes,
    mttr_quantiles[2] as mttr_p90_minutes,
    {{ ratio("resolved_triggers", "total_triggers") }} as resolution_rate,
    {{ ratio("auto_resolved_triggers", "resolved_triggers") }} as auto_resolved_rate,
    {{ ratio("false_positive_triggers", "marked_triggers") }} as false_positive_rate,
    {{ ratio("actionable_triggers", "marked_triggers") }} as actionable_rate,
    {{ ratio("flapping_triggers", "total_triggers") }} as flap_rate,
    {{ ratio("notifications_suppressed", "notifications_suppressed + notifications_sent") }}
        as suppression_effectiveness,
    repeats,
    notifications_sent,
    notifications_suppressed,
    notifications_failed,
    suppressed_actionable_triggers,
    pages,
    pages_business_hours,
    pages_off_hours,
    pages_sleep_hours,
    {{ refreshed_at() }} as refreshed_at
from counted
