import type { Client } from 'pg';

const OURS = `n.nspname = 'public' AND c.relname NOT LIKE 'typeorm\\_migrations%' AND c.relname !~ '^readings_\\d{4}_\\d\\d'`;
const PARTS = {
  relations: `SELECT c.relname AS name, c.relkind::text || c.relpersistence::text AS kind,
      pg_get_partkeydef(c.oid) AS key, pg_get_expr(c.relpartbound, c.oid) AS bound, c.reloptions::text AS options
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  // A column that was dropped keeps its number: what counts is the order.
  columns: `SELECT c.relname || '.' || a.attname AS name, row_number() OVER (PARTITION BY c.oid ORDER BY a.attnum) AS position, format_type(a.atttypid, a.atttypmod) AS type,
      a.attnotnull AS required, a.attidentity::text AS identity, pg_get_expr(d.adbin, d.adrelid) AS fallback
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE ${OURS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v')`,
  constraints: `SELECT c.relname || '.' || k.conname AS name, pg_get_constraintdef(k.oid) AS definition, k.convalidated AS valid
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  indexes: `SELECT c.relname AS name, pg_get_indexdef(i.indexrelid) AS definition, i.indisvalid AS valid
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}`,
  functions: `SELECT p.proname AS name, pg_get_functiondef(p.oid) AS definition, p.proacl::text AS rights
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public' AND p.prokind <> 'a'
      AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')`,
  triggers: `SELECT c.relname || '.' || t.tgname AS name, pg_get_triggerdef(t.oid) AS definition
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE ${OURS} AND NOT t.tgisinternal`,
  types: `SELECT t.typname AS name, t.typtype::text AS kind FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
    WHERE n.nspname = 'public' AND t.typtype IN ('d', 'e')`,
  schemas: `SELECT nspname AS name FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'`,
  extensions: 'SELECT extname AS name FROM pg_extension',
};

/** Everything that a migration can make, as lines to compare; monthly partitions, which time makes, left out. */
export async function dumpSchema(client: Client): Promise<string[]> {
  const lines: string[] = [];
  for (const [part, query] of Object.entries(PARTS)) {
    const { rows } = await client.query(`${query} ORDER BY 1`);
    lines.push(...rows.map((row) => `${part} ${JSON.stringify(row)}`));
  }
  return lines;
}

/** Rows of each table, without the record of migrations. */
export async function countRows(client: Client): Promise<Record<string, number>> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
       AND NOT relispartition AND relname <> 'typeorm_migrations' ORDER BY 1`,
  );
  const counts: Record<string, number> = {};
  for (const { name } of rows) {
    const { rows: found } = await client.query<{ count: number }>(
      `SELECT count(*)::int AS count FROM ${name}`,
    );
    counts[name] = found[0]?.count ?? 0;
  }
  return counts;
}
