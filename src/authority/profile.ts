/** What the authority puts into the certificates of clients, of its own server and of endpoints, whatever the request says. */
import { type Deployment, spiffeId } from '../names.ts';
import type { PrincipalType } from '../principal/principal.ts';
import { isAddress } from '../renewal/names.ts';

export interface Name {
  readonly kind: 'uri' | 'dns' | 'ip';
  /** Of an address, its canonical form. */
  readonly value: string;
}

export type Usage = 'clientAuth' | 'serverAuth';

/** The names and the uses of one certificate. */
export interface Expected {
  readonly common_name: string;
  /** All subject alternative names. */
  readonly names: readonly Name[];
  readonly usages: readonly Usage[];
}

export const clientProfile = (
  deployment: Deployment,
  { principal_id, principal_type }: { readonly principal_id: string; readonly principal_type: PrincipalType },
): Expected => ({
  common_name: principal_id,
  names: [{ kind: 'uri', value: spiffeId(deployment, principal_type, principal_id) }],
  usages: ['clientAuth'],
});

export const serverProfile = ({ domain }: { readonly domain: string }): Expected => ({
  common_name: domain,
  names: [{ kind: 'dns', value: domain }],
  usages: ['serverAuth'],
});

/** `names` as an endpoint has them: the first is the common name as well. */
export const endpointProfile = ({
  names,
  client_auth,
}: {
  readonly names: readonly string[];
  readonly client_auth: boolean;
}): Expected => ({
  common_name: names[0] ?? '',
  names: names.map((value) => ({ kind: isAddress(value) ? 'ip' : 'dns', value })),
  usages: client_auth ? ['serverAuth', 'clientAuth'] : ['serverAuth'],
});
