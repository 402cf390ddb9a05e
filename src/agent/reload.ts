/** Has a consumer check, and take up, what `current` leads to. */
import { readFileSync } from 'node:fs';
import { runCommand } from './command.ts';
import type { Endpoint } from './config.ts';
import { applySecret } from './kubernetes.ts';
import { versionFolder } from './versions.ts';

const placeholder = '{candidate}';

const environment = (endpoint: Endpoint, fingerprint: string) => ({
  EVERLEAF_ENDPOINT: endpoint.endpoint_id,
  EVERLEAF_DIRECTORY: endpoint.directory,
  EVERLEAF_CANDIDATE: versionFolder(endpoint, fingerprint),
  EVERLEAF_FINGERPRINT: fingerprint,
});

/** Whether the check looks at a version that is not in place yet. */
export const checksCandidate = ({ check }: Endpoint): boolean =>
  check?.some((word) => word.includes(placeholder)) ?? false;

/** null: the consumer's configuration stands, or nothing checks it; else why not. */
export const check = async (endpoint: Endpoint, fingerprint: string): Promise<string | null> => {
  if (endpoint.check === null) return null;
  const folder = versionFolder(endpoint, fingerprint);
  return runCommand({
    words: endpoint.check.map((word) => word.replaceAll(placeholder, folder)),
    env: environment(endpoint, fingerprint),
    timeout_ms: endpoint.timeout_ms,
  });
};

const sendSignal = (signal: NodeJS.Signals, pidFile: string): string | null => {
  let text: string;
  try {
    text = readFileSync(pidFile, 'utf8').trim();
  } catch {
    return `cannot read ${pidFile}: does the consumer run?`;
  }
  const pid = Number(text);
  // 0, 1 and negative numbers mean much more than one process.
  if (!/^\d{1,10}$/.test(text) || pid < 2) return `${pidFile} holds no process id`;
  try {
    process.kill(pid, signal);
    return null;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    return code === 'ESRCH'
      ? `${pidFile} names process ${pid}, which does not run`
      : `cannot signal process ${pid}: ${code}`;
  }
};

/** null: done, as far as the consumer says; else why not. */
export const reload = async (endpoint: Endpoint, fingerprint: string): Promise<string | null> => {
  const how = endpoint.reload;
  if (how === null) return null;
  switch (how.kind) {
    case 'command':
      return runCommand({
        words: how.command,
        env: environment(endpoint, fingerprint),
        timeout_ms: endpoint.timeout_ms,
      });
    case 'signal':
      return sendSignal(how.signal, how.pid_file);
    case 'kubernetes':
      return applySecret(how.secret, versionFolder(endpoint, fingerprint), endpoint.timeout_ms);
  }
};
