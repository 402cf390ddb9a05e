/** What the authority puts into a client's and into a server's certificate, whatever the request says. */
import { type Deployment, spiffeId } from '../names.ts';
import type { PrincipalType } from '../principal/principal.ts';

/** The names and the use of one certificate. */
export interface Expected {
  readonly common_name: string;
  /** The only subject alternative name. */
  readonly name: { readonly kind: 'uri' | 'dns'; readonly value: string };
  readonly usage: 'clientAuth' | 'serverAuth';
}

export const clientProfile = (
  deployment: Deployment,
  { principal_id, principal_type }: { readonly principal_id: string; readonly principal_type: PrincipalType },
): Expected => ({
  common_name: principal_id,
  name: { kind: 'uri', value: spiffeId(deployment, principal_type, principal_id) },
  usage: 'clientAuth',
});

export const serverProfile = ({ domain }: { readonly domain: string }): Expected => ({
  common_name: domain,
  name: { kind: 'dns', value: domain },
  usage: 'serverAuth',
});
