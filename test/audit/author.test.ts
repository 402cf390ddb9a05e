import { expect, it } from 'vitest';
import { authorOf } from '../../src/access/caller.ts';
import { functionAuthor, requestIdSchema } from '../../src/audit/author.ts';

it('a change is its caller’s, under API Gateway’s id of the request', () => {
  const caller = { principal_id: 'olga', principal_type: 'operator', serial_number: '01', generation: 0 } as const;
  expect(authorOf({ ...caller, request_id: 'r-1' })).toEqual({ actor: 'olga', request_id: 'r-1' });
});

it('a change that AWS let a function make is the function’s, which no principal can be called, under Lambda’s id', () => {
  const awsRequestId = 'c6af9ac6-7b61-11e6-9a41-93e8deadbeef';
  expect(functionAuthor('update-truststore', { awsRequestId })).toEqual({
    actor: 'function:update-truststore',
    request_id: awsRequestId,
  });
});

it.each(['c6af9ac6-7b61-11e6-9a41-93e8deadbeef', 'JKJaXmPLvHcESHA=', '1-5e1b4151-43a0913a12345678901234567'])(
  'an id of a request is kept as it is: %s',
  (id) => expect(requestIdSchema.parse(id)).toBe(id),
);

it.each([undefined, null, 7, {}, '', 'x'.repeat(129), 'two words', 'line\nbreak', '<b>'])(
  'what can be no id is not kept: %j',
  (id) => expect(requestIdSchema.parse(id)).toBe('unknown'),
);
