/** The audit of the deployed stack: who did what, what was done behind the product's back, and proof that nothing was altered. */
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { beforeAll, expect, test } from 'vitest';
import { openStampKey } from '../../src/aws/stamp-key.ts';
import { removeRow, writeRow } from '../../src/aws/transact.ts';
import { documentClient } from '../../src/aws/world.ts';
import type { World } from '../../src/world.ts';
import { adminPair, aws, cloud, describeWithCloud } from './cloud.ts';
import { call, openTerminal, type Terminal } from './terminal.ts';

interface Entry {
  readonly sequence: number;
  readonly action: string;
  readonly actor: string;
  readonly subject: string;
  readonly request_id: string | null;
  readonly details: { readonly changes?: readonly { readonly set: Readonly<Record<string, unknown>> }[] };
}

const id = `audited-${randomBytes(3).toString('hex')}`;
let terminal: Terminal;

const done = async (command: string): Promise<string> => {
  const result = await terminal.run(command);
  expect(result, command).toMatchObject({ code: 0 });
  return result.stdout;
};
const awsDone = async (...words: string[]): Promise<string> => {
  const result = await aws(...words);
  expect(result, words.join(' ')).toMatchObject({ code: 0 });
  return result.stdout;
};
const entriesOf = async (subject: string): Promise<Entry[]> =>
  JSON.parse(await done(`everleaf audit list --since 1h --subject ${subject} --output json`)).entries;

