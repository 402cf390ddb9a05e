/** What of the rows of endpoints, and of whatever renews them, is worth an entry, and what of it an entry may show. */
import { endpointKeys } from '../names.ts';
import { declare, rows } from './declared.ts';

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

/** Lets nodes in: which of its attributes changed is told, and no value. */
const token = declare([...listed, 'expires'], [], { expires: 'expires' });

export const endpoints = rows({
  [endpointKeys.policies]: policy,
  [endpointKeys.fleets]: fleet,
  [endpointKeys.tokens]: token,
  // What agents say of themselves, every few minutes.
  [endpointKeys.agents]: declare('all', []),
  '*': endpoint,
});

/** Each step is told by its status; what is asked of an agent, and how far it has come with it, by nothing. */
const job = declare(
  ['history', 'task', 'tasks', 'task_agent', 'task_token', 'answers', 'execution'],
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

export const jobs = rows({ '*': job });
