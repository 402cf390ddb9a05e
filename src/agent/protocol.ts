/** What the server and the agent say to each other; times in ms. Fields that this agent does not know are passed over. */
import { z } from 'zod';
import { dnsNameSchema, hostSchema, namesSchema } from '../renewal/names.ts';
import { keyTypes } from '../renewal/policy.ts';

/** Also the name of files here, hence nothing that leads elsewhere. */
const id = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/, 'is no id');
/** SHA-256 of a certificate's DER, lower-case hex. */
export const fingerprintSchema = z.string().regex(/^[0-9a-f]{64}$/, 'is no fingerprint');
/** Characters of PEM: a dozen certificates. */
const pem = z.string().max(65_536);

const common = { task_id: z.string().min(1).max(256), job_id: id, endpoint_id: id, expires_at: z.number() };

const token = z.string().regex(/^[A-Za-z0-9_-]{1,256}$/, 'is no token');

export const taskSchema = z.discriminatedUnion('kind', [
  z.object({ ...common, kind: z.literal('make_csr'), names: namesSchema, key_type: z.enum(keyTypes) }),
  z.object({
    ...common,
    kind: z.literal('serve_challenge'),
    token,
    /** RFC 8555 8.1: the token, a dot, the account key's thumbprint. */
    key_authorization: z.string().regex(/^[A-Za-z0-9_-]{1,256}\.[A-Za-z0-9_-]{43}$/, 'is no key authorization'),
  }),
  z.object({ ...common, kind: z.literal('clear_challenge'), token }),
  z.object({ ...common, kind: z.literal('deploy'), pem, chain: pem, fingerprint: fingerprintSchema }),
  z.object({
    ...common,
    kind: z.literal('restore'),
    fingerprint: fingerprintSchema,
    previous_fingerprint: fingerprintSchema.nullable(),
  }),
  z.object({
    ...common,
    kind: z.literal('validate'),
    host: hostSchema,
    port: z.number().int().min(1).max(65_535),
    server_name: dnsNameSchema.or(hostSchema),
    fingerprint: fingerprintSchema,
  }),
]);
export type Task = z.infer<typeof taskSchema>;
export type TaskOf<K extends Task['kind']> = Extract<Task, { readonly kind: K }>;

/** What of a task is needed to answer it, whatever else it says. */
export const addressedSchema = z.object({ task_id: z.string().min(1).max(256), kind: z.string().max(64) });

export const heartbeatSchema = z.object({
  tasks: z.array(z.unknown()),
  poll_after_seconds: z.number(),
  /** The server's clock. */
  now: z.number(),
});

export const enrolledSchema = z.object({
  principal_id: z.string(),
  serial_number: z.string(),
  /** Written as it comes, so it holds nothing but PEM's characters. */
  pem: z.string().regex(/^[\n\x20-\x7e]*$/),
  expires_at: z.number(),
  /** Where the agent reports from now on. */
  server: z.string(),
});

const observedSchema = z.object({ address: z.string(), fingerprint: fingerprintSchema, chain_complete: z.boolean() });
/** One of a server's addresses and what it serves there. */
export type Observed = z.infer<typeof observedSchema>;

const done = z.literal('done');
const doneSchema = z.union([
  z.strictObject({ status: done, csr: z.string() }),
  z.strictObject({
    status: done,
    fingerprint: fingerprintSchema,
    previous_fingerprint: fingerprintSchema.nullable().optional(),
  }),
  z.strictObject({ status: done, observed: z.array(observedSchema) }),
  z.strictObject({ status: done }),
]);
/** The reason has at most 1,000 characters. */
const failedSchema = z.strictObject({ status: z.literal('failed'), reason: z.string() });
export const answerSchema = z.union([doneSchema, failedSchema]);
export type Done = z.infer<typeof doneSchema>;
export type Failed = z.infer<typeof failedSchema>;
export type Answer = z.infer<typeof answerSchema>;
