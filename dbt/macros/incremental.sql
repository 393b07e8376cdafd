{#- When this invocation began: what a mart writes is stamped with it, so that the marts built from
    it know which rows are new to them even when a run in between failed. -#}
{% macro refreshed_at() -%}
'{{ run_started_at }}'::timestamptz
{%- endmacro %}

{#- The change time from which source rows are read again by an incremental run. -#}
{% macro changed_since(column="changed_at") -%}
(
    select coalesce(max(seen.{{ column }}), '-infinity') - interval '{{ var("lookback_hours") }} hours'
    from {{ this }} as seen
)
{%- endmacro %}

{#- The run after which this mart last took up rows of the marts that it is built from. -#}
{% macro last_refreshed_at() -%}
(select coalesce(max(seen.refreshed_at), '-infinity') from {{ this }} as seen)
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
