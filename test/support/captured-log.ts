import { Writable } from 'node:stream';
import { createLogger, format, type Logger, transports } from 'winston';

/** A logger at DEBUG that keeps what it is told, as fields: the message is `message`. */
export function captureLog(): { logger: Logger; entries: Record<string, unknown>[] } {
  const entries: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      entries.push(JSON.parse(String(chunk)));
      done();
    },
  });
  const logger = createLogger({
    level: 'debug',
    format: format.json(),
    transports: [new transports.Stream({ stream })],
  });
  return { logger, entries };
}
