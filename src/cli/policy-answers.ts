/** What the server says of policies, and how it is shown. */
import { z } from 'zod';
import { warningsSchema } from './inventory-answers.ts';
import { lines, table } from './print.ts';

const number = z.number().optional();
const text = z.string().optional();

export const policySchema = z.looseObject({
  policy_id: z.string(),
  preset: z.boolean().default(false),
  ca: z.looseObject({ kind: z.string(), directory: text, account: text, profile: text }).optional(),
  lifetime_days: number,
  renewal_window_days: number,
  challenge: text,
  client_auth: z.boolean().optional(),
  key_type: text,
  contact: z.array(z.string()).default([]),
  retries: number,
  timeouts_seconds: z.record(z.string(), z.number()).default({}),
  maintenance_windows: z
    .array(z.looseObject({ days: z.array(z.string()), from: z.string(), to: z.string() }))
    .default([]),
  invalid: z.array(z.string()).optional(),
});
export type ShownPolicy = z.infer<typeof policySchema>;

export const putPolicySchema = policySchema.extend({ warnings: warningsSchema });

export const policiesSchema = z
  .object({ policies: z.array(policySchema), next_token: z.string().optional() })
  .transform(({ policies, next_token }) => ({ rows: policies, next_token }));

const days = (count: number | undefined): string | undefined => (count === undefined ? undefined : `${count} days`);
const some = (words: readonly string[], separator = ', '): string | undefined => words.join(separator) || undefined;

export const describePolicy = (policy: ShownPolicy): string =>
  lines([
    ['Policy', policy.policy_id],
    ['Preset', policy.preset ? 'yes, it stays as it is' : undefined],
    [
      'CA',
      policy.ca &&
        some(
          [policy.ca.kind, policy.ca.directory ?? ''].filter((word) => word !== ''),
          ' ',
        ),
    ],
    ['Account', policy.ca?.account],
    ['Profile', policy.ca?.profile],
    ['Lifetime', days(policy.lifetime_days)],
    ['Renewal Window', days(policy.renewal_window_days)],
    ['Challenge', policy.challenge],
    ['Key Type', policy.key_type],
    ['For Clients', policy.client_auth ? 'yes' : undefined],
    ['Contact', some(policy.contact)],
    ['Retries', policy.retries?.toString()],
    ['Timeouts', some(Object.entries(policy.timeouts_seconds).map(([step, seconds]) => `${step} ${seconds} s`))],
    ...policy.maintenance_windows.map(
      ({ days: on, from, to }) => ['Maintenance', `${on.join(',')} ${from}-${to} UTC`] as const,
    ),
    ['Invalid', policy.invalid && some(policy.invalid)],
  ]);

export const tableOfPolicies = (policies: readonly ShownPolicy[]): string =>
  table(
    ['POLICY', 'CA', 'LIFETIME', 'WINDOW', 'CHALLENGE', 'KEY', 'PRESET'],
    policies.map((policy) => [
      policy.policy_id,
      policy.ca?.kind ?? '?',
      days(policy.lifetime_days) ?? '?',
      days(policy.renewal_window_days) ?? '?',
      policy.challenge ?? '?',
      policy.key_type ?? '?',
      policy.preset ? 'yes' : '',
    ]),
  );
