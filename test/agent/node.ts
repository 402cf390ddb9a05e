/** A fleet node for tests: folders of its own, the agent's file, an identity, and the agent running in this process. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAgent } from '../../src/agent/agent.ts';
import type { Endpoint } from '../../src/agent/config.ts';
import { fingerprintOf } from '../../src/agent/fingerprint.ts';
import type { Fields, Level } from '../../src/agent/log.ts';
import { point, prepareFolder, writeVersion } from '../../src/agent/versions.ts';
import { makeKey, writeKey } from '../../src/authority/make-csr.ts';
import type { Authority } from '../cli/authority.ts';
import { until } from './until.ts';

export interface Said {
  readonly level: Level;
  readonly event: string;
  readonly fields: Fields;
}

export interface RunningAgent {
  readonly said: Said[];
  /** Reads the file again and reports at once, as SIGHUP does. */
  readonly reread: () => void;
  /** As SIGTERM does; when it has ended. */
  readonly stop: () => Promise<void>;
}

export interface TestNode {
  readonly directory: string;
  readonly file: (...parts: string[]) => string;
  /** What is written as the agent's file; change it before `start` or `reread`. */
  readonly settings: Record<string, unknown>;
  readonly write: () => void;
  readonly start: (world?: { now?: () => number; random?: () => number }) => Promise<RunningAgent>;
  /** Deploys a certificate without the agent: what was there before. Answers its fingerprint. */
  readonly deployed: (endpoint_id?: string) => Promise<string>;
  readonly versions: (endpoint_id?: string) => string[];
  readonly close: () => Promise<void>;
}

/** What of an endpoint its folder needs. */
export const placeOf = (directory: string): Endpoint => ({
  ...{ endpoint_id: 'web', directory, check: null, reload: null, timeout_ms: 1_000, group_readable: false },
});

/** Its endpoint `web` has the folder `web`; what reloads it is up to the test. */
export const openNode = async (ca: Authority, server: string): Promise<TestNode> => {
  const directory = mkdtempSync(join(tmpdir(), 'everleaf-agent-'));
  const file = (...parts: string[]) => join(directory, ...parts);
  const key = makeKey();
  writeFileSync(file('ca.pem'), ca.pem);
  writeFileSync(file('key.pem'), writeKey(key), { mode: 0o600 });
  writeFileSync(file('cert.pem'), (await ca.issue(key, 'CN=agent-edge-1')).pem);
  const running: RunningAgent[] = [];
  const node: TestNode = {
    directory,
    file,
    settings: {
      server,
      cacert: file('ca.pem'),
      client_cert: file('cert.pem'),
      client_key: file('key.pem'),
      state_dir: file('state'),
      endpoints: { web: { directory: file('web') } },
    },
    write: () => writeFileSync(file('agent.json'), JSON.stringify(node.settings)),
    start: async ({ now = Date.now, random = () => 0.5 } = {}) => {
      node.write();
      const ending = new AbortController();
      const said: Said[] = [];
      let reread = () => {};
      const ended = runAgent(
        { now, random, rest: () => undefined },
        {
          file: file('agent.json'),
          version: '1.2.3',
          stopping: ending.signal,
          log: (level, event, fields = {}) => void said.push({ level, event, fields }),
          onReread: (read) => {
            reread = read;
          },
        },
      );
      const agent: RunningAgent = {
        said,
        reread: () => {
          node.write();
          reread();
        },
        stop: () => {
          ending.abort();
          return ended;
        },
      };
      running.push(agent);
      await Promise.race([ended, until('the agent says that it runs', () => said.length > 0)]);
      return agent;
    },
    deployed: async (endpoint_id = 'web') => {
      const place = placeOf(file(endpoint_id));
      const made = makeKey();
      const { pem } = await ca.issue(made, 'CN=web.test', { names: ['web.test'] });
      const fingerprint = fingerprintOf(pem) ?? '';
      prepareFolder(place);
      writeVersion(place, { fingerprint, key: writeKey(made), cert: pem, chain: ca.pem });
      point(place, 'current', fingerprint);
      return fingerprint;
    },
    versions: (endpoint_id = 'web') => readdirSync(file(endpoint_id, 'versions')).sort(),
    close: async () => {
      await Promise.allSettled(running.map((agent) => agent.stop()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return node;
};

/** An executable of the test's own. */
export const script = (node: TestNode, name: string, lines: string): string => {
  const path = node.file(name);
  mkdirSync(node.directory, { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${lines}\n`, { mode: 0o755 });
  return path;
};

export const text = (path: string): string => readFileSync(path, 'utf8');
