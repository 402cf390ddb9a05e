/** What is entered of a change that DynamoDB takes in no other form, so that nothing waits behind it for ever. */
import { createHash } from 'node:crypto';
import type { Draft } from './entry.ts';
import { foundActions } from './found-actions.ts';

const longest = 200;

/** A key has at most 1,024 bytes; the same event gets the same name each time it comes. */
const shortId = (event_id: string): string =>
  Buffer.byteLength(event_id) <= longest
    ? event_id
    : `digest:${createHash('sha256').update(event_id).digest('base64url')}`;

/** `error`: what DynamoDB said. `now` in ms. */
export const minimalDraft = (draft: Draft, error: Error, now: number): Draft => ({
  event_ids: draft.event_ids.map(shortId),
  time: now,
  action: foundActions.recordUnreadable,
  actor: 'unknown',
  request_id: null,
  subject: draft.subject.slice(0, longest),
  details: {
    error: error.name,
    action: draft.action.slice(0, longest),
    sha256: createHash('sha256').update(JSON.stringify(draft)).digest('hex'),
  },
});
