/** Children that do not outlive this process, however it ends short of a SIGKILL. */
import type { ChildProcess } from 'node:child_process';

const alive = new Map<ChildProcess, () => void>();

process.once('exit', () => {
  for (const kill of alive.values()) kill();
});

/** Kills the child, and with `group` all that it started, when this process exits before it. */
export const tieToThisProcess = <C extends ChildProcess>(child: C, { group = false } = {}): C => {
  alive.set(child, () => killNow(child, group));
  child.once('exit', () => alive.delete(child));
  return child;
};

/** Ends it at once; a child spawned `detached` leads a group. */
export const killNow = (child: ChildProcess, group = false): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(group ? -child.pid : child.pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
};
