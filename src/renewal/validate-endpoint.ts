/** ValidateEndpoint: the endpoint is dialled as a client would, and must serve the new certificate on every address of its name. */
import type { Author } from '../audit/stamp.ts';
import { readBundle } from '../authority/root.ts';
import { untilSettled } from '../aws/until-settled.ts';
import { findEndpoint, whole } from '../endpoint/get-endpoint.ts';
import { Conflict, NotFound } from '../errors.ts';
import { mayDial, type Reachable } from './address.ts';
import type { Job } from './job.ts';
import { saveJob } from './save-job.ts';
import { type Dialled, notServed, type Observed, observe, whatIsWrong } from './served.ts';
import { outOfTurn, readStep, stopIfUnwanted, type WaitingStepInput } from './step.ts';
import { type Target, withoutTask, withTask } from './task.ts';
import type { WaitingWorld } from './world.ts';

export interface ValidatingWorld extends WaitingWorld {
  readonly reachable: Reachable;
  /** Every address of a host name, or the one that it is. */
  readonly resolve: (host: string) => Promise<readonly string[]>;
  readonly sleep: (ms: number) => Promise<void>;
}

const mostAddresses = 32;
/** How often one step looks, and the wait between, ms: a consumer that was signalled takes a moment. */
const looks = 5;
const betweenLooks_ms = 1_000;

/** Where to dial. @throws Conflict for an address that functions may not */
const placesOf = async ({ resolve, reachable }: ValidatingWorld, target: Target): Promise<Dialled[]> => {
  const { host, port, server_name } = target;
  const addresses = [...new Set(await resolve(host))];
  if (addresses.length > mostAddresses) throw new Conflict(`${host} leads to ${addresses.length} addresses`, 'host');
  const refused = addresses.find((address) => !mayDial(reachable, host, address));
  if (refused !== undefined)
    throw new Conflict(
      `${host} leads to ${refused}, which was not named at deployment; name it there, or let the agent validate`,
      'host',
    );
  return addresses.map((address) => ({ address, port, server_name }));
};

const reasonOf = (reason: unknown): string => (reason instanceof Error ? reason.message : String(reason));

/** null: it serves the certificate everywhere. @throws Conflict for an address that functions may not dial */
const look = async (world: ValidatingWorld, target: Target, job: Job): Promise<string | null> => {
  let places: readonly Dialled[];
  try {
    places = await placesOf(world, target);
  } catch (error) {
    if (error instanceof Conflict) throw error;
    return `${target.host} leads nowhere: ${reasonOf(error)}`;
  }
  const known = readBundle(job.chain ?? '');
  const seen = await Promise.allSettled(places.map((place) => observe(place, known)));
  const silent = seen.flatMap((one, index) =>
    one.status === 'rejected' ? [`${places[index]?.address}: ${reasonOf(one.reason)}`] : [],
  );
  if (silent.length > 0) return `${target.host}:${target.port} serves no certificate at ${silent.join('; ')}`;
  const observed = seen.flatMap((one): Observed[] => (one.status === 'fulfilled' ? [one.value] : []));
  return whatIsWrong(observed, job.fingerprint ?? '');
};

interface Found {
  readonly job: Job;
  readonly target: Target;
}

/** @throws NotServed, which looking again may mend; Conflict where it is out of turn, unwanted, or too late; NotFound */
export const validateEndpoint = async (
  world: ValidatingWorld,
  author: Author,
  step: WaitingStepInput,
): Promise<void> => {
  const found = await untilSettled<Found | 'agent' | 'done'>(world, async () => {
    const job = await readStep(world, step);
    if (job.status === 'SUCCEEDED') return 'done';
    if (job.status !== 'VALIDATING') throw outOfTurn(job);
    stopIfUnwanted(job);
    const endpoint = await findEndpoint(world, job.endpoint_id);
    if (endpoint === null) throw new NotFound(`the endpoint ${job.endpoint_id} was deleted`, 'endpoint_id');
    const { host, port, server_name = host, validate_from } = whole(endpoint);
    const target = { host, port, server_name };
    if (validate_from === 'function') {
      // The deployment's answer was heard: its task is over.
      if (job.task === undefined) return { job, target };
      const saved = await saveJob(world, author, job, { next: withoutTask(job), action: 'task_withdrawn' });
      return saved === 'again' ? 'again' : 'more';
    }
    const expires_at = world.now() + job.policy.timeouts_seconds.validate * 1_000;
    const next = withTask(job, { kind: 'validate', expires_at, target }, step.task_token);
    return (await saveJob(world, author, job, { next, action: 'validation_asked' })) === 'again' ? 'again' : 'agent';
  });
  if (found === 'agent') return;
  if (found !== 'done') await lookAgain(world, found.target, found.job);
  await world.tokens.succeed(step.task_token);
};

const lookAgain = async (world: ValidatingWorld, target: Target, job: Job): Promise<void> => {
  for (let left = looks; ; left -= 1) {
    const wrong = await look(world, target, job);
    if (wrong === null) return;
    if (left <= 1) throw notServed(job, wrong, world.now());
    await world.sleep(betweenLooks_ms);
  }
};
