/** The agent's life: it reports, does what it is told within its own file, waits, and begins again. */
import { Refused } from '../cli/failure.ts';
import { openChallenges } from './challenge.ts';
import { openClock } from './clock.ts';
import { openComplaints } from './complaints.ts';
import { readAgentConfig } from './config.ts';
import { messageOf } from './failed.ts';
import { heartbeat } from './heartbeat.ts';
import { openLanes } from './lanes.ts';
import { lock } from './lock.ts';
import type { Log } from './log.ts';
import { openMemory } from './memory.ts';
import { openOwnCertificate } from './own-certificate.ts';
import { pause } from './pause.ts';
import type { AgentWorld, Running } from './running.ts';
import { openState } from './state.ts';
import { takeUp } from './tasks.ts';
import { backoff, pollAfter } from './wait.ts';

export interface AgentOptions {
  /** The agent's own file. */
  readonly file: string;
  readonly version: string;
  readonly log: Log;
  /** Ends the agent after the step at hand. */
  readonly stopping: AbortSignal;
  /** Is handed, at once, what reads the file again. */
  readonly onReread?: (reread: () => void) => void;
}

/** Runs until `stopping`. @throws Misuse for a file that is wrong when it starts, Refused where another agent runs already */
export const runAgent = async (world: AgentWorld, options: AgentOptions): Promise<void> => {
  const { file, version, log, stopping } = options;
  let config = readAgentConfig(file);
  const state = openState(config.state_dir);
  const unlock = lock(state);
  const clock = openClock(world.now, log);
  const running: Running = {
    ...world,
    ...{ version, log, stopping, state, clock, holdOff: 0 },
    get config() {
      return config;
    },
    memory: openMemory(state),
    challenges: openChallenges(state, clock.now),
    complaints: openComplaints(log),
    lanes: openLanes((error) => log('error', 'work ended badly', { reason: messageOf(error) })),
  };
  const { complaints, challenges } = running;
  const ownCertificate = openOwnCertificate(running);
  /** Ends the wait between two turns. */
  let wake = new AbortController();
  let failures = 0;

  options.onReread?.(() => {
    try {
      const found = readAgentConfig(file);
      if (found.state_dir !== config.state_dir)
        throw new Refused('state_dir cannot change while the agent runs: restart it');
      config = found;
      log('info', 'file read again', { endpoints: config.endpoints.size });
      wake.abort();
    } catch (error) {
      log('error', 'file not taken; the one before stays', { reason: messageOf(error) });
    }
  });

  const wrong = (about: string, reason: string, retry_after_ms: number | null): number => {
    failures += 1;
    if (!stopping.aborted) complaints.complain(about, reason);
    return backoff(failures, retry_after_ms, world.random());
  };

  /** Answers how long to wait until the next, ms. */
  const turn = async (): Promise<number> => {
    try {
      const heard = await heartbeat(running, await ownCertificate());
      complaints.settle('no identity');
      if (heard.kind === 'failed') return wrong('heartbeat failed', heard.reason, heard.retry_after_ms);
      failures = 0;
      complaints.settle('heartbeat failed');
      return pollAfter(heard.poll_after_seconds, world.random());
    } catch (error) {
      return wrong('no identity', messageOf(error), null);
    }
  };

  try {
    const { server, endpoints } = config;
    log('info', 'agent runs', { version, server: server.origin, endpoints: endpoints.size });
    takeUp(running);
    await challenges
      .resume(config.http01)
      .catch((error: unknown) => complaints.complain('challenges are not answered', messageOf(error)));
    while (!stopping.aborted) {
      wake = new AbortController();
      const wait = await turn();
      world.rest();
      await pause(Math.max(wait, running.holdOff - world.now()), stopping, wake.signal);
    }
    await running.lanes.idle();
    log('info', 'agent ends');
  } finally {
    await challenges.close();
    unlock();
  }
};
