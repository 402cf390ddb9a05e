/** One entry for what one request did to many rows of a table. */
import type { Draft } from './entry.ts';
import { mostDetails, type RowChange, rowChangesSchema } from './row-change.ts';

export interface Merged {
  readonly draft: Draft;
  /** The drafts that it says everything of, in their order. */
  readonly of: readonly Draft[];
}

const mostRows = 40;

interface Group {
  readonly first: Draft;
  readonly of: Draft[];
  /** None for a draft that stays by itself. */
  readonly changes: RowChange[];
  characters: number;
}

/** The rows that a verified change tells of: of others, nobody knows whose they were. */
const rowsOf = ({ request_id, details }: Draft): RowChange[] =>
  (request_id === null ? undefined : rowChangesSchema.safeParse(details).data?.changes) ?? [];

const fits = (group: Group, { first, changes, characters }: Group): boolean =>
  group.first.actor === first.actor &&
  group.first.action === first.action &&
  group.first.request_id === first.request_id &&
  group.changes.length > 0 &&
  changes.length > 0 &&
  group.changes[0]?.table === changes[0]?.table &&
  group.changes.length + changes.length <= mostRows &&
  group.characters + characters <= mostDetails;

const mergedDraft = ({ first, of, changes }: Group): Draft =>
  of.length === 1
    ? first
    : {
        ...first,
        event_ids: of.flatMap(({ event_ids }) => event_ids),
        subject: of.every(({ subject }) => subject === first.subject) ? first.subject : `${changes[0]?.table}/*`,
        details: { changes },
      };

/**
 * Neighbours of one actor, action and request become one entry, their rows in their order. A draft between them keeps
 * them apart, so that a row's changes are entered in the order in which they happened.
 */
export const mergeDrafts = (drafts: readonly Draft[]): Merged[] => {
  const groups: Group[] = [];
  for (const draft of drafts) {
    const one: Group = {
      first: draft,
      of: [draft],
      changes: rowsOf(draft),
      characters: JSON.stringify(draft.details).length,
    };
    const last = groups.at(-1);
    if (last !== undefined && fits(last, one)) {
      last.of.push(draft);
      last.changes.push(...one.changes);
      last.characters += one.characters;
    } else groups.push(one);
  }
  return groups.map((group) => ({ draft: mergedDraft(group), of: group.of }));
};
