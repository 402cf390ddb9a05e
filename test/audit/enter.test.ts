/** What everything that is heard or found goes through: who is called, when, and what is counted. */
import { describe, expect, it } from 'vitest';
import { enter } from '../../src/audit/enter.ts';
import type { Draft } from '../../src/audit/entry.ts';
import { foundActions, suspiciousActions } from '../../src/audit/found-actions.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeChain } from './chain.ts';

const draft = (id: string, action: string, details: Draft['details'] = {}): Draft => ({
  event_ids: [`test:${id}`],
  time: 1_700_000_000_000,
  action,
  actor: 'unknown',
  request_id: null,
  subject: 'principals/worker-1',
  details,
});
const row = {
  table: 'principals',
  key: 'worker-1',
  set: { status: 'hunter2' },
  removed: ['note'],
  before: { status: 'hunter1' },
};

describeWithEmulator('entering', (emulator) => {
  it('tells of each suspicious draft before anything is asked of DynamoDB or S3, whatever fails then', async () => {
    const chain = await makeChain(emulator);
    const step = async (): Promise<never> => {
      throw new Error('everything is down');
    };
    const drafts = [
      draft('1', foundActions.outOfBand, { changes: [row] }),
      draft('2', 'principal_created'),
      draft('3', foundActions.stampForged, { changes: [row], why: 'the stamp is malformed' }),
      draft('4', foundActions.recordUnreadable, { error: 'ZodError' }),
      draft('5', foundActions.difference, { changes: [row], as_of: 7 }),
      draft('6', foundActions.reconciled),
    ];
    await expect(enter(chain.writer({ step }), drafts)).rejects.toThrow('everything is down');
    const told = { subject: 'principals/worker-1', attributes: ['note', 'status'] };
    expect(chain.told).toEqual([
      { warned: 'out_of_band', actor: 'unknown', event_ids: ['test:1'], ...told },
      { warned: 'stamp_forged', actor: 'unknown', event_ids: ['test:3'], why: 'the stamp is malformed', ...told },
      expect.objectContaining({ warned: 'record_unreadable', error: 'ZodError' }),
      expect.objectContaining({ warned: 'reconciliation_difference', ...told }),
      {
        counted: { out_of_band_changes_total: 2, audit_records_unreadable_total: 1, audit_differences_total: 1 },
      },
    ]);
    expect(JSON.stringify(chain.told)).not.toContain('hunter');
    expect(await chain.rows()).toEqual([]);
  });

  it('counts the entries that were made, and not those that stood there', async () => {
    const chain = await makeChain(emulator);
    await enter(chain.writer(), [draft('1', 'a'), draft('2', 'b')]);
    await enter(chain.writer(), [draft('2', 'b'), draft('3', 'c')]);
    expect(chain.told).toEqual([{ counted: { audit_entries_total: 2 } }, { counted: { audit_entries_total: 1 } }]);
    expect((await chain.rows()).map(({ action }) => action)).toEqual(['a', 'b', 'c']);
  });

  it('signs a head over all of it, unless more comes at once', async () => {
    const chain = await makeChain(emulator);
    const world = chain.writer();
    await enter(world, [draft('1', 'a')], { more: true });
    expect(chain.kept.size).toBe(0);
    await enter(world, [draft('2', 'b')]);
    expect([...chain.kept.values()].map(({ size }) => size)).toEqual([2]);
  });

  it('asks nothing, and tells nothing, of nothing', async () => {
    const chain = await makeChain(emulator);
    await enter(chain.writer({ step: () => expect.fail() }), []);
    expect(chain.told).toEqual([]);
  });
});

describe('an action that the audit finds', () => {
  it('is suspicious unless it is known to be as it should be', () => {
    const { rowExpired, reconciled, deployed, ...suspicious } = foundActions;
    expect([...suspiciousActions.keys()].sort()).toEqual(Object.values(suspicious).sort());
    for (const action of [rowExpired, reconciled, deployed, 'principal_suspended'])
      expect(suspiciousActions.has(action)).toBe(false);
  });
});
