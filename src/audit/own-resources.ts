/** What belongs to a deployment outside its tables' rows, and how CloudTrail's events name it. */
import { auditedTables, type Deployment, stackName, tableName, tables, truststoreKey } from '../names.ts';

/** Whatever of it has no name that follows from the deployment's two words. */
export interface Own {
  readonly deployment: Deployment;
  readonly truststoreBucket: string;
  readonly headsBucket: string;
  /** ARNs or ids of the authority's key, the stamps' and the heads'. */
  readonly keys: readonly string[];
  readonly domain: string;
  /** Names of the roles whose functions write any of this. */
  readonly writerRoles: readonly string[];
}

/** The parts of a recorded call that name what it was about. */
export interface Named {
  readonly eventName: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly response: Readonly<Record<string, unknown>>;
  /** ARNs */
  readonly resources: readonly string[];
}

interface Kind {
  /** What a change is called that the product itself makes; it makes none where this is absent. */
  readonly action?: (eventName: string, resource: string) => string;
  /** Fields of the request or the answer that hold a name, an id or an ARN; the surest first. */
  readonly fields: readonly string[];
  /** The resource as its ARN ends, if what the field or ARN names is the deployment's. */
  readonly find: (own: Own, name: string, named: Named) => string | null;
  /** Calls that change nothing in what they name. */
  readonly harmless?: RegExp;
  /** ARNs without a region, without an account. */
  readonly global?: true;
  readonly withoutAccount?: true;
}

/** `a:b` of `arn:aws:service:region:account:a:b`; what is no ARN stays. */
const resourceOf = (name: string): string => (name.startsWith('arn:') ? name.split(':').slice(5).join(':') : name);
const without = (prefix: string, text: string): string => (text.startsWith(prefix) ? text.slice(prefix.length) : text);

/** CloudFormation shortens a long stack's name in the names that it makes: this much of it stays. */
const keptOfStack = 24;
const namedAfterStack = ({ deployment }: Own, name: string): boolean =>
  name.startsWith(`${stackName(deployment)}-`.slice(0, keptOfStack));

const written =
  (thing: string) =>
  (eventName: string): string =>
    `${thing}_${/^(Delete|Remove)/.test(eventName) ? 'deleted' : 'written'}`;
const changed = (thing: string) => (): string => `${thing}_changed`;

const afterStack =
  (prefix: string) =>
  (own: Own, name: string): string | null => {
    const last = resourceOf(name).split(/[:/]/).at(-1) ?? '';
    return namedAfterStack(own, last) ? `${prefix}${last}` : null;
  };

/** Functions are called by name, ARN or a part of one, with or without a version; event source mappings also by their stream. */
const functionOf = (own: Own, name: string, named: Named): string | null => {
  const resource = resourceOf(name);
  const fn = /(?:^|:)function:([^:]+)/.exec(resource)?.[1] ?? resource.split(':')[0] ?? '';
  // Somebody's own function that is to have one of our roles is as good as one of ours.
  if (resource.startsWith('role/'))
    return namedAfterStack(own, resource.split('/').at(-1) ?? '')
      ? `function:${String(named.request.functionName)}`
      : null;
  const mapping = named.response.uUID ?? named.request.uUID ?? named.request.uuid;
  const whole = typeof mapping === 'string' ? `event-source-mapping:${mapping}` : `function:${fn}`;
  if (namedAfterStack(own, fn)) return whole;
  return auditedTables.some((table) => resource.startsWith(`table/${tableName(own.deployment, table)}/stream/`))
    ? whole
    : null;
};

const tableOf = (own: Own, name: string): string | null => {
  const table = without('table/', resourceOf(name)).split('/')[0];
  return tables.some((one) => tableName(own.deployment, one) === table) ? `table/${table}` : null;
};

const objectOf = (own: Own, name: string, { request }: Named): string | null => {
  const [bucket = '', ...path] = resourceOf(name).split('/');
  if (bucket !== own.truststoreBucket && bucket !== own.headsBucket) return null;
  const key = typeof request.key === 'string' ? request.key : path.join('/');
  return key === '' ? bucket : `${bucket}/${key}`;
};

