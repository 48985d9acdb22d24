import { expect } from 'chai';
import fc from 'fast-check';
import { gatherGroup, type Waiting } from '../../src/notifications/gather-group.js';

const ROW: Waiting = {
  id: '1',
  alertId: 1,
  eventId: 1,
  kind: 'fired',
  side: 'high',
  tier: 'warning',
  groupKey: 'session 1',
  groupId: null,
  isDue: true,
  isFree: true,
  isFresh: true,
  isLate: false,
  isUrgent: false,
  isClosed: false,
};

/** Rows of events 1, 2, …, whose ids are those numbers. */
const rowsOf = (...given: Partial<Waiting>[]): Waiting[] =>
  given.map((one, index) => ({ ...ROW, id: `${index + 1}`, eventId: index + 1, ...one }));

function gather(asked: string, ...given: Partial<Waiting>[]) {
  const { send, over, superseded, late } = gatherGroup(asked, rowsOf(...given));
  const ids = (rows: Waiting[]) => rows.map(({ id }) => id).join(' ');
  return { send: ids(send), over: ids(over), superseded: ids(superseded), late: ids(late) };
}

const NOTHING = { send: '', over: '', superseded: '', late: '' };

describe('gatherGroup', () => {
  it('takes what is due in the group, and only that', () => {
    const others = [
      { alertId: 2 },
      { alertId: 3, isDue: false },
      { alertId: 4, groupKey: 'device M1' },
      { alertId: 5, isUrgent: true },
      { alertId: 6, isFree: false, isFresh: false },
      { alertId: 7, isFresh: false },
      { alertId: 8, groupId: '9' },
    ];
    expect(gather('1', {}, ...others)).to.deep.equal({ ...NOTHING, send: '1 2' });
    expect(gather('2', {}, ...others)).to.deep.equal({ ...NOTHING, send: '1 2' });
  });

  it('takes nothing that is not due, is being sent, or is not there', () => {
    expect(gather('1', { isDue: false }, {})).to.deep.equal(NOTHING);
    expect(gather('1', { isFree: false, isFresh: false })).to.deep.equal(NOTHING);
    expect(gather('9', {})).to.deep.equal(NOTHING);
  });

  it('takes the urgent by itself, with what its alert has held', () => {
    const critical = { tier: 'critical', isUrgent: true } as const;
    const resolved = { kind: 'resolved', isDue: false } as const;
    expect(gather('3', resolved, { alertId: 2 }, critical)).to.deep.equal({ ...NOTHING, send: '1 3' });
    expect(gather('2', { ...resolved, groupKey: 'device M1' }, critical).send).to.equal('1 2');
  });

  it('lets each alert be told in order: what was tried already comes first', () => {
    for (const before of [{ isFresh: false }, { isFree: false, isFresh: false }, { groupId: '8' }])
      expect(gather('2', { isDue: false, ...before }, { kind: 'resolved' })).to.deep.equal(NOTHING);
    expect(gather('3', { isFresh: false }, { kind: 'resolved' }, { alertId: 2 }).send).to.equal('3');
  });

  it('tries again what went as one, whatever came meanwhile', () => {
    const tried = { groupId: '1', isFresh: false };
    for (const asked of ['1', '2'])
      expect(gather(asked, tried, { alertId: 2, ...tried }, { alertId: 3 }).send).to.equal('1 2');
    // The first of them has expired meanwhile.
    expect(gather('7', { groupId: '7', isFresh: false }, { alertId: 2 }).send).to.equal('1');
    const late = gather('2', { ...tried, isLate: true }, { alertId: 2, ...tried });
    expect(late).to.deep.equal({ ...NOTHING, send: '2', late: '1' });
  });

  it('tells nobody of what was over before it was sent, but of a target', () => {
    const end = { kind: 'resolved' } as const;
    const again = { kind: 'repeated' } as const;
    expect(gather('2', {}, end)).to.deep.equal({ ...NOTHING, over: '1 2' });
    expect(gather('1', {}, again, end, {})).to.deep.equal({
      send: '4',
      over: '1 3',
      superseded: '2',
      late: '',
    });
    expect(gather('1', again, end)).to.deep.equal({ ...NOTHING, send: '2', superseded: '1' });
    expect(gather('1', end, {}).send).to.equal('1 2');
    expect(gather('1', {}, { ...end, alertId: 2 }, { ...end, side: 'low' }).send).to.equal('1 2 3');
    expect(gather('1', { isUrgent: true }, end).send).to.equal('1');
    expect(gather('2', { isUrgent: true }, end).send).to.equal('1 2');
  });

  it('leaves out a warning that became critical, but not its end', () => {
    const critical = { tier: 'critical', isUrgent: true } as const;
    const end = { kind: 'resolved' } as const;
    expect(gather('1', {}, critical)).to.deep.equal({ ...NOTHING, superseded: '1' });
    expect(gather('2', {}, critical)).to.deep.equal({ ...NOTHING, send: '2', superseded: '1' });
    expect(gather('2', {}, { ...critical, side: 'low' }).send).to.equal('1 2');
    expect(gather('3', {}, critical, end)).to.deep.equal({ ...NOTHING, send: '2 3', superseded: '1' });
    expect(gather('2', { isFresh: false }, { ...critical, alertId: 2 }).send).to.equal('2');
  });

  it('whatever is asked for, each goes out once, in order, and the end of what went out goes out', () => {
    const step = fc.record({
      alertId: fc.integer({ min: 1, max: 3 }),
      isCritical: fc.boolean(),
      isDue: fc.boolean(),
      asks: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), fc.infiniteStream(fc.nat()), (steps, random) => {
        let rows: Waiting[] = [];
        const firing = new Set<number>();
        const sent: Waiting[] = [];
        const dropped: Waiting[] = [];
        const ask = () => {
          const asked = rows[(random.next().value ?? 0) % Math.max(rows.length, 1)];
          if (!asked) return;
          const { send, over, superseded } = gatherGroup(asked.id, rows);
          sent.push(...send);
          dropped.push(...over, ...superseded);
          rows = rows.filter((row) => !sent.includes(row) && !dropped.includes(row));
        };
        for (const [index, { alertId, isCritical, isDue, asks }] of steps.entries()) {
          const kind = firing.has(alertId) ? 'resolved' : 'fired';
          if (!firing.delete(alertId)) firing.add(alertId);
          const isUrgent = kind === 'fired' && isCritical && alertId === 3;
          rows.push({
            ...ROW,
            id: `${index}`,
            eventId: index,
            alertId,
            kind,
            isUrgent,
            isDue: isDue || isUrgent,
          });
          if (asks) ask();
        }
        rows = rows.map((row) => ({ ...row, isDue: true }));
        while (rows.length > 0) ask();
        expect(new Set(sent).size + new Set(dropped).size).to.equal(steps.length);
        for (const alertId of [1, 2, 3]) {
          const told = sent.filter((row) => row.alertId === alertId);
          expect(told.map(({ eventId }) => eventId)).to.deep.equal(
            told.map(({ eventId }) => eventId).toSorted((a, b) => a - b),
          );
          for (const [index, { kind }] of told.entries())
            expect(kind).to.equal(index % 2 === 0 ? 'fired' : 'resolved');
          expect(told.length % 2 === 1).to.equal(firing.has(alertId));
        }
      }),
      { numRuns: 200 },
    );
  });
});
