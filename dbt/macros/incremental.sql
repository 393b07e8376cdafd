{#- When this invocation began: what a mart writes is stamped with it, so that the marts built from
    it know which rows are new to them even when a run in between failed. -#}
{% macro refreshed_at() -%}
'{{ run_started_at }}'::timestamptz
{%- endmacro %}

{#- What an incremental run must know of the rows that are stored: the newest change and refresh, by the
    columns that rows are dropped or read again by. One pass over the mart, kept in a temporary table
    for the macros below, which would each need their own. Call it first. -#}
{% macro look_at_stored(columns) -%}
{%- if execute and is_incremental() -%}
{%- do run_query("drop table if exists " ~ _stored()) -%}
{%- do run_query(
    "create temporary table " ~ _stored() ~ " as select " ~ columns | join(", ")
    ~ ", max(changed_at) as changed_at, max(refreshed_at) as refreshed_at from " ~ this
    ~ " group by " ~ columns | join(", ")
) -%}
{%- endif -%}
{%- endmacro %}

{% macro _stored() -%}
{{ this.identifier }}__stored
{%- endmacro %}

{#- One value of what is stored, as a literal: with a sub-query in its place the planner would know
    nothing of how few rows an incremental run is about, and read whole tables for them. -#}
{% macro stored_moment(expression, relation) -%}
{%- set moment = "-infinity" -%}
{%- if execute -%}
    {#- The mark in front keeps agate from reading the text as a date and rounding it. -#}
    {%- set found = run_query("select '@' || (" ~ expression ~ ")::text as moment from " ~ relation) -%}
    {%- set moment = found.rows[0][0][1:] -%}
{%- endif -%}
'{{ moment }}'::timestamptz
{%- endmacro %}

{#- The change time from which source rows are read again by an incremental run. -#}
{% macro changed_since() -%}
{{ stored_moment(
    "coalesce(max(changed_at), '-infinity') - interval '" ~ var("lookback_hours") ~ " hours'", _stored()
) }}
{%- endmacro %}

{#- The run after which this mart last took up rows of the marts that it is built from. `relation` is
    the mart itself where `look_at_stored` was not called. -#}
{% macro last_refreshed_at(relation=none) -%}
{{ stored_moment("coalesce(max(refreshed_at), '-infinity')", relation or _stored()) }}
{%- endmacro %}

{#- Whether the notification is to a member whose pages are stored by another clock than theirs is
    now. Who that is, if anybody, is looked up first, and stands in the statement as literals. -#}
{% macro recipient_moved(workspace_id, recipient_id) -%}
{%- set pairs = [] -%}
{%- if execute -%}
    {%- set statement -%}
        select distinct stored.workspace_id::text as workspace_id, stored.recipient_id::text as recipient_id
        from {{ _stored() }} as stored
        left join {{ ref("int_recipients_zoned") }} as recipients
            on recipients.workspace_id = stored.workspace_id
            and recipients.user_id = stored.recipient_id
        where
            stored.recipient_id is not null
            and stored.recipient_timezone <> coalesce(recipients.timezone, 'UTC')
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
        {% for column, (relation, parent_key) in references.items() %}
        select distinct '{{ column }}' as what, stored.{{ column }}::text as id from {{ _stored() }} as stored
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

{#- Room to sort, hash and index a mart's rows in memory, in its transaction alone. -#}
{% macro make_room() -%}
set local work_mem = '64MB'; set local maintenance_work_mem = '256MB'
{%- endmacro %}

{#- Before an incremental mart adds rows: drop those that went with their workspace or framework, and
    with their series (hours) or rule (predictions). The sources delete by cascade from these. Whose
    rows that is, if anybody's, is looked up first; mostly there is nothing to do. -#}
{% macro forget_removed() -%}
{%- set gone = [] -%}
{%- if execute and is_incremental() -%}
    {%- set columns = model.columns.keys() | list -%}
    {%- set parents = {"workspace_id": "workspaces", "framework_id": "frameworks"} -%}
    {%- if "hour" in columns -%}{%- do parents.update({"series_id": "series"}) -%}{%- endif -%}
    {%- if "prediction_id" in columns -%}{%- do parents.update({"rule_id": "alert_rules"}) -%}{%- endif -%}
    {%- for column, parent in parents.items() if column in columns -%}
        {%- set statement -%}
            select distinct stored.{{ column }}::text as id
            from {{ _stored() if "changed_at" in columns else this }} as stored
            where stored.{{ column }} is not null and not exists (
                select 1 from {{ source("convex", parent) }} as parent where parent.id = stored.{{ column }}
            )
        {%- endset -%}
        {%- set ids = [] -%}
        {%- for row in run_query(statement).rows -%}{%- do ids.append("'" ~ row[0] ~ "'") -%}{%- endfor -%}
        {%- if ids -%}{%- do gone.append(column ~ " in (" ~ ids | join(", ") ~ ")") -%}{%- endif -%}
    {%- endfor -%}
{%- endif -%}
{%- if gone -%}
delete from {{ this }} where {{ gone | join(" or ") }}
{%- endif -%}
{%- endmacro %}

{#- What an incremental run of alert_analytics must know of the facts, by one pass over them: how many
    triggers opened on each day (`__days`), and the days whose periods are to be counted again
    (`__changed`). Those hold a row that is new here, or belong to a period that holds another number of
    triggers than the facts do: a trigger leaves its period when history is completed and it turns out
    to have begun earlier, and nothing in the facts says where it was before. -#}
{% macro look_at_days(periods) -%}
{%- if execute and is_incremental() -%}
{%- set days, changed = this.identifier ~ "__days", this.identifier ~ "__changed" -%}
{%- do run_query("drop table if exists " ~ days ~ ", " ~ changed) -%}
{%- set statement -%}
    create temporary table {{ days }} as
    select
        framework_id, opened_on, week_starts_on, month_starts_on,
        count(*) as triggers, max(refreshed_at) as refreshed_at
    from {{ ref("fct_alert_triggers") }}
    group by framework_id, opened_on, week_starts_on, month_starts_on
{%- endset -%}
{%- do run_query(statement) -%}
{%- set statement -%}
    create temporary table {{ changed }} as
    select framework_id, opened_on, week_starts_on, month_starts_on from {{ days }}
    where refreshed_at > {{ last_refreshed_at(this) }} or {{ in_backfill("opened_on") }}
    {%- for period_type, column in periods.items() %}
    union
    select days.framework_id, days.opened_on, days.week_starts_on, days.month_starts_on
    from {{ days }} as days
    inner join (
        select framework_id, {{ column }} as period_start, sum(triggers) as triggers
        from {{ days }} group by framework_id, {{ column }}
    ) as periods on periods.framework_id = days.framework_id and periods.period_start = days.{{ column }}
    left join {{ this }} as stored
        on stored.framework_id = periods.framework_id
        and stored.period_type = '{{ period_type }}'
        and stored.period_start = periods.period_start
    where stored.total_triggers is distinct from periods.triggers
    {%- endfor %};
    analyze {{ changed }}
{%- endset -%}
{%- do run_query(statement) -%}
{%- endif -%}
{%- endmacro %}

{#- Whether the row's period, which begins on `column`, is counted again. -#}
{% macro in_changed(column) -%}
((framework_id, {{ column }}) in (select changed.framework_id, changed.{{ column }} from {{ this.identifier }}__changed as changed))
{%- endmacro %}

{#- The first day of the periods that are counted again, as a literal. -#}
{% macro first_changed_day() -%}
{%- set day = "infinity" -%}
{%- if execute -%}
    {%- set found = run_query(
        "select '@' || coalesce(least(min(week_starts_on), min(month_starts_on)), 'infinity')::text as day from "
        ~ this.identifier ~ "__changed"
    ) -%}
    {%- set day = found.rows[0][0][1:] -%}
{%- endif -%}
'{{ day }}'::date
{%- endmacro %}

{#- Before alert_analytics adds rows: drop the periods that hold another number of triggers than the
    facts do, those without any among them. -#}
{% macro forget_recounted() -%}
{%- if is_incremental() -%}
with periods as (
    select framework_id, 'daily' as period_type, opened_on as period_start, triggers
    from {{ this.identifier }}__days
    union all
    select framework_id, 'weekly', week_starts_on, sum(triggers) from {{ this.identifier }}__days group by 1, 3
    union all
    select framework_id, 'monthly', month_starts_on, sum(triggers) from {{ this.identifier }}__days group by 1, 3
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
