select
    id as framework_id,
    workspace_id,
    slug,
    name,
    kind,
    tags,
    created_at,
    updated_at as changed_at
from {{ source("convex", "frameworks") }}
