import { beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import type { IssuingWorld } from '../../src/certificate/issue.ts';
import { issueAdminCertificate } from '../../src/certificate/issue-admin-certificate.ts';
import { issueCertificate } from '../../src/certificate/issue-certificate.ts';
import { renewCertificate } from '../../src/certificate/renew-certificate.ts';
import { revokeCertificate } from '../../src/certificate/revoke-certificate.ts';
import { suspendPrincipal } from '../../src/principal/suspend-principal.ts';
import { describeWithEmulator } from '../emulator.ts';
import { testAuthor } from '../stamps.ts';
import { makeDeployment, newRequest, type TestDeployment } from './deployment.ts';
import { atEveryAwait, pausing } from './pausing.ts';

/** How far off a clock may be; ms. */
const skews = [-5_000, 0, 5_000];

/** Of a request that is let through or refused; any other error fails the test. */
const outcomeOf = (request: Promise<unknown>): Promise<'done' | 'refused'> =>
  request.then(
    () => 'done',
    (error: Error) => {
      expect(['NotAllowed', 'Conflict'], error.stack).toContain(error.name);
      return 'refused';
    },
  );

describeWithEmulator('issuing, stopped at every await', (emulator) => {
  let d: TestDeployment;
  let admin: Caller;
  let run = 0;
  const fresh = (word: string): string => `${word}-${run++}`;
  const skewed = (world: IssuingWorld, ms: number): IssuingWorld => ({ ...world, now: () => Date.now() + ms });

  beforeAll(async () => {
    d = await makeDeployment(emulator);
    admin = await d.enrol('admin-other', 'admin');
    // The last usable admin is another one's matter.
    await d.enrol('admin-bootstrap', 'admin');
    await d.put('controls', {
      control_id: 'admins',
      principal_ids: new Set(['admin-other', 'admin-bootstrap']),
    });
  });

  const suspend = (principal_id: string) =>
    suspendPrincipal(d.world, { caller: admin, reach: 'any', principal_id, reason: 'meanwhile', force: false });
  const revoke = (serial_number: string, reason: 'superseded' | 'key_compromise' = 'superseded') =>
    revokeCertificate(d.world, { caller: admin, reach: 'any', serial_number, reason, force: false });

  describe.each(skews)('by a clock %i ms off', (skew) => {
    it('issues nothing usable when its principal is suspended', async () => {
      await atEveryAwait(14, async (at) => {
        const id = fresh('worker');
        await d.register(id, 'worker');
        const pause = pausing(skewed(d.world, skew), at, () => suspend(id));
        const outcome = await outcomeOf(
          issueCertificate(pause.world, {
            caller: admin,
            reach: 'any',
            principal_id: id,
            csr: newRequest(),
          }),
        );
        if (!pause.reached()) expect(outcome).toBe('done');
        else {
          expect(await d.usable(id), `await ${at}`).toEqual([]);
          if (!pause.written()) expect([outcome, await d.certificates(id)], `await ${at}`).toEqual(['refused', []]);
        }
        return pause;
      });
    });

    it.each([
      ['its caller’s certificate is revoked', (caller: Caller) => revoke(caller.serial_number)],
      ['its caller is suspended', (caller: Caller) => suspend(caller.principal_id)],
    ])('issues nothing that was not written before, when %s', async (_what, meanwhile) => {
      await atEveryAwait(14, async (at) => {
        const id = fresh('worker');
        await d.register(id, 'worker');
        const caller = await d.enrol(fresh('operator'), 'operator');
        const pause = pausing(skewed(d.world, skew), at, () => meanwhile(caller));
        const outcome = await outcomeOf(
          issueCertificate(pause.world, {
            caller,
            reach: 'non-admin',
            principal_id: id,
            csr: newRequest(),
          }),
        );
        if (!pause.reached()) expect(outcome).toBe('done');
        else if (!pause.written()) expect([outcome, await d.certificates(id)], `await ${at}`).toEqual(['refused', []]);
        return pause;
      });
    });
  });

  it('renews nothing when the presented certificate is revoked meanwhile', async () => {
    await atEveryAwait(16, async (at) => {
      const id = fresh('operator');
      await d.register(id, 'operator');
      const caller = await d.callerWith((await d.issueTo(admin, id)).pem);
      const pause = pausing(d.world, at, () => revoke(caller.serial_number));
      const outcome = await outcomeOf(renewCertificate(pause.world, { caller, csr: newRequest(), force: true }));
      if (!pause.reached()) expect(outcome).toBe('done');
      if (pause.reached() && !pause.written()) expect(await d.usable(id), `await ${at}`).toEqual([]);
      return pause;
    });
  });

  it('renews nothing usable when the presented key is revoked as compromised meanwhile, written or not', async () => {
    await atEveryAwait(16, async (at) => {
      const id = fresh('operator');
      await d.register(id, 'operator');
      const caller = await d.callerWith((await d.issueTo(admin, id)).pem);
      const pause = pausing(d.world, at, () => revoke(caller.serial_number, 'key_compromise'));
      const outcome = await outcomeOf(renewCertificate(pause.world, { caller, csr: newRequest(), force: true }));
      if (!pause.reached()) expect(outcome).toBe('done');
      if (pause.reached()) expect(await d.usable(id), `await ${at}`).toEqual([]);
      return pause;
    });
  });

  it('gives a key no other certificate once a break-glass edit revoked one of it as compromised', async () => {
    await atEveryAwait(16, async (at) => {
      const id = fresh('worker');
      await d.register(id, 'worker');
      const csr = newRequest();
      const { serial_number } = await d.issueTo(admin, id, csr);
      const pause = pausing(d.world, at, () =>
        d.edit('certificates', serial_number, { revoked: true, revoked_at: 5, revocation_reason: 'key_compromise' }),
      );
      const request = { caller: admin, reach: 'any', principal_id: id, csr } as const;
      const outcome = await issueCertificate(pause.world, request).then(
        () => 'issued',
        (error: Error) => error.message,
      );
      if (!pause.reached()) expect(outcome).toBe('issued');
      else if (!pause.written()) {
        expect(outcome, `await ${at}`).toMatch(/key_compromise/);
        expect(await d.usable(id), `await ${at}`).toEqual([]);
      }
      return pause;
    });
  });

  it('and a revocation for key_compromise, stopped at every await by a renewal, leaves nothing usable either', async () => {
    const outcomes: string[] = [];
    await atEveryAwait(10, async (at) => {
      const id = fresh('operator');
      await d.register(id, 'operator');
      const caller = await d.callerWith((await d.issueTo(admin, id)).pem);
      const pause = pausing(d.world, at, async () =>
        outcomes.push(await outcomeOf(renewCertificate(d.world, { caller, csr: newRequest(), force: true }))),
      );
      await revokeCertificate(pause.world, {
        caller: admin,
        reach: 'any',
        serial_number: caller.serial_number,
        reason: 'key_compromise',
        force: false,
      });
      expect(await d.usable(id), `await ${at}`).toEqual([]);
      return pause;
    });
    // What came before the revocation was renewed, what came after it refused.
    expect(new Set(outcomes)).toEqual(new Set(['done', 'refused']));
  });

  it('a revocation, stopped at every await by another, answers what the row says', async () => {
    for (const [mine, others, fewest] of [
      ['key_compromise', 'superseded', 10],
      ['superseded', 'key_compromise', 6],
    ] as const)
      await atEveryAwait(fewest, async (at) => {
        const id = fresh('worker');
        await d.register(id, 'worker');
        const { serial_number } = await d.issueTo(admin, id);
        const pause = pausing(d.world, at, () => revoke(serial_number, others));
        const request = { caller: admin, reach: 'any', serial_number, reason: mine, force: false } as const;
        const { revoked_at, revocation_reason } = await revokeCertificate(pause.world, request);
        expect(await d.row('certificates', serial_number), `await ${at}`).toMatchObject({
          revoked_at,
          revocation_reason,
        });
        return pause;
      });
  });

  let raised = 0;
  it.each(skews)(
    'issues nothing usable when an emergency raises the generation, by a clock %i ms off',
    async (skew) => {
      await atEveryAwait(14, async (at) => {
        const id = fresh('worker');
        await d.register(id, 'worker');
        const caller = { ...(await d.enrol(fresh('operator'), 'operator')), generation: raised };
        const pause = pausing(skewed(d.world, skew), at, () => d.raiseGeneration(++raised));
        const outcome = await outcomeOf(
          issueCertificate(pause.world, {
            caller,
            reach: 'non-admin',
            principal_id: id,
            csr: newRequest(),
          }),
        );
        if (!pause.reached()) expect(outcome).toBe('done');
        else {
          expect(await d.usable(id), `await ${at}`).toEqual([]);
          if (!pause.written()) expect(outcome, `await ${at}`).toBe('refused');
        }
        return pause;
      });
    },
  );

  it.each(skews)(
    'bootstraps nothing usable when an emergency raises the generation after it was read, by a clock %i ms off',
    async (skew) => {
      const own = await makeDeployment(emulator);
      let generation = 0;
      await atEveryAwait(12, async (at) => {
        const id = fresh('admin');
        const pause = pausing(skewed(own.world, skew), at, () => own.raiseGeneration(++generation));
        let issued = '';
        const outcome = await outcomeOf(
          issueAdminCertificate(pause.world, testAuthor, { principal_id: id, csr: newRequest() }).then(
            ({ serial_number }) => {
              issued = serial_number;
            },
          ),
        );
        if (!pause.reached()) expect(outcome).toBe('done');
        // What was issued is either of the new generation as a whole, or refused by the gate.
        for (const serial of await own.usable(id)) {
          expect(serial).toBe(issued);
          expect(await own.row('certificates', serial)).toMatchObject({ generation });
        }
        return pause;
      });
    },
  );

  it('never lets an admin in again without saying so, when a break-glass edit suspends it while it is bootstrapped', async () => {
    const own = await makeDeployment(emulator);
    const principal_id = 'admin-emergency';
    const bootstrap = (world: IssuingWorld) =>
      issueAdminCertificate(world, testAuthor, { principal_id, csr: newRequest() });
    await atEveryAwait(12, async (at) => {
      await own.put('principals', { principal_id, type: 'admin', status: 'active', created_at: 1, row_version: 1 });
      const edit = { status: 'suspended', suspended_at: Date.now(), suspended_reason: 'stolen' };
      const pause = pausing(own.world, at, () => own.edit('principals', principal_id, edit));
      await bootstrap(pause.world);
      const row = await own.row('principals', principal_id);
      if (pause.written()) expect(row, `await ${at}`).toMatchObject(edit);
      else expect(row, `await ${at}`).not.toHaveProperty('suspended_reason');
      expect(row?.stamp.action, `await ${at}`).toBe(
        pause.reached() && !pause.written() ? 'principal_activated' : 'certificate_issued',
      );
      expect(row?.row_version).toBe(2);
      return pause;
    });
  });
});
