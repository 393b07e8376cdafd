{{
    config(
        materialized="incremental",
        unique_key=["series_id", "hour"],
        indexes=[
            {"columns": ["series_id", "hour"], "unique": true},
            {"columns": ["workspace_id", "hour"]},
        ],
    )
}}

-- Points carry no time of change. A late arrival or a correction is found by comparing, per series
-- and hour, the number of points and a checksum that does not depend on their order.
with hours as (
    select
        workspace_id,
        series_id,
        date_trunc('hour', measured_at, 'UTC') as hour,
        count(*) as points,
        avg(value) as mean,
        min(value) as lowest,
        max(value) as highest,
        sum(value) as total,
        sum(hashfloat8(value)) as checksum
    from {{ ref("stg_convex__points") }}
    group by workspace_id, series_id, date_trunc('hour', measured_at, 'UTC')
)

select
    hours.workspace_id,
    series.framework_id,
    series.metric_id,
    hours.series_id,
    hours.hour,
    hours.points,
    hours.mean,
    hours.lowest,
    hours.highest,
    hours.total,
    hours.checksum,
    {{ refreshed_at() }} as refreshed_at
from hours
inner join {{ ref("stg_convex__series") }} as series
    on hours.series_id = series.series_id
{% if is_incremental() %}
    left join {{ this }} as stored
        on
            hours.series_id = stored.series_id
            and hours.hour = stored.hour
    where
        stored.series_id is null
        or hours.points <> stored.points
        or hours.checksum <> stored.checksum
{% endif %}
