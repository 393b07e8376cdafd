{#- When this invocation began: what a mart writes is stamped with it, so that the marts built from
    it know which rows are new to them even when a run in between failed. -#}
{% macro refreshed_at() -%}
'{{ run_started_at }}'::timestamptz
{%- endmacro %}

{#- One value of this mart, as a literal: with a sub-query in its place the planner would know
    nothing of how few rows an incremental run is about, and read whole tables for them. -#}
{% macro stored_moment(expression) -%}
{%- set moment = "-infinity" -%}
{%- if execute -%}
    {#- The mark in front keeps agate from reading the text as a date and rounding it. -#}
    {%- set found = run_query("select '@' || (" ~ expression ~ ")::text as moment from " ~ this) -%}
    {%- set moment = found.rows[0][0][1:] -%}
{%- endif -%}
'{{ moment }}'::timestamptz
{%- endmacro %}

{#- The change time from which source rows are read again by an incremental run. -#}
{% macro changed_since() -%}
{{ stored_moment("coalesce(max(changed_at), '-infinity') - interval '" ~ var("lookback_hours") ~ " hours'") }}
{%- endmacro %}

{#- The run after which this mart last took up rows of the marts that it is built from. -#}
{% macro last_refreshed_at() -%}
{{ stored_moment("coalesce(max(refreshed_at), '-infinity')") }}
{%- endmacro %}

{#- Whether the notification is to a member whose pages are stored by another clock than theirs is
    now. Who that is, if anybody, is looked up first, and stands in the statement as literals. -#}
{% macro recipient_moved(workspace_id, recipient_id) -%}
{%- set pairs = [] -%}
{%- if execute -%}
    {%- set statement -%}
        select stored.workspace_id::text as workspace_id, stored.recipient_id::text as recipient_id
        from (
            select distinct workspace_id, recipient_id, recipient_timezone from {{ this }}
            where recipient_id is not null
        ) as stored
        left join {{ ref("int_recipients_zoned") }} as recipients
            on recipients.workspace_id = stored.workspace_id
            and recipients.user_id = stored.recipient_id
        where stored.recipient_timezone <> coalesce(recipients.timezone, 'UTC')
    {%- endset -%}
    {%- for row in run_query(statement).rows -%}
        {%- do pairs.append("('" ~ row[0] ~ "'::uuid, '" ~ row[1] ~ "'::uuid)") -%}
    {%- endfor -%}
{%- endif -%}
{%- if pairs -%}
(({{ workspace_id }}, {{ recipient_id }}) in ({{ pairs | join(", ") }}))
{%- else -%}
false
{%- endif -%}
{%- endmacro %}

{#- Whether `day` lies in the range of a back-fill; false when none is asked for. -#}
{% macro in_backfill(day) -%}
{%- if var("backfill_from") and var("backfill_to") -%}
({{ day }} between '{{ var("backfill_from") }}'::date and '{{ var("backfill_to") }}'::date)
{%- else -%}
false
{%- endif -%}
{%- endmacro %}

{#- Room to sort and hash a mart's rows in memory, in its transaction alone. -#}
{% macro make_room() -%}
set local work_mem = '64MB'
{%- endmacro %}

{#- Before an incremental mart adds rows: drop those whose framework or workspace is gone. Sources
    delete by cascade from these two, so nothing else can vanish unseen. -#}
{% macro forget_removed() -%}
{%- if is_incremental() -%}
{%- set columns = model.columns.keys() | list -%}
delete from {{ this }} as kept
where
    not exists (
        select 1 from {{ source("convex", "workspaces") }} as workspaces
        where workspaces.id = kept.workspace_id
    )
    {%- if "framework_id" in columns %}
    or (
        kept.framework_id is not null
        and not exists (
            select 1 from {{ source("convex", "frameworks") }} as frameworks
            where frameworks.id = kept.framework_id
        )
    )
    {%- endif %}
    {%- if "series_id" in columns and "hour" in columns %}
    or not exists (
        select 1 from {{ source("convex", "series") }} as series
        where series.id = kept.series_id
    )
    {%- endif %}
{%- endif -%}
{%- endmacro %}
