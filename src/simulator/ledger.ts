import { type Fields, hundredths, type Value } from './value.js';

/** One reading that the cloud showed in an answer that was sent whole. */
export interface LedgerEntry {
  /** E-mail address of the account. */
  account: string;
  device_id: string;
  probe_id: string;
  /** ISO 8601 with milliseconds. */
  measured_at: string;
  /** Rounded to 0.01; the first one shown for this time. */
  value: number;
  unit: string;
  /**
   * Where it was shown; 'value' once it was ever shown there. One seen only in `recentReadings` is to be stored
   * unless a newer reading of its probe has a smaller `served`: that one was then stored before. One that only an
   * archive told of is to be stored where the cloud was not asked when it could be seen.
   */
  source: 'value' | 'recent' | 'archive';
  /** Number of the answer that showed it first; readings of one answer share it. */
  served: number;
}

/** A channel document as it was shown: `fields` is what the mask left of `full`. */
export interface ShownProbe {
  account: string;
  device_id: string;
  probe_id: string;
  full: Fields;
  fields: Fields;
}

/** One row of an archive file as it was sent, time in epoch ms. */
export interface ArchivedRow {
  account: string;
  device_id: string;
  probe_id: string;
  at: number;
  value: number;
  unit: string;
}

const numberOf = (value?: Value) =>
  Number.parseFloat(String(value?.integerValue ?? value?.doubleValue ?? value?.stringValue));
const timeOf = (value?: Value) => Date.parse(value?.timestampValue ?? value?.stringValue ?? '');

const timestampOf = (ms: number): Value => ({ timestampValue: new Date(ms).toISOString() });

/** Every reading served, once per (account, device, probe, measured at). */
export class Ledger {
  private readonly entries = new Map<string, LedgerEntry>();
  private answers = 0;

  constructor(private readonly keeps: boolean) {}

  /** To be called when the answer has been handed to the socket. `readMs` is its `readTime`. */
  add(shown: ShownProbe[], readMs: number): void {
    if (shown.length === 0 || !this.keeps) return;
    this.answers += 1;
    for (const probe of shown) {
      const { enabled } = probe.full;
      if (enabled?.booleanValue === false || enabled?.integerValue === '0') continue;
      if (/^(no probe|offline)$/i.test(probe.full.status?.stringValue ?? '')) continue;
      const { value, recentReadings } = probe.fields;
      const { units, lastTelemetrySaved } = probe.full;
      this.note(probe, 'value', readMs, { v: value, u: units, ts: lastTelemetrySaved });
      for (const { mapValue } of recentReadings?.arrayValue?.values ?? []) {
        this.note(probe, 'recent', readMs, { ...mapValue?.fields });
      }
    }
  }

  /** Likewise, of a file. */
  addRows(rows: readonly ArchivedRow[], readMs: number): void {
    if (rows.length === 0 || !this.keeps) return;
    this.answers += 1;
    for (const { at, value, unit, ...probe } of rows) {
      const shown = { v: { doubleValue: value }, u: { stringValue: unit }, ts: timestampOf(at) };
      this.note(probe, 'archive', readMs, shown);
    }
  }

  since(served: number): LedgerEntry[] {
    return [...this.entries.values()].filter((entry) => entry.served > served);
  }

  private note(
    { account, device_id, probe_id }: Pick<ShownProbe, 'account' | 'device_id' | 'probe_id'>,
    source: LedgerEntry['source'],
    readMs: number,
    { v, u, ts }: { v?: Value | undefined; u?: Value | undefined; ts?: Value | undefined },
  ): void {
    const [value, at, unit] = [numberOf(v), timeOf(ts), u?.stringValue ?? ''];
    const isAbsurd = at < Date.UTC(2015, 0) || at > readMs + 86_400_000;
    if (!Number.isFinite(value) || Number.isNaN(at) || isAbsurd || !['F', 'C', 'H'].includes(unit)) return;
    const key = `${account} ${device_id} ${probe_id} ${at}`;
    const known = this.entries.get(key);
    if (known && (source === 'value' || known.source === 'archive')) known.source = source;
    if (known) return;
    const measured_at = new Date(at).toISOString();
    const rounded = hundredths(value);
    const served = this.answers;
    this.entries.set(key, {
      account,
      device_id,
      probe_id,
      measured_at,
      value: rounded,
      unit,
      source,
      served,
    });
  }
}
