/** A renewal's key: it is this one's alone, no principal's, no other endpoint's, and not that of an earlier certificate. */
import { z } from 'zod';
import type { Change } from '../aws/change.ts';
import type { Check, Step } from '../aws/transact.ts';
import { checkKnownKey } from '../certificate/known-key.ts';
import { InvalidInput } from '../errors.ts';
import { controlKeys, tableName } from '../names.ts';
import type { World } from '../world.ts';
import type { Job } from './job.ts';

type Owned = Pick<Job, 'job_id' | 'endpoint_id'>;

/** In the place of a principal's id, which has no colon. */
const ownerOf = ({ endpoint_id }: Owned): string => `endpoint:${endpoint_id}`;

const rowSchema = z.object({ job_id: z.string().optional().catch(undefined) });

/**
 * What claims the key for this renewal, in the transaction that takes its request; nothing where it is claimed already.
 * @throws InvalidInput on `csr` for a key that is another's, was used before, or is compromised
 */
export const claimEndpointKey = async (world: World, job: Owned, public_key_sha256: string): Promise<Step> => {
  const row = await checkKnownKey(world, public_key_sha256, ownerOf(job));
  if (row === undefined) {
    const key = controlKeys.key(public_key_sha256);
    const set = { principal_id: ownerOf(job), job_id: job.job_id };
    const claim: Change = { table: 'controls', key, row, action: 'public_key_claimed', set };
    return claim;
  }
  if (rowSchema.parse(row).job_id !== job.job_id)
    throw new InvalidInput('csr', 'public key was used by an earlier certificate of this endpoint; make a new key');
  return endpointKeyStands(world, job, public_key_sha256);
};

/** That it still is this renewal's, and nobody barred it. */
export const endpointKeyStands = (world: World, job: Owned, public_key_sha256: string): Check => ({
  item: {
    ConditionCheck: {
      TableName: tableName(world.deployment, 'controls'),
      Key: { control_id: controlKeys.key(public_key_sha256) },
      ConditionExpression: 'principal_id = :owner AND job_id = :job AND attribute_not_exists(compromised)',
      ExpressionAttributeValues: { ':owner': ownerOf(job), ':job': job.job_id },
    },
  },
  otherwise: new InvalidInput('csr', 'public key was barred meanwhile; make a new key'),
});
