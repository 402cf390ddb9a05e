/** A policy: which CA issues an endpoint's certificates, for how long, when they are renewed and how. */
import { z } from 'zod';
import { lifetimeSchema } from '../certificate/lifetime.ts';
import { InvalidInput } from '../errors.ts';
import { type CalendarWarning, checkCalendar } from './calendar.ts';
import { maintenanceWindowSchema } from './maintenance.ts';
import { presetNames, presets } from './presets.ts';

export const keyTypes = ['ec-p256', 'ec-p384', 'rsa-2048', 'rsa-3072'] as const;
export type KeyType = (typeof keyTypes)[number];

export const challenges = ['none', 'http-01', 'dns-01'] as const;
export type Challenge = (typeof challenges)[number];

const directory = z
  .string()
  .max(512)
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    return url?.protocol === 'https:' && !url.username && !url.password && !url.hash && url.href === text;
  }, 'must be an https address as a browser shows it, without user, password and #');

const caSchema = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('private') }),
    z.strictObject({
      kind: z.literal('acme'),
      /** Of RFC 8555. */
      directory,
      /** One account key is kept for each directory and account. */
      account: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,30}$/, 'must be 1 to 31 of a-z 0-9 - and begin with a letter or digit')
        .default('default'),
      /** The secret that holds the key identifier and HMAC key of an external account; never the key itself. */
      eab_secret_arn: z
        .string()
        .regex(
          /^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]{1,512}$/,
          'must be the ARN of a secret in Secrets Manager',
        )
        .optional(),
      /** An ACME profile, as the directory names it. */
      profile: z
        .string()
        .regex(/^[\w.-]{1,64}$/, 'must be a profile of the directory')
        .optional(),
    }),
  ],
  'must be {"kind": "private"} or {"kind": "acme", "directory": …}',
);

const seconds = z
  .number('must be a whole number of seconds')
  .int('must be a whole number of seconds')
  .min(5, 'must be 5 to 86400 seconds')
  .max(86_400, 'must be 5 to 86400 seconds');

/** Agents ask for their tasks every quarter of an hour unless their fleet says otherwise. */
const timeoutsSchema = z.strictObject({
  csr: seconds.default(3_600),
  challenge: seconds.default(1_800),
  deploy: seconds.default(1_800),
  validate: seconds.default(600),
});

const windowSchema = z
  .number('must be a whole number of days')
  .int('must be a whole number of days')
  .min(1, 'must be at least 1 day');

const mostRetries = 10;
const retriesMessage = `must be a whole number from 0 to ${mostRetries}`;

/** As it is kept, and as a renewal takes it along. */
export const policySchema = z.strictObject({
  ca: caSchema,
  lifetime_days: lifetimeSchema,
  /** How long before its end a certificate is renewed. */
  renewal_window_days: windowSchema,
  challenge: z.enum(challenges, `must be one of ${challenges.join(', ')}`),
  /** Whether certificates identify clients too. */
  client_auth: z.boolean(),
  key_type: z.enum(keyTypes, `must be one of ${keyTypes.join(', ')}`),
  /** Mail addresses: told to an ACME CA, and to whoever reads of a failure. */
  contact: z.array(z.email('must be a mail address').max(254)).max(5, 'must be at most 5 mail addresses'),
  /** Tries after the first. */
  retries: z.number(retriesMessage).int(retriesMessage).min(0, retriesMessage).max(mostRetries, retriesMessage),
  /** How long each step may wait for whoever takes it. */
  timeouts_seconds: timeoutsSchema,
  /** None: at any time. */
  maintenance_windows: z.array(maintenanceWindowSchema).max(20, 'must be at most 20 windows'),
});
export type Policy = z.infer<typeof policySchema>;

/** What a request says of a policy; what it leaves out comes from the preset, or is the usual. */
export const policyInputSchema = policySchema.partial().extend({
  preset: z.enum(presetNames, `must be one of ${presetNames.join(', ')}`).optional(),
});
export type PolicyInput = z.infer<typeof policyInputSchema>;

const usual = {
  ca: { kind: 'private' },
  client_auth: false,
  key_type: 'ec-p256',
  contact: [],
  retries: 3,
  timeouts_seconds: {},
  maintenance_windows: [],
} as const;

/** What is wrong between the fields of a policy, whatever the day is: the field, and what to do. null: nothing. */
export const contradiction = (policy: Policy): readonly [field: string, message: string] | null => {
  const { ca, challenge, client_auth, lifetime_days, renewal_window_days } = policy;
  if (renewal_window_days >= lifetime_days)
    return ['renewal_window_days', `must be less than the lifetime of ${lifetime_days} days`];
  if (ca.kind === 'private')
    return challenge === 'none' ? null : ['challenge', 'must be none: the private CA asks for no proof'];
  if (challenge === 'none') return ['challenge', 'must be http-01 or dns-01: a public CA asks for proof'];
  return client_auth ? ['client_auth', 'must be false: public CAs issue no certificates for clients'] : null;
};

export interface Checked {
  readonly policy: Policy;
  /** Steps of the calendar that will outlaw it, the next one first. */
  readonly warnings: readonly CalendarWarning[];
}

/** Refuses a policy by which nothing could be issued on the day of `at` (ms). @throws InvalidInput naming the field */
export const checkPolicy = (policy: Policy, at: number, field = 'lifetime_days'): readonly CalendarWarning[] =>
  policy.ca.kind === 'acme' ? checkCalendar(policy.lifetime_days, at, field) : [];

/** The whole policy that a request describes. @throws InvalidInput naming the field */
export const completePolicy = ({ preset, ...input }: PolicyInput, at: number): Checked => {
  const named = preset === undefined ? {} : presets[preset];
  const given = Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined));
  const ca = input.ca ?? usual.ca;
  const challenge = ca.kind === 'private' ? 'none' : 'http-01';
  const whole = { ...usual, challenge, ...named, ...given };
  for (const field of ['lifetime_days', 'renewal_window_days'] as const)
    if (!(field in whole)) throw new InvalidInput(field, 'is required, or name a preset');
  const policy = policySchema.parse(whole);
  const wrong = contradiction(policy);
  if (wrong !== null) throw new InvalidInput(...wrong);
  return { policy, warnings: checkPolicy(policy, at) };
};

/** A preset by its name; undefined where that is none. */
export const presetPolicy = (policy_id: string): Policy | undefined => {
  const preset = Object.hasOwn(presets, policy_id) ? presets[policy_id] : undefined;
  return preset && policySchema.parse({ ...usual, challenge: 'none', ...preset });
};
