/**
 * Waits until `probe` returns something truthy and returns it; throws with `what` and the last answer at the deadline.
 * An error thrown by `probe` counts as "not yet" and is the cause of the final error.
 */
export async function waitFor<T>(
  probe: () => Promise<T> | T,
  {
    timeoutMs = 45_000,
    everyMs = 25,
    what = 'the state',
  }: { timeoutMs?: number; everyMs?: number; what?: string } = {},
): Promise<NonNullable<Exclude<T, false | 0 | ''>>> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const answer = await probe();
      last = answer;
      if (isThere(answer)) return answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      const seen = last instanceof Error ? last.message : JSON.stringify(last);
      throw new Error(`waited ${timeoutMs} ms in vain for ${what}; last seen: ${seen}`, { cause: last });
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

function isThere<T>(answer: T): answer is NonNullable<Exclude<T, false | 0 | ''>> {
  return Boolean(answer);
}