/** What the chain says of a subject, once it says that `action` was done. */
const eventually = async (subject: string, action: string): Promise<Entry[]> => {
  for (const until = Date.now() + 30_000; ; ) {
    const entries = await entriesOf(subject);
    if (entries.some((entry) => entry.action === action)) return entries;
    if (Date.now() > until) throw new Error(`${action} of ${subject} is not in the chain: ${JSON.stringify(entries)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
};
const actions = (entries: readonly Entry[]): string[] => entries.map(({ action }) => action).reverse();

const physical = async (type: string, part: string): Promise<string> => {
  const stack = `${cloud.name}-${cloud.environment}`;
  const listed = JSON.parse(
    await awsDone('cloudformation', 'describe-stack-resources', '--stack-name', stack, '--output', 'json'),
  );
  const found = listed.StackResources.find(
    (one: { ResourceType: string; LogicalResourceId: string }) =>
      one.ResourceType === type && one.LogicalResourceId.includes(part),
  );
  if (found === undefined) throw new Error(`the stack has no ${type} ${part}`);
  return found.PhysicalResourceId;
};

describeWithCloud('the audit', () => {
  beforeAll(async () => {
    terminal = openTerminal(cloud);
    await done('mkdir -p ~/.everleaf');
    const config = {
      server: cloud.server,
      cacert: `~/.${cloud.name}/ca-cert.pem`,
      client_cert: `~/.${cloud.name}/admin-cert.pem`,
      client_key: `~/.${cloud.name}/admin-key.pem`,
    };
    writeFileSync(join(terminal.home, '.everleaf', 'config.json'), JSON.stringify(config));
    await done(`everleaf principal create ${id} --type worker`);
    await done(`everleaf certificate issue ${id} --key-out key.pem --cert-out cert.pem`);
    await done(`everleaf principal suspend ${id} --reason "a drill"`);
    await done(`everleaf principal activate ${id}`);
  });

  test('each change that the product makes is one entry with the action, who made it and the request', async () => {
    const entries = await eventually(`principals/${id}`, 'principal_activated');
    expect(actions(entries)).toEqual(['principal_created', 'principal_suspended', 'principal_activated']);
    expect(new Set(entries.map(({ actor }) => actor))).toEqual(new Set(['admin-bootstrap']));
    expect(new Set(entries.map(({ request_id }) => request_id)).size).toBe(3);
  });

  test('an issued and a revoked certificate are entries of the certificate', async () => {
    const { certificates } = JSON.parse(await done(`everleaf certificate list ${id} --output json`));
    const serial: string = certificates[0].serial_number;
    await done(`everleaf certificate revoke ${serial} --reason superseded`);
    const entries = await eventually(`certificates/${serial}`, 'certificate_revoked');
    expect(actions(entries)).toEqual(['certificate_issued', 'certificate_revoked']);
  });

  test('GET /audit?action= and /audit/verify answer as the renewal runbook prints them', async () => {
    const listed = await call(cloud, adminPair(), '/api/v1/identity/audit?action=principal_suspended');
    expect(listed.status).toBe(200);
    const { entries } = JSON.parse(listed.text);
    expect(entries.length).toBeGreaterThan(0);
    expect(entries.every((entry: Entry) => entry.action === 'principal_suspended')).toBe(true);
    const verified = await call(cloud, adminPair(), '/api/v1/identity/audit/verify');
    expect(verified.status).toBe(200);
    const { is_valid, total_entries, first_invalid_sequence, problems } = JSON.parse(verified.text);
    expect({ is_valid, first_invalid_sequence, problems }).toEqual({
      is_valid: true,
      first_invalid_sequence: null,
      problems: [],
    });
    expect(total_entries).toBeGreaterThan(4);
  });

  test("the runbook's update-item is out_of_band within seconds, raises the metric and the alarm; the product's own never", async () => {
    const began = Date.now();
    await done(`aws dynamodb update-item \\
  --table-name airunner_prod_principals \\
  --key '{"principal_id": {"S": "${id}"}}' \\
  --update-expression "SET #status = :suspended, suspended_at = :now, suspended_reason = :reason" \\
  --expression-attribute-names '{"#status": "status"}' \\
  --expression-attribute-values '{
    ":suspended": {"S": "suspended"},
    ":now": {"N": "'"$(date +%s000)"'"},
    ":reason": {"S": "Compromised credentials detected"}
  }'`);
    const entries = await eventually(`principals/${id}`, 'out_of_band');
    const seconds = (Date.now() - began) / 1_000;
    process.stdout.write(`audit: a break-glass edit was listed ${seconds.toFixed(1)} s after it began\n`);
    expect(actions(entries).filter((action) => action === 'out_of_band')).toHaveLength(1);
    expect(entries[0]).toMatchObject({ actor: 'unknown', request_id: null });
    expect(entries[0]?.details.changes?.[0]?.set).toMatchObject({
      status: 'suspended',
      suspended_reason: 'Compromised credentials detected',
    });

    // The alarm looks once a minute.
    const alarm = await physical('AWS::CloudWatch::Alarm', 'OutOfBand');
    for (const until = Date.now() + 90_000; ; ) {
      const state = await awsDone(
        'cloudwatch',
        'describe-alarms',
        '--alarm-names',
        alarm,
        '--query',
        'MetricAlarms[0].StateValue',
        '--output',
        'text',
      );
      if (state.trim() === 'ALARM') break;
      expect(Date.now(), `the alarm is ${state}`).toBeLessThan(until);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }

    await done(`everleaf principal suspend ${id} --reason "again, by the product"`);
    await done(`everleaf principal activate ${id}`);
    expect(actions(await eventually(`principals/${id}`, 'principal_activated')).slice(-3)).not.toContain(
      'stamp_forged',
    );
  });

  test('a deletion by the product is its action; a deletion behind its back is out_of_band', async () => {
    const aimed = {
      endpoint: cloud.aws_endpoint,
      region: cloud.region,
      credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    };
    const keyId = await physical('AWS::KMS::Key', 'Stamp');
    const deployment = { name: cloud.name, environment: cloud.environment };
    const world: World = {
      deployment,
      now: Date.now,
      randomBytes: (size) => randomBytes(size),
      documents: documentClient(new DynamoDBClient(aimed)),
      stampKey: openStampKey(deployment, { keyId, client: new KMSClient(aimed) }),
    };
    const author = { actor: 'admin-bootstrap', request_id: 'a-request' };
    for (const key of [`${id}-a`, `${id}-b`]) {
      await writeRow(world, author, {
        table: 'endpoints',
        key,
        row: undefined,
        action: 'endpoint_created',
        set: { name: 'x' },
      });
      await eventually(`endpoints/${key}`, 'endpoint_created');
    }
    const read = JSON.parse(
      await awsDone(
        'dynamodb',
        'get-item',
        '--table-name',
        'airunner_prod_endpoints',
        '--key',
        JSON.stringify({ endpoint_id: { S: `${id}-a` } }),
        '--output',
        'json',
      ),
    );
    const row = { endpoint_id: `${id}-a`, name: 'x', row_version: Number(read.Item.row_version.N) };
    await removeRow(world, author, { table: 'endpoints', key: `${id}-a`, row, action: 'endpoint_deleted' });
    expect(actions(await eventually(`endpoints/${id}-a`, 'endpoint_deleted'))).toEqual([
      'endpoint_created',
      'endpoint_deleted',
    ]);

    await awsDone(
      'dynamodb',
      'delete-item',
      '--table-name',
      'airunner_prod_endpoints',
      '--key',
      JSON.stringify({ endpoint_id: { S: `${id}-b` } }),
    );
    expect(actions(await eventually(`endpoints/${id}-b`, 'out_of_band'))).toEqual(['endpoint_created', 'out_of_band']);
  });

  test('a change outside the tables enters through CloudTrail’s event', async () => {
    const event_id = crypto.randomUUID();
    const detail = {
      eventVersion: '1.11',
      userIdentity: { type: 'IAMUser', arn: 'arn:aws:iam::000000000000:user/mallory', userName: 'mallory' },
      eventTime: new Date().toISOString().replace(/\.\d+/, ''),
      eventSource: 'ssm.amazonaws.com',
      eventName: 'PutParameter',
      awsRegion: cloud.region,
      sourceIPAddress: '198.51.100.7',
      requestParameters: {
        name: '/airunner/prod/server-key',
        value: 'HIDDEN_DUE_TO_SECURITY_REASONS',
        overwrite: true,
      },
      responseElements: null,
      eventID: event_id,
      readOnly: false,
      eventType: 'AwsApiCall',
      managementEvent: true,
    };
    // EventBridge takes events of this source from AWS alone: the rules' patterns and the function are asked in its place.
    const event = {
      ...{ version: '0', id: crypto.randomUUID(), 'detail-type': 'AWS API Call via CloudTrail', source: 'aws.ssm' },
      ...{ account: '000000000000', time: detail.eventTime, region: cloud.region, resources: [], detail },
    };
    const rules = JSON.parse(await awsDone('events', 'list-rules', '--output', 'json')).Rules;
    const matching: string[] = [];
    for (const { Name, EventPattern } of rules) {
      if (EventPattern === undefined) continue;
      const pattern = ['--event-pattern', EventPattern, '--event', JSON.stringify(event), '--output', 'json'];
      if (JSON.parse(await awsDone('events', 'test-event-pattern', ...pattern)).Result) matching.push(Name);
    }
    expect(matching).toHaveLength(1);
    // Delivered twice, as EventBridge may.
    const hears = await physical('AWS::Lambda::Function', 'AppendOutsideChange');
    for (let n = 0; n < 2; n += 1)
      await awsDone('lambda', 'invoke', '--function-name', hears, '--payload', JSON.stringify(event), '/dev/null');
    for (const until = Date.now() + 30_000; ; ) {
      const { entries } = JSON.parse(await done('everleaf audit list --since 1h --action out_of_band --output json'));
      const found = entries.filter((one: Entry) => JSON.stringify(one).includes(event_id));
      if (found.length > 0) {
        expect(found).toHaveLength(1);
        expect(found[0].actor).toContain('mallory');
        break;
      }
      expect(Date.now(), 'the event is in no entry').toBeLessThan(until);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  });

  test('a proof is checked offline with the public key alone, and a whole export too', async () => {
    const keyId = await physical('AWS::KMS::Key', 'AuditKey');
    await done(`aws kms get-public-key --key-id ${keyId} --query PublicKey --output text | base64 -d |
      openssl pkey -pubin -inform DER -out audit-key.pem`);
    await done('everleaf audit prove 3 --to proof.json');
    const offline = '--server https://127.0.0.1:9';
    expect(await done(`everleaf ${offline} audit verify --file proof.json --public-key audit-key.pem`)).toMatch(
      /valid/,
    );
    await done('everleaf audit export --to audit.jsonl');
    const lines = readFileSync(join(terminal.home, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
    await done('head -c 4000 audit.jsonl > cut.jsonl && everleaf audit export --to cut.jsonl');
    for (const file of ['audit.jsonl', 'cut.jsonl'])
      expect(await done(`everleaf ${offline} audit verify --file ${file} --public-key audit-key.pem`)).toMatch(/valid/);

    writeFileSync(join(terminal.home, 'edited.jsonl'), lines.join('\n').replace('a drill', 'a brawl').concat('\n'));
    const edited = await terminal.run('everleaf audit verify --file edited.jsonl --public-key audit-key.pem');
    expect(edited.code).toBe(1);
    writeFileSync(join(terminal.home, 'gap.jsonl'), [...lines.slice(0, 3), ...lines.slice(4)].join('\n').concat('\n'));
    expect((await terminal.run('everleaf audit verify --file gap.jsonl --public-key audit-key.pem')).code).toBe(1);
  });

  test('an entry that someone edits in the table is found, by its sequence', async () => {
    const key = JSON.stringify({ chain: { S: 'main' }, sequence: { N: '3' } });
    const table = ['--table-name', 'airunner_prod_audit', '--key', key];
    const before = JSON.parse(await awsDone('dynamodb', 'get-item', ...table, '--output', 'json')).Item.entry.S;
    const put = (entry: string) =>
      awsDone(
        'dynamodb',
        'update-item',
        ...table,
        '--update-expression',
        'SET #entry = :entry',
        '--expression-attribute-names',
        '{"#entry": "entry"}',
        '--expression-attribute-values',
        JSON.stringify({ ':entry': { S: entry } }),
      );
    try {
      await put(before.replace('"actor":"', '"actor":"not-'));
      const found = await terminal.run('everleaf audit verify --output json');
      expect(found.code).toBe(1);
      expect(JSON.parse(found.stdout)).toMatchObject({ is_valid: false, first_invalid_sequence: 3 });
    } finally {
      await put(before);
    }
    expect(await done('everleaf audit verify')).toMatch(/valid/);
    expect(await done('everleaf audit verify --since-head')).toMatch(/since|head/);
  });

  test('the daily verification and reconciliation find nothing wrong with all that the tests did', async () => {
    const machine = await physical('AWS::StepFunctions::StateMachine', 'VerifyAudit');
    const started = JSON.parse(
      await awsDone('stepfunctions', 'start-execution', '--state-machine-arn', machine, '--output', 'json'),
    );
    for (const until = Date.now() + 60_000; ; ) {
      const { status, output } = JSON.parse(
        await awsDone(
          'stepfunctions',
          'describe-execution',
          '--execution-arn',
          started.executionArn,
          '--output',
          'json',
        ),
      );
      if (status === 'SUCCEEDED') {
        expect(JSON.parse(output)).toMatchObject({ is_valid: true });
        break;
      }
      expect(status).toBe('RUNNING');
      expect(Date.now()).toBeLessThan(until);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    const reconcile = await physical('AWS::Lambda::Function', 'ReconcileAudit');
    const answer = join(terminal.home, 'reconciled.json');
    await awsDone(
      'lambda',
      'invoke',
      '--function-name',
      reconcile,
      '--cli-read-timeout',
      '300',
      '--payload',
      '{}',
      answer,
    );
    expect(readFileSync(answer, 'utf8')).not.toContain('errorMessage');
    const { entries } = JSON.parse(await done('everleaf audit list --action audit_reconciled --output json'));
    expect(entries[0].details).toMatchObject({ differences: 0 });
    expect(entries[0].details.rows).toBeGreaterThan(5);
  }, 300_000);
});
