/** The worlds of renewing, as deployed functions find them; each is built once for each execution environment. */
import { lookup } from 'node:dns/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { domainSchema } from '../authority/sign-request.ts';
import { parseReachable } from '../renewal/address.ts';
import type { IssuingJobWorld } from '../renewal/issue-for-job.ts';
import type { RollingWorld } from '../renewal/rollback-job.ts';
import type { RunningWorld } from '../renewal/run-renewals.ts';
import type { ValidatingWorld } from '../renewal/validate-endpoint.ts';
import type { StartingWorld, WaitingWorld } from '../renewal/world.ts';
import { required } from './environment.ts';
import { signThroughFunction } from './sign-through-function.ts';
import { openStateMachine } from './state-machine.ts';
import { openTaskTokens } from './task-tokens.ts';
import { worldFromEnvironment } from './world.ts';

const once = <W>(build: () => W): (() => W) => {
  let built: W | undefined;
  return () => {
    built ??= build();
    return built;
  };
};

/** For whoever answers, or asks, an agent. */
export const waitingWorld = once((): WaitingWorld => ({ ...worldFromEnvironment(), tokens: openTaskTokens() }));

/** RENEW_STATE_MACHINE */
const startingWorld = once(
  (): StartingWorld => ({ ...worldFromEnvironment(), renewals: openStateMachine(required('RENEW_STATE_MACHINE')) }),
);

/** RENEW_STATE_MACHINE, DOMAIN_NAME */
export const runningWorld = once(
  (): RunningWorld => ({ ...startingWorld(), domain: domainSchema.parse(required('DOMAIN_NAME')) }),
);

/** RENEW_STATE_MACHINE */
export const rollingWorld = once((): RollingWorld => ({ ...startingWorld(), ...waitingWorld() }));

export const issuingJobWorld = once((): IssuingJobWorld => {
  const world = worldFromEnvironment();
  return { ...world, sign: signThroughFunction(world.deployment) };
});

/** REACHABLE: hosts, addresses and networks that were named at deployment, commas between. */
export const validatingWorld = once(
  (): ValidatingWorld => ({
    ...waitingWorld(),
    reachable: parseReachable(process.env.REACHABLE ?? ''),
    resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
    sleep: (ms) => sleep(ms),
  }),
);
