/** Every way from one state of a renewal to another, and that there is none besides. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Conflict } from '../../src/errors.ts';
import { rollbackOf, wishRollback } from '../../src/renewal/rollback.ts';
import {
  afterFailure,
  isLive,
  type Move,
  mayHaveDeployed,
  type Progress,
  type Restore,
  restored,
  type Status,
  statuses,
  transition,
} from '../../src/renewal/status.ts';

/** The runbook's diagram, and the four that DESIGN adds; written out here a second time. */
const diagram: readonly (readonly [Status, Status])[] = [
  ['PENDING', 'CSR_REQUESTED'],
  ['CSR_REQUESTED', 'CSR_RECEIVED'],
  ['CSR_RECEIVED', 'CHALLENGE_PENDING'],
  ['CHALLENGE_PENDING', 'CHALLENGE_COMPLETE'],
  ['CHALLENGE_COMPLETE', 'ISSUING'],
  ['ISSUING', 'ISSUED'],
  ['ISSUED', 'DEPLOYING'],
  ['DEPLOYING', 'VALIDATING'],
  ['VALIDATING', 'SUCCEEDED'],
  ['CSR_REQUESTED', 'FAILED'],
  ['CHALLENGE_PENDING', 'FAILED'],
  ['ISSUING', 'FAILED'],
  ['DEPLOYING', 'FAILED'],
  ['FAILED', 'PENDING'],
  ['FAILED', 'ROLLED_BACK'],
  ['CSR_RECEIVED', 'FAILED'],
  ['CHALLENGE_COMPLETE', 'FAILED'],
  ['ISSUED', 'FAILED'],
  ['VALIDATING', 'FAILED'],
];

const job = (status: Status, more: Partial<Progress> = {}): Progress => ({
  status,
  attempt: 1,
  history: [{ status, at: 10 }],
  ...more,
});
/** With all that a state may need to be left. */
const ready = (status: Status): Progress =>
  status === 'FAILED' ? job(status, { reason: 'why', next_try_at: 99 }) : job(status);
const moveTo = (to: Status): Move => (to === 'FAILED' || to === 'ROLLED_BACK' ? { to, reason: 'why' } : { to });

describe('the arrows', () => {
  it.each(diagram)('%s → %s is taken, and stands in the history with its time', (from, to) => {
    const before = ready(from);
    const after = transition(before, moveTo(to), 20);
    expect(after.status).toBe(to);
    expect(after.history).toEqual([
      { status: from, at: 10 },
      { status: to, at: 20, ...(to === 'FAILED' || to === 'ROLLED_BACK' ? { reason: 'why' } : {}) },
    ]);
    expect(before).toEqual(ready(from));
  });

  const others = statuses.flatMap((from) =>
    statuses
      .filter((to) => !diagram.some(([one, other]) => one === from && other === to))
      .map((to) => [from, to] as const),
  );
  it('and the others are all pairs of states', () => {
    expect(diagram.length + others.length).toBe(statuses.length ** 2);
    expect(new Set(diagram.map(String)).size).toBe(diagram.length);
  });
  it.each(others)('%s → %s is refused', (from, to) => {
    for (const restore of [undefined, 'due', 'done', 'failed', 'nothing'] as const)
      for (const next_try_at of [undefined, 99])
        expect(() => transition(job(from, { restore, next_try_at }), moveTo(to), 20)).toThrow(Conflict);
  });

  it('no sequence of moves leaves the diagram or ends anywhere but SUCCEEDED, FAILED or ROLLED_BACK', () => {
    const step = fc.record({ to: fc.constantFrom(...statuses), next: fc.option(fc.nat(), { nil: undefined }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        let now: Progress = { status: 'PENDING', attempt: 1, history: [{ status: 'PENDING', at: 0 }] };
        for (const { to, next } of steps) {
          const move: Move = to === 'FAILED' ? { to, reason: 'x', next_try_at: next } : moveTo(to);
          try {
            now = transition(now, move, 1);
          } catch (error) {
            expect(error).toBeInstanceOf(Conflict);
          }
          if (now.restore === 'due') now = restored(now, 'done');
        }
        const path = now.history.map(({ status }) => status);
        for (const [index, to] of path.slice(1).entries()) expect(diagram).toContainEqual([path[index], to]);
        expect(now.attempt).toBe(path.filter((status) => status === 'PENDING').length);
        if (!isLive(now)) expect(['SUCCEEDED', 'FAILED', 'ROLLED_BACK']).toContain(now.status);
      }),
    );
  });
});

