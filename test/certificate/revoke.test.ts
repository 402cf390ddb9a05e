import { randomBytes } from 'node:crypto';
import { NumberValue } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { parseCertificate, type RevocationReason } from '../../src/certificate/certificate.ts';
import { compromisedWith } from '../../src/certificate/compromised-with.ts';
import { renewCertificate } from '../../src/certificate/renew-certificate.ts';
import { revokeCertificate } from '../../src/certificate/revoke-certificate.ts';
import { Conflict, InvalidInput, NotAllowed, NotFound } from '../../src/errors.ts';
import { describeWithEmulator } from '../emulator.ts';
import { makeDeployment, newRequest, type TestDeployment } from './deployment.ts';

describe('what falls with a compromised certificate', () => {
  const one = (serial_number: string, renewed_from?: string, public_key_sha256 = serial_number) =>
    parseCertificate({ serial_number, public_key_sha256, renewed_from, revoked: false });

  it.each([
    ['itself alone', [one('a'), one('b'), one('c', 'b')], ['a']],
    ['what was renewed from it, and from that', [one('c', 'b'), one('b', 'a'), one('a')], ['a', 'b', 'c']],
    ['what shares its key', [one('a', undefined, 'k'), one('b', undefined, 'k'), one('c')], ['a', 'b']],
    [
      'what shares a key with what was renewed from it',
      [one('a'), one('b', 'a', 'k'), one('c', undefined, 'k')],
      ['a', 'b', 'c'],
    ],
    ['not what it was renewed from', [one('z'), one('a', 'z')], ['a']],
  ])('%s', (_what, known, fallen) => expect(compromisedWith('a', known).sort()).toEqual(fallen));
});

