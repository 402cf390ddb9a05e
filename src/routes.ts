/** Every route of the API, as API Gateway writes them: method and resource. Shared by synth time and run time; pure. */

export const routes = [
  'GET /whoami',
  'POST /api/v1/principals',
  'GET /api/v1/principals',
  'GET /api/v1/principals/{principal_id}',
  'POST /api/v1/principals/{principal_id}/suspend',
  'POST /api/v1/principals/{principal_id}/activate',
  'POST /api/v1/certificates',
  'GET /api/v1/certificates',
  'POST /api/v1/certificates/renew',
  'GET /api/v1/certificates/{serial_number}',
  'POST /api/v1/certificates/{serial_number}/revoke',
  'GET /api/v1/identity/audit',
  'GET /api/v1/identity/audit/verify',
  'GET /api/v1/identity/audit/export',
  'GET /api/v1/identity/audit/{sequence}/proof',
] as const;
export type Route = (typeof routes)[number];
