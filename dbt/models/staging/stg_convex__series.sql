select
    id as series_id,
    workspace_id,
    framework_id,
    metric_id,
    labels
from {{ source("convex", "series") }}
