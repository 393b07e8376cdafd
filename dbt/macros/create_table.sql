{#- dbt fills a table that has a contract by `insert into … select`, which PostgreSQL never plans in
    parallel. Here the table is made from the select, which it does, and the contract's columns (checked
    as ever, in their order) get their `not null` afterwards. -#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
{%- set enforced = config.get("contract").enforced and not temporary -%}
{%- if config.get("contract").enforced %}{{ get_assert_columns_equivalent(sql) }}{% endif -%}
create {{ "temporary" if temporary }} table {{ relation }} as (
    {{ get_select_subquery(sql) if enforced else sql }}
);
{%- if enforced -%}
{%- set filled = [] -%}
{%- for column in model.columns.values() -%}
    {%- for constraint in column.constraints -%}
        {%- if constraint.type != "not_null" -%}
            {{ exceptions.raise_compiler_error("create_table_as knows not_null alone, not " ~ constraint.type) }}
        {%- endif -%}
        {%- do filled.append("alter column " ~ column.name ~ " set not null") -%}
    {%- endfor -%}
{%- endfor -%}
{%- if filled %}
alter table {{ relation }} {{ filled | join(", ") }};
{%- endif -%}
{%- endif -%}
{%- endmacro %}
