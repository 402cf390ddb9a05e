/** POST /api/v1/certificates/{serial_number}/revoke {reason, force?} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { revocationReasons } from '../../src/certificate/certificate.ts';
import { revokeCertificate } from '../../src/certificate/revoke-certificate.ts';
import { serialSchema } from '../../src/certificate/serial.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const path = z.strictObject({ serial_number: serialSchema });
const body = z.strictObject({
  reason: z.enum(revocationReasons, `must be one of ${revocationReasons.join(', ')}`),
  force: z.boolean().default(false),
});

export const handler = route({ ...takesNothing, path, body }, async ({ caller, reach, path, body }) => ({
  status: 200,
  body: await revokeCertificate(worldFromEnvironment(), { caller, reach, ...path, ...body }),
}));
