/** An error as fields for a log line: name, message, stack, code and causes; nothing else that hangs on it. */
export function errorFields(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { message: String(error) };
  return {
    name: error.name,
    message: error.message,
    ...('code' in error && { code: error.code }),
    ...(depth === 0 && {
      stack: error.stack
        ?.split('\n')
        .slice(1, 9)
        .map((line) => line.trim()),
    }),
    ...(error.cause !== undefined && depth < 4 && { cause: errorFields(error.cause, depth + 1) }),
    ...(error instanceof AggregateError &&
      depth < 4 && { errors: error.errors.map((e) => errorFields(e, depth + 1)) }),
  };
}
