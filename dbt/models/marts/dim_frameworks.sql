-- Read after the facts, so that no fact can name a framework that is not here yet.
-- depends_on: {{ ref("fct_alert_triggers") }}
{{ config(indexes=[{"columns": ["framework_id"], "unique": true}, {"columns": ["workspace_id"]}]) }}

with metrics as (
    select
        framework_id,
        count(*) as metrics
    from {{ ref("stg_convex__metrics") }}
    group by framework_id
),

series as (
    select
        framework_id,
        count(*) as series
    from {{ ref("stg_convex__series") }}
    group by framework_id
),

rules as (
    select
        framework_id,
        count(*) as rules
    from {{ ref("stg_convex__alert_rules") }}
    where not is_deleted
    group by framework_id
)

select
    frameworks.framework_id,
    frameworks.workspace_id,
    frameworks.slug,
    frameworks.name,
    frameworks.kind,
    frameworks.tags,
    frameworks.created_at,
    frameworks.changed_at,
    coalesce(metrics.metrics, 0)::integer as metrics,
    coalesce(series.series, 0)::integer as series,
    coalesce(rules.rules, 0)::integer as rules
from {{ ref("stg_convex__frameworks") }} as frameworks
left join metrics
    on frameworks.framework_id = metrics.framework_id
left join series
    on frameworks.framework_id = series.framework_id
left join rules
    on frameworks.framework_id = rules.framework_id
