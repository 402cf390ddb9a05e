/** What an agent answers to each kind of task. */
import { z } from 'zod';
import { clean } from '../access/reason.ts';
import { parseFields } from '../http/input.ts';
import type { TaskKind } from './task.ts';

const longestReason = 1_000;
const fingerprintSchema = z.string().regex(/^[0-9a-f]{64}$/, 'must be a fingerprint: 64 hex digits in lower case');
const status = z.literal('done', 'must be done or failed');

const failedSchema = z.strictObject({
  status: z.literal('failed'),
  reason: z
    .string()
    .min(1, 'must not be empty')
    .max(longestReason, `must be at most ${longestReason} characters`)
    .transform((reason) => clean(reason, longestReason) || 'failed without a reason'),
});

const observedSchema = z.strictObject({
  address: z.string().max(128),
  fingerprint: fingerprintSchema,
  chain_complete: z.boolean(),
});

const doneSchemas = {
  make_csr: z.strictObject({ status, csr: z.string() }),
  deploy: z.strictObject({
    status,
    fingerprint: fingerprintSchema,
    previous_fingerprint: fingerprintSchema.nullable(),
  }),
  restore: z.strictObject({ status, fingerprint: fingerprintSchema }),
  validate: z.strictObject({ status, observed: z.array(observedSchema).min(1, 'must hold an address').max(32) }),
} as const satisfies Record<TaskKind, z.ZodType>;

export type Failed = z.infer<typeof failedSchema>;
export type Done<K extends TaskKind> = z.infer<(typeof doneSchemas)[K]>;
export type Answer = { readonly [K in TaskKind]: { readonly kind: K; readonly answer: Done<K> | Failed } }[TaskKind];

const isFailure = z.looseObject({ status: z.literal('failed') });

/** The answer, by the kind of what was asked. @throws InvalidInput naming the field */
export const parseAnswer = (kind: TaskKind, body: unknown): Answer => {
  const read = <T>(schema: z.ZodType<T>): T | Failed =>
    isFailure.safeParse(body).success ? parseFields(failedSchema, body, 'body') : parseFields(schema, body, 'body');
  switch (kind) {
    case 'make_csr':
      return { kind, answer: read(doneSchemas[kind]) };
    case 'deploy':
      return { kind, answer: read(doneSchemas[kind]) };
    case 'restore':
      return { kind, answer: read(doneSchemas[kind]) };
    case 'validate':
      return { kind, answer: read(doneSchemas[kind]) };
  }
};
