/** The consumer of an endpoint: a process that serves what the agent deploys, and somebody who looks at what it serves. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';

export interface Consumer {
  readonly port: number;
  readonly pid: number;
  /** SHA-256 of what it serves now, lower-case hex. @throws Error when the connection fails */
  readonly served: () => Promise<string>;
  readonly stop: () => Promise<void>;
}

export const servedBy = (port: number): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().fingerprint256.replaceAll(':', '').toLowerCase());
      socket.destroy();
    });
    socket.on('error', reject);
  });

/** Serves the folder's `current`; its process id is in `pidFile`. */
export const startConsumer = async (folder: string, pidFile: string): Promise<Consumer> => {
  const program = fileURLToPath(new URL('consumer-process.mjs', import.meta.url));
  const child = spawn(process.execPath, [program, folder, pidFile], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const port = await new Promise<number>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk.toString())));
    void ended.then(() => reject(new Error('the consumer did not start')));
  });
  return {
    port,
    pid: child.pid ?? 0,
    served: () => servedBy(port),
    stop: async () => {
      child.kill('SIGKILL');
      await ended;
    },
  };
};
