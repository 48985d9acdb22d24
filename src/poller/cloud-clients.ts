import { setMaxListeners } from 'node:events';
import { type CloudClient, createCloudClient } from '../thermoworks/cloud-client.js';
import type { CloudCall } from '../thermoworks/cloud-error.js';
import type { ProviderName, ProviderSettings } from '../thermoworks/types.js';

export interface CloudClients {
  of(provider: ProviderName): CloudClient;
  /** Ends calls under way: whoever waits for one hears that it was aborted. */
  abort(): void;
  /** Aborted with them. */
  ending: AbortSignal;
  /** Ends kept-alive connections. */
  close(): void;
}

/** One client per provider and process, made at its first account. */
export function createCloudClients(
  providers: Record<ProviderName, ProviderSettings>,
  onRequest: (call: CloudCall, status: string) => void,
): CloudClients {
  const clients = new Map<ProviderName, CloudClient>();
  const ending = new AbortController();
  // Every call under way listens; there are more than the ten that Node takes for a leak.
  setMaxListeners(0, ending.signal);
  return {
    of: (provider) => {
      const client =
        clients.get(provider) ??
        createCloudClient({ provider: providers[provider], onRequest, signal: ending.signal });
      clients.set(provider, client);
      return client;
    },
    abort: () => ending.abort(),
    ending: ending.signal,
    close: () => {
      for (const client of clients.values()) client.close();
    },
  };
}
