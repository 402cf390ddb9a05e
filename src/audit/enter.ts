/** Enters what the audit heard or found: whoever is to be called is called first, by a metric and a line of log. */
import { auditMetrics } from '../names.ts';
import { append } from './append.ts';
import { coverWithHead } from './cover-with-head.ts';
import type { Draft } from './entry.ts';
import { suspiciousActions } from './found-actions.ts';
import { attributesIn } from './row-change.ts';
import type { AuditWorld } from './world.ts';

/**
 * Returns when all of the drafts stand in the chain, each event once, under a signed head. What is suspicious is told
 * before anything is written, since writing may fail; so of what comes again it is told again.
 * @param more there is more to come at once: the head over that covers this too
 * @throws when anything could not be written: the same drafts are to come again, and what was entered is known then
 */
export const enter = async (
  world: AuditWorld,
  drafts: readonly Draft[],
  { more = false }: { readonly more?: boolean } = {},
): Promise<void> => {
  if (drafts.length === 0) return;
  tell(world, drafts);
  const { entered, ...end } = await append(world, drafts);
  world.count({ [auditMetrics.entries]: entered });
  if (!more) await coverWithHead(world, end);
};

const tell = (world: AuditWorld, drafts: readonly Draft[]): void => {
  const counts = new Map<string, number>();
  for (const draft of drafts) {
    const metric = suspiciousActions.get(draft.action);
    if (metric === undefined) continue;
    counts.set(metric, (counts.get(metric) ?? 0) + 1);
    world.warn(draft.action, fieldsOf(draft));
  }
  if (counts.size > 0) world.count(Object.fromEntries(counts));
};

/** Of rows, the names of attributes and no values. */
const fieldsOf = ({ subject, actor, event_ids, details }: Draft): Readonly<Record<string, unknown>> => {
  const { changes, ...more } = details;
  return {
    ...more,
    subject,
    actor,
    event_ids,
    ...(changes === undefined ? {} : { attributes: attributesIn(details) }),
  };
};
