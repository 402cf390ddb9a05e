/** `everleaf audit list`: entries, the newest first; what is missing between them is said. */
import { foundActions } from '../audit/found-actions.ts';
import { describeEntries, entriesSchema, verificationSchema } from './audit-answers.ts';
import { clean, json } from './print.ts';
import { connect, readPages, type Server } from './request.ts';
import type { ServerOptions } from './settings.ts';
import type { Terminal } from './terminal.ts';

export type ListOptions = ServerOptions & {
  readonly since?: string;
  readonly action?: string;
  readonly actor?: string;
  readonly subject?: string;
  readonly limit?: number;
};

const path = ['api', 'v1', 'identity', 'audit'] as const;
/** Entries that are listed when nothing says how many. */
export const usualCount = 50;

/** Entries that should be there, both ends included. */
interface Gap {
  readonly from: number;
  readonly to: number;
}

export const listEntries = async (terminal: Terminal, options: ListOptions): Promise<void> => {
  const { since, action, actor, subject, output } = options;
  const most = options.limit ?? (since === undefined ? usualCount : Number.POSITIVE_INFINITY);
  const server = await connect(terminal, options);
  const query = { since, action, actor, subject };
  const entries = await readPages(server, entriesSchema, { path, query, most });
  const isFiltered = action !== undefined || actor !== undefined || subject !== undefined;
  const isAll = since === undefined && entries.length < most;
  const missing = isFiltered ? [] : await findMissing(server, entries, isAll);
  if (output === 'json') return terminal.out(json({ entries, ...(missing.length === 0 ? {} : { missing }) }));
  if (entries.length > 0) terminal.out(describeEntries(entries));
  else terminal.err(clean(`No entries${askedFor(options)}.${suggestion(action)}`).concat('\n'));
  for (const { from, to } of missing)
    terminal.err(`${from === to ? `${from} is` : `${from} to ${to} are`} missing: run everleaf audit verify\n`);
  if (options.limit === undefined && entries.length === most)
    terminal.err(`These are the newest ${most}; --since and --limit show others.\n`);
};

/** Of a list without filters: between its entries, and before them where it is all that there is. */
const findMissing = async (
  server: Server,
  entries: readonly { readonly sequence: number }[],
  isAll: boolean,
): Promise<Gap[]> => {
  if (entries.length === 0) return isAll ? await missingAll(server) : [];
  const sequences = entries.map(({ sequence }) => sequence).filter((one) => Number.isSafeInteger(one) && one > 0);
  const before = isAll ? [...sequences, 0] : sequences;
  return before.flatMap((sequence, index) => {
    const after = before[index - 1];
    return after !== undefined && after > sequence + 1 ? [{ from: sequence + 1, to: after - 1 }] : [];
  });
};

/** Where nothing is listed: what the newest signed head covers. That nobody answers is no reason to show nothing. */
const missingAll = async ({ send }: Server): Promise<Gap[]> => {
  try {
    const call = { method: 'GET', path: [...path, 'verify'], query: { since_head: 'true' } } as const;
    const { head } = await send(verificationSchema, call);
    return head ? [{ from: 1, to: head.size }] : [];
  } catch {
    return [];
  }
};

const askedFor = ({ action, actor, subject, since }: ListOptions): string =>
  [
    action === undefined ? '' : ` of action ${action}`,
    actor === undefined ? '' : ` by ${actor}`,
    subject === undefined ? '' : ` on ${subject}`,
    since === undefined ? '' : ` since ${since}`,
  ].join('');

/** Nobody should take a mistyped action for one that never happened. */
const suggestion = (action: string | undefined): string => {
  const known: readonly string[] = Object.values(foundActions);
  if (action === undefined || known.includes(action)) return '';
  const near = known.filter((one) => isNear(action, one));
  return near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`;
};

/** Whether one becomes the other by at most two letters more, less or other, underscores not counted. */
const isNear = (one: string, other: string): boolean => {
  const [a, b] = [one.replaceAll('_', ''), other.replaceAll('_', '')];
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1)
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)),
      );
    row = next;
  }
  return (row[b.length] ?? 0) <= 2;
};
