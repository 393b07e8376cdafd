{#- The share that `part` is of `whole`, NULL where there is no whole. -#}
{% macro ratio(part, whole) -%}
(({{ part }})::double precision / nullif({{ whole }}, 0))
{%- endmacro %}

{#- Minutes from one instant to another, never negative: a point may be stamped up to ten minutes
    ahead of the clock by which people act. -#}
{% macro minutes_between(earlier, later) -%}
case
    when {{ later }} < {{ earlier }} then 0
    else extract(epoch from ({{ later }} - {{ earlier }}))::double precision / 60
end
{%- endmacro %}

{#- One element of `percentile_cont(array[0.5, 0.9])`: both quantiles cost one sort. -#}
{% macro median_and_p90(column) -%}
percentile_cont(array[0.5, 0.9]::double precision[]) within group (order by {{ column }})
{%- endmacro %}

{#- The mean of minutes, to the tenth of a millisecond: beyond that a sum of floating point numbers
    depends on their order, and an incremental run would differ from a full one. -#}
{% macro mean_minutes(column) -%}
round(avg({{ column }})::numeric, 6)::double precision
{%- endmacro %}

{#- Columns of a dictionary: its values by the names that are its keys, and sums of columns of those names. -#}
{% macro columns_counted(counts) -%}
{%- for name, expression in counts.items() -%}
{{ expression }} as {{ name }}{{ ", " if not loop.last }}
{%- endfor -%}
{%- endmacro %}

{% macro columns_summed(counts) -%}
{%- for name in counts -%}
sum({{ name }})::bigint as {{ name }}{{ ", " if not loop.last }}
{%- endfor -%}
{%- endmacro %}
