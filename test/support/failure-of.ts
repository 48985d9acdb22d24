/** What the promise is rejected with; throws if it is not. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  const failed = await promise.then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  if (!failed) throw new Error('it did not fail');
  return failed.error;
}
