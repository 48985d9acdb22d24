import { type Queue, RedisQueueBackend } from 'bullmq';

/** A Redis as it describes itself. */
export interface RedisState {
  version: string;
  usedBytes: number;
  /** 0: no limit. */
  limitBytes: number;
  /** Settings that lose jobs, each with what to do. */
  flaws: string[];
}

const ASK_EVERY_MS = 2_000;
const MOST_CLEANED = 1_000;

/** @param info the answer to INFO */
export function redisStateFrom(info: string): RedisState {
  const value = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? 'unknown';
  const bytes = (name: string) => Number(value(name)) || 0;
  const policy = value('maxmemory_policy');
  const flaws = [];
  if (policy !== 'noeviction')
    flaws.push(`eviction policy ${policy} loses jobs: CONFIG SET maxmemory-policy noeviction`);
  if (value('aof_enabled') !== '1') flaws.push('jobs die with the server: CONFIG SET appendonly yes');
  return {
    version: value('redis_version'),
    usedBytes: bytes('used_memory'),
    limitBytes: bytes('maxmemory'),
    flaws,
  };
}

/** Of a cluster, the fullest node's. Undefined where the queues are kept in PostgreSQL. @throws when a node does not answer */
export async function redisStateOf(queue: Queue): Promise<RedisState | undefined> {
  const backend: unknown = queue.getBackend();
  if (!(backend instanceof RedisQueueBackend)) return undefined;
  const client = await backend.client;
  const nodes = client.nodes?.() ?? [client];
  const states = await Promise.all(nodes.map(async (node) => redisStateFrom(await node.info())));
  return states.sort((a, b) => fullness(b) - fullness(a))[0];
}

const fullness = ({ usedBytes, limitBytes }: RedisState) => (limitBytes === 0 ? 0 : usedBytes / limitBytes);

/**
 * How full the server is, 0 to 1, not older than two seconds; 0 where that cannot be known. Where it is as full as
 * `limit`, the queue's completed jobs go: they are kept to be looked at only, and would keep the server full for an hour.
 */
export function createFullness(queue: Queue, limit: number): () => Promise<number> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let answer = Promise.resolve(0);
  const ask = async (): Promise<number> => {
    const state = await redisStateOf(queue);
    const full = state ? fullness(state) : 0;
    if (full >= limit) await queue.clean(0, MOST_CLEANED, 'completed').catch(() => undefined);
    return full;
  };
  return () => {
    if (performance.now() - askedAt < ASK_EVERY_MS) return answer;
    askedAt = performance.now();
    answer = ask().catch(() => 0);
    return answer;
  };
}
