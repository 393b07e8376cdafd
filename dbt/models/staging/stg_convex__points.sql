select
    workspace_id,
    series_id,
    timestamp as measured_at,
    value
from {{ source("convex", "points") }}
