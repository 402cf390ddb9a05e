/** Adds and removes certificate authorities that the domain accepts: `{add?: [PEM], remove?: [SHA-256 in hex]}`. */
import { Logger } from '@aws-lambda-powertools/logger';
import { z } from 'zod';
import { functionAuthor } from '../../src/audit/author.ts';
import { updateTruststore } from '../../src/authority/truststore.ts';
import { truststoreWorld } from '../../src/aws/truststore-world.ts';
import { internal } from '../../src/remote-error.ts';

const logger = new Logger();
const change = z.strictObject({
  add: z.array(z.string().max(100_000)).max(20).optional(),
  remove: z.array(z.string().max(200)).max(100).optional(),
});

export const handler = internal(change, async (input, invocation) => {
  const state = await updateTruststore(
    truststoreWorld(() => invocation.getRemainingTimeInMillis()),
    functionAuthor('update-truststore', invocation),
    input,
  );
  if (state.warnings.length > 0) logger.warn('truststore warnings', { warnings: state.warnings });
  return state;
});
