/** Where a command runs: its streams, environment and home. Tests hand in their own. */
import { homedir } from 'node:os';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly out: (text: string) => void;
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
  err: (text) => void process.stderr.write(text),
  watched: process.stderr.isTTY === true,
  askSecret,
});

/** Says on a watched terminal what is going on, once it takes longer than a second, and wipes that line at the end. */
export const withProgress = async <T>(terminal: Terminal, doing: string, work: Promise<T>): Promise<T> => {
  if (!terminal.watched) return work;
  let shown = false;
  const timer = setTimeout(() => {
    shown = true;
    terminal.err(`${doing} …`);
  }, 1_000);
  try {
    return await work;
  } finally {
    clearTimeout(timer);
    if (shown) terminal.err('\r\x1b[2K');
  }
};
