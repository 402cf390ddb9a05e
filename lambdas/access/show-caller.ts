/** GET /whoami: the caller as the gate saw it. */
import { route } from '../../src/http/route.ts';

export const handler = route({}, async ({ caller }) => ({ status: 200, body: caller }));
