/** Whom the domain trusts changes as a whole: object, domain and `ca-cert` agree in the end, whatever happened on the way. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { prepareAuthority } from '../../src/authority/prepare.ts';
import { updateTruststore } from '../../src/authority/truststore.ts';
import { Conflict, InvalidInput, LeaseHeld, Unavailable } from '../../src/errors.ts';
import { acquireLease, wantLease } from '../../src/lease.ts';
import { leasedThings } from '../../src/names.ts';
import { describeWithEmulator } from '../emulator.ts';
import { testAuthor } from '../stamps.ts';
import { makeRoot, makeTruststore, sha256Of, type TestTruststore } from './truststore-deployment.ts';

const year_ms = 365 * 86_400_000;

/** A self-signed certificate that is no authority. */
const leaf = (): string => {
  const folder = mkdtempSync(join(tmpdir(), 'everleaf-test-'));
  try {
    const words =
      'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=leaf -addext basicConstraints=critical,CA:false';
    execFileSync('openssl', [...words.split(' '), '-keyout', join(folder, 'key'), '-out', join(folder, 'pem')], {
      stdio: 'ignore',
    });
    return readFileSync(join(folder, 'pem'), 'utf8');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

describeWithEmulator('the truststore', (emulator) => {
  let there: TestTruststore;
  let ownRoot: string;
  let another: string;

  beforeEach(async () => {
    there = await makeTruststore(emulator);
    await prepareAuthority(there.prepare, testAuthor);
    ownRoot = (await there.update.truststore.read())?.pem ?? '';
    another = await (await makeRoot(there.deployment)).root();
  });

  /** What the truststore and its domain say; fails when they differ, or when `ca-cert` says more than the own roots. */
  const agreed = async (roots = ownRoot): Promise<string> => {
    const object = await there.update.truststore.read();
    expect(await there.update.parameters.read('ca-cert')).toBe(roots);
    expect(there.domain.state.version).toBe(object?.version);
    return object?.pem ?? '';
  };

  test('takes another authority in, keeps its own, and tells who is in it', async () => {
    const { certificates, changed } = await updateTruststore(there.update, testAuthor, { add: [another] });
    expect(changed).toBe(true);
    expect(certificates.map(({ sha256 }) => sha256)).toEqual([sha256Of(ownRoot), sha256Of(another)]);
    expect(await agreed()).toBe(ownRoot + another);
  });

  test('does nothing the second time', async () => {
    const first = await updateTruststore(there.update, testAuthor, { add: [another] });
    const second = await updateTruststore(there.update, testAuthor, { add: [another], remove: ['00'.repeat(32)] });
    expect(second).toEqual({ ...first, changed: false });
    expect(there.domain.updates).toBe(1);
  });

  test('lets an authority go by its fingerprint as openssl prints it', async () => {
    await updateTruststore(there.update, testAuthor, { add: [another] });
    const printed = (sha256Of(another).toUpperCase().match(/../g) ?? []).join(':');
    await updateTruststore(there.update, testAuthor, { remove: [printed] });
    expect(await agreed()).toBe(ownRoot);
  });

  test('keeps the root of the deployment’s own key, unless that key is out of service', async () => {
    await updateTruststore(there.update, testAuthor, { add: [another] });
    const remove = [sha256Of(ownRoot)];
    await expect(updateTruststore(there.update, testAuthor, { remove })).rejects.toThrow(/must stay/);
    const disabled = { ...there.update, ownKey: async () => null };
    await updateTruststore(disabled, testAuthor, { add: [await there.own.root()] });
    await agreed();
    await updateTruststore(disabled, testAuthor, { remove });
    expect(await agreed('no root is trusted\n')).toContain(another);
  });

  test('is never left empty', async () => {
    const disabled = { ...there.update, ownKey: async () => null };
    await expect(updateTruststore(disabled, testAuthor, { remove: [sha256Of(ownRoot)] })).rejects.toThrow(Conflict);
  });

  test.each([
    ['garbage', async () => 'garbage', /in PEM/],
    ['what only looks like PEM', async () => another.replace(/\nM/, '\nX'), /cannot be read/],
    ['what is no authority', async () => leaf(), /not a certificate authority/],
    ['what has expired', async () => (await makeRoot(there.deployment, Date.now() - 11 * year_ms)).root(), /expired/],
  ])('refuses %s and changes nothing', async (_, bad, why) => {
    const change = { add: [another, await bad()] };
    await expect(updateTruststore(there.update, testAuthor, change)).rejects.toThrow(why);
    await expect(updateTruststore(there.update, testAuthor, change)).rejects.toThrow(InvalidInput);
    expect((await there.update.truststore.read())?.pem).toBe(ownRoot);
    expect(there.domain.updates).toBe(0);
  });

  test('holds many more authorities for clients than ca-cert could, which verifies no server by them', async () => {
    const others = await Promise.all(Array.from({ length: 8 }, async () => (await makeRoot(there.deployment)).root()));
    await updateTruststore(there.update, testAuthor, { add: others });
    expect(await agreed(ownRoot)).toBe(ownRoot + others.join(''));
  });

  test('refuses more own roots than ca-cert holds, changes nothing, and takes one in when there is room', async () => {
    const add = await Promise.all(Array.from({ length: 8 }, () => there.own.root()));
    const tooMany = updateTruststore(there.update, testAuthor, { add });
    await expect(tooMany).rejects.toMatchObject({ name: 'InvalidInput', field: 'add' });
    expect(await there.update.truststore.read()).toMatchObject({ pem: ownRoot });
    await updateTruststore(there.update, testAuthor, { add: add.slice(0, 1) });
    expect(await agreed(ownRoot + add[0])).toBe(ownRoot + add[0]);
  });

  test('finishes what a run began that died between the object and the domain', async () => {
    const useVersion = async () => {
      throw new Error('the process died');
    };
    const dying = { ...there.update, domain: { ...there.update.domain, useVersion } };
    await expect(updateTruststore(dying, testAuthor, { add: [another] })).rejects.toThrow('died');
    expect(await there.update.parameters.read('ca-cert')).toBe(ownRoot);
    expect((await updateTruststore(there.update, testAuthor, {})).changed).toBe(false);
    expect(await agreed()).toBe(ownRoot + another);
  });

  test('finishes what a run began that died between the domain and ca-cert', async () => {
    const write = async () => {
      throw new Error('the process died');
    };
    const dying = { ...there.update, parameters: { ...there.update.parameters, write } };
    const next = await there.own.root();
    await expect(updateTruststore(dying, testAuthor, { add: [next] })).rejects.toThrow('died');
    await updateTruststore(there.update, testAuthor, { add: [next] });
    expect(await agreed(ownRoot + next)).toBe(ownRoot + next);
    expect(there.domain.updates).toBe(1);
  });

  test('changed by two at once ends as one of them, or both', async () => {
    const third = await (await makeRoot(there.deployment)).root();
    const outcomes = await Promise.allSettled([
      updateTruststore(there.update, testAuthor, { add: [another] }),
      updateTruststore(there.update, testAuthor, { add: [third] }),
    ]);
    const done = outcomes.map(({ status }) => status === 'fulfilled');
    expect(done).toContain(true);
    for (const outcome of outcomes) if (outcome.status === 'rejected') expect(outcome.reason).toBeInstanceOf(LeaseHeld);
    const pem = await agreed();
    expect([pem.includes(another), pem.includes(third)]).toEqual(done);
  });

  test('is left alone when somebody wrote it meanwhile without the lease', async () => {
    const read = async () => {
      const found = await there.update.truststore.read();
      await there.overwrite(another);
      return found;
    };
    const raced = { ...there.update, truststore: { ...there.update.truststore, read } };
    await expect(updateTruststore(raced, testAuthor, { add: [another] })).rejects.toThrow(/changed meanwhile/);
    expect(there.domain.updates).toBe(0);
  });

  test('is not changed on without the lease: not by another, not once an emergency wants it', async () => {
    const wanted = {
      ...there.update,
      ownKey: async () => {
        await wantLease(there.update, testAuthor, leasedThings.truststore);
        return there.own.spki;
      },
    };
    await expect(updateTruststore(wanted, testAuthor, { add: [another] })).rejects.toThrow(LeaseHeld);
    expect((await there.update.truststore.read())?.pem).toBe(ownRoot);
    await acquireLease(there.update, testAuthor, leasedThings.truststore, {
      holder: 'emergency',
      ttl_ms: 60_000,
      emergency: true,
    });
    await expect(updateTruststore(there.update, testAuthor, { add: [another] })).rejects.toThrow(LeaseHeld);
  });

  test('waits until API Gateway took it over and passes its warnings on', async () => {
    const warnings = ['Certificate has a weak signature'];
    let polls = 0;
    const domain = {
      ...there.update.domain,
      read: async () => {
        polls += 1;
        return { ...there.domain.state, warnings, settled: polls > 3 };
      },
    };
    expect((await updateTruststore({ ...there.update, domain }, testAuthor, { add: [another] })).warnings).toEqual(
      warnings,
    );
    expect(polls).toBe(4);
  });

  test('gives up in words when API Gateway takes too long, before anything is issued from it', async () => {
    const domain = { ...there.update.domain, read: async () => ({ ...there.domain.state, settled: false }) };
    const slow = { ...there.update, domain, remaining_ms: () => 1_000 };
    await expect(updateTruststore(slow, testAuthor, { add: [another] })).rejects.toThrow(Unavailable);
    expect(await there.update.parameters.read('ca-cert')).toBe(ownRoot);
  });
});
