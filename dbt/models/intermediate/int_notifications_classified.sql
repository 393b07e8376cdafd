with zoned as (
    select
        notifications.*,
        coalesce(recipients.timezone, 'UTC') as recipient_timezone
    from {{ ref("stg_convex__alert_notifications") }} as notifications
    left join {{ ref("int_recipients_zoned") }} as recipients
        on
            notifications.workspace_id = recipients.workspace_id
            and notifications.recipient_id = recipients.user_id
),

classified as (
    select
        *,
        state = 'delivered' and kind not in ('test', 'notice', 'prediction') as is_sent,
        state in ('withheld', 'carried')
        and kind not in ('test', 'notice', 'prediction')
        and reason not in ('no_channel', 'expired', 'test') as is_suppressed,
        state = 'delivered'
        and recipient_id is not null
        and channel_kind <> 'in_app'
        and kind in ('firing', 'escalation', 'repeat') as is_page
    from zoned
)

select
    notification_id,
    workspace_id,
    trigger_id,
    transition_id,
    recipient_id,
    recipient_timezone,
    channel_id,
    channel_kind,
    kind,
    step,
    state,
    reason,
    severity,
    attempts,
    created_at,
    due_at,
    delivered_at,
    extract(epoch from (delivered_at - created_at))::double precision as latency_seconds,
    is_sent,
    is_suppressed,
    is_page,
    case
        when is_page then {{ part_of_day("(delivered_at at time zone recipient_timezone)") }}
    end as page_hours,
    changed_at
from classified
