select
    workspace_id,
    user_id,
    role
from {{ source("convex", "members") }}
