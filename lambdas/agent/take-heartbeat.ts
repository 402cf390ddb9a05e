/** POST /api/v1/identity/agents/heartbeat {version, now, endpoints} */
import { waitingWorld } from '../../src/aws/renewal-world.ts';
import { route, takesNothing } from '../../src/http/route.ts';
import { heartbeat, heartbeatSchema } from '../../src/renewal/heartbeat.ts';

export const handler = route({ ...takesNothing, body: heartbeatSchema }, async ({ caller, body: heard }) => ({
  status: 200,
  body: await heartbeat(waitingWorld(), { caller, heard }),
}));
