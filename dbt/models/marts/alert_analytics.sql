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
{% set counts = {
    "total_triggers": "count(*)",
    "historical_triggers": "count(*) filter (where is_historical)",
    "open_triggers": "count(*) filter (where state <> 'resolved')",
    "acknowledged_triggers": "count(acknowledged_at)",
    "resolved_triggers": "count(resolved_at)",
    "auto_resolved_triggers": "count(*) filter (where is_auto_resolved)",
    "flapping_triggers": "count(*) filter (where is_flapping)",
    "marked_triggers": "count(feedback)",
    "actionable_triggers": "count(*) filter (where feedback = 'actionable')",
    "false_positive_triggers": "count(*) filter (where feedback = 'false_positive')",
    "repeats": "sum(repeat_count)",
    "notifications_sent": "sum(notifications_sent)",
    "notifications_suppressed": "sum(notifications_suppressed)",
    "notifications_failed": "sum(notifications_failed)",
    "notifications_counted": "sum(notifications_suppressed + notifications_sent)",
    "suppressed_actionable_triggers":
        "count(*) filter (where feedback = 'actionable' and notifications_suppressed > 0 and notifications_sent = 0)",
    "pages": "sum(pages)",
    "pages_business_hours": "sum(pages_business_hours)",
    "pages_off_hours": "sum(pages_off_hours)",
    "pages_sleep_hours": "sum(pages_sleep_hours)",
} %}
{% for type in types %}
    {% do counts.update({"type_" ~ type: "count(*) filter (where type = '" ~ type ~ "')"}) %}
{% endfor %}
{% for severity in severities %}
    {% do counts.update({"severity_" ~ severity: "count(*) filter (where severity = '" ~ severity ~ "')"}) %}
{% endfor %}

{% do look_at_days(periods) %}

with
-- Read once for each period where that is everything: a copy of all of it would go to disk.
triggers as {{ "materialized" if is_incremental() else "not materialized" }} (
    select
        workspace_id,
        framework_id,
        opened_on,
        week_starts_on,
        month_starts_on,
        type,
        severity,
        state,
        is_historical,
        acknowledged_at,
        resolved_at,
        is_auto_resolved,
        is_flapping,
        feedback,
        response_minutes,
        resolve_minutes,
        repeat_count,
        notifications_sent,
        notifications_suppressed,
        notifications_failed,
        pages,
        pages_business_hours,
        pages_off_hours,
        pages_sleep_hours
    from {{ ref("fct_alert_triggers") }}
    {% if is_incremental() %}
        where
            opened_on >= {{ first_changed_day() }}
            and (
                {% for column in ["week_starts_on", "month_starts_on"] %}
                    {{ in_changed(column) }}
                    {{ "or" if not loop.last }}
                {% endfor %}
            )
    {% endif %}
),

-- Days are counted once; weeks and months are sums of them. Means and quantiles cannot be summed up
-- and are taken from the triggers of each period, in rows that are as narrow as can be.
days_counted as (
    select
        workspace_id,
        framework_id,
        opened_on,
        week_starts_on,
        month_starts_on,
        {{ columns_counted(counts) }}
    from triggers
    group by workspace_id, framework_id, opened_on, week_starts_on, month_starts_on
),

counted as (
    {% for period_type, column in periods.items() %}
        select
            workspace_id,
            framework_id,
            '{{ period_type }}' as period_type,
            {{ column }} as period_start,
            {{ columns_summed(counts) }}
        from days_counted
        {% if is_incremental() %}
            where {{ in_changed(column) }}
        {% endif %}
        group by workspace_id, framework_id, {{ column }}
        {{ "union all" if not loop.last }}
    {% endfor %}
),

measured as (
    {% for period_type, column in periods.items() %}
        select
            framework_id,
            '{{ period_type }}' as period_type,
            {{ column }} as period_start,
            {{ mean_minutes("response_minutes") }} as avg_response_time_minutes,
            count(response_minutes) as response_time_n,
            {{ median_and_p90("response_minutes") }} as response_time_quantiles,
            {{ mean_minutes("resolve_minutes") }} as mttr_minutes,
            count(resolve_minutes) as mttr_n,
            {{ median_and_p90("resolve_minutes") }} as mttr_quantiles
        from triggers
        {% if is_incremental() %}
            where {{ in_changed(column) }}
        {% endif %}
        group by framework_id, {{ column }}
        {{ "union all" if not loop.last }}
    {% endfor %}
)

select
    counted.workspace_id,
    counted.framework_id,
    counted.period_type,
    counted.period_start,
    counted.total_triggers,
    counted.historical_triggers,
    counted.open_triggers,
    counted.acknowledged_triggers,
    counted.resolved_triggers,
    counted.auto_resolved_triggers,
    counted.flapping_triggers,
    counted.marked_triggers,
    counted.actionable_triggers,
    counted.false_positive_triggers,
    jsonb_build_object(
        {% for type in types %}
            '{{ type }}', counted.type_{{ type }}{{ "," if not loop.last }}
        {% endfor %}
    ) as triggered_by_type,
    jsonb_build_object(
        {% for severity in severities %}
            '{{ severity }}', counted.severity_{{ severity }}{{ "," if not loop.last }}
        {% endfor %}
    ) as triggered_by_severity,
    measured.avg_response_time_minutes,
    measured.response_time_n,
    measured.response_time_quantiles[1] as response_time_median_minutes,
    measured.response_time_quantiles[2] as response_time_p90_minutes,
    measured.mttr_minutes,
    measured.mttr_n,
    measured.mttr_quantiles[1] as mttr_median_minutes,
    measured.mttr_quantiles[2] as mttr_p90_minutes,
    {{ ratio("counted.resolved_triggers", "counted.total_triggers") }} as resolution_rate,
    {{ ratio("counted.auto_resolved_triggers", "counted.resolved_triggers") }} as auto_resolved_rate,
    {{ ratio("counted.false_positive_triggers", "counted.marked_triggers") }} as false_positive_rate,
    {{ ratio("counted.actionable_triggers", "counted.marked_triggers") }} as actionable_rate,
    {{ ratio("counted.flapping_triggers", "counted.total_triggers") }} as flap_rate,
    {{ ratio("counted.notifications_suppressed", "counted.notifications_counted") }}
        as suppression_effectiveness,
    counted.repeats,
    counted.notifications_sent,
    counted.notifications_suppressed,
    counted.notifications_failed,
    counted.suppressed_actionable_triggers,
    counted.pages,
    counted.pages_business_hours,
    counted.pages_off_hours,
    counted.pages_sleep_hours,
    {{ refreshed_at() }} as refreshed_at
from counted
inner join measured
    on
        counted.framework_id = measured.framework_id
        and counted.period_type = measured.period_type
        and counted.period_start = measured.period_start