describeWithEmulator('revoking a certificate', (emulator) => {
  let d: TestDeployment;
  let admin: Caller;
  beforeAll(async () => {
    d = await makeDeployment(emulator);
    admin = await d.enrol('admin-bootstrap', 'admin');
  });
  const revoke = (serial_number: string, reason: RevocationReason, more: { caller?: Caller; force?: boolean } = {}) =>
    revokeCertificate(d.world, { caller: admin, reach: 'any', serial_number, reason, force: false, ...more });

  it('locks it out at once, and no other', async () => {
    await d.register('worker-1', 'worker');
    const first = await d.issueTo(admin, 'worker-1');
    const second = await d.issueTo(admin, 'worker-1');
    const answer = await revoke(first.serial_number, 'superseded');
    expect(answer).toMatchObject({
      serial_number: first.serial_number,
      status: 'revoked',
      revocation_reason: 'superseded',
      also_revoked: [],
    });
    expect(await d.present(first.pem)).toMatchObject({ outcome: 'deny', message: 'certificate revoked: superseded' });
    expect(await d.present(second.pem)).toMatchObject({ outcome: 'allow' });
  });

  it('keeps the first reason and time, whoever revokes again', async () => {
    await d.register('worker-2', 'worker');
    const { serial_number } = await d.issueTo(admin, 'worker-2');
    const first = await revoke(serial_number, 'superseded');
    expect(await revoke(serial_number, 'affiliation_changed')).toEqual(first);
    expect(await revoke(serial_number, 'key_compromise')).toEqual(first);
    expect(await d.row('certificates', serial_number)).toMatchObject({
      revocation_reason: 'superseded',
      revoked_at: first.revoked_at,
    });
  });

  it('answers two at the same time alike', async () => {
    await d.register('worker-3', 'worker');
    const { serial_number } = await d.issueTo(admin, 'worker-3');
    const [one, other] = await Promise.all([
      revoke(serial_number, 'superseded'),
      revoke(serial_number, 'key_compromise'),
    ]);
    expect({ ...one, also_revoked: [] }).toEqual({ ...other, also_revoked: [] });
  });

  it('for key_compromise takes along what was renewed from it and what shares its key, bars the keys, and says so again when asked again', async () => {
    await d.register('operator-1', 'operator');
    const csr = newRequest();
    const named = await d.issueTo(admin, 'operator-1', csr);
    const sameKey = await d.issueTo(admin, 'operator-1', csr);
    const caller = await d.callerWith(named.pem);
    const renewedCsr = newRequest();
    const child = await renewCertificate(d.world, { caller, csr: renewedCsr, force: true });
    const grandchild = await renewCertificate(d.world, {
      caller: await d.callerWith(child.pem),
      csr: newRequest(),
      force: true,
    });
    const other = await d.issueTo(admin, 'operator-1');

    const answer = await revoke(named.serial_number, 'key_compromise');
    const fallen = [sameKey, child, grandchild].map(({ serial_number }) => serial_number).sort();
    expect([...answer.also_revoked].sort()).toEqual(fallen);
    expect(await d.usable('operator-1')).toEqual([other.serial_number]);
    await expect(d.issueTo(admin, 'operator-1', csr)).rejects.toThrow(InvalidInput);
    await expect(d.issueTo(admin, 'operator-1', renewedCsr)).rejects.toThrow(/key_compromise/);

    const again = await revoke(named.serial_number, 'key_compromise');
    expect({ ...again, also_revoked: [...again.also_revoked].sort() }).toEqual({ ...answer, also_revoked: fallen });
    expect(await d.row('principals', 'operator-1')).toMatchObject({ certificates_version: 6 });
  });

  it('finds descendants through certificates that are no longer live', async () => {
    await d.register('operator-2', 'operator');
    const named = await d.issueTo(admin, 'operator-2');
    const child = await renewCertificate(d.world, {
      caller: await d.callerWith(named.pem),
      csr: newRequest(),
      force: true,
    });
    const grandchild = await renewCertificate(d.world, {
      caller: await d.callerWith(child.pem),
      csr: newRequest(),
      force: true,
    });
    await revoke(child.serial_number, 'superseded');
    await d.issueTo(admin, 'operator-2'); // forgets what is not live
    expect(await d.liveSerials('operator-2')).not.toContain(child.serial_number);
    expect((await revoke(named.serial_number, 'key_compromise')).also_revoked).toEqual([grandchild.serial_number]);
  });

  it('also of a certificate that a break-glass edit revoked already', async () => {
    await d.register('operator-3', 'operator');
    const named = await d.issueTo(admin, 'operator-3');
    const child = await renewCertificate(d.world, {
      caller: await d.callerWith(named.pem),
      csr: newRequest(),
      force: true,
    });
    await d.edit('certificates', named.serial_number, {
      revoked: true,
      revoked_at: 5,
      revocation_reason: 'key_compromise',
    });
    expect(await revoke(named.serial_number, 'key_compromise')).toMatchObject({
      revoked_at: 5,
      also_revoked: [child.serial_number],
    });
    expect(await d.usable('operator-3')).toEqual([]);
  });

  it('for key_compromise revokes the end of a chain of 450 renewals, and says so every time it is asked', async () => {
    await d.register('worker-chain', 'worker');
    const serial = (n: number) => `0198${n.toString(16).padStart(6, '0')}aa`;
    const last = 449;
    for (let n = 0; n <= last; n += 1)
      await d.put('certificates', {
        serial_number: serial(n),
        principal_id: 'worker-chain',
        fingerprint: 'f',
        revoked: false,
        generation: 0,
        issued_at: Date.now() - (last + 1 - n) * 57_600_000,
        expires_at: n > last - 2 ? Date.now() + 5e7 : 1,
        public_key_sha256: randomBytes(32).toString('hex'),
        ...(n > 0 ? { renewed_from: serial(n - 1) } : {}),
      });
    await d.edit('principals', 'worker-chain', { live_serials: [serial(last - 1), serial(last)] });
    const first = await revoke(serial(0), 'key_compromise');
    expect([...first.also_revoked].sort()).toEqual([serial(last - 1), serial(last)]);
    expect(await d.usable('worker-chain')).toEqual([]);
    // Also when the principal's row has forgotten them.
    await d.issueTo(admin, 'worker-chain');
    expect(await d.liveSerials('worker-chain')).toHaveLength(1);
    expect(await revoke(serial(0), 'key_compromise')).toEqual({
      ...first,
      also_revoked: expect.arrayContaining([...first.also_revoked]),
    });
  }, 60_000);

  it('for key_compromise names what fell also to the request that another began', async () => {
    await d.register('operator-halfway', 'operator');
    const named = await d.issueTo(admin, 'operator-halfway');
    const caller = await d.callerWith(named.pem);
    const child = await renewCertificate(d.world, { caller, csr: newRequest(), force: true });
    // The earlier request ended before it had barred the key.
    const revoked = { revoked: true, revocation_reason: 'key_compromise' };
    await d.edit('certificates', child.serial_number, { ...revoked, revoked_at: 6 });
    await d.edit('certificates', named.serial_number, { ...revoked, revoked_at: 5 });
    for (let n = 0; n < 2; n += 1)
      expect(await revoke(named.serial_number, 'key_compromise')).toMatchObject({
        revoked_at: 5,
        also_revoked: [child.serial_number],
      });
  });

  it.each(['x', -1, 1.5, NumberValue.from('1e40'), null, 0])(
    'for key_compromise works, as issuing does, where certificates_version was edited to %s',
    async (certificates_version) => {
      const id = `worker-v${randomBytes(4).toString('hex')}`;
      await d.register(id, 'worker');
      const { serial_number } = await d.issueTo(admin, id);
      await d.edit('principals', id, { certificates_version });
      await revoke(serial_number, 'key_compromise');
      expect(await d.usable(id)).toEqual([]);
      await d.edit('principals', id, { certificates_version });
      await d.issueTo(admin, id);
      expect(await d.row('principals', id)).toMatchObject({ certificates_version: 1 });
    },
  );

  it('works on one’s own, for any reason', async () => {
    for (const reason of ['superseded', 'key_compromise'] as const) {
      const caller = await d.enrol(`operator-own-${reason}`.replace('_', '-'), 'operator');
      await revokeCertificate(d.world, {
        caller,
        reach: 'non-admin',
        serial_number: caller.serial_number,
        reason,
        force: false,
      });
      expect(await d.row('certificates', caller.serial_number)).toMatchObject({
        revoked: true,
        revocation_reason: reason,
      });
    }
  });

  it('refuses what is not there, what is an admin’s to others, and the last admin’s last one without force', async () => {
    await expect(revoke('01aa', 'superseded')).rejects.toThrow(NotFound);
    const operator = await d.enrol('operator-4', 'operator');
    await expect(
      revokeCertificate(d.world, {
        caller: operator,
        reach: 'non-admin',
        serial_number: admin.serial_number,
        reason: 'superseded',
        force: false,
      }),
    ).rejects.toThrow(NotAllowed);
    await expect(revoke(admin.serial_number, 'superseded')).rejects.toThrow(Conflict);
    await expect(revoke(admin.serial_number, 'key_compromise')).rejects.toThrow(Conflict);
    await expect(
      revokeCertificate(d.world, {
        caller: operator,
        reach: 'any',
        serial_number: admin.serial_number,
        reason: 'superseded',
        force: true,
      }),
    ).rejects.toThrow(NotAllowed);
    expect(await d.row('certificates', admin.serial_number)).toMatchObject({ revoked: false });
  });

  it('is not carried by a caller who fell meanwhile', async () => {
    await d.register('worker-5', 'worker');
    const { serial_number } = await d.issueTo(admin, 'worker-5');
    const operator = await d.enrol('operator-5', 'operator');
    await d.edit('certificates', operator.serial_number, { revoked: true });
    for (const reason of ['superseded', 'key_compromise'] as const)
      await expect(
        revokeCertificate(d.world, { caller: operator, reach: 'non-admin', serial_number, reason, force: false }),
      ).rejects.toThrow(NotAllowed);
    expect(await d.usable('worker-5')).toEqual([serial_number]);
  });

  it('with force takes the last admin’s too', async () => {
    const own = await makeDeployment(emulator);
    const last = await own.enrol('admin-only', 'admin');
    await revokeCertificate(own.world, {
      caller: last,
      reach: 'any',
      serial_number: last.serial_number,
      reason: 'key_compromise',
      force: true,
    });
    expect(await own.row('certificates', last.serial_number)).toMatchObject({ revoked: true });
  });
});
