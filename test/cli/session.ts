/** A person's terminal: a home folder of its own, a command line typed as a shell takes it, what came out of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/cli/program.ts';
import type { Terminal } from '../../src/cli/terminal.ts';

export interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

export interface Session {
  readonly home: string;
  readonly env: Record<string, string>;
  /** What is typed when a secret is asked for, in order; nobody is there when it is empty. */
  readonly secrets: string[];
  watched: boolean;
  /** `everleaf('principal suspend w --reason="a b"')`: words as a shell splits them; a leading ~ stays. */
  readonly everleaf: (line: string) => Promise<Result>;
  readonly file: (name: string) => string;
  readonly close: () => void;
}

const split = (line: string): string[] =>
  (line.replaceAll('\\\n', ' ').match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? []).map((word) => word.replace(/["']/g, ''));

export const openSession = (): Session => {
  const home = mkdtempSync(join(tmpdir(), 'everleaf-cli-'));
  const session: Session = {
    home,
    env: {},
    secrets: [],
    watched: false,
    everleaf: async (line) => {
      let out = '';
      let err = '';
      const terminal: Terminal = {
        env: session.env,
        home,
        out: (text) => {
          out += text;
        },
        drained: async () => undefined,
        err: (text) => {
          err += text;
        },
        watched: session.watched,
        askSecret: async () => session.secrets.shift() ?? null,
      };
      const code = await run(split(line), terminal);
      return { code, out, err };
    },
    file: (name) => join(home, name),
    close: () => rmSync(home, { recursive: true, force: true }),
  };
  return session;
};
