select
    id as metric_id,
    workspace_id,
    framework_id,
    name,
    unit,
    category,
    default_aggregate
from {{ source("convex", "metrics") }}
