select
    id as user_id,
    name,
    timezone
from {{ source("convex", "users") }}
