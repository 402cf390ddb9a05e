/** Rows that somebody else put where the chain's next entries belong: they are told of by an entry, and give way. */
import { createHash } from 'node:crypto';
import type { Draft } from './entry.ts';
import { foundActions } from './found-actions.ts';
import type { Merged } from './merge.ts';
import type { Found } from './position.ts';
import type { AuditWorld } from './world.ts';

const mostNames = 20;
const longestName = 100;

/** What is entered of them. Of what they say only a digest: it may be anything. */
export const foreignDrafts = (world: AuditWorld, { foreign }: Pick<Found, 'foreign'>): Draft[] =>
  [...foreign].map(([sequence, row]) => {
    const names = Object.keys(row).sort();
    const values = names.map((name) => [name, row[name]]);
    const sha256 = createHash('sha256').update(JSON.stringify(values)).digest('hex');
    return {
      event_ids: [`forged:${sequence}:${sha256}`],
      time: world.now(),
      action: foundActions.entryForged,
      actor: 'unknown',
      request_id: null,
      subject: `audit/${sequence}`,
      details: { sha256, names: names.slice(0, mostNames).map((name) => name.slice(0, longestName)) },
    };
  });

const sequenceIn = ({ subject }: Draft): number => Number(subject.slice('audit/'.length));

/** One entry for those that the drafts begin with: what somebody planted in a second is not to take the chain's for hours. */
export const groupForeign = (drafts: readonly Draft[]): Merged[] => {
  const other = drafts.findIndex(({ action }) => action !== foundActions.entryForged);
  const of = other === -1 ? drafts : drafts.slice(0, other);
  const [first] = of;
  if (first === undefined) return [];
  if (of.length === 1) return [{ draft: first, of }];
  const rows = of.map((draft) => ({ sequence: sequenceIn(draft), ...draft.details }));
  const event_ids = of.flatMap((draft) => draft.event_ids);
  return [{ draft: { ...first, event_ids, subject: 'audit/*', details: { rows } }, of }];
};
