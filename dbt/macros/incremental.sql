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

{#- Whether the row refers to something that was removed since it was stored: the source then set the
    reference to NULL without calling that a change. `references` maps a column of this mart to the
    relation and the key that it should be found in. Looked up first, like `recipient_moved`. -#}
{% macro reference_removed(key, references, prefix) -%}
{%- set removed = {} -%}
{%- if execute -%}
    {%- set statement -%}
        with stored as materialized (select distinct {{ references.keys() | join(", ") }} from {{ this }})
        {% for column, (relation, parent_key) in references.items() %}
        select distinct '{{ column }}' as what, stored.{{ column }}::text as id from stored
        where stored.{{ column }} is not null and not exists (
            select 1 from {{ relation }} as parent where parent.{{ parent_key }} = stored.{{ column }}
        )
        {{ "union all" if not loop.last }}
        {% endfor %}
    {%- endset -%}
    {%- for row in run_query(statement).rows -%}
        {%- do removed.setdefault(row[0], []).append("'" ~ row[1] ~ "'::uuid") -%}
    {%- endfor -%}
{%- endif -%}
{%- if removed -%}
({{ prefix }}{{ key }} in (
    select {{ key }} from {{ this }}
    where
        {%- for column, ids in removed.items() %}
        {{ "or " if not loop.first }}{{ column }} in ({{ ids | join(", ") }})
        {%- endfor %}
))
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

{#- Before an incremental mart adds rows: drop those that went with their workspace or framework, and
    with their series (hours) or rule (predictions). The sources delete by cascade from these. -#}
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
    {%- if "prediction_id" in columns %}
    or (
        kept.rule_id is not null
        and not exists (
            select 1 from {{ source("convex", "alert_rules") }} as rules
            where rules.id = kept.rule_id
        )
    )
    {%- endif %}
{%- endif -%}
{%- endmacro %}

{#- Before alert_analytics adds rows: drop the periods that hold another number of triggers than the
    facts do. A trigger leaves its period when history is completed and it turns out to have begun
    earlier; nothing in the facts says where it was before. -#}
{% macro forget_recounted() -%}
{%- if is_incremental() -%}
with days as (
    select framework_id, opened_on, week_starts_on, month_starts_on, count(*) as triggers
    from {{ ref("fct_alert_triggers") }}
    group by framework_id, opened_on, week_starts_on, month_starts_on
),

periods as (
    select framework_id, 'daily' as period_type, opened_on as period_start, triggers from days
    union all
    select framework_id, 'weekly', week_starts_on, sum(triggers) from days group by 1, 3
    union all
    select framework_id, 'monthly', month_starts_on, sum(triggers) from days group by 1, 3
)

delete from {{ this }} as kept
where not exists (
    select 1 from periods
    where
        periods.framework_id = kept.framework_id
        and periods.period_type = kept.period_type
        and periods.period_start = kept.period_start
        and periods.triggers = kept.total_triggers
)
{%- endif -%}
{%- endmacro %}
