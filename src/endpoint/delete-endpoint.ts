/** Deletes an endpoint. What it serves goes on being served, and is renewed no more. */
import type { Caller } from '../access/caller.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { Conflict } from '../errors.ts';
import type { World } from '../world.ts';
import { getEndpoint } from './get-endpoint.ts';
import { removeForCaller } from './remove-row.ts';

/** @throws NotFound; Conflict during a renewal; NotAllowed */
export const deleteEndpoint = (
  world: World,
  { caller, endpoint_id }: { caller: Caller; endpoint_id: string },
): Promise<{ endpoint_id: string; deleted: true }> =>
  untilSettled(world, async () => {
    const { row, live_job } = await getEndpoint(world, endpoint_id);
    if (live_job !== undefined)
      throw new Conflict(
        `the renewal ${live_job} is under way; wait for its end, or roll it back: everleaf renewal rollback ${live_job}`,
        'endpoint_id',
      );
    const removal = { key: endpoint_id, row, action: 'endpoint_deleted' } as const;
    return (await removeForCaller(world, caller, removal)) === 'again' ? 'again' : { endpoint_id, deleted: true };
  });
