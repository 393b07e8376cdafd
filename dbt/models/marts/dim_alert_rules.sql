-- Read after the facts, so that no fact can name a rule that is not here yet.
-- depends_on: {{ ref("fct_alert_triggers") }}
{{ config(indexes=[{"columns": ["rule_id"], "unique": true}, {"columns": ["workspace_id"]}]) }}

select
    rules.rule_id,
    rules.workspace_id,
    rules.framework_id,
    rules.metric_id,
    rules.name,
    coalesce(metrics.name, '') as metric_name,
    metrics.unit as metric_unit,
    rules.type,
    rules.condition,
    rules.severity,
    rules.aggregate,
    rules.window_seconds,
    rules.for_seconds,
    rules.threshold_value,
    rules.change_percentage,
    rules.provenance,
    rules.is_enabled,
    rules.is_deleted,
    rules.created_at,
    rules.changed_at
from {{ ref("stg_convex__alert_rules") }} as rules
left join {{ ref("stg_convex__metrics") }} as metrics
    on rules.metric_id = metrics.metric_id
