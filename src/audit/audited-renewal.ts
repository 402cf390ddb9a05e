/** What of the rows of endpoints, and of whatever renews them, is worth an entry, and what of it an entry may show. */
import { endpointKeys } from '../endpoint/keys.ts';
import type { Declared } from './audited.ts';

const declare = (bookkeeping: readonly string[], shown: readonly string[]): Declared => ({
  bookkeeping: new Set(bookkeeping),
  shown: new Set(shown),
});

/** What lists and indexes are made of. */
const listed = ['listing', 'updated_at'];

const endpoint = declare(
  [...listed, 'live_job', 'expires_at', 'expiry_bucket'],
  [
    'names',
    'host',
    'port',
    'server_name',
    'fleet_id',
    'agent_id',
    'policy_id',
    'validate_from',
    'deployer',
    'current',
    'created_at',
  ],
);

/** Without the mail addresses of people. */
const policy = declare(listed, [
  'ca',
  'lifetime_days',
  'renewal_window_days',
  'challenge',
  'client_auth',
  'key_type',
  'retries',
  'timeouts_seconds',
  'maintenance_windows',
  'created_at',
]);

const fleet = declare(listed, ['endpoint_ids', 'poll_after_seconds', 'closed', 'created_at']);

const token = declare(
  [...listed, 'expires'],
  [
    'fleet',
    'fleet_created_at',
    'kind',
    'endpoint_ids',
    'expires_at',
    'created_at',
    'created_by',
    'revoked',
    'revoked_at',
    'used_by',
  ],
);

/** What agents say of themselves, every few minutes. */
const agent: Declared = { bookkeeping: 'all', shown: new Set() };

/** By what a row's key begins with; an endpoint's is its plain id. */
const kinds = [
  [endpointKeys.policy(''), policy],
  [endpointKeys.fleet(''), fleet],
  [endpointKeys.token(''), token],
  [endpointKeys.agent(''), agent],
] as const;

export const inEndpoints = (rowKey: string): Declared =>
  kinds.find(([prefix]) => rowKey.startsWith(prefix))?.[1] ?? endpoint;

/** Each step is told by its status; what is asked of an agent, and how far it has come with it, by nothing. */
export const jobs = declare(
  ['history', 'task', 'task_agent', 'task_token', 'answers', 'execution'],
  [
    'endpoint_id',
    'policy_id',
    'requested_by',
    'status',
    'attempt',
    'reason',
    'next_try_at',
    'restore',
    'rollback',
    'names',
    'agent_id',
    'public_key_sha256',
    'serial_number',
    'not_before',
    'not_after',
    'fingerprint',
    'issuer',
    'previous_fingerprint',
    'created_at',
  ],
);
