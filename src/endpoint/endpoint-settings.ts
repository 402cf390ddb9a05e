/** What whoever puts an endpoint says of it. */
import { z } from 'zod';
import { InvalidInput } from '../errors.ts';
import { principalIdSchema } from '../principal/principal.ts';
import { coversName, dnsNameSchema, hostSchema, isDnsName, isWildcard, namesSchema } from '../renewal/names.ts';
import { fleetIdSchema, policyIdSchema } from './ids.ts';

const portMessage = 'must be a port, 1 to 65535';

/** Who puts the certificate where it is served. */
export const deployerSchema = z.discriminatedUnion(
  'kind',
  [
    z.strictObject({ kind: z.literal('agent') }),
    z.strictObject({
      kind: z.literal('acm'),
      certificate_arn: z
        .string()
        .regex(
          /^arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate\/[A-Za-z0-9-]{1,64}$/,
          'must be the ARN of a certificate in ACM',
        ),
    }),
  ],
  'must be {"kind": "agent"} or {"kind": "acm", "certificate_arn": …}',
);
export type Deployer = z.infer<typeof deployerSchema>;

export const validators = ['function', 'agent'] as const;

export const settingsFields = {
  names: namesSchema,
  /** Where it is dialled. */
  host: hostSchema,
  port: z.number(portMessage).int(portMessage).min(1, portMessage).max(65_535, portMessage),
  /** What is asked for by SNI; absent: nothing is. */
  server_name: dnsNameSchema.optional(),
  fleet_id: fleetIdSchema.optional(),
  /** The principal id of the agent that serves it. */
  agent_id: principalIdSchema.optional(),
  policy_id: policyIdSchema,
  /** Who dials it to see what it serves. */
  validate_from: z.enum(validators, `must be one of ${validators.join(', ')}`),
  deployer: deployerSchema,
};
const settingsSchema = z.strictObject(settingsFields);
export type EndpointSettings = z.infer<typeof settingsSchema>;

export const endpointInputSchema = z.strictObject({
  ...settingsFields,
  host: settingsFields.host.optional(),
  port: settingsFields.port.default(443),
  validate_from: settingsFields.validate_from.default('function'),
  deployer: settingsFields.deployer.default({ kind: 'agent' }),
});
export type EndpointInput = z.infer<typeof endpointInputSchema>;

/** What a request leaves out follows from its names. @throws InvalidInput naming the field */
export const completeEndpoint = (input: EndpointInput): EndpointSettings => {
  const { names, deployer, fleet_id, validate_from } = input;
  const host = input.host ?? names.find((name) => !isWildcard(name));
  if (host === undefined) throw new InvalidInput('host', 'is required where all names are wildcards');
  const covered = (name: string): boolean => names.some((pattern) => coversName(pattern, name));
  if (input.server_name !== undefined && !covered(input.server_name))
    throw new InvalidInput('server_name', 'must be one of the names, or covered by a wildcard among them');
  const named = [host, ...names].find((name) => isDnsName(name) && covered(name));
  const server_name = input.server_name ?? named;
  const ofAgent =
    deployer.kind === 'agent' ? 'an agent deploys' : validate_from === 'agent' ? 'an agent validates' : '';
  if (fleet_id === undefined && ofAgent !== '')
    throw new InvalidInput('fleet_id', `is required where ${ofAgent} the certificate`);
  if (fleet_id === undefined && input.agent_id !== undefined)
    throw new InvalidInput('fleet_id', 'is required where an agent is named');
  return { ...input, host, ...(server_name === undefined ? {} : { server_name }) };
};
