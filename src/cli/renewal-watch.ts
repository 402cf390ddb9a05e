/** `everleaf renewal watch`: follows renewals from state to state until each is over. */
import { Refused } from './failure.ts';
import { clean, json } from './print.ts';
import { describeMoment, renewalSchema, type ShownRenewal } from './renewal-answers.ts';
import { connect } from './request.ts';
import type { ServerOptions } from './settings.ts';
import { type Terminal, withProgress } from './terminal.ts';

/** ms between two questions: the first wait, and the longest. */
const firstWait = 500;
const longestWait = 5_000;

const base = ['api', 'v1', 'identity', 'renewals'] as const;

interface Watched {
  readonly job_id: string;
  told: number;
  last?: ShownRenewal;
  /** Said to be over; once more, since a failure becomes a rollback in the next moment. */
  over: boolean;
}

/** @throws Refused naming the renewals that did not succeed */
export const watchRenewals = async (
  terminal: Terminal,
  job_ids: readonly string[],
  options: ServerOptions,
): Promise<void> => {
  // One progress line for all the questions, in place of one for each.
  const server = await connect({ ...terminal, watched: false }, options);
  const watched = [...new Set(job_ids)].map((job_id): Watched => ({ job_id, told: 0, over: false }));
  const several = watched.length > 1;

  const ask = async (one: Watched): Promise<boolean> => {
    const renewal = await server.send(renewalSchema, { method: 'GET', path: [...base, one.job_id] });
    const { history, live, endpoint_id } = renewal;
    if (options.output !== 'json')
      for (const moment of history.slice(one.told))
        terminal.out(`${several ? `${clean(endpoint_id ?? one.job_id)} ` : ''}${clean(describeMoment(moment))}\n`);
    const ended = !live && (one.over || renewal.status !== 'FAILED');
    Object.assign(one, { told: history.length, last: renewal, over: !live });
    return ended;
  };
  const follow = async (): Promise<void> => {
    let open = watched;
    for (let wait = firstWait; ; wait = Math.min(longestWait, wait * 1.3)) {
      const left: Watched[] = [];
      for (const one of open) if (!(await ask(one))) left.push(one);
      if (left.length === 0) return;
      open = left;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  };
  const doing = (): string => {
    const going = watched.filter(({ over }) => !over);
    const [first] = going;
    const now = first?.last?.status ?? 'PENDING';
    return going.length > 1 ? `${going.length} renewals under way` : `the renewal is ${now}`;
  };
  await withProgress(terminal, doing, follow());

  const ends = watched.flatMap(({ last }) => last ?? []);
  if (options.output === 'json') terminal.out(json({ jobs: ends }));
  const lost = ends.filter(({ status }) => status !== 'SUCCEEDED');
  if (lost.length > 0)
    throw new Refused(lost.map(({ job_id, status, reason }) => `${job_id} is ${status}: ${reason ?? ''}`).join('; '));
};
