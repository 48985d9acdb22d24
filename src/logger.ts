import { createLogger as createWinston, format, type Logger, transports } from 'winston';
import { errorFields } from './redact.js';

export type { Logger };

const LEVELS = ['error', 'warn', 'info', 'debug'];

/**
 * Logs go to stderr, so that stdout stays the answer of a command. Fields named `err` are cut down to what may be
 * shown: an error's name, message and stack, never the request that it carries.
 */
export function createLogger({ level, format: form }: { level: string; format: 'pretty' | 'json' }): Logger {
  const withErrors = format((info) => {
    if (info.err !== undefined) info.err = errorFields(info.err);
    return info;
  });
  const pretty = format.printf(({ level: severity, message, timestamp, ...fields }) => {
    const rest = Object.keys(fields).length > 0 ? ` ${JSON.stringify(fields)}` : '';
    return `${timestamp} ${severity.padEnd(5)} ${message}${rest}`;
  });
  return createWinston({
    level,
    levels: Object.fromEntries(LEVELS.map((name, index) => [name, index])),
    format: format.combine(withErrors(), format.timestamp(), form === 'json' ? format.json() : pretty),
    transports: [new transports.Console({ stderrLevels: LEVELS })],
  });
}

/** At most one line in ten seconds: an outage raises thousands of errors a second. */
export function limitedWarning(logger: Logger, message: string): (err: unknown) => void {
  let last = Number.NEGATIVE_INFINITY;
  let unsaid = 0;
  return (err) => {
    if (performance.now() - last < 10_000) {
      unsaid += 1;
      return;
    }
    last = performance.now();
    logger.warn(message, { err, ...(unsaid > 0 && { unsaid }) });
    unsaid = 0;
  };
}
