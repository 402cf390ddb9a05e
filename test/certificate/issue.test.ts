import { X509Certificate } from 'node:crypto';
import { TransactWriteCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, expect, it } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { adminRequestSchema, issueAdminCertificate } from '../../src/certificate/issue-admin-certificate.ts';
import { issueCertificate } from '../../src/certificate/issue-certificate.ts';
import { renewCertificate } from '../../src/certificate/renew-certificate.ts';
import { Conflict, InvalidInput, NotAllowed, NotFound } from '../../src/errors.ts';
import { commonName, ecKey, request } from '../authority/requests.ts';
import { describeWithEmulator } from '../emulator.ts';
import { testAuthor } from '../stamps.ts';
import { makeDeployment, newRequest, type TestDeployment } from './deployment.ts';

const day = 86_400_000;

describeWithEmulator('issuing a certificate', (emulator) => {
  let d: TestDeployment;
  let admin: Caller;
  beforeAll(async () => {
    d = await makeDeployment(emulator);
    admin = await d.enrol('admin-bootstrap', 'admin');
  });

  it('gives a certificate that the gate lets in, for ninety days', async () => {
    await d.register('worker-1', 'worker');
    const key = ecKey();
    const csr = request({ privateKey: key, subject: commonName('worker-1') });
    const issued = await d.issueTo(admin, 'worker-1', csr);
    expect(issued.serial_number).toMatch(/^01[0-9a-f]{28,30}$/);
    expect(issued.chain).toBe(d.root);
    expect(Math.abs(issued.expires_at - Date.now() - 90 * day)).toBeLessThan(10_000);
    expect(await d.present(issued.pem)).toMatchObject({
      outcome: 'allow',
      principal_id: 'worker-1',
      principal_type: 'worker',
    });
    expect(new X509Certificate(issued.pem).checkPrivateKey(key)).toBe(true);
    const [row] = await d.certificates('worker-1');
    expect(row).toMatchObject({
      serial_number: issued.serial_number,
      revoked: false,
      generation: 0,
      subject: 'CN=worker-1',
      sans: [`URI:spiffe://${d.world.deployment.name}.dev/worker/worker-1`],
      expires_at: issued.expires_at,
    });
    expect(row?.fingerprint).toBe(new X509Certificate(issued.pem).fingerprint256.replaceAll(':', '').toLowerCase());
    expect((await d.row('certificates', issued.serial_number))?.expiry_bucket).toMatch(/^\d{4}-\d\d-\d\d#[0-3]$/);
    expect(await d.row('principals', 'worker-1')).toMatchObject({
      certificates_version: 1,
      live_serials: [issued.serial_number],
    });
  });

  it('writes once though the answer of the first write was lost', async () => {
    await d.register('worker-lost', 'worker');
    let lost = false;
    const documents = new Proxy(d.world.documents, {
      get: (target, name) =>
        name !== 'send'
          ? Reflect.get(target, name)
          : async (command: unknown) => {
              const answer = await Reflect.apply(target.send, target, [command]);
              if (!(command instanceof TransactWriteCommand) || lost) return answer;
              lost = true;
              // Under another token, as when the SDK's own token has run out: the conditions meet what they wrote.
              return Reflect.apply(target.send, target, [
                new TransactWriteCommand({ ...command.input, ClientRequestToken: 'again' }),
              ]);
            },
    });
    const issued = await issueCertificate(
      { ...d.world, documents },
      { caller: admin, reach: 'any', principal_id: 'worker-lost', csr: newRequest() },
    );
    expect(lost).toBe(true);
    expect(await d.usable('worker-lost')).toEqual([issued.serial_number]);
    expect(await d.row('principals', 'worker-lost')).toMatchObject({ certificates_version: 1 });
  });

  it('leaves no row when the signer fails', async () => {
    await d.register('worker-unsigned', 'worker');
    const sign = async () => {
      throw new Error('no signature');
    };
    await expect(
      issueCertificate(
        { ...d.world, sign },
        { caller: admin, reach: 'any', principal_id: 'worker-unsigned', csr: newRequest() },
      ),
    ).rejects.toThrow('no signature');
    expect(await d.certificates('worker-unsigned')).toEqual([]);
    expect(await d.row('principals', 'worker-unsigned')).not.toHaveProperty('certificates_version');
  });

  it('lets a principal have five live certificates, also of twenty asked for at once', async () => {
    await d.register('worker-many', 'worker');
    const outcomes = await Promise.allSettled(Array.from({ length: 20 }, () => d.issueTo(admin, 'worker-many')));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(outcomes.length - refused.length).toBe(5);
    for (const reason of refused) expect(reason).toBeInstanceOf(Conflict);
    expect(await d.usable('worker-many')).toHaveLength(5);
    expect(await d.liveSerials('worker-many')).toHaveLength(5);
  });

  it('has room again when one of the five is revoked, expired or of an earlier generation', async () => {
    const caller = await d.enrol('admin-room', 'admin');
    await d.register('worker-room', 'worker');
    const serials: string[] = [];
    for (let n = 0; n < 5; n += 1) serials.push((await d.issueTo(caller, 'worker-room')).serial_number);
    await expect(d.issueTo(caller, 'worker-room')).rejects.toThrow(/five|5 live/);
    await d.edit('certificates', serials[0] ?? '', { revoked: true, revocation_reason: 'superseded' });
    await d.edit('certificates', serials[1] ?? '', { expires_at: 1 });
    await d.issueTo(caller, 'worker-room');
    await d.issueTo(caller, 'worker-room');
    await expect(d.issueTo(caller, 'worker-room')).rejects.toThrow(Conflict);
    expect(await d.liveSerials('worker-room')).not.toContain(serials[0]);
  });

  it('refuses by name who cannot have one', async () => {
    await d.register('worker-susp', 'worker');
    await d.edit('principals', 'worker-susp', { status: 'suspended', suspended_reason: 'x' });
    await d.put('principals', { principal_id: 'worker-odd', status: 'active', type: 'robot' });
    await expect(d.issueTo(admin, 'nobody')).rejects.toThrow(NotFound);
    await expect(d.issueTo(admin, 'worker-susp')).rejects.toThrow(/suspended/);
    await expect(d.issueTo(admin, 'worker-odd')).rejects.toThrow(Conflict);
    const operator = await d.enrol('operator-1', 'operator');
    await expect(
      issueCertificate(d.world, {
        caller: operator,
        reach: 'non-admin',
        principal_id: 'admin-bootstrap',
        csr: newRequest(),
      }),
    ).rejects.toThrow(NotAllowed);
    expect([...(await d.certificates('worker-susp')), ...(await d.certificates('worker-odd'))]).toEqual([]);
  });

  it('keeps a key with one principal, and never takes a compromised one', async () => {
    for (const id of ['key-a', 'key-b', 'key-c']) await d.register(id, 'worker');
    const csr = newRequest();
    const first = await d.issueTo(admin, 'key-a', csr);
    await d.issueTo(admin, 'key-a', csr);
    await expect(d.issueTo(admin, 'key-b', csr)).rejects.toThrow(/another principal/);
    // As the runbook's break-glass command revokes, with no word to the key's row.
    await d.edit('certificates', first.serial_number, {
      revoked: true,
      revoked_at: Date.now(),
      revocation_reason: 'key_compromise',
    });
    await expect(d.issueTo(admin, 'key-a', csr)).rejects.toThrow(InvalidInput);
    await expect(d.issueTo(admin, 'key-a', csr)).rejects.toThrow(/key_compromise/);
  });

  it('takes a lifetime', async () => {
    await d.register('worker-short', 'worker');
    const { expires_at } = await issueCertificate(d.world, {
      caller: admin,
      reach: 'any',
      principal_id: 'worker-short',
      csr: newRequest(),
      lifetime_days: 1,
    });
    expect(Math.abs(expires_at - Date.now() - day)).toBeLessThan(10_000);
  });
});

describeWithEmulator('bootstrap’s certificates for admins', (emulator) => {
  it('make the admin, activate it, and enter it into the list of admins', async () => {
    const d = await makeDeployment(emulator);
    const first = await issueAdminCertificate(d.world, testAuthor, {
      principal_id: 'admin-bootstrap',
      csr: newRequest(),
    });
    await issueAdminCertificate(d.world, testAuthor, { principal_id: 'admin-emergency', csr: newRequest() });
    expect(await d.present(first.pem)).toMatchObject({ outcome: 'allow', principal_type: 'admin' });
    expect(await d.row('controls', 'admins')).toMatchObject({
      principal_ids: new Set(['admin-bootstrap', 'admin-emergency']),
      row_version: 2,
    });
    await d.edit('principals', 'admin-bootstrap', { status: 'suspended', suspended_at: 1, suspended_reason: 'x' });
    const second = await issueAdminCertificate(d.world, testAuthor, {
      principal_id: 'admin-bootstrap',
      csr: newRequest(),
    });
    expect(await d.row('principals', 'admin-bootstrap')).not.toHaveProperty('suspended_reason');
    expect(await d.usable('admin-bootstrap')).toEqual([first.serial_number, second.serial_number].sort());
  });

  it.each([
    { principal_id: 'mallory', csr: 'x' },
    { principal_id: 'admin-bootstrap', csr: 'x', lifetime_days: 397 },
  ])('are for bootstrap’s own two alone, of the usual lifetime: not %o', (payload) => {
    expect(adminRequestSchema.safeParse(payload).success).toBe(false);
  });

  it('are refused to a principal that is none', async () => {
    const d = await makeDeployment(emulator);
    await d.register('worker-1', 'worker');
    await expect(
      issueAdminCertificate(d.world, testAuthor, { principal_id: 'worker-1', csr: newRequest() }),
    ).rejects.toThrow(Conflict);
    expect(await d.row('controls', 'admins')).toBeUndefined();
  });
});

describeWithEmulator('renewing the presented certificate', (emulator) => {
  let d: TestDeployment;
  let admin: Caller;
  beforeAll(async () => {
    d = await makeDeployment(emulator);
    admin = await d.enrol('admin-bootstrap', 'admin');
  });
  const later = (days: number) => ({ ...d.world, now: () => Date.now() + days * day });

  it('is for the last third of its lifetime, and keeps that lifetime', async () => {
    await d.register('worker-1', 'worker');
    const issued = await d.issueTo(admin, 'worker-1');
    const caller = await d.callerWith(issued.pem);
    await expect(renewCertificate(d.world, { caller, csr: newRequest(), force: false })).rejects.toThrow(
      /may be renewed from/,
    );
    await expect(renewCertificate(later(59.9), { caller, csr: newRequest(), force: false })).rejects.toThrow(Conflict);
    const authorityLater = await import('../authority/authority.ts').then(({ makeAuthority }) =>
      makeAuthority(d.world.deployment, { now: () => Date.now() + 61 * day }),
    );
    const renewed = await renewCertificate(
      { ...later(61), sign: authorityLater.sign },
      { caller, csr: newRequest(), force: false },
    );
    expect(Math.abs(renewed.expires_at - (Date.now() + 151 * day))).toBeLessThan(10_000);
    expect(await d.row('certificates', renewed.serial_number)).toMatchObject({ renewed_from: issued.serial_number });
  });

  it('may be forced by operators and admins only', async () => {
    await d.register('worker-2', 'worker');
    await d.register('operator-2', 'operator');
    const worker = await d.callerWith((await d.issueTo(admin, 'worker-2')).pem);
    const operator = await d.callerWith((await d.issueTo(admin, 'operator-2')).pem);
    await expect(renewCertificate(d.world, { caller: worker, csr: newRequest(), force: true })).rejects.toThrow(
      NotAllowed,
    );
    const renewed = await renewCertificate(d.world, { caller: operator, csr: newRequest(), force: true });
    expect(await d.present(renewed.pem)).toMatchObject({ outcome: 'allow', principal_id: 'operator-2' });
  });

  it('may keep the key', async () => {
    await d.register('operator-3', 'operator');
    const csr = newRequest();
    const caller = await d.callerWith((await d.issueTo(admin, 'operator-3', csr)).pem);
    await renewCertificate(d.world, { caller, csr, force: true });
    expect(await d.usable('operator-3')).toHaveLength(2);
  });
});
