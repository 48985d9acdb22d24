import type { EntityManager } from 'typeorm';

type Row = Record<string, unknown>;

/** Columns that stay inside the service: keys, tokens, leases. */
const INTERNAL = new Set([
  'id',
  'public_id',
  'user_id',
  'organisation_id',
  'session_id',
  'google_id',
  'password_hash',
  'deleted_at',
  'access_token',
  'refresh_token',
  'previous_refresh_token',
  'token_version',
  'refresh_lease_until',
  'lease_owner',
  'lease_until',
  'cloud_update_time',
]);

/** Shown last. */
const AUDIT = new Set(['created_at', 'updated_at']);

/** An entity as people see it: column names and values, `id` the public id where it has one. */
export function toRow(db: EntityManager, entity: object): Row {
  const { columns } = db.connection.getMetadata(entity.constructor);
  const valueIn = (name: string): unknown =>
    columns.find(({ databaseName }) => databaseName === name)?.getEntityValue(entity);
  const names = columns.map(({ databaseName }) => databaseName).filter((name) => !INTERNAL.has(name));
  const shown = names.toSorted((a, b) => Number(AUDIT.has(a)) - Number(AUDIT.has(b)));
  const id = valueIn('public_id');
  return {
    ...(id !== undefined && { id }),
    ...Object.fromEntries(shown.map((name): [string, unknown] => [name, valueIn(name)])),
  };
}

/** Aligned columns under their names. */
export function table(rows: readonly Row[], columns: readonly string[]): string {
  if (rows.length === 0) return 'none';
  const lines = [columns, ...rows.map((row) => columns.map((column) => cell(row[column])))];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  const toLine = (line: readonly string[]) =>
    line.map((text, index) => text.padEnd(widths[index] ?? 0)).join('  ');
  return lines.map((line) => toLine(line).trimEnd()).join('\n');
}

/** One field a line; lists of objects as tables below. */
export function fields(row: Row): string {
  const isTable = (value: unknown): value is Row[] => Array.isArray(value) && typeof value[0] === 'object';
  const entries = Object.entries(row);
  const plain = entries.filter(([, value]) => !isTable(value));
  const width = Math.max(...plain.map(([name]) => name.length));
  const lines = plain.map(([name, value]) => `${name.padEnd(width)}  ${cell(value)}`);
  const tables = entries.flatMap(([name, value]) =>
    isTable(value) ? ['', name, table(value, Object.keys(value[0] ?? {}))] : [],
  );
  return [...lines, ...tables].join('\n');
}

function cell(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (Array.isArray(value) && value.length === 0) return 'none';
  if (value instanceof Date) return value.toISOString();
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
