import { expect } from 'chai';
import type { DataSource } from 'typeorm';
import { createIngest } from '../../src/ingest/ingest.js';
import { FLAG } from '../../src/readings/sample.js';
import { addHome, job, MINUTE, openDatabase, readingsOf, T0 } from '../ingest/household.js';

describe('readings whose time had to be guessed', () => {
  let database: Awaited<ReturnType<typeof openDatabase>>;
  let db: DataSource;
  before(async () => {
    database = await openDatabase();
    db = database.db;
  });
  afterEach(() => db.query('TRUNCATE readings, users CASCADE'));
  after(() => database.close());

  const guess = (minute: number, value: number): [number, number, 'F', number] => [
    T0 + minute * MINUTE,
    value,
    'F',
    FLAG.estimatedTime,
  ];
  const minutes = async () => (await readingsOf(db)).map(([, ms, value]) => [(ms - T0) / MINUTE, value]);

  for (const [name, together] of [
    ['in one batch', true],
    ['one after the other', false],
  ] as const)
    it(`are stored once though two polls wait in the queue: ${name}`, async () => {
      const home = await addHome(db);
      const ingest = createIngest({ dataSource: db });
      const jobs = [
        job(home, [guess(0, 70)]),
        job(home, [guess(1, 70)]),
        job(home, [guess(2, 71)]),
        job(home, [guess(3, 71)]),
        job(home, [guess(4, 70)]),
      ];
      for (const batch of together ? [jobs] : jobs.map((one) => [one])) await ingest(batch);
      expect(await minutes()).to.deep.equal([
        [0, 70],
        [2, 71],
        [4, 70],
      ]);
    });

  it('are no measure for a time that is known', async () => {
    const home = await addHome(db);
    const ingest = createIngest({ dataSource: db });
    await ingest([job(home, [guess(0, 70), [T0 + MINUTE, 70]])]);
    expect(await minutes()).to.deep.equal([
      [0, 70],
      [1, 70],
    ]);
  });
});
