import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';

const environment = z.record(z.string(), z.string());
/** Strict: whatever else a service may be given (`privileged`, …) is no part of it. */
const service = z.strictObject({
  image: z.string(),
  build: z.object({ context: z.string(), target: z.string() }).optional(),
  profiles: z.array(z.string()).optional(),
  command: z.array(z.string()),
  environment,
  user: z.string(),
  init: z.boolean(),
  read_only: z.boolean(),
  tmpfs: z.array(z.string()),
  cap_drop: z.array(z.string()),
  security_opt: z.array(z.string()),
  restart: z.string(),
  stop_grace_period: z.string(),
  mem_limit: z.string(),
  pids_limit: z.number(),
  logging: z.object({ driver: z.string(), options: z.record(z.string(), z.string()) }),
  networks: z.array(z.string()),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  shm_size: z.string().optional(),
  depends_on: z.record(z.string(), z.object({ condition: z.string() })).default({}),
  deploy: z.object({ replicas: z.number() }).optional(),
  healthcheck: z.union([
    z.object({ disable: z.literal(true) }),
    z.object({
      test: z.array(z.string()),
      start_period: z.string(),
      interval: z.string(),
      timeout: z.string(),
    }),
  ]),
});
const file = z.object({
  services: z.record(z.string(), service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().optional() })),
  volumes: z.record(z.string(), z.object({})),
});

export type Service = z.infer<typeof service>;
export type Compose = z.infer<typeof file>;

/** `${NAME:?why}` must be given, `${NAME:-otherwise}` need not be; `$$` is a dollar. */
const REFERENCE = /\$\$|\$\{(\w+)(?::([?-])([^}]*))?\}/g;

/** The file as compose reads it with these variables. @throws Error naming the first that is missing */
export function readCompose(path: string, given: Record<string, string>): Compose {
  const text = readFileSync(path, 'utf8').replaceAll(/^\s*#.*$/gm, '');
  const filled = text.replaceAll(REFERENCE, (all, name: string | undefined, kind?: string, word?: string) => {
    if (name === undefined) return all;
    if (given[name]) return given[name];
    if (kind === '-') return word ?? '';
    throw new Error(`${name}: ${word}`);
  });
  const document: unknown = parse(filled, { merge: true });
  return file.parse(JSON.parse(JSON.stringify(document).replaceAll('$$', '$')));
}

/** The variables that the file asks for, with what it does where they are missing. */
export function referencesIn(path: string): { name: string; kind: string | undefined; word: string }[] {
  const text = readFileSync(path, 'utf8').replaceAll(/^\s*#.*$/gm, '');
  return [...text.matchAll(REFERENCE)].flatMap(([, name, kind, word = '']) =>
    name === undefined ? [] : [{ name, kind, word }],
  );
}
