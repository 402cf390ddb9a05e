/** GET /whoami: the caller as the gate saw it. */
import { route, takesNothing } from '../../src/http/route.ts';

export const handler = route(takesNothing, async ({ caller: { request_id: _request, ...caller } }) => ({
  status: 200,
  body: caller,
}));
