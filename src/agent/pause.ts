/** Waits that end early, and leave nothing behind with what ends them: signals here live as long as the agent. */

/** What setTimeout takes, ms. */
const longest = 2 ** 31 - 1;

/** Calls `react` when the signal is aborted, now or later; what comes back takes that back. */
export const onAbort = (signal: AbortSignal, react: () => void): (() => void) => {
  if (signal.aborted) react();
  else signal.addEventListener('abort', react, { once: true });
  return () => signal.removeEventListener('abort', react);
};

/** Until then, or until one of the signals. */
export const pause = (ms: number, ...signals: readonly AbortSignal[]): Promise<void> =>
  new Promise((resolve) => {
    const undo: (() => void)[] = [];
    const end = () => {
      clearTimeout(timer);
      for (const forget of undo) forget();
      resolve();
    };
    const timer = setTimeout(end, Math.min(ms, longest));
    for (const signal of signals) undo.push(onAbort(signal, end));
  });
