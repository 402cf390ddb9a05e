/** Where a command runs: its streams, environment and home. Tests hand in their own. */
import { once } from 'node:events';
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly out: (text: string) => void;
  /** Resolves when whoever reads standard output has taken enough of it to go on. */
  readonly drained: () => Promise<void>;
  readonly err: (text: string) => void;
  /** Whether somebody watches standard error. */
  readonly watched: boolean;
  /** Asks without echo; null when there is nobody to ask. */
  readonly askSecret: (question: string) => Promise<string | null>;
}

const askSecret = async (question: string): Promise<string | null> => {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return null;
  process.stderr.write(question);
  const silent = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silent, terminal: true, historySize: 0 });
  try {
    return await new Promise((resolve) => {
      lines.once('line', resolve);
      lines.once('close', () => resolve(null));
      lines.once('SIGINT', () => {
        process.stderr.write('\n');
        process.exit(130);
      });
    });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
};

export const systemTerminal = (): Terminal => ({
  env: process.env,
  home: process.env.HOME ?? homedir(),
  out: (text) => void process.stdout.write(text),
  drained: async () => {
    if (process.stdout.writableNeedDrain) await once(process.stdout, 'drain');
  },
  err: (text) => void process.stderr.write(text),
  watched: process.stderr.isTTY === true,
  askSecret,
});

/**
 * Says on a watched terminal what is going on, once it takes longer than a second, and wipes that line at the end. A
 * function says it anew each second.
 */
export const withProgress = async <T>(
  terminal: Terminal,
  doing: string | (() => string),
  work: Promise<T>,
): Promise<T> => {
  if (!terminal.watched) return work;
  let shown = '';
  const timer = setInterval(() => {
    const line = `${typeof doing === 'string' ? doing : doing()} …`;
    if (line === shown) return;
    terminal.err(shown === '' ? line : `${wiped}${line}`);
    shown = line;
  }, 1_000);
  try {
    return await work;
  } finally {
    clearInterval(timer);
    if (shown !== '') terminal.err(wiped);
  }
};

const wiped = '\r\x1b[2K';
