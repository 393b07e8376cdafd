{#- Which part of somebody's day `local_time` (a timestamp without zone) falls into: 'sleep',
    'business' (Monday to Friday) or 'off'. Sleep wins, and its hours may cross midnight. -#}
{% macro part_of_day(local_time) -%}
{%- set hour = "extract(hour from " ~ local_time ~ ")" -%}
{%- set sleep_start, sleep_end = var("sleep_hours_start") | int, var("sleep_hours_end") | int -%}
case
    when {{ hour }} >= {{ sleep_start }} {{ "or" if sleep_start > sleep_end else "and" }} {{ hour }} < {{ sleep_end }}
        then 'sleep'
    when
        extract(isodow from {{ local_time }}) <= 5
        and {{ hour }} >= {{ var("business_hours_start") }}
        and {{ hour }} < {{ var("business_hours_end") }}
        then 'business'
    else 'off'
end
{%- endmacro %}
