/** Starts the AWS emulator as a child that ends with its parent, and says where it listens. */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { z } from 'zod';
import { killNow, tieToThisProcess } from './children.ts';
import { emulatorTools, installPython, root, writeNodeShim } from './tools.ts';

export interface EmulatorOptions {
  /** Folder for state, logs and temporary files; without it a temporary one that `stop` removes. */
  readonly stateDir?: string;
  /** Port on 127.0.0.1; without it the system chooses. */
  readonly port?: number;
  /** Gets one JSON line for each AWS request that a function or a state machine makes. */
  readonly recordTo?: string;
  readonly region?: string;
  /** Loads what an earlier run with the same `stateDir` saved, and saves it again at the end. */
  readonly keep?: boolean;
  /** Told what is downloaded. */
  readonly say?: (line: string) => void;
}

export interface Emulator {
  /** `http://127.0.0.1:<port>` */
  readonly endpoint: string;
  readonly region: string;
  readonly pid: number;
  readonly logFile: string;
  /** Fulfilled when the process is gone, with what ended it: `ended` after an orderly end, state saved. */
  readonly ended: Promise<string>;
  readonly stop: () => Promise<void>;
}

/** Removes the folder where an emulator with this state unpacked functions: one that was killed leaves it. */
export const removeFunctions = (stateDir: string): void => {
  const note = join(stateDir, 'functions');
  if (!existsSync(note)) return;
  const folder = readFileSync(note, 'utf8').trim();
  if (basename(folder).startsWith('everleaf-functions-')) rmSync(folder, { recursive: true, force: true });
};

const announcement = z.object({ endpoint: z.url(), pid: z.number() });
const startsWithin = 60_000;

/** What `ended` is fulfilled with when nothing is lost. */
export const orderly = 'ended';

/** The end of a log, for whoever has to know why something went away. */
export const tail = (file: string, lines = 15): string => {
  try {
    return readFileSync(file, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch {
    return '';
  }
};

/** A cause, the end of the log that explains it, and the cause again, where whoever reads it looks first. */
export const causeAndLog = (cause: string, logFile: string, lines = tail(logFile)): string =>
  `${cause}; the end of ${logFile}:\n${lines}\n${cause}`;

/**
 * Starts the emulator and waits until it answers. It inherits nothing of this process's environment but PATH: what it has,
 * functions have.
 *
 * @throws MissingTool when its Python environment cannot be made; Error with the log's tail when it does not come up.
 */
export const startEmulator = async (options: EmulatorOptions = {}): Promise<Emulator> => {
  const python = await installPython(emulatorTools, options.say ?? (() => undefined));
  const state = options.stateDir ?? mkdtempSync(join(tmpdir(), 'everleaf-emulator-'));
  const region = options.region ?? 'us-east-1';
  mkdirSync(state, { recursive: true });
  const logFile = join(state, 'emulator.log');
  const log = openSync(logFile, 'a', 0o600);
  const words = ['-B', join(root, 'local', 'emulator.py'), '--state', state, '--port', String(options.port ?? 0)];
  if (options.recordTo) words.push('--record', options.recordTo);
  if (options.keep) words.push('--keep');
  const shim = writeNodeShim(join(state, 'bin'));
  const child = spawn(python, words, {
    // Its own process group: a Ctrl-C on the terminal is for us, who then stop it in order.
    detached: true,
    stdio: ['pipe', 'pipe', log],
    env: {
      PATH: `${shim}:${process.env.PATH ?? '/usr/bin:/bin'}`,
      HOME: state,
      LANG: 'C.UTF-8',
      MINISTACK_REGION: region,
      AWS_DEFAULT_REGION: region,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    },
  });
  closeSync(log);
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('the AWS emulator has no pipes');
  stdin.on('error', () => undefined);
  let gone = false;
  const ended = new Promise<string>((resolve) => {
    child.once('exit', (code, signal) => {
      gone = true;
      resolve(code === 0 ? orderly : `ended with ${signal ?? `exit code ${code}`}`);
    });
  });
  tieToThisProcess(child, { group: true });
  const stop = async () => {
    if (!gone) {
      stdin.end();
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 10_000).unref())]);
    }
    killNow(child, true);
    removeFunctions(state);
    if (options.stateDir === undefined) rmSync(state, { recursive: true, force: true });
  };
  try {
    const line = await firstLine(stdout, ended, logFile);
    const { endpoint, pid } = announcement.parse(JSON.parse(line));
    return { endpoint, region, pid, logFile, ended, stop };
  } catch (error) {
    await stop();
    throw error;
  }
};

const firstLine = (output: NodeJS.ReadableStream, ended: Promise<string>, logFile: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let text = '';
    const fail = (why: string) => reject(new Error(causeAndLog(`the AWS emulator ${why}`, logFile)));
    const timer = setTimeout(() => fail(`did not answer within ${startsWithin / 1000} s`), startsWithin);
    output.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      resolve(text.slice(0, end));
    });
    void ended.then((how) => {
      clearTimeout(timer);
      fail(how);
    });
  });
