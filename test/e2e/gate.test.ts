/** The gate in front of the deployed stack: hostile certificates, hand-edited rows, bad requests. Always a clear refusal. */
import { generateKeyPairSync, randomBytes, webcrypto } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { adminPair, aws, breakGate, cloud, describeWithCloud, invoke } from './cloud.ts';
import { type Answer, call } from './terminal.ts';

interface Identity {
  readonly principal_id: string;
  readonly serial_number: string;
  readonly cert: string;
  readonly key: string;
}

let admin = { cert: '', key: '' };
const json = { 'content-type': 'application/json' };
const message = (answer: Answer): unknown => JSON.parse(answer.text).message;
const detail = (answer: Answer): string => JSON.parse(answer.text).detail;
const post = (path: string, body: unknown, as: { cert: string; key: string } = admin): Promise<Answer> =>
  call(cloud, as, path, { method: 'POST', body: JSON.stringify(body), headers: json });

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const makeKey = () => webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
const keyPem = async (keys: webcrypto.CryptoKeyPair): Promise<string> =>
  x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey), 'PRIVATE KEY');
const csrOf = async (keys: webcrypto.CryptoKeyPair): Promise<string> =>
  (await x509.Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm })).toString('pem');

let counter = 0;
const enlist = async (type = 'worker'): Promise<Identity> => {
  counter += 1;
  const principal_id = `gate-${type}-${counter}-${randomBytes(3).toString('hex')}`;
  expect((await post('/api/v1/principals', { principal_id, type })).status).toBe(201);
  const keys = await makeKey();
  const issued = await post('/api/v1/certificates', { principal_id, csr: await csrOf(keys) });
  expect(issued.status).toBe(201);
  const { pem, serial_number } = JSON.parse(issued.text);
  return { principal_id, serial_number, cert: pem, key: await keyPem(keys) };
};

const edit = (
  table: 'principals' | 'certificates',
  id: string,
  expression: string,
  values: object,
  names: object = {},
) =>
  aws(
    'dynamodb',
    'update-item',
    '--table-name',
    `${cloud.name}_${cloud.environment}_${table}`,
    '--key',
    JSON.stringify({ [table === 'principals' ? 'principal_id' : 'serial_number']: { S: id } }),
    '--update-expression',
    expression,
    ...(Object.keys(values).length > 0 ? ['--expression-attribute-values', JSON.stringify(values)] : []),
    ...(Object.keys(names).length > 0 ? ['--expression-attribute-names', JSON.stringify(names)] : []),
  );