describe('a transition', () => {
  it('never takes the history back in time when the clock was set back', () => {
    expect(transition(job('PENDING'), { to: 'CSR_REQUESTED' }, 3).history.at(-1)?.at).toBe(10);
  });
  it('to PENDING begins another attempt and forgets why the last one failed', () => {
    const again = transition(job('FAILED', { reason: 'x', next_try_at: 5, restore: 'done' }), { to: 'PENDING' }, 20);
    expect(again).toMatchObject({ status: 'PENDING', attempt: 2 });
    expect([again.reason, again.next_try_at, again.restore]).toEqual([undefined, undefined, undefined]);
  });
  it.each(statuses.filter((status) => diagram.some(([from, to]) => from === status && to === 'FAILED')))(
    'from %s to FAILED says whether the previous certificate must be put back',
    (from) => {
      const failed = transition(job(from), { to: 'FAILED', reason: 'x', next_try_at: 50 }, 20);
      const deployed = from === 'DEPLOYING' || from === 'VALIDATING';
      expect(mayHaveDeployed(from)).toBe(deployed);
      expect(failed).toMatchObject({ reason: 'x', next_try_at: 50 });
      expect(failed.restore).toBe(deployed ? 'due' : undefined);
    },
  );
  it.each(['due', 'failed'] as const)('leaves FAILED neither way while putting back is %s', (restore) => {
    const failed = job('FAILED', { restore, next_try_at: 5 });
    expect(() => transition(failed, { to: 'PENDING' }, 20)).toThrow(/not back/);
    expect(() => transition(failed, { to: 'ROLLED_BACK', reason: 'x' }, 20)).toThrow(/not back/);
  });
  it('tries nothing again that is to be rolled back, or for which no try is due', () => {
    expect(() => transition(job('FAILED'), { to: 'PENDING' }, 20)).toThrow(Conflict);
    const wished = job('FAILED', { next_try_at: 5, rollback: { reason: 'r', by: 'olga' } });
    expect(() => transition(wished, { to: 'PENDING' }, 20)).toThrow(Conflict);
    const failing = job('ISSUING', { rollback: { reason: 'r', by: 'olga' } });
    expect(transition(failing, { to: 'FAILED', reason: 'r', next_try_at: 50 }, 20).next_try_at).toBeUndefined();
  });
});

describe('live', () => {
  it.each(statuses)('%s', (status) => {
    const ended = ['SUCCEEDED', 'ROLLED_BACK', 'FAILED'].includes(status);
    expect(isLive(job(status))).toBe(!ended);
    expect(isLive(job(status, { next_try_at: 5 }))).toBe(!ended || status === 'FAILED');
    expect(isLive(job(status, { restore: 'due' }))).toBe(!ended || status === 'FAILED');
    expect(isLive(job(status, { restore: 'failed' }))).toBe(!ended);
  });
});

