import { expect } from 'chai';
import { exportText } from '../../src/readings/export.js';
import { parseTrace } from '../../src/replay/trace.js';

describe('exportText', () => {
  it('makes no formula of an id, and no two cells', async () => {
    const ids = ['=1+1', '+1', '-1', '@a', 'a,"b"'];
    const probes = new Map(
      ids.map((probeId, id) => [id, { deviceId: 'M1', probeId, role: 'food' as const }]),
    );
    const reading = { measuredAtMs: Date.UTC(2025, 0), hundredths: -50, unit: 'C' as const, flags: 0 };
    async function* parts() {
      yield [];
      yield ids.map((_, probeId) => ({ ...reading, probeId }));
    }
    let text = '';
    for await (const part of exportText(parts(), probes, 'csv')) text += part;
    const rows = parseTrace(Buffer.from(text)).map(({ probeId, hundredths }) => [probeId, hundredths]);
    expect(rows).to.deep.equal(["'=1+1", "'+1", "'-1", "'@a", 'a,"b"'].map((id) => [id, -50]));
  });
});
