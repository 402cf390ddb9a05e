/** Everything that the product writes, from the first deployment on: each write is the product's own to the audit. */
import { readdirSync, readFileSync } from 'node:fs';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DeleteCommand, ScanCommand } from '@aws-sdk/lib-dynamodb';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Caller } from '../../src/access/caller.ts';
import { toImage } from '../../src/audit/attribute.ts';
import { stampSchema, stampVerifies } from '../../src/audit/stamp.ts';
import { prepareAuthority } from '../../src/authority/prepare.ts';
import { renewServerCertificate } from '../../src/authority/renew-server-certificate.ts';
import { updateTruststore } from '../../src/authority/truststore.ts';
import type { IssuingWorld } from '../../src/certificate/issue.ts';
import { issueAdminCertificate } from '../../src/certificate/issue-admin-certificate.ts';
import { issueCertificate } from '../../src/certificate/issue-certificate.ts';
import { renewCertificate } from '../../src/certificate/renew-certificate.ts';
import { revokeCertificate } from '../../src/certificate/revoke-certificate.ts';
import { acquireLease, releaseLease, wantLease } from '../../src/lease.ts';
import { auditedTables, controlKeys, generationCopies, tableKeys, tableName } from '../../src/names.ts';
import { activatePrincipal } from '../../src/principal/activate-principal.ts';
import { createPrincipal } from '../../src/principal/create-principal.ts';
import { suspendPrincipal } from '../../src/principal/suspend-principal.ts';
import { makeAuthority } from '../authority/authority.ts';
import { makeRoot, makeTruststore, type TestTruststore } from '../authority/truststore-deployment.ts';
import { newRequest } from '../certificate/deployment.ts';
import { describeWithEmulator } from '../emulator.ts';
import { testAuthor, testStampKey } from '../stamps.ts';
import { type SeenWrite, watched } from './watched.ts';

const everyone = 'controls/admins';
const held = (thing: string) => `controls/${controlKeys.lease(thing)}`;

