/** The name that a client certificate gives its principal, beside the common name. */
import type { Deployment } from '../names.ts';
import type { PrincipalType } from '../principal/principal.ts';

/** The only SAN of a certificate that the API issues: a SPIFFE id whose trust domain is the deployment. */
export const spiffeId = (deployment: Deployment, type: PrincipalType, principal_id: string): string =>
  `spiffe://${deployment.name}.${deployment.environment}/${type}/${principal_id}`;