/** By `eventSource`. */
const kinds: Readonly<Record<string, Kind>> = {
  's3.amazonaws.com': {
    fields: ['bucketName'],
    find: objectOf,
    action: (eventName, resource) =>
      resource.endsWith(`/${truststoreKey}`) ? written('truststore')(eventName) : 'bucket_changed',
    global: true,
    withoutAccount: true,
  },
  'ssm.amazonaws.com': {
    fields: ['name', 'names', 'resourceId', 'resourceArn'],
    find: ({ deployment: { name, environment } }, text) => {
      const parameter = without('parameter', resourceOf(text));
      return parameter.startsWith(`/${name}/${environment}/`) ? `parameter${parameter}` : null;
    },
    action: written('parameter'),
  },
  'secretsmanager.amazonaws.com': {
    fields: ['arn', 'aRN', 'ARN', 'secretId', 'name'],
    find: ({ deployment: { name, environment } }, text) => {
      const secret = without('secret:', resourceOf(text));
      return secret.startsWith(`${name}/${environment}/`) ? `secret:${secret}` : null;
    },
    action: written('secret'),
  },
  'kms.amazonaws.com': {
    fields: ['keyId', 'targetKeyId'],
    find: ({ keys }, text) => {
      const id = without('key/', resourceOf(text));
      return keys.some((key) => without('key/', resourceOf(key)) === id) ? `key/${id}` : null;
    },
    action: changed('key'),
    // What is done with a key, and not to it: an entry on a signature would want a head, and so another signature.
    harmless: /^(Sign|Verify|GenerateMac|VerifyMac)$/,
  },
  'lambda.amazonaws.com': {
    fields: ['functionArn', 'functionName', 'eventSourceArn', 'resource', 'resourceArn', 'role'],
    find: functionOf,
    action: (eventName) => (eventName.includes('EventSourceMapping') ? 'stream_changed' : 'function_changed'),
  },
  'dynamodb.amazonaws.com': {
    fields: [
      'tableName',
      'targetTableName',
      'sourceTableName',
      'sourceTableArn',
      'tableArn',
      'resourceArn',
      'backupArn',
    ],
    find: tableOf,
    action: changed('table'),
    harmless: /^(CreateBackup|StartAwsBackupJob|ExportTable)/,
  },
  'iam.amazonaws.com': { fields: ['roleName'], find: afterStack('role/'), action: changed('role'), global: true },
  'events.amazonaws.com': {
    fields: ['name', 'rule', 'resourceARN'],
    find: afterStack('rule/'),
    action: changed('rule'),
  },
  'scheduler.amazonaws.com': {
    fields: ['scheduleArn', 'name'],
    find: afterStack('schedule/default/'),
    action: changed('schedule'),
  },
  'states.amazonaws.com': {
    fields: ['stateMachineArn', 'name'],
    find: afterStack('stateMachine:'),
    action: changed('workflow'),
    harmless: /Execution|^SendTask/,
  },
  'monitoring.amazonaws.com': {
    fields: ['alarmName', 'alarmNames'],
    find: afterStack('alarm:'),
    action: changed('alarm'),
  },
  // Who is called, what was given up on, and what the functions said.
  'sns.amazonaws.com': {
    fields: ['topicArn', 'subscriptionArn', 'resourceArn', 'name'],
    find: (own, text) => {
      const topic = resourceOf(text).split(':')[0] ?? '';
      return namedAfterStack(own, topic) ? topic : null;
    },
    action: changed('topic'),
    harmless: /^Publish/,
  },
  'sqs.amazonaws.com': {
    fields: ['queueUrl', 'queueName'],
    find: (own, text) => {
      const queue = text.split('/').at(-1) ?? '';
      return namedAfterStack(own, queue) ? queue : null;
    },
    action: changed('queue'),
  },
  'logs.amazonaws.com': {
    fields: ['logGroupName', 'logGroupIdentifier', 'resourceArn'],
    find: (own, text) => {
      const group = without('log-group:', resourceOf(text)).replace(/:\*$/, '');
      return namedAfterStack(own, group) ? `log-group:${group}` : null;
    },
    action: changed('log'),
    harmless: /^(CreateLogStream|PutLogEvents|StartQuery|StopQuery|FilterLogEvents)/,
  },
  'apigateway.amazonaws.com': {
    fields: ['domainName'],
    find: ({ domain }, name) => (name === domain ? `/domainnames/${name}` : null),
    action: changed('domain'),
    withoutAccount: true,
  },
  // Which trail brings these events, the deployment does not know; none is its own.
  'cloudtrail.amazonaws.com': {
    fields: ['trailARN', 'name', 'trailName'],
    find: (_, name, { eventName }) =>
      /^(StopLogging|DeleteTrail|UpdateTrail|PutEventSelectors)$/.test(eventName)
        ? `trail/${without('trail/', resourceOf(name))}`
        : null,
  },
};

const texts = (value: unknown): readonly string[] =>
  typeof value === 'string'
    ? [value]
    : Array.isArray(value)
      ? value.filter((one): one is string => typeof one === 'string')
      : [];

export interface OwnResources {
  /** Never empty. */
  readonly arns: readonly [string, ...string[]];
  /** What the change is called when the product made it; null when the product makes no such change. */
  readonly action: string | null;
}

/** What of the deployment a call changed, by the first field that names any; null when nothing. */
export const ownResources = (
  own: Own,
  { source, region, account, ...named }: Named & { source: string; region: string; account: string },
): OwnResources | null => {
  const kind = Object.hasOwn(kinds, source) ? kinds[source] : undefined;
  if (kind === undefined || kind.harmless?.test(named.eventName)) return null;
  const fields = kind.fields.map((field) => [...texts(named.response[field]), ...texts(named.request[field])]);
  for (const names of [...fields, named.resources]) {
    const [first, ...others] = new Set(names.map((name) => kind.find(own, name, named)).filter((one) => one !== null));
    if (first === undefined) continue;
    const partition = /^(cn|us-gov)-/.exec(region)?.[1];
    const service = source.slice(0, source.indexOf('.')).replace('monitoring', 'cloudwatch');
    const arn = (resource: string): string =>
      [
        `arn:aws${partition === undefined ? '' : `-${partition}`}`,
        service,
        kind.global ? '' : region,
        kind.withoutAccount ? '' : account,
        resource,
      ].join(':');
    return { arns: [arn(first), ...others.map(arn)], action: kind.action?.(named.eventName, first) ?? null };
  }
  return null;
};
