import { expect } from 'chai';
import { createDatabase } from '../../src/database.js';
import { migrateUp } from '../../src/migrate.js';
import { onEachServer, type Place } from './each-server.js';

/** Tables without the record of migrations and without partitions, whose names PostgreSQL makes up. */
const OURS = `c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  AND c.relname <> 'typeorm_migrations'`;
const NAMES = (keys: string, relation: string) =>
  `ARRAY(SELECT a.attname::text FROM unnest(${keys}) WITH ORDINALITY AS k(attnum, position)
     JOIN pg_attribute a ON a.attrelid = ${relation} AND a.attnum = k.attnum ORDER BY k.position)`;
/** Kept by the service, not made by people or the cloud: no created_at and updated_at. */
const STATES = [
  ...['readings', 'session_probe_stats', 'detection_states', 'alert_states', 'alert_events'],
  ...['reading_buckets', 'reading_bucket_progress', 'reading_bucket_marks', 'session_log'],
];

onEachServer('the schema', (place) => {
  const rows = async <T extends object>({ client }: Place, query: string) =>
    (await client.query<T>(query)).rows;

  beforeEach(() => migrateUp(place().target));

  it('is what the entities say', async () => {
    const { dataSource } = createDatabase(place().target);
    await dataSource.initialize();
    try {
      const { upQueries } = await dataSource.driver.createSchemaBuilder().log();
      expect(upQueries.map(({ query }) => query)).to.deep.equal([]);
    } finally {
      await dataSource.destroy();
    }
  });

  it('names every constraint and index after its table and columns', async () => {
    const constraints = await rows<{ table: string; name: string; type: string; columns: string[] }>(
      place(),
      `SELECT c.relname AS table, k.conname AS name, k.contype::text AS type, ${NAMES('k.conkey', 'c.oid')} AS columns
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE ${OURS} AND k.contype <> 'n'`,
    );
    const endings: Record<string, string> = { p: 'pkey', u: 'key', f: 'fkey', c: 'check' };
    const wrong = constraints.filter(({ table, name, type, columns }) => {
      const ending = endings[type] ?? 'none of these';
      if (type === 'p') return name !== `${table}_pkey`;
      // A check over several columns is named after what it is about.
      if (type === 'c' && columns.length > 1) return !new RegExp(`^${table}_[a-z_]+_check$`).test(name);
      return name !== `${table}_${columns.join('_')}_${ending}`;
    });
    expect(constraints).to.have.length.above(50);
    expect(wrong).to.deep.equal([]);
  });

  it('names every other index after its table and columns', async () => {
    const indexes = await rows<{ table: string; name: string; is_unique: boolean; definition: string }>(
      place(),
      `SELECT c.relname AS table, x.relname AS name, i.indisunique AS is_unique, pg_get_indexdef(x.oid) AS definition
       FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
       WHERE ${OURS} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = x.oid)`,
    );
    const wrong = indexes.filter(({ table, name, is_unique, definition }) => {
      const columns = / USING \w+ \((.*?)\)(?: WHERE|$)/.exec(definition)?.[1] ?? '';
      const words = columns.replaceAll(/lower\(\((\w+)\)::text\)/g, '$1').split(', ');
      return name !== `${table}_${words.join('_')}_${is_unique ? 'key' : 'idx'}`;
    });
    expect(indexes).to.have.length.above(10);
    expect(wrong).to.deep.equal([]);
  });

  it('has an index that serves each foreign key, and says what a deletion does', async () => {
    const keys = await rows<{ name: string; on_delete: string; is_served: boolean }>(
      place(),
      `SELECT k.conname AS name, k.confdeltype::text AS on_delete, EXISTS (
         SELECT FROM pg_index i WHERE i.indrelid = k.conrelid AND i.indpred IS NULL
           AND (i.indkey::int2[])[0:cardinality(k.conkey) - 1] = k.conkey
       ) AS is_served
       FROM pg_constraint k WHERE k.contype = 'f'`,
    );
    expect(keys).to.have.length.above(15);
    expect(keys.filter(({ is_served }) => !is_served)).to.deep.equal([]);
    expect(keys.filter(({ on_delete }) => on_delete === 'a')).to.deep.equal([]);
  });

  it('checks each closed set of words', async () => {
    // Free words have room (names, labels, models: 40 and more); a short one is a choice.
    const free = await rows(
      place(),
      `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       WHERE ${OURS} AND a.attnum > 0 AND a.atttypid IN ('bpchar'::regtype, 'varchar'::regtype) AND a.atttypmod - 4 <= 20
         AND NOT EXISTS (SELECT FROM pg_constraint k
           WHERE k.conrelid = c.oid AND k.contype = 'c' AND a.attnum = ANY (k.conkey))`,
    );
    expect(free).to.deep.equal([]);
  });

  it('keeps instants with zone and milliseconds', async () => {
    const times = await rows<{ type: string }>(
      place(),
      `SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type
       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       WHERE ${OURS} AND a.attnum > 0 AND format_type(a.atttypid, a.atttypmod) ~ 'time|date'`,
    );
    expect(times).to.have.length.above(50);
    expect(times.filter(({ type }) => type !== 'timestamp(3) with time zone')).to.deep.equal([]);
  });

  it('says of each row that people know when it was made and changed, and of four kinds when it was deleted', async () => {
    const having = async (column: string) =>
      (
        await rows<{ name: string }>(
          place(),
          `SELECT c.relname AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
           WHERE ${OURS} AND a.attname = '${column}' ORDER BY 1`,
        )
      ).map(({ name }) => name);
    const tables = (
      await rows<{ name: string }>(place(), `SELECT c.relname AS name FROM pg_class c WHERE ${OURS}`)
    ).map(({ name }) => name);
    const audited = tables.filter((name) => !STATES.includes(name)).sort();
    expect((await having('created_at')).filter((name) => !STATES.includes(name))).to.deep.equal(audited);
    expect(await having('updated_at')).to.deep.equal(audited);
    expect(await having('deleted_at')).to.deep.equal([
      'devices',
      'grilling_sessions',
      'temperature_alerts',
      'users',
    ]);
  });
});
