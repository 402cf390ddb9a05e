/** The truststore's writers as they find themselves: what the stack put into their environment. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PreparationWorld } from '../authority/prepare.ts';
import { signedRootSchema } from '../authority/sign-request.ts';
import type { TruststoreWorld } from '../authority/truststore.ts';
import { readStackStatus } from './custom-resource.ts';
import { openDomain } from './domain.ts';
import { invokeFunction } from './invoke.ts';
import { readOwnKey } from './own-key.ts';
import { openParameters, removeParameter } from './parameters.ts';
import { openTruststore } from './truststore.ts';
import { worldFromEnvironment } from './world.ts';

const required = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
};

const shared = (remaining_ms: () => number) => {
  const world = worldFromEnvironment();
  const keyId = required('CA_KEY_ID');
  return {
    ...world,
    truststore: openTruststore(required('TRUSTSTORE_BUCKET')),
    parameters: openParameters(world.deployment),
    ownKey: () => readOwnKey(keyId),
    remaining_ms,
    sleep: (ms: number): Promise<void> => sleep(ms),
  };
};

export const truststoreWorld = (remaining_ms: () => number): TruststoreWorld => ({
  ...shared(remaining_ms),
  domain: openDomain(required('DOMAIN_NAME')),
});

export const preparationWorld = (stackId: string, remaining_ms: () => number): PreparationWorld => {
  const world = shared(remaining_ms);
  return {
    ...world,
    signRoot: async () =>
      (await invokeFunction(world.deployment, 'sign-certificate', { profile: 'root' }, signedRootSchema)).pem,
    removeBundle: () => removeParameter(world.deployment, 'ca-cert'),
    stackStatus: () => readStackStatus(stackId),
  };
};