describeWithCloud('the gate in front of the deployed stack', () => {
  let worker: Identity;
  beforeAll(async () => {
    admin = adminPair();
    worker = await enlist();
  });

  describe('whom the gate lets in', () => {
    test('whoami answers the caller as the gate saw it', async () => {
      const answer = await call(cloud, worker, '/whoami');
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text)).toMatchObject({
        principal_id: worker.principal_id,
        principal_type: 'worker',
        serial_number: worker.serial_number,
      });
    });

    test('a path that nobody serves is a 404 for those who are let in', async () => {
      for (const path of ['/', '/job.v1.JobService/ListJobs', '/api/v2/x']) {
        expect((await call(cloud, worker, path)).status, path).toBe(404);
      }
    });
  });

  describe('certificates that open no door', () => {
    test('none at all ends in the handshake', async () => {
      await expect(call(cloud, null, '/whoami')).rejects.toThrow();
    });

    const selfSigned = async (validity: { notBefore: Date; notAfter: Date }, name = 'CN=x') => {
      const keys = await makeKey();
      const certificate = await x509.X509CertificateGenerator.createSelfSigned({
        name,
        keys,
        signingAlgorithm: algorithm,
        ...validity,
        extensions: [new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth])],
      });
      return { cert: certificate.toString('pem'), key: await keyPem(keys) };
    };

    test('one that no trusted CA signed is 403, like one that has expired', async () => {
      const now = Date.now();
      for (const [from, to] of [
        [now - 1000, now + 3_600_000],
        [now - 7_200_000, now - 3_600_000],
      ] as const) {
        const foreign = await selfSigned({ notBefore: new Date(from), notAfter: new Date(to) });
        const answer = await call(cloud, foreign, '/whoami');
        expect(answer.status).toBe(403);
      }
    });

    test("the stack's own CA key over a live serial and name, with another key: unknown", async () => {
      const keys = await makeKey();
      const now = Date.now();
      const forged = await invoke('sign-certificate', {
        profile: 'client',
        csr: await csrOf(keys),
        serial_number: worker.serial_number,
        principal_id: worker.principal_id,
        principal_type: 'worker',
        not_before_ms: now - 60_000,
        not_after_ms: now + 86_400_000,
      });
      const answer = await call(cloud, { cert: String(forged.pem), key: await keyPem(keys) }, '/whoami');
      expect(answer.status).toBe(401);
      expect(message(answer)).toBe('certificate unknown');
      expect((await call(cloud, worker, '/whoami')).status).toBe(200);
    });

    test('a second CA in the truststore signs nobody in', async () => {
      const ca = await makeKey();
      const now = Date.now();
      const root = await x509.X509CertificateGenerator.createSelfSigned({
        name: 'CN=Second CA',
        keys: ca,
        signingAlgorithm: algorithm,
        notBefore: new Date(now - 60_000),
        notAfter: new Date(now + 86_400_000),
        extensions: [
          new x509.BasicConstraintsExtension(true, 0, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
          await x509.SubjectKeyIdentifierExtension.create(ca.publicKey),
        ],
      });
      await invoke('update-truststore', { add: [root.toString('pem')] });
      const keys = await makeKey();
      const forged = await x509.X509CertificateGenerator.create({
        subject: `CN=${worker.principal_id}`,
        issuer: root.subject,
        serialNumber: worker.serial_number,
        publicKey: keys.publicKey,
        signingKey: ca.privateKey,
        signingAlgorithm: algorithm,
        notBefore: new Date(now - 60_000),
        notAfter: new Date(now + 3_600_000),
        extensions: [
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.clientAuth]),
          new x509.SubjectAlternativeNameExtension([
            { type: 'url', value: `spiffe://${cloud.name}.${cloud.environment}/worker/${worker.principal_id}` },
          ]),
        ],
      });
      const identity = { cert: forged.toString('pem'), key: await keyPem(keys) };
      // Until the gateway has loaded the new truststore the same certificate is untrusted, which is 403.
      await expect.poll(async () => (await call(cloud, identity, '/whoami')).status, { timeout: 15_000 }).toBe(401);
      expect(message(await call(cloud, identity, '/whoami'))).toBe('certificate unknown');
      const fingerprint = Buffer.from(await root.getThumbprint('SHA-256')).toString('hex');
      await invoke('update-truststore', { remove: [fingerprint] });
      await expect.poll(async () => (await call(cloud, identity, '/whoami')).status, { timeout: 15_000 }).toBe(403);
      expect((await call(cloud, worker, '/whoami')).status).toBe(200);
    });
  });

  describe('rows edited by hand', () => {
    const attempts: [string, 'principals' | 'certificates', string, object, string][] = [
      [
        'a status of a wrong type',
        'principals',
        'SET #s = :v',
        { ':v': { N: '1' } },
        'principal suspended: record invalid',
      ],
      [
        'a misspelt status',
        'principals',
        'SET #s = :v',
        { ':v': { S: 'Active' } },
        'principal suspended: record invalid',
      ],
      ['an unknown type', 'principals', 'SET #t = :v', { ':v': { S: 'root' } }, 'principal suspended: record invalid'],
      [
        'revoked as a string',
        'certificates',
        'SET revoked = :v',
        { ':v': { S: 'false' } },
        'certificate revoked: record invalid',
      ],
      ['no fingerprint', 'certificates', 'REMOVE fingerprint', {}, 'certificate unknown'],
      [
        'an expiry that is text',
        'certificates',
        'SET expires_at = :v',
        { ':v': { S: 'never' } },
        'certificate unknown',
      ],
      [
        'another principal',
        'certificates',
        'SET principal_id = :v',
        { ':v': { S: 'admin-bootstrap' } },
        'certificate does not match principal',
      ],
      ['an expiry in the past', 'certificates', 'SET expires_at = :v', { ':v': { N: '1' } }, 'certificate expired'],
    ];
    test.each(attempts)('%s: refused', async (_name, table, expression, values, reason) => {
      const victim = await enlist();
      const id = table === 'principals' ? victim.principal_id : victim.serial_number;
      const names = Object.fromEntries(
        Object.entries({ '#s': 'status', '#t': 'type' }).filter(([name]) => expression.includes(name)),
      );
      // An index key of another type is refused by DynamoDB itself: then the row is as it was.
      const edited = await edit(table, id, expression, values, names);
      const answer = await call(cloud, victim, '/whoami');
      if (edited.code !== 0 && /index|key/i.test(edited.stderr)) {
        expect(answer.status).toBe(200);
        return;
      }
      expect(edited).toMatchObject({ code: 0 });
      expect(answer.status).toBe(401);
      expect(message(answer)).toBe(reason);
      const read = await call(cloud, admin, `/api/v1/${table}/${id}`);
      expect(read.status).toBe(200);
    });

    test('a row that a mistyped edit created lets nobody in, and reads as suspended', async () => {
      const id = `nobody-${randomBytes(3).toString('hex')}`;
      await edit('principals', id, 'SET #s = :v', { ':v': { S: 'active' } }, { '#s': 'status' });
      const read = await call(cloud, admin, `/api/v1/principals/${id}`);
      expect(read.status).toBe(200);
      expect(JSON.parse(read.text)).toMatchObject({ status: 'suspended', suspended_reason: 'record invalid' });
      const keys = await makeKey();
      const issue = await post('/api/v1/certificates', { principal_id: id, csr: await csrOf(keys) });
      expect(issue.status).toBeGreaterThanOrEqual(400);
      expect(issue.status).toBeLessThan(500);
    });

    test('a reason of any shape is cut, cleaned and valid JSON', async () => {
      const victim = await enlist();
      const nasty = `quote " backslash \\ newline \n bell \u0007 ${'x'.repeat(10_000)}`;
      await edit(
        'principals',
        victim.principal_id,
        'SET #s = :s, suspended_reason = :r',
        { ':s': { S: 'suspended' }, ':r': { S: nasty } },
        { '#s': 'status' },
      );
      const answer = await call(cloud, victim, '/whoami');
      expect(answer.status).toBe(401);
      const said = String(message(answer));
      expect(said).toContain('quote " backslash \\ newline');
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that none is left is what is asserted
      expect(said).not.toMatch(/[\u0000-\u001f\u007f]/);
      expect(said.length).toBeLessThanOrEqual('principal suspended: '.length + 256);
    });
  });

  describe('requests that are wrong', () => {
    test('a reason with quotes and backslashes is fine and comes back as it was', async () => {
      const victim = await enlist();
      const reason = 'he said "it\'s C:\\temp\\" — ok';
      expect((await post(`/api/v1/principals/${victim.principal_id}/suspend`, { reason })).status).toBe(200);
      expect(message(await call(cloud, victim, '/whoami'))).toBe(`principal suspended: ${reason}`);
    });

    test.each([
      ['a reason of 10,000 characters', { reason: 'x'.repeat(10_000) }, 'reason'],
      ['a reason with control characters', { reason: 'a\u0000b' }, 'reason'],
      ['an empty reason', { reason: ' ' }, 'reason'],
      ['no reason', {}, 'reason'],
      ['an unknown field', { reason: 'ok', resaon: 'x' }, 'resaon'],
      ['a reason that is no text', { reason: 1 }, 'reason'],
    ])('%s: 400 that names the field, and nothing changes', async (_name, body, field) => {
      const answer = await post(`/api/v1/principals/${worker.principal_id}/suspend`, body);
      expect(answer.status).toBe(400);
      expect(answer.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(JSON.parse(answer.text).field).toBe(field);
      expect((await call(cloud, worker, '/whoami')).status).toBe(200);
    });

    test('invalid JSON, another content type, a body of 10 MB', async () => {
      const path = `/api/v1/principals/${worker.principal_id}/suspend`;
      const broken = await call(cloud, admin, path, { method: 'POST', body: '{"reason":', headers: json });
      expect(broken.status).toBe(400);
      const form = await call(cloud, admin, path, {
        method: 'POST',
        body: 'reason=x',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
      });
      expect(form.status).toBe(415);
      const huge = await call(cloud, admin, path, {
        method: 'POST',
        body: Buffer.alloc(10 * 1024 * 1024 + 1, 0x20),
        headers: json,
      });
      expect(huge.status).toBe(413);
      expect((await call(cloud, worker, '/whoami')).status).toBe(200);
    });

    test.each(['..%2f..%2fwhoami', '%00', 'Ünïcode', 'a%2fb', '-x', 'A', 'x'.repeat(64), '%'])(
      'a path id of %s is refused',
      async (id) => {
        const answer = await call(
          cloud,
          admin,
          `/api/v1/principals/${encodeURI(decodeURI(id.replace(/%(?![0-9a-f]{2})/g, '%25')))}`,
        );
        expect(answer.status).toBeGreaterThanOrEqual(400);
        expect(answer.status).toBeLessThan(500);
      },
    );

    test('a change that a browser sends from another site is refused', async () => {
      const answer = await call(cloud, admin, `/api/v1/principals/${worker.principal_id}/suspend`, {
        method: 'POST',
        body: JSON.stringify({ reason: 'csrf' }),
        headers: { ...json, origin: 'https://evil.example' },
      });
      expect(answer.status).toBe(403);
      expect((await call(cloud, worker, '/whoami')).status).toBe(200);
    });

    test.each([
      ['garbage', () => 'garbage'],
      ['a certificate', () => admin.cert],
    ])('a CSR that is %s: 400', async (_name, csr) => {
      const answer = await post('/api/v1/certificates', { principal_id: worker.principal_id, csr: csr() });
      expect(answer.status).toBe(400);
      expect(JSON.parse(answer.text).field).toBe('csr');
    });

    test('a weak key, an unknown principal, a lifetime too long', async () => {
      const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
      const keys = {
        privateKey: await webcrypto.subtle.importKey(
          'pkcs8',
          weak.privateKey.export({ type: 'pkcs8', format: 'der' }),
          { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
          true,
          ['sign'],
        ),
        publicKey: await webcrypto.subtle.importKey(
          'spki',
          weak.publicKey.export({ type: 'spki', format: 'der' }),
          { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
          true,
          ['verify'],
        ),
      };
      const csr = (
        await x509.Pkcs10CertificateRequestGenerator.create({
          keys,
          signingAlgorithm: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
        })
      ).toString('pem');
      const refused = await post('/api/v1/certificates', { principal_id: worker.principal_id, csr });
      expect(refused.status).toBe(400);
      expect(detail(refused)).toMatch(/RSA|2048/);
      const good = await csrOf(await makeKey());
      expect((await post('/api/v1/certificates', { principal_id: 'no-such-one', csr: good })).status).toBe(404);
      const long = await post('/api/v1/certificates', {
        principal_id: worker.principal_id,
        csr: good,
        lifetime_days: 3650,
      });
      expect(long.status).toBe(400);
      expect(JSON.parse(long.text).field).toBe('lifetime_days');
    });
  });

  describe('roles', () => {
    test('a worker reads itself and nobody else, and changes nothing', async () => {
      const other = await enlist();
      expect((await call(cloud, worker, `/api/v1/principals/${worker.principal_id}`)).status).toBe(200);
      expect((await call(cloud, worker, `/api/v1/principals/${other.principal_id}`)).status).toBe(403);
      expect((await call(cloud, worker, '/api/v1/principals/no-such-one')).status).toBe(403);
      expect((await post(`/api/v1/principals/${other.principal_id}/suspend`, { reason: 'x' }, worker)).status).toBe(
        403,
      );
      expect((await call(cloud, other, '/whoami')).status).toBe(200);
    });

    test('a misspelt principal is told from one without certificates', async () => {
      const answer = await call(cloud, admin, '/api/v1/certificates?principal_id=no-such-one');
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.text)).toMatchObject({
        field: 'principal_id',
        detail: 'there is no principal no-such-one',
      });
      expect((await call(cloud, worker, '/api/v1/certificates?principal_id=no-such-one')).status).toBe(403);
    });

    test('an operator touches no admin', async () => {
      const operator = await enlist('operator');
      const refused = await post('/api/v1/principals/admin-bootstrap/suspend', { reason: 'x' }, operator);
      expect(refused.status).toBe(403);
      expect((await call(cloud, admin, '/whoami')).status).toBe(200);
      expect((await post('/api/v1/principals', { principal_id: 'sneaky', type: 'admin' }, operator)).status).toBe(403);
    });
  });

  describe('when DynamoDB cannot be read', () => {
    let restore: () => Promise<void> = async () => {};
    afterAll(() => restore());

    test('the answer is 503 and not an allow', async () => {
      restore = await breakGate();
      const answer = await call(cloud, worker, '/whoami');
      expect(answer.status).toBe(503);
      expect(JSON.parse(answer.text)).toEqual({ message: 'authentication unavailable' });
      await restore();
      await expect.poll(async () => (await call(cloud, worker, '/whoami')).status, { timeout: 15_000 }).toBe(200);
    });
  });

  test('the certificate that the gateway serves comes from another CA than the clients use', async () => {
    const url = new URL(cloud.server);
    const issuer = await new Promise<string>((resolve, reject) => {
      const socket = connect(
        { host: url.hostname, port: Number(url.port), ca: readFileSync(cloud.cacert), ...admin },
        () => {
          resolve(String(socket.getPeerX509Certificate()?.issuer));
          socket.destroy();
        },
      );
      socket.on('error', reject);
    });
    expect(issuer).not.toContain(`${cloud.name} ${cloud.environment} CA`);
  });
});
