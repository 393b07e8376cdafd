select
    id as transition_id,
    workspace_id,
    trigger_id,
    kind,
    at as happened_at
from {{ source("convex", "trigger_transitions") }}
