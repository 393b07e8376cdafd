select
    id as notification_id,
    workspace_id,
    trigger_id,
    transition_id,
    recipient_id,
    channel_id,
    channel_kind,
    kind,
    step,
    state,
    reason,
    severity,
    attempts,
    due_at,
    delivered_at,
    created_at,
    updated_at as changed_at
from {{ source("convex", "alert_notifications") }}
