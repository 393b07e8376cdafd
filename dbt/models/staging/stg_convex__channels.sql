select
    id as channel_id,
    workspace_id,
    name,
    kind
from {{ source("convex", "channels") }}
