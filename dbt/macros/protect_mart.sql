{#- After a mart's table is made, in its transaction: row level security, so that no reader ever meets
    the table without it, and statistics for the marts built from it. The policies are those of the tables that a mart
    is made from (migrations): a request sees its workspace; the flows theirs, or all of them when
    they act for the system; and a member sees nobody else's in-app notifications. The owner,
    convex_dbt, fills the table and is not held by them. Each setting is read in a sub-query so that
    it is evaluated once a statement. -#}
{% macro protect_mart() -%}
{%- if execute -%}
{%- set tenant = "workspace_id = (select convex.acting_workspace())" -%}
do $protect$
begin
    if not (select relrowsecurity from pg_class where oid = '{{ this }}'::regclass) then
        alter table {{ this }} enable row level security;
        create policy read on {{ this }} for select to convex_api
        using (
            {{ tenant }}
            {%- if "recipient_id" in model.columns.keys() %}
            and (
                recipient_id = (select convex.acting_user())
                or (
                    channel_kind is distinct from 'in_app'
                    and (recipient_id is null or (select convex.acting_role()) in ('editor', 'owner'))
                )
            )
            {%- endif %}
        );
        create policy flows on {{ this }} for select to convex_worker
        using (
            {{ tenant }}
            or (
                (select convex.acting_workspace()) is null
                and (select convex.acting_role()) = 'system'
            )
        );
        grant select on {{ this }} to convex_api, convex_worker;
        analyze {{ this }};
    end if;
end
$protect$
{%- endif -%}
{%- endmacro %}
