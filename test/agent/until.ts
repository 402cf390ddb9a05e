/** Waits for something to become so, and says what did not. */

/** Looks every few milliseconds. @throws Error naming what did not happen within `limit` ms */
export const until = async <T>(
  what: string | (() => string),
  look: () => T | Promise<T>,
  limit = 10_000,
): Promise<NonNullable<Exclude<T, false>>> => {
  const end = Date.now() + limit;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) return found as NonNullable<Exclude<T, false>>;
    if (Date.now() > end)
      throw new Error(`did not happen within ${limit} ms: ${typeof what === 'string' ? what : what()}`);
    await new Promise((resolve) => setTimeout(resolve, 15));
  }
};
