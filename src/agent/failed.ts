/** What went wrong, as the server and whoever reads the log are told it. */
import { clean } from '../access/reason.ts';
import { withoutKeys } from './log.ts';
import type { Failed } from './protocol.ts';

/** Characters. */
const longest = 1_000;

const spoken: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the disk is read-only',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
};

/** On one line, without keys. */
export const messageOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error ? spoken[String(error.code)] : undefined;
  const path = 'path' in error && typeof error.path === 'string' ? `${error.path}: ` : '';
  return code === undefined ? error.message : `${path}${code}`;
};

export const failed = (reason: string): Failed => ({
  status: 'failed',
  reason: clean(withoutKeys(reason), longest) || 'failed without a reason',
});