describeWithEmulator('what the product writes', (emulator) => {
  let there: TestTruststore;
  let watching: ReturnType<typeof watched<IssuingWorld>>;
  let world: IssuingWorld;
  let admin: Caller;
  let second: Caller;

  beforeAll(async () => {
    there = await makeTruststore(emulator);
    const { documents } = there.prepare;
    for (let copy = 0; copy < generationCopies; copy += 1)
      await documents.send(
        new DeleteCommand({
          TableName: tableName(there.deployment, 'controls'),
          Key: { control_id: controlKeys.generation(copy) },
        }),
      );
    const { sign } = await makeAuthority(there.deployment);
    const { deployment, now, randomBytes, stampKey } = there.prepare;
    watching = watched({ deployment, now, randomBytes, documents, stampKey, sign }, emulator.client(DynamoDBClient));
    ({ world } = watching);
  });

  /** What each write says it is, with what it is entered as, in any order. */
  const told = (writes: readonly SeenWrite[]) =>
    writes.map(({ subject, action, draft }) => [subject, action, draft?.action ?? 'silent'].join(' ')).sort();
  const during = async (work: () => Promise<unknown>) => told(await watching.during(work));
  const serialOf = async (work: Promise<{ serial_number: string }>) => (await work).serial_number;
  const callerOf = (principal_id: string, principal_type: Caller['principal_type'], serial_number: string): Caller => ({
    principal_id,
    principal_type,
    serial_number,
    generation: 0,
    request_id: `request-of-${principal_id}`,
  });

  test('when it is deployed', async () => {
    const copies = Array.from({ length: generationCopies }, (_, copy) => controlKeys.generation(copy));
    expect(await during(() => prepareAuthority({ ...there.prepare, ...world }, testAuthor))).toEqual(
      [
        ...copies.map(
          (key, copy) => `controls/${key} generation_prepared ${copy === 0 ? 'generation_prepared' : 'silent'}`,
        ),
        `${held('truststore')} lease_taken silent`,
        `${held('truststore')} lease_released silent`,
      ].sort(),
    );
  });

  test('when it is bootstrapped, twice, and after an admin was suspended', async () => {
    const bootstrap = (principal_id: 'admin-bootstrap' | 'admin-emergency') =>
      serialOf(issueAdminCertificate(world, testAuthor, { principal_id, csr: newRequest() }));
    let serial = '';
    const first = await watching.during(async () => {
      serial = await bootstrap('admin-bootstrap');
    });
    admin = callerOf('admin-bootstrap', 'admin', serial);
    const issued = [
      expect.stringMatching(/^certificates\/[0-9a-f]+ certificate_issued certificate_issued$/),
      `${everyone} certificate_issued silent`,
      expect.stringMatching(/^controls\/key#[0-9a-f]{64} public_key_claimed silent$/),
    ];
    expect(told(first)).toEqual([...issued, 'principals/admin-bootstrap principal_created principal_created']);
    for (const { draft } of first) if (draft !== null) expect(draft).toMatchObject(testAuthor);

    expect(await during(() => bootstrap('admin-bootstrap'))).toEqual([
      ...issued,
      'principals/admin-bootstrap certificate_issued silent',
    ]);
    second = callerOf('admin-emergency', 'admin', await bootstrap('admin-emergency'));
    const principal_id = 'admin-emergency';
    await suspendPrincipal(world, { caller: admin, reach: 'any', principal_id, reason: 'why', force: false });
    expect(await during(() => bootstrap('admin-emergency'))).toEqual([
      ...issued,
      'principals/admin-emergency principal_activated principal_activated',
    ]);
  });

  test('when principals are made, suspended and let in again', async () => {
    const create = (principal_id: string, type: Caller['principal_type']) =>
      createPrincipal(world, { caller: admin, reach: 'any', principal_id, type });
    const [made] = await watching.during(() => create('worker-1', 'worker'));
    expect(made).toMatchObject({
      action: 'principal_created',
      draft: { actor: 'admin-bootstrap', request_id: 'request-of-admin-bootstrap', subject: 'principals/worker-1' },
    });
    expect(await during(() => create('admin-3', 'admin'))).toEqual([
      `${everyone} principal_created silent`,
      'principals/admin-3 principal_created principal_created',
    ]);
    const suspend = (principal_id: string) =>
      suspendPrincipal(world, { caller: admin, reach: 'any', principal_id, reason: 'a reason', force: false });
    const activate = (principal_id: string) => activatePrincipal(world, { caller: admin, reach: 'any', principal_id });
    const suspended = 'principals/worker-1 principal_suspended principal_suspended';
    expect(await during(() => suspend('worker-1'))).toEqual([suspended]);
    expect(await during(() => suspend('worker-1'))).toEqual([suspended]);
    expect(await during(() => activate('worker-1'))).toEqual([
      'principals/worker-1 principal_activated principal_activated',
    ]);
    expect(await during(() => activate('worker-1'))).toEqual([]);
    expect(await during(() => suspend('admin-3'))).toEqual([
      `${everyone} principal_suspended silent`,
      'principals/admin-3 principal_suspended principal_suspended',
    ]);
  });

  test('when certificates are issued, renewed and revoked', async () => {
    const principal_id = 'operator-1';
    await createPrincipal(world, { caller: admin, reach: 'any', principal_id, type: 'operator' });
    const serials: string[] = [];
    const keep = async (work: Promise<{ serial_number: string }>) => serials.push((await work).serial_number);
    const csr = newRequest();
    const issue = () => keep(issueCertificate(world, { caller: admin, reach: 'any', principal_id, csr }));
    const renew = (serial = '', request = csr) =>
      keep(renewCertificate(world, { caller: callerOf(principal_id, 'operator', serial), csr: request, force: true }));
    const revoke = (serial = '', reason: 'superseded' | 'key_compromise', caller = admin) =>
      revokeCertificate(world, { caller, reach: 'any', serial_number: serial, reason, force: true });
    const claimed = expect.stringMatching(/^controls\/key#[0-9a-f]{64} public_key_claimed silent$/);

    expect(await during(issue)).toEqual([
      `certificates/${serials[0]} certificate_issued certificate_issued`,
      claimed,
      'principals/operator-1 certificate_issued silent',
    ]);
    // Its key is known to be the principal's: nothing is written of it again.
    expect(await during(() => renew(serials[0]))).toEqual([
      `certificates/${serials[1]} certificate_renewed certificate_renewed`,
      'principals/operator-1 certificate_renewed silent',
    ]);
    expect(await during(() => renew(serials[1], newRequest()))).toEqual([
      `certificates/${serials[2]} certificate_renewed certificate_renewed`,
      claimed,
      'principals/operator-1 certificate_renewed silent',
    ]);
    const [revoked, ...others] = await watching.during(() => revoke(serials[1], 'superseded'));
    expect(others).toEqual([]);
    expect(revoked).toMatchObject({
      subject: `certificates/${serials[1]}`,
      action: 'certificate_revoked',
      draft: { action: 'certificate_revoked', actor: 'admin-bootstrap', request_id: 'request-of-admin-bootstrap' },
    });
    expect(await during(() => revoke(serials[0], 'key_compromise'))).toEqual([
      ...[serials[0], serials[2]].map((serial) => `certificates/${serial} certificate_revoked certificate_revoked`),
      expect.stringMatching(/^controls\/key#[0-9a-f]{64} public_key_barred public_key_barred$/),
      expect.stringMatching(/^controls\/key#[0-9a-f]{64} public_key_barred public_key_barred$/),
      'principals/operator-1 certificate_revoked silent',
    ]);
    expect(await during(() => revoke(second.serial_number, 'superseded'))).toEqual([
      `certificates/${second.serial_number} certificate_revoked certificate_revoked`,
      `${everyone} certificate_revoked silent`,
    ]);
  });

  test('when leases are taken, wanted and given back, by hand or by what works under one', async () => {
    const thing = held('a-thing');
    const options = { holder: 'someone', ttl_ms: 60_000 };
    expect(
      await during(async () => {
        const lease = await acquireLease(world, testAuthor, 'a-thing', options);
        await wantLease(world, testAuthor, 'a-thing');
        await wantLease(world, testAuthor, 'a-thing');
        await releaseLease(world, testAuthor, lease);
        await releaseLease(world, testAuthor, lease);
        const emergency = await acquireLease(world, testAuthor, 'a-thing', { ...options, emergency: true });
        await releaseLease(world, testAuthor, emergency);
      }),
    ).toEqual([
      `${thing} lease_released silent`,
      `${thing} lease_released silent`,
      `${thing} lease_taken silent`,
      `${thing} lease_taken silent`,
      `${thing} lease_wanted silent`,
    ]);
    expect(await during(() => wantLease(world, testAuthor, 'another'))).toEqual([
      `${held('another')} lease_wanted silent`,
    ]);
    const { parameters } = there.update;
    const server = { ...world, parameters };
    expect(await during(() => renewServerCertificate(server, testAuthor, { domain: 'api.example.com' }))).toEqual([
      `${held('server-certificate')} lease_released silent`,
      `${held('server-certificate')} lease_taken silent`,
    ]);
    const add = [await (await makeRoot(there.deployment)).root()];
    expect(await during(() => updateTruststore({ ...there.update, ...world }, testAuthor, { add }))).toEqual([
      `${held('truststore')} lease_released silent`,
      `${held('truststore')} lease_taken silent`,
    ]);
  });

  test('leaves no row without a stamp that is its own', async () => {
    let rows = 0;
    for (const table of auditedTables) {
      const { Items = [] } = await world.documents.send(
        new ScanCommand({ TableName: tableName(there.deployment, table), ConsistentRead: true }),
      );
      for (const item of Items) {
        const { deployment } = there;
        const [key, version] = [String(item[tableKeys[table]]), Number(item.row_version)];
        const stamped = { deployment, table, key, version, image: toImage(item) };
        expect(stampVerifies(testStampKey, stamped, stampSchema.parse(item.stamp)), key).toBe(true);
        rows += 1;
      }
    }
    expect(rows).toBeGreaterThan(generationCopies + 15);
    const actions = watching.writes.map(({ draft }) => draft?.action);
    expect(actions).not.toContain('out_of_band');
    expect(actions).not.toContain('stamp_forged');
  });
});

describe('the code that writes', () => {
  const files = ['src', 'lambdas'].flatMap((folder) =>
    readdirSync(new URL(`../../${folder}/`, import.meta.url), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${folder}/${name}`),
  );
  const text = (file: string) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  const writing =
    /\b(?:Put|Update|Delete|TransactWrite|BatchWrite|ExecuteStatement|ExecuteTransaction)(?:Item|Items)?Command\b/;
  const aboutTables = /@aws-sdk\/(?:lib|client)-dynamodb/;

  test('is one file; what else writes to a table writes to the audit’s own', () => {
    const writers = files.filter((file) => aboutTables.test(text(file)) && writing.test(text(file)));
    expect(writers).toContain('src/aws/transact.ts');
    for (const file of writers.filter((one) => one !== 'src/aws/transact.ts')) {
      const tables = [...text(file).matchAll(/tableName\([^,]*, ([^)]*)\)/g)].map(([, table]) => table);
      expect(new Set(tables), file).toEqual(new Set(["'audit'"]));
    }
  });
});
