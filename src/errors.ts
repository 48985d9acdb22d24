/** No retry mends it: the job goes to the dead letters at once. */
export class PermanentError extends Error {
  override name = 'PermanentError';
}

/** Asked for something that is not there, or not the asker's. The CLI prints the message and exits 1. */
export class NotFoundError extends Error {
  override name = 'NotFoundError';
}

/** The request cannot be carried out as given; the message names the field and what is allowed. */
export class InputError extends Error {
  override name = 'InputError';
}

/** A database error's SQLSTATE, also through TypeORM's wrapper; undefined for any other error. */
export function sqlStateOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  if ('code' in error && typeof error.code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(error.code))
    return error.code;
  if ('driverError' in error) return sqlStateOf(error.driverError);
  return undefined;
}

/** What a log line or a row may say of an error: its message, cut to 500 characters. */
export function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500);
}