describe('after a failure', () => {
  const wish = { reason: 'r', by: 'olga' };
  const cases: [Restore | undefined, 'retry' | 'spent' | 'wished', ReturnType<typeof afterFailure>][] = [
    [undefined, 'retry', 'try_again'],
    [undefined, 'spent', 'stay'],
    [undefined, 'wished', 'roll_back'],
    ['due', 'retry', 'restore'],
    ['due', 'spent', 'restore'],
    ['due', 'wished', 'restore'],
    ['done', 'retry', 'try_again'],
    ['done', 'spent', 'roll_back'],
    ['done', 'wished', 'roll_back'],
    ['failed', 'retry', 'stay'],
    ['failed', 'spent', 'stay'],
    ['failed', 'wished', 'stay'],
    ['nothing', 'retry', 'try_again'],
    ['nothing', 'spent', 'stay'],
    ['nothing', 'wished', 'roll_back'],
  ];
  it.each(cases)('with putting back %s and tries %s: %s', (restore, tries, next) => {
    const more = { retry: { next_try_at: 5 }, spent: {}, wished: { rollback: wish } }[tries];
    const failed = job('FAILED', { restore, ...more });
    expect(afterFailure(failed)).toBe(next);
    if (next === 'try_again') expect(transition(failed, { to: 'PENDING' }, 20).status).toBe('PENDING');
    if (next === 'roll_back')
      expect(transition(failed, { to: 'ROLLED_BACK', reason: 'x' }, 20)).toMatchObject({
        status: 'ROLLED_BACK',
        restore,
      });
    if (next === 'stay') expect(isLive({ ...failed, next_try_at: undefined })).toBe(false);
  });
  it('what could not be put back is not tried again, and says why', () => {
    const failed = restored(job('FAILED', { restore: 'due', next_try_at: 5, reason: 'x' }), 'failed', 'disk full');
    expect(failed).toMatchObject({ restore: 'failed', reason: 'disk full' });
    expect(isLive(failed)).toBe(false);
  });
  it.each(statuses)('%s has nothing to put back unless it is due', (status) => {
    expect(() => restored(job(status, { restore: 'done' }), 'done')).toThrow(Conflict);
    if (status !== 'FAILED') expect(() => restored(job(status, { restore: 'due' }), 'done')).toThrow(Conflict);
  });
});

describe('rolling back by command', () => {
  const of = (status: Status, more: Partial<Progress> = {}) => ({ ...job(status, more), endpoint_id: 'web-1' });
  const wish = { reason: 'Deployment verification failed', by: 'olga' };

  it.each([
    ['PENDING', 'later'],
    ['CSR_REQUESTED', 'fail'],
    ['CSR_RECEIVED', 'fail'],
    ['CHALLENGE_PENDING', 'fail'],
    ['CHALLENGE_COMPLETE', 'fail'],
    ['ISSUING', 'fail'],
    ['ISSUED', 'fail'],
    ['DEPLOYING', 'fail'],
    ['VALIDATING', 'fail'],
    ['FAILED', 'roll_back'],
    ['ROLLED_BACK', 'nothing'],
  ] as const)('%s: %s', (status, what) => {
    expect(rollbackOf(of(status))).toBe(what);
  });
  it('SUCCEEDED is refused with the command that renews again', () => {
    expect(() => rollbackOf(of('SUCCEEDED'))).toThrow(/everleaf renewal run web-1/);
    expect(() => rollbackOf(of('SUCCEEDED'))).toThrow(Conflict);
  });
  it.each([
    ['due', 'later'],
    ['done', 'roll_back'],
    ['nothing', 'roll_back'],
    ['failed', 'restore'],
  ] as const)('FAILED with putting back %s: %s', (restore, what) => {
    expect(rollbackOf(of('FAILED', { restore }))).toBe(what);
  });

  /** What the command and the machine do from any state on, putting back succeeding. */
  const rolledBack = (start: Progress): Progress => {
    let now = wishRollback({ ...start, endpoint_id: 'web-1' }, wish);
    if (now.status === 'PENDING') now = transition(now, { to: 'CSR_REQUESTED' }, 30);
    if (now.status !== 'FAILED') now = transition(now, { to: 'FAILED', reason: wish.reason, next_try_at: 99 }, 40);
    if (afterFailure(now) === 'restore') now = restored(now, 'done');
    expect(afterFailure(now)).toBe('roll_back');
    return transition(now, { to: 'ROLLED_BACK', reason: wish.reason }, 50);
  };
  it.each(statuses.filter((status) => status !== 'SUCCEEDED' && status !== 'ROLLED_BACK'))(
    'takes a job that is %s to ROLLED_BACK',
    (status) => {
      const end = rolledBack(ready(status));
      expect(end).toMatchObject({ status: 'ROLLED_BACK', reason: wish.reason, rollback: wish });
      expect(isLive(end)).toBe(false);
    },
  );
  it('takes what could not be put back to ROLLED_BACK once it can', () => {
    expect(rolledBack(job('FAILED', { restore: 'failed' })).status).toBe('ROLLED_BACK');
  });
  it('keeps the first wish', () => {
    const again = wishRollback(wishRollback(of('PENDING'), wish), { reason: 'other', by: 'bob' });
    expect(again.rollback).toEqual(wish);
  });
});
