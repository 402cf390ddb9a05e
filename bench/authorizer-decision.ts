/** Both authorizers with their I/O left out: the records of each call are handed in, everything else is as deployed. */
import { authorizer } from '../src/access/authorize.ts';
import type { Records } from '../src/access/decide.ts';
import { tableName } from '../src/names.ts';
import { deploymentOf, referenceAuthorizer } from './authorizer-reference.ts';

/** Gives the records that belong to the call just begun. */
type Next = () => Records;

export const gate = (next: Next) =>
  authorizer({
    deployment: deploymentOf(process.env),
    service: 'authorize-request',
    readRecords: async () => next(),
    now: Date.now,
    write: (line) => process.stdout.write(line),
  });

export const reference = (next: Next) => {
  const deployment = deploymentOf(process.env);
  return referenceAuthorizer(async () => {
    const { principal, certificate, generation } = next();
    return {
      Responses: {
        [tableName(deployment, 'principals')]: [principal],
        [tableName(deployment, 'certificates')]: [certificate],
        [tableName(deployment, 'controls')]: [generation],
      },
    };
  });
};
