{{
    config(
        materialized="incremental",
        unique_key="prediction_id",
        indexes=[
            {"columns": ["prediction_id"], "unique": true},
            {"columns": ["workspace_id", "made_at"]},
        ],
    )
}}

{% do look_at_stored(["workspace_id", "framework_id", "rule_id"]) %}

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
    horizon_hours,
    probability,
    climatology,
    risk_score,
    was_accurate,
    actual_alert_triggered_at,
    verified_at,
    alert_happened,
    brier_score,
    climatology_brier_score,
    changed_at,
    {{ refreshed_at() }} as refreshed_at
from {{ ref("int_alert_predictions_scored") }}
{% if is_incremental() %}
    where
        changed_at >= {{ changed_since() }}
        or {{ in_backfill("(made_at at time zone 'UTC')::date") }}
{% endif %}
