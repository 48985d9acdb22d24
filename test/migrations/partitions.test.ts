import { expect } from 'chai';
import { Client } from 'pg';
import { migrateUp } from '../../src/migrate.js';
import { waitFor } from '../support/wait-for.js';
import { onEachServer } from './each-server.js';

onEachServer('partitions of readings', (place) => {
  const others: Client[] = [];

  beforeEach(() => migrateUp(place().target));
  afterEach(async () => {
    for (const client of others.splice(0)) await client.end();
  });

  async function connect(url = place().url): Promise<Client> {
    const client = new Client({ connectionString: url });
    others.push(client);
    await client.connect();
    return client;
  }
  async function ensure(client: Client, from: string, to: string): Promise<number> {
    const { rows } = await client.query<{ made: number }>(
      'SELECT ensure_readings_partitions($1, $2) AS made',
      [from, to],
    );
    return rows[0]?.made ?? -1;
  }
  /** Name and bounds, as UTC. */
  async function partitions(like: string): Promise<string[]> {
    await place().client.query("SET timezone = 'UTC'; SET datestyle = 'ISO'");
    const { rows } = await place().client.query<{ text: string }>(
      `SELECT c.relname || ' ' || pg_get_expr(c.relpartbound, c.oid) AS text FROM pg_inherits i
       JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'readings'::regclass AND c.relname LIKE $1 ORDER BY 1`,
      [like],
    );
    return rows.map(({ text }) => text.replace(/ FOR VALUES FROM \('(.*)'\) TO \('(.*)'\)/, ' $1 - $2'));
  }
  const homes = async () => {
    const { rows } = await place().client.query<{ home: string; count: number }>(
      'SELECT tableoid::regclass::text AS home, count(*)::int AS count FROM readings GROUP BY 1 ORDER BY 1',
    );
    return Object.fromEntries(rows.map(({ home, count }) => [home, count]));
  };

  it('are there for last month, this one and the next two', async () => {
    const { rows } = await place().client.query<{ name: string }>(
      `SELECT 'readings_' || to_char(now() AT TIME ZONE 'UTC' + make_interval(months => n), 'YYYY_MM') AS name
       FROM generate_series(-1, 2) AS n ORDER BY 1`,
    );
    const names = (await partitions('readings_2%')).map((text) => text.split(' ')[0]);
    expect(names).to.deep.equal(rows.map(({ name }) => name));
  });

  it('are made for every month that a range touches, once', async () => {
    const { client } = place();
    expect(await ensure(client, '2020-11-30T23:59:59.999Z', '2021-01-01T00:00:00Z')).to.equal(3);
    expect(await partitions('readings_202%')).to.include.members([
      'readings_2020_11 2020-11-01 00:00:00+00 - 2020-12-01 00:00:00+00',
      'readings_2020_12 2020-12-01 00:00:00+00 - 2021-01-01 00:00:00+00',
      'readings_2021_01 2021-01-01 00:00:00+00 - 2021-02-01 00:00:00+00',
    ]);
    expect(await ensure(client, '2020-11-01T00:00:00Z', '2021-01-31T23:59:59.999Z')).to.equal(0);
    expect(await ensure(client, '2020-10-31T23:59:59.999Z', '2020-10-31T23:59:59.999Z')).to.equal(1);
  });

  it('are months of UTC, whatever the session thinks of time and dates', async () => {
    const { client } = place();
    await client.query("SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'");
    expect(await ensure(client, '2020-03-31T23:59:59Z', '2020-04-01T00:00:00Z')).to.equal(2);
    expect(await partitions('readings_2020%')).to.deep.equal([
      'readings_2020_03 2020-03-01 00:00:00+00 - 2020-04-01 00:00:00+00',
      'readings_2020_04 2020-04-01 00:00:00+00 - 2020-05-01 00:00:00+00',
    ]);
  });

  it('take each reading of their month, and leave none to the default', async () => {
    const { client } = place();
    const times = ['2020-02-29T23:59:59.999Z', '2020-03-01T00:00:00Z', '2020-03-31T23:59:59.999Z'];
    await ensure(client, times[0] ?? '', times[2] ?? '');
    for (const time of times)
      await client.query("INSERT INTO readings (probe_id, measured_at, value, unit) VALUES (1, $1, 1, 'C')", [
        time,
      ]);
    expect(await homes()).to.deep.equal({ readings_2020_02: 1, readings_2020_03: 2 });
  });

  it('are made once when two ask at once', async () => {
    const [first, second] = [await connect(), await connect()];
    await first.query('BEGIN');
    expect(await ensure(first, '2020-06-01T00:00:00Z', '2020-07-01T00:00:00Z')).to.equal(2);
    const waiting = ensure(second, '2020-06-01T00:00:00Z', '2020-07-01T00:00:00Z');
    await waitFor(async () => {
      const { rows } = await place().client.query(
        "SELECT FROM pg_stat_activity WHERE wait_event = 'advisory' AND datname = current_database()",
      );
      return rows.length === 1;
    });
    await first.query('COMMIT');
    expect(await waiting).to.equal(0);
    expect(await partitions('readings_2020%')).to.have.length(2);
  });

  it('are made by the other one when the first gives up', async () => {
    const [first, second] = [await connect(), await connect()];
    await first.query('BEGIN');
    await ensure(first, '2020-06-01T00:00:00Z', '2020-06-01T00:00:00Z');
    const waiting = ensure(second, '2020-06-01T00:00:00Z', '2020-06-01T00:00:00Z');
    await first.query('ROLLBACK');
    expect(await waiting).to.equal(1);
  });

  it('are made for a role that may neither own nor create', async () => {
    const { client, url } = place();
    const role = `service_${new URL(url).pathname.slice(-12)}`;
    await client.query(`
      CREATE ROLE ${role} LOGIN PASSWORD 'secret of the test';
      GRANT USAGE ON SCHEMA public TO ${role};
      GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO ${role};
      GRANT EXECUTE ON FUNCTION ensure_readings_partitions TO ${role}`);
    try {
      const login = new URL(url);
      login.username = role;
      login.password = 'secret of the test';
      const service = await connect(login.toString());
      // Where its search path points is its own business.
      await service.query("SET search_path = pg_temp, public; SET timezone = 'America/Denver'");
      const denied = await service
        .query('CREATE TABLE public.mine ()')
        .catch((error: Error) => error.message);
      expect(denied).to.match(/permission denied/);
      expect(await ensure(service, '2020-09-30T23:00:00Z', '2020-10-01T00:00:00Z')).to.equal(2);
      await service.query(
        "INSERT INTO readings (probe_id, measured_at, value, unit) VALUES (1, '2020-10-01T00:00:00Z', 1, 'C')",
      );
      const { rows } = await service.query('SELECT value FROM readings');
      expect(rows).to.deep.equal([{ value: 1 }]);
      expect(await homes()).to.deep.equal({ readings_2020_10: 1 });
      await service.end();
      others.splice(others.indexOf(service), 1);
    } finally {
      await client.query(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });
});
