import { expect } from 'chai';
import { createMetrics } from '../src/metrics.js';

const POOL = { size: 3, checkedOut: 2, idle: 1, waiting: 4 };

/** Samples of Prometheus' text format, `name{labels}` to value; throws on a line that is none. */
function parseMetrics(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const [, sample, value] =
        /^([a-zA-Z_:][\w:]*(?:\{(?:[a-z_]+="[^"\n]*",?)*\})?) (\S+)$/.exec(line) ?? [];
      if (sample === undefined || !/^(?:-?[\d.]+(?:e[+-]?\d+)?|[+-]Inf|NaN)$/i.test(value ?? ''))
        throw new Error(`not a sample: ${line}`);
      return [sample, Number(value)];
    }),
  );
}

describe('metrics', () => {
  it('count what happened under the names that dashboards rely on', async () => {
    const metrics = createMetrics();
    metrics.readingsStored(40);
    metrics.readingsStored(2);
    metrics.readingsRejected('clock', 3);
    metrics.poll('ok');
    metrics.cloudRequest('devices', '200');
    metrics.tokenRefresh('refreshed');
    metrics.ingestBatch({ readings: 42, seconds: 0.02 });
    metrics.alertEvent('target', 'fired');
    metrics.delivery('webhook', 'delivered');
    metrics.canary('sent');
    metrics.heartbeat('failed');
    const samples = parseMetrics(
      await metrics.text({
        pool: POOL,
        queues: [{ name: 'readings', jobs: { waiting: 7 }, oldestWaitingSeconds: 12.5 }],
        redis: { usedBytes: 5_000, limitBytes: 0 },
        newestReadingLagSeconds: 4,
        canary: { ageSeconds: 12.5, latencySeconds: 0.25 },
      }),
    );
    expect(Object.fromEntries(samples)).to.include({
      grill_stats_readings_stored_total: 42,
      'grill_stats_readings_rejected_total{reason="clock"}': 3,
      'grill_stats_polls_total{outcome="ok"}': 1,
      'grill_stats_cloud_requests_total{call="devices",status="200"}': 1,
      'grill_stats_token_refreshes_total{outcome="refreshed"}': 1,
      'grill_stats_queue_jobs{queue="readings",state="waiting"}': 7,
      'grill_stats_queue_oldest_waiting_seconds{queue="readings"}': 12.5,
      grill_stats_ingest_batch_readings_sum: 42,
      grill_stats_ingest_batch_seconds_count: 1,
      'grill_stats_alert_events_total{type="target",kind="fired"}': 1,
      'grill_stats_deliveries_total{kind="webhook",outcome="delivered"}': 1,
      'grill_stats_db_pool_clients{state="checked_out"}': 2,
      'grill_stats_db_pool_clients{state="idle"}': 1,
      'grill_stats_db_pool_clients{state="waiting"}': 4,
      'grill_stats_redis_memory_bytes{kind="used"}': 5_000,
      'grill_stats_redis_memory_bytes{kind="limit"}': 0,
      grill_stats_newest_reading_lag_seconds: 4,
      'grill_stats_canaries_total{outcome="sent"}': 1,
      'grill_stats_heartbeats_total{outcome="failed"}': 1,
      grill_stats_canary_age_seconds: 12.5,
      grill_stats_canary_latency_seconds: 0.25,
    });
    expect([...samples.keys()]).to.include.members([
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_seconds',
    ]);
  });

  it('never take a word from outside as a label', async () => {
    const metrics = createMetrics();
    for (let n = 0; n < 1000; n++) {
      metrics.readingsRejected(`Brisket ${n}`);
      metrics.cloudRequest(`M10000${n}`, `status-${n}`);
      metrics.delivery(`cook${n}@example.com`, '__proto__');
    }
    const text = await metrics.text({ pool: POOL });
    expect(text).not.to.match(/Brisket|M10000|example|proto|status-/);
    expect(parseMetrics(text).get('grill_stats_deliveries_total{kind="other",outcome="other"}')).to.equal(
      1000,
    );
  });

  it('say nothing of what is not known', async () => {
    const metrics = createMetrics();
    await metrics.text({
      pool: POOL,
      queues: [{ name: 'readings', jobs: { waiting: 7 } }],
      newestReadingLagSeconds: 4,
    });
    const samples = [...parseMetrics(await metrics.text({ pool: POOL })).keys()];
    expect(
      samples.filter((name) => /queue|lag_seconds$/.test(name) && name.startsWith('grill_stats')),
    ).to.deep.equal([]);
  });
});
