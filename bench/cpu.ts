/** Time of a processor that work takes: what `openssl speed` counts, too, and steadier than the clock on a busy machine. */

/** Microseconds, all threads of the process. */
export const cpuOf = (work: () => void): number => {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
};
