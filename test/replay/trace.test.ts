import { expect } from 'chai';
import { FLAG } from '../../src/readings/sample.js';
import { parseTrace } from '../../src/replay/trace.js';

const HEADER = 'device_id,probe_id,measured_at,value,unit';
const AT = '2026-11-21T18:00:00Z';
const parse = (text: string, unit?: 'F' | 'C') => parseTrace(Buffer.from(text), unit);
const reason = (text: string) => {
  try {
    parse(text);
  } catch (error) {
    return String(error);
  }
  return 'none';
};

describe('parseTrace', () => {
  it('reads values, absences and what is said beside, in the order of the file', () => {
    const rows = [
      `D,1,${AT},203.25,F,pit,87`,
      `D,2,2026-11-21T19:59:59.1239+02:00,-4,C,,`,
      `D,1,${AT},,,food,5`,
    ];
    const [first, second, third] = parse(`${[`${HEADER},role,battery`, ...rows].join('\n')}\n`);
    const ms = Date.UTC(2026, 10, 21, 18);
    const pit = {
      measuredAtMs: ms,
      hundredths: 20_325,
      unit: 'F',
      flags: 0,
      role: 'pit',
      batteryPercent: 87,
    };
    expect(first).to.deep.equal({ deviceId: 'D', probeId: '1', ...pit });
    expect(second).to.include({ measuredAtMs: ms - 877, hundredths: -400, role: null, batteryPercent: null });
    expect(third).to.include({ hundredths: null, unit: null, role: 'food', batteryPercent: 5 });
  });

  it('takes a byte order mark, CRLF, quoted fields, and a last line without its end', () => {
    const text = `\uFEFF${HEADER}\r\n"a ""b"", c",1,"${AT}",1,F\r\nD,2,${AT},2,C`;
    expect(parse(text).map(({ deviceId, hundredths }) => [deviceId, hundredths])).to.deep.equal([
      ['a "b", c', 100],
      ['D', 200],
    ]);
  });

  it('takes role and battery each alone, and no rows at all', () => {
    expect(parse(`${HEADER},battery\nD,1,${AT},1,F,50`)[0]).to.include({ role: null, batteryPercent: 50 });
    expect(parse(`${HEADER},role\nD,1,${AT},1,F,storage`)[0]).to.include({
      role: 'storage',
      batteryPercent: null,
    });
    expect(parse(`${HEADER}\n`)).to.deep.equal([]);
  });

  it('fills in the unit that is given for rows without one', () => {
    expect(parse(`${HEADER}\nD,1,${AT},20,\nD,1,${AT},68,F`, 'C').map(({ unit }) => unit)).to.deep.equal([
      'C',
      'F',
    ]);
  });

  it('keeps what no thermometer shows as suspect, and the last value that is plausible as it is', () => {
    const rows = ['1832', '1832.01', '-1768', '3e38'].map((value) => `D,1,${AT},${value},F`);
    const flags = parse([HEADER, ...rows].join('\n')).map((row) => row.flags);
    expect(flags).to.deep.equal([0, FLAG.suspect, 0, FLAG.suspect]);
  });

  const bad: [row: string, reason: string][] = [
    [`D,1,${AT},NaN,F`, 'value "NaN" is not a number'],
    [`D,1,${AT},Infinity,F`, 'value "Infinity" is not a number'],
    [`D,1,${AT},0x10,F`, 'value "0x10" is not a number'],
    [`D,1,${AT}, 1,F`, 'value " 1" is not a number'],
    [`D,1,${AT},1e308,F`, 'value "1e308" is too large'],
    [`D,1,${AT},1e999,F`, 'value "1e999" is too large'],
    [`D,1,${AT},1,K`, 'unit "K" is none of F, C, H'],
    [`D,1,${AT},1,f`, 'unit "f" is none of F, C, H'],
    [`D,1,${AT},1,`, 'unit is empty'],
    ['D,1,2026-11-21T18:00:00,1,F', 'measured_at "2026-11-21T18:00:00" is not ISO 8601 with an offset'],
    ['D,1,2026-02-30T18:00:00Z,1,F', 'is not ISO 8601 with an offset'],
    ['D,1,2014-12-31T23:59:59Z,1,F', 'is before 2015'],
    [`,1,${AT},1,F`, 'device_id "" must have 1 to 50 characters'],
    [`D,${'1'.repeat(51)},${AT},1,F`, 'must have 1 to 50 characters'],
    [`D,1,${AT},20`, '4 columns instead of 5'],
    [`D,1,${AT},1,F,pit`, '6 columns instead of 5'],
    ['', '1 columns instead of 5'],
    [`"D,1,${AT},1,F`, 'a quoted field does not end where it must'],
    [`"D"x,1,${AT},1,F`, 'a quoted field does not end where it must'],
  ];
  for (const [row, why] of bad)
    it(`refuses ${JSON.stringify(row.slice(0, 40))}: ${why}`, () => {
      const said = reason(`${HEADER}\nD,1,${AT},1,F\n${row}\nD,1,${AT},2,F`);
      expect(said).to.include('line 3: ').and.include(why);
    });

  it('refuses a wrong role and a wrong battery', () => {
    const header = `${HEADER},role,battery`;
    expect(reason(`${header}\nD,1,${AT},1,F,oven,`)).to.include('line 2: role "oven" is none of pit, food');
    expect(reason(`${header}\nD,1,${AT},1,F,,101`)).to.include('line 2: battery "101" is not from 0 to 100');
    expect(reason(`${header}\nD,1,${AT},1,F,,full`)).to.include('line 2: battery "full" is not a number');
  });

  it('refuses an empty file, another header, and what is no text', () => {
    expect(reason('')).to.include('the header must be device_id,');
    expect(reason('\n')).to.include('line 1: the header must be');
    expect(reason(`${HEADER},battery,role\n`)).to.include('line 1: the header must be');
    expect(reason('time,value\n')).to.include('line 1: the header must be');
    expect(() => parseTrace(Buffer.from([0x64, 0xff, 0xfe]))).to.throw('not text in UTF-8');
  });
});
