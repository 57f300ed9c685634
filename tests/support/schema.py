"""The schema as text: tables, columns, keys, indexes, views. What a migration changes is a line in a diff."""

from __future__ import annotations

from typing import Final

from tracking.store.database import Connection

_COLUMNS: Final = """
select c.relname, a.attname, format_type(a.atttypid, a.atttypmod)
       || case when a.attnotnull then ' not null' else '' end
       || case when a.attidentity <> '' then ' identity'
               else coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') end
from pg_class c
join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v') and not c.relispartition
  and not exists (
      select from pg_depend x where x.objid = c.oid and x.classid = 'pg_class'::regclass and x.deptype = 'e'
  )
order by c.relname, a.attnum
"""

_KEYS: Final = """
select r.relname, pg_get_constraintdef(k.oid)
from pg_constraint k
join pg_class r on r.oid = k.conrelid and r.relnamespace = 'public'::regnamespace and not r.relispartition
where k.contype in ('p', 'u', 'f', 'c') and k.conparentid = 0
order by 1, 2
"""

_INDEXES: Final = r"""
select r.relname, regexp_replace(pg_get_indexdef(i.indexrelid), ' ON (ONLY )?public\.', ' on ')
from pg_index i
join pg_class r on r.oid = i.indrelid and r.relnamespace = 'public'::regnamespace and not r.relispartition
where not exists (select from pg_constraint k where k.conindid = i.indexrelid)
order by 1, 2
"""


def listing(conn: Connection) -> str:
    """Every table and view with its columns in order, then its constraints, then its other indexes."""
    lines: dict[str, list[str]] = {}
    for table, column, kind in conn.execute(_COLUMNS):
        lines.setdefault(table, []).append(f"    {column} {kind}")
    for query in (_KEYS, _INDEXES):
        for table, definition in conn.execute(query):
            lines[table].append(f"  {definition}")
    return "".join(f"{table}\n" + "".join(f"{line}\n" for line in rows) for table, rows in lines.items())
