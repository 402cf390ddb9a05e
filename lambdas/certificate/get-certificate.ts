/** GET /api/v1/certificates/{serial_number} */
import { z } from 'zod';
import { worldFromEnvironment } from '../../src/aws/world.ts';
import { getCertificate } from '../../src/certificate/get-certificate.ts';
import { serialSchema } from '../../src/certificate/serial.ts';
import { route, takesNothing } from '../../src/http/route.ts';

const path = z.strictObject({ serial_number: serialSchema });

export const handler = route({ ...takesNothing, path }, async ({ caller, reach, path }) => ({
  status: 200,
  body: await getCertificate(worldFromEnvironment(), { caller, reach, ...path }),
}));
