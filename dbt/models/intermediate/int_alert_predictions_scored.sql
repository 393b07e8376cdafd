with outcomes as (
    select
        *,
        case
            when verified_at is not null then (actual_alert_triggered_at is not null)::integer
        end as outcome
    from {{ ref("stg_convex__alert_predictions") }}
)

select
    prediction_id,
    workspace_id,
    framework_id,
    rule_id,
    series_id,
    kind,
    model,
    confidence,
    made_at,
    window_start,
    window_end,
    extract(epoch from (window_end - window_start))::double precision / 3600 as horizon_hours,
    probability,
    climatology,
    risk_score,
    was_accurate,
    actual_alert_triggered_at,
    verified_at,
    outcome = 1 as alert_happened,
    (probability / 100 - outcome) ^ 2 as brier_score,
    (climatology / 100 - outcome) ^ 2 as climatology_brier_score,
    changed_at
from outcomes
