-- Every trigger is counted once in each of the three period types.
with facts as (
    select
        framework_id,
        count(*) as triggers
    from {{ ref("fct_alert_triggers") }}
    group by framework_id
),

periods as (
    select
        framework_id,
        period_type,
        sum(total_triggers) as triggers
    from {{ ref("alert_analytics") }}
    group by framework_id, period_type
)

select
    facts.framework_id,
    kinds.period_type,
    facts.triggers,
    periods.triggers as counted
from facts
cross join (values ('daily'), ('weekly'), ('monthly')) as kinds (period_type)
left join periods
    on
        facts.framework_id = periods.framework_id
        and kinds.period_type = periods.period_type
where periods.triggers is distinct from facts.triggers
