-- Read after the facts, so that no page can be of somebody who is not here yet.
-- depends_on: {{ ref("fct_notifications") }}
{{
    config(
        indexes=[
            {"columns": ["workspace_id", "user_id"], "unique": true},
        ],
    )
}}

select
    recipients.workspace_id,
    recipients.user_id,
    users.name,
    members.role,
    recipients.timezone
from {{ ref("int_recipients_zoned") }} as recipients
inner join {{ ref("stg_convex__users") }} as users
    on recipients.user_id = users.user_id
left join {{ ref("stg_convex__members") }} as members
    on
        recipients.workspace_id = members.workspace_id
        and recipients.user_id = members.user_id
