-- The row without a user is the workspace's default.
select
    workspace_id,
    user_id,
    timezone
from {{ source("convex", "notification_preferences") }}
