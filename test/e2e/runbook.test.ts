/** The mTLS runbook's own commands, as printed there, each followed by a real TLS client's very next call. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { cloud, describeWithCloud } from './cloud.ts';
import { call, openTerminal, type Run, type Terminal } from './terminal.ts';

// The issued serial stands where the runbook prints its own; the local server's address where it prints the domain's.
let serial = '';
let terminal: Terminal;
const run = (printed: string): Promise<Run> =>
  terminal.run(
    printed.replaceAll('https://airunner.example.com', cloud.server).replaceAll('01936d3fa2b17c4e8f5d', serial),
  );
const done = async (printed: string): Promise<string> => {
  const result = await run(printed);
  expect(result, printed).toMatchObject({ code: 0 });
  return result.stdout;
};
const connection = `  --server=https://airunner.example.com \\
  --cacert=~/.airunner/ca-cert.pem \\
  --client-cert=~/.airunner/admin-cert.pem \\
  --client-key=~/.airunner/admin-key.pem`;

const identity = () => ({
  cert: readFileSync(join(terminal.home, 'worker-prod-01-cert.pem'), 'utf8'),
  key: readFileSync(join(terminal.home, 'worker-prod-01-key.pem'), 'utf8'),
});
const nextCall = () => call(cloud, identity(), '/whoami');

describeWithCloud('the mTLS operations runbook', () => {
  beforeAll(async () => {
    terminal = openTerminal(cloud);
    const existing = await run(`airunner-cli principal get worker-prod-01 \\\n${connection}`);
    if (existing.code !== 0) await done(`airunner-cli principal create worker-prod-01 --type=worker \\\n${connection}`);
    const issued = await done(
      `airunner-cli certificate issue worker-prod-01 --key-out=worker-prod-01-key.pem --cert-out=worker-prod-01-cert.pem --output=json \\\n${connection}`,
    );
    serial = JSON.parse(issued).serial_number;
    await done(`cp ~/.airunner/ca-cert.pem ca-cert.pem`);
  });

  describe('Suspend a Principal', () => {
    test('the example suspends, and the worker is out on its next call', async () => {
      await done(`airunner-cli principal suspend worker-prod-01 \\
  --reason="Compromised credentials detected" \\
${connection}`);
      const answer = await nextCall();
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.text)).toEqual({ message: 'principal suspended: Compromised credentials detected' });
    });

    test('the verification prints the expected lines', async () => {
      const printed = await done(`airunner-cli principal get worker-prod-01 \\\n${connection}`);
      expect(printed).toMatch(/^Principal: worker-prod-01$/m);
      expect(printed).toMatch(/^Status: suspended$/m);
      expect(printed).toMatch(/^Suspended At: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/m);
      expect(printed).toMatch(/^Suspended Reason: Compromised credentials detected$/m);
    });

    test("the runbook's curl is answered 401 with the reason", async () => {
      const result = await run(`curl --cacert ca-cert.pem \\
     --cert worker-prod-01-cert.pem \\
     --key worker-prod-01-key.pem \\
     -s -w '\\n%{http_code}' \\
     https://airunner.example.com/job.v1.JobService/ListJobs`);
      expect(result.stdout).toBe('{"message": "principal suspended: Compromised credentials detected"}\n401');
    });

    test('activating lets it in again', async () => {
      await done(`airunner-cli principal activate worker-prod-01 \\\n${connection}`);
      expect((await nextCall()).status).toBe(200);
    });
  });

  describe('by the AWS command line alone', () => {
    test('update-item suspends', async () => {
      await done(`aws dynamodb update-item \\
  --table-name airunner_prod_principals \\
  --key '{"principal_id": {"S": "worker-prod-01"}}' \\
  --update-expression "SET #status = :suspended, suspended_at = :now, suspended_reason = :reason" \\
  --expression-attribute-names '{"#status": "status"}' \\
  --expression-attribute-values '{
    ":suspended": {"S": "suspended"},
    ":now": {"N": "'"$(date +%s000)"'"},
    ":reason": {"S": "Compromised credentials detected"}
  }'`);
      const answer = await nextCall();
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.text)).toEqual({ message: 'principal suspended: Compromised credentials detected' });
      expect(await done(`airunner-cli principal get worker-prod-01 \\\n${connection}`)).toMatch(/^Status: suspended$/m);
    });

    test('update-item activates', async () => {
      await done(`aws dynamodb update-item \\
  --table-name airunner_prod_principals \\
  --key '{"principal_id": {"S": "worker-prod-01"}}' \\
  --update-expression "SET #status = :active REMOVE suspended_at, suspended_reason" \\
  --expression-attribute-names '{"#status": "status"}' \\
  --expression-attribute-values '{":active": {"S": "active"}}'`);
      expect((await nextCall()).status).toBe(200);
    });
  });

  describe('Revoke a Specific Certificate', () => {
    test('the list prints a block for each certificate', async () => {
      const printed = await done(`airunner-cli certificate list worker-prod-01 \\\n${connection}`);
      const day = '\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ';
      expect(printed).toMatch(new RegExp(`Serial: ${serial}\nIssued: ${day}\nExpires: ${day}\nStatus: active`));
    });

    test('the example revokes it, and it alone', async () => {
      await done(
        `airunner-cli certificate issue worker-prod-01 --key-out=second-key.pem --cert-out=second-cert.pem \\\n${connection}`,
      );
      await done(`airunner-cli certificate revoke 01936d3fa2b17c4e8f5d \\
  --reason="key_compromise" \\
${connection}`);
      const answer = await nextCall();
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.text)).toEqual({ message: 'certificate revoked: key_compromise' });
      const second = {
        cert: readFileSync(join(terminal.home, 'second-cert.pem'), 'utf8'),
        key: readFileSync(join(terminal.home, 'second-key.pem'), 'utf8'),
      };
      expect((await call(cloud, second, '/whoami')).status).toBe(200);
    });

    test('update-item revokes', async () => {
      await done('rm worker-prod-01-*.pem');
      const issued = await done(
        `airunner-cli certificate issue worker-prod-01 --key-out=worker-prod-01-key.pem --cert-out=worker-prod-01-cert.pem --output=json \\\n${connection}`,
      );
      serial = JSON.parse(issued).serial_number;
      expect((await nextCall()).status).toBe(200);
      await done(`aws dynamodb update-item \\
  --table-name airunner_prod_certificates \\
  --key '{"serial_number": {"S": "01936d3fa2b17c4e8f5d"}}' \\
  --update-expression "SET revoked = :true, revoked_at = :now, revocation_reason = :reason" \\
  --expression-attribute-values '{
    ":true": {"BOOL": true},
    ":now": {"N": "'"$(date +%s000)"'"},
    ":reason": {"S": "key_compromise"}
  }'`);
      const answer = await nextCall();
      expect(answer.status).toBe(401);
      expect(JSON.parse(answer.text)).toEqual({ message: 'certificate revoked: key_compromise' });
    });
  });

  describe('Rotate Server Certificate', () => {
    test('bootstrap leaves the CA and renews only the server certificate', async () => {
      const before = await done(
        `aws ssm get-parameter --name /airunner/prod/server-cert --query 'Parameter.Value' --output text`,
      );
      const authority = await done(
        `aws ssm get-parameter --name /airunner/prod/ca-cert --query 'Parameter.Value' --output text`,
      );
      await done(`airunner-cli bootstrap \\
  --environment=prod \\
  --domain=airunner.example.com \\
  --aws-region=ap-southeast-2 \\
  --output-dir=./new-server-certs`);
      const folder = join(terminal.home, 'new-server-certs');
      expect(statSync(join(folder, 'server-key.pem')).mode & 0o777).toBe(0o600);
      const chain = readFileSync(join(folder, 'server-cert.pem'), 'utf8');
      expect(chain.trim()).not.toBe(before.trim());
      const after = await done(
        `aws ssm get-parameter --name /airunner/prod/server-cert --query 'Parameter.Value' --output text`,
      );
      expect(after.trim()).toBe(chain.trim());
      expect(
        await done(`aws ssm get-parameter --name /airunner/prod/ca-cert --query 'Parameter.Value' --output text`),
      ).toBe(authority);
      const history = await done(
        `aws ssm get-parameter-history --name /airunner/prod/server-cert --query 'Parameters[].Value' --output json`,
      );
      expect(JSON.parse(history).map((value: string) => value.trim())).toContain(before.trim());
    });

    test('the parameter shows a recent timestamp', async () => {
      const printed = await done(`aws ssm get-parameter \\
  --name /airunner/prod/server-cert \\
  --query 'Parameter.LastModifiedDate'`);
      const text = JSON.parse(printed);
      const at = typeof text === 'number' ? text * 1000 : Date.parse(text);
      expect(Math.abs(Date.now() - at)).toBeLessThan(120_000);
    });

    test('the new certificate is 90 days, for the domain, from our CA, and its key is a pair with it', async () => {
      const printed = await done(
        `openssl x509 -in new-server-certs/server-cert.pem -noout -checkend $((89*24*60*60)) && ! openssl x509 -in new-server-certs/server-cert.pem -noout -checkend $((91*24*60*60)) >/dev/null && openssl x509 -in new-server-certs/server-cert.pem -noout -checkhost airunner.example.com`,
      );
      expect(printed).toMatch(/does match certificate/);
      await done(
        `aws ssm get-parameter --name /airunner/prod/ca-cert --query Parameter.Value --output text > root.pem && openssl verify -CAfile root.pem new-server-certs/server-cert.pem`,
      );
      await done(
        `test "$(openssl x509 -in new-server-certs/server-cert.pem -noout -pubkey)" = "$(openssl pkey -in new-server-certs/server-key.pem -pubout)"`,
      );
    });
  });

  describe('Monitor Certificate Expiry', () => {
    test('lists what expires within a number of days', async () => {
      await done(
        `airunner-cli certificate issue worker-prod-01 --lifetime-days=20 --key-out=short-key.pem --cert-out=short-cert.pem --output=json \\\n${connection} > short.json`,
      );
      const short = JSON.parse(readFileSync(join(terminal.home, 'short.json'), 'utf8')).serial_number;
      const printed = await done(`airunner-cli certificate list \\
  --expiring-within=30d \\
${connection}`);
      expect(printed).toContain(`Serial: ${short}`);
      expect(await done(`airunner-cli certificate list --expiring-within=7d \\\n${connection}`)).not.toContain(short);
    });

    const cron = `CERT_FILE=~/.airunner/worker-cert.pem
airunner-cli certificate renew \\
    --server=https://airunner.example.com \\
    --cacert=~/.airunner/ca-cert.pem \\
    --client-cert=$CERT_FILE \\
    --client-key=~/.airunner/worker-key.pem`;

    test("the daily cron's renewal is refused before its window, which the answer names", async () => {
      await done(`cp short-cert.pem ~/.airunner/worker-cert.pem; cp short-key.pem ~/.airunner/worker-key.pem`);
      const refused = await run(cron);
      expect(refused.code).toBe(1);
      expect(refused.stderr).toMatch(/may be renewed from \d{4}-/);
      expect(await done('cmp short-cert.pem ~/.airunner/worker-cert.pem && echo same')).toBe('same\n');
    });

    test("the daily cron's renewal writes the new certificate over the old one, which stays as .prev", async () => {
      const short = JSON.parse(readFileSync(join(terminal.home, 'short.json'), 'utf8')).serial_number;
      // Moves the record into its last third: as if two weeks had passed.
      await done(`aws dynamodb update-item --table-name airunner_prod_certificates \\
  --key '{"serial_number": {"S": "${short}"}}' --update-expression "SET issued_at = :then" \\
  --expression-attribute-values '{":then": {"N": "'"$(($(date +%s) - 60*24*60*60))000"'"}}'`);
      await done(cron);
      const pair = (file: string) => ({
        cert: readFileSync(join(terminal.home, `.airunner/${file}`), 'utf8'),
        key: readFileSync(join(terminal.home, '.airunner/worker-key.pem'), 'utf8'),
      });
      expect(pair('worker-cert.pem.prev').cert).toBe(readFileSync(join(terminal.home, 'short-cert.pem'), 'utf8'));
      const answer = await call(cloud, pair('worker-cert.pem'), '/whoami');
      expect(answer.status).toBe(200);
      expect(JSON.parse(answer.text).serial_number).not.toBe(short);
    });

    test('an operator may renew early, with a new key', async () => {
      await done(`airunner-cli principal create operator-01 --type=operator \\\n${connection}`);
      await done(
        `airunner-cli certificate issue operator-01 --key-out=op-key.pem --cert-out=op-cert.pem \\\n${connection}`,
      );
      await done('cp op-key.pem op-key.old');
      await done(`airunner-cli certificate renew --force --new-key --server=https://airunner.example.com \\
  --cacert=~/.airunner/ca-cert.pem --client-cert=op-cert.pem --client-key=op-key.pem`);
      expect((await run('cmp -s op-key.pem op-key.old')).code).toBe(1);
      await done(`airunner-cli principal list --server=https://airunner.example.com \\
  --cacert=~/.airunner/ca-cert.pem --client-cert=op-cert.pem --client-key=op-key.pem`);
    });
  });
});
