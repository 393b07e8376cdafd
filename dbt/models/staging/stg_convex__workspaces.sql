select
    id as workspace_id,
    slug,
    name,
    timezone
from {{ source("convex", "workspaces") }}
