/** What the signer is asked and what it answers: the contract between the one function that may sign and its callers. */
import { z } from 'zod';
import { serialSchema } from '../certificate/serial.ts';
import { principalIdSchema, principalTypeSchema } from '../principal/principal.ts';
import { namesSchema } from '../renewal/names.ts';

/** A host name as it stands in a DNS SAN: lower case, at least two labels, no wildcard. */
export const domainSchema = z
  .string()
  .max(64, 'must be at most 64 characters: it stands in a common name too')
  .regex(
    /^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/,
    'must be a host name in lower case',
  );

const instant = z.number().int().min(0).max(253_402_300_799_000);
const leaf = { csr: z.string(), serial_number: serialSchema, not_before_ms: instant, not_after_ms: instant };

const clientRequest = z.strictObject({
  profile: z.literal('client'),
  ...leaf,
  principal_id: principalIdSchema,
  principal_type: principalTypeSchema,
});
const serverRequest = z.strictObject({ profile: z.literal('server'), ...leaf, domain: domainSchema });
const endpointRequest = z.strictObject({
  profile: z.literal('endpoint'),
  ...leaf,
  names: namesSchema,
  /** Whether it identifies a client, too. */
  client_auth: z.boolean(),
});
const rootRequest = z.strictObject({ profile: z.literal('root') });

export const signRequestSchema = z.discriminatedUnion('profile', [
  rootRequest,
  clientRequest,
  serverRequest,
  endpointRequest,
]);

export type RootRequest = z.infer<typeof rootRequest>;
export type LeafRequest =
  | z.infer<typeof clientRequest>
  | z.infer<typeof serverRequest>
  | z.infer<typeof endpointRequest>;
export type SignRequest = RootRequest | LeafRequest;

/** `chain`: the certificates above `pem`, PEM. `authority`: the issuer's subject key identifier, lower-case hex. */
export const signedSchema = z.object({ pem: z.string(), chain: z.string(), authority: z.string() });
export const signedRootSchema = z.object({ pem: z.string() });

export type Signed = z.infer<typeof signedSchema>;
export type SignedRoot = z.infer<typeof signedRootSchema>;

/** Asks the signer for a leaf. @throws InvalidInput on `csr` and others; Unavailable */
export type Sign = (request: LeafRequest) => Promise<Signed>;
