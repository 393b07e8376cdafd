with days as (
    select
        *,
        (opened_at at time zone 'UTC')::date as opened_on
    from {{ ref("stg_convex__alert_triggers") }}
)

select
    trigger_id,
    workspace_id,
    framework_id,
    rule_id,
    metric_id,
    series_id,
    source,
    rule_name,
    metric_name,
    type,
    severity,
    state,
    value,
    threshold,
    is_historical,
    opened_at,
    acknowledged_at,
    resolved_at,
    resolution,
    feedback,
    repeat_count,
    suppressed_count,
    opened_on,
    opened_on - (extract(isodow from opened_on)::integer - 1) as week_starts_on,
    opened_on - (extract(day from opened_on)::integer - 1) as month_starts_on,
    extract(isodow from opened_on)::smallint as opened_weekday,
    extract(hour from opened_at at time zone 'UTC')::smallint as opened_hour,
    -- Nobody was told about history, so acknowledging it later answers nothing.
    case
        when not is_historical then {{ minutes_between("opened_at", "acknowledged_at") }}
    end as response_minutes,
    {{ minutes_between("opened_at", "resolved_at") }} as resolve_minutes,
    resolved_at is not null and resolution <> 'by_hand' as is_auto_resolved,
    changed_at
from days
