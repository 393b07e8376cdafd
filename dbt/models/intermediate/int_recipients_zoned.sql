-- A table, because looking up the server's zone names is slow, and because a zone that the server
-- does not know would otherwise stop every mart of every workspace.
{{ config(materialized="table") }}

with known as (
    select name
    from pg_catalog.pg_timezone_names
),

people as (
    select
        workspace_id,
        user_id
    from {{ ref("stg_convex__members") }}
    union
    select
        workspace_id,
        user_id
    from {{ ref("stg_convex__notification_preferences") }}
    where user_id is not null
),

chosen as (
    select
        people.workspace_id,
        people.user_id,
        coalesce(preferences.timezone, users.timezone) as timezone
    from people
    left join {{ ref("stg_convex__notification_preferences") }} as preferences
        on
            people.workspace_id = preferences.workspace_id
            and people.user_id = preferences.user_id
    left join {{ ref("stg_convex__users") }} as users
        on people.user_id = users.user_id
)

select
    chosen.workspace_id,
    chosen.user_id,
    coalesce(known.name, 'UTC') as timezone
from chosen
left join known
    on chosen.timezone = known.name
