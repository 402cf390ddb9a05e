import { beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import type { IssuingWorld } from '../../src/certificate/issue.ts';
import { issueAdminCertificate } from '../../src/certificate/issue-admin-certificate.ts';
import { issueCertificate } from '../../src/certificate/issue-certificate.ts';
import { renewCertificate } from '../../src/certificate/renew-certificate.ts';
import { revokeCertificate } from '../../src/certificate/revoke-certificate.ts';
import { suspendPrincipal } from '../../src/principal/suspend-principal.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, newRequest, type TestDeployment } from './deployment.ts';
import { atEveryAwait, pausing } from './pausing.ts';

/** Fewer would mean that the use case changed and the races below no longer stop where they should. */
const fewestAwaits = 10;

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
      version: 1,
      principal_ids: new Set(['admin-other', 'admin-bootstrap']),
    });
  });

  const suspend = (principal_id: string) =>
    suspendPrincipal(d.world, { caller: admin, reach: 'any', principal_id, reason: 'meanwhile', force: false });
  const revoke = (serial_number: string, reason: 'superseded' | 'key_compromise' = 'superseded') =>
    revokeCertificate(d.world, { caller: admin, reach: 'any', serial_number, reason, force: false });

  describe.each([-5_000, 0, 5_000])('by a clock %i ms off', (skew) => {
    it('issues nothing usable when its principal is suspended', async () => {
      const awaits = await atEveryAwait(async (at) => {
        const id = fresh('worker');
        await d.register(id, 'worker');
        const pause = pausing(skewed(d.world, skew), at, () => suspend(id));
        const outcome = await issueCertificate(pause.world, {
          caller: admin,
          reach: 'any',
          principal_id: id,
          csr: newRequest(),
        }).then(
          () => 'issued',
          () => 'refused',
        );
        if (pause.reached()) {
          expect(await d.usable(id), `await ${at}`).toEqual([]);
          if (!pause.written()) expect([outcome, await d.certificates(id)], `await ${at}`).toEqual(['refused', []]);
        }
        return pause;
      });
      expect(awaits).toBeGreaterThanOrEqual(fewestAwaits);
    });

    it.each([
      ['its caller’s certificate is revoked', (caller: Caller) => revoke(caller.serial_number)],
      ['its caller is suspended', (caller: Caller) => suspend(caller.principal_id)],
    ])('issues nothing that was not written before, when %s', async (_what, meanwhile) => {
      await atEveryAwait(async (at) => {
        const id = fresh('worker');
        await d.register(id, 'worker');
        const caller = await d.enrol(fresh('operator'), 'operator');
        const pause = pausing(skewed(d.world, skew), at, () => meanwhile(caller));
        const outcome = await issueCertificate(pause.world, {
          caller,
          reach: 'non-admin',
          principal_id: id,
          csr: newRequest(),
        }).then(
          () => 'issued',
          () => 'refused',
        );
        if (pause.reached() && !pause.written())
          expect([outcome, await d.certificates(id)], `await ${at}`).toEqual(['refused', []]);
        return pause;
      });
    });
  });

  it('renews nothing when the presented certificate is revoked meanwhile', async () => {
    await atEveryAwait(async (at) => {
      const id = fresh('operator');
      await d.register(id, 'operator');
      const caller = await d.callerWith((await d.issueTo(admin, id)).pem);
      const pause = pausing(d.world, at, () => revoke(caller.serial_number));
      await renewCertificate(pause.world, { caller, csr: newRequest(), force: true }).catch(() => undefined);
      if (pause.reached() && !pause.written()) expect(await d.usable(id), `await ${at}`).toEqual([]);
      return pause;
    });
  });

  it('renews nothing usable when the presented key is revoked as compromised meanwhile, written or not', async () => {
    await atEveryAwait(async (at) => {
      const id = fresh('operator');
      await d.register(id, 'operator');
      const caller = await d.callerWith((await d.issueTo(admin, id)).pem);
      const pause = pausing(d.world, at, () => revoke(caller.serial_number, 'key_compromise'));
      await renewCertificate(pause.world, { caller, csr: newRequest(), force: true }).catch(() => undefined);
      if (pause.reached()) expect(await d.usable(id), `await ${at}`).toEqual([]);
      return pause;
    });
  });

  it('and a revocation for key_compromise, stopped at every await by a renewal, leaves nothing usable either', async () => {
    const awaits = await atEveryAwait(async (at) => {
      const id = fresh('operator');
      await d.register(id, 'operator');
      const caller = await d.callerWith((await d.issueTo(admin, id)).pem);
      const pause = pausing(d.world, at, () =>
        renewCertificate(d.world, { caller, csr: newRequest(), force: true }).catch(() => undefined),
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
    expect(awaits).toBeGreaterThanOrEqual(fewestAwaits);
  });

  it('a revocation, stopped at every await by another, answers what the row says', async () => {
    for (const [mine, others] of [
      ['key_compromise', 'superseded'],
      ['superseded', 'key_compromise'],
    ] as const)
      await atEveryAwait(async (at) => {
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

  it('issues nothing usable when an emergency raises the generation', async () => {
    let generation = 0;
    await atEveryAwait(async (at) => {
      const id = fresh('worker');
      await d.register(id, 'worker');
      const caller = { ...(await d.enrol(fresh('operator'), 'operator')), generation };
      const pause = pausing(d.world, at, async () => d.raiseGeneration(++generation));
      const outcome = await issueCertificate(pause.world, {
        caller,
        reach: 'non-admin',
        principal_id: id,
        csr: newRequest(),
      }).then(
        () => 'issued',
        () => 'refused',
      );
      if (pause.reached()) {
        expect(await d.usable(id), `await ${at}`).toEqual([]);
        if (!pause.written()) expect(outcome, `await ${at}`).toBe('refused');
      }
      return pause;
    });
  });

  it('bootstraps nothing usable when an emergency raises the generation after it was read', async () => {
    const own = await makeDeployment(emulator);
    let generation = 0;
    await atEveryAwait(async (at) => {
      const id = fresh('admin');
      const pause = pausing(own.world, at, async () => own.raiseGeneration(++generation));
      const issued = await issueAdminCertificate(pause.world, { principal_id: id, csr: newRequest() }).then(
        ({ serial_number }) => serial_number,
        () => null,
      );
      // What was issued is either of the new generation as a whole, or refused by the gate.
      for (const serial of await own.usable(id)) {
        expect(serial).toBe(issued);
        expect(await own.row('certificates', serial)).toMatchObject({ generation });
      }
      return pause;
    });
  });
});
