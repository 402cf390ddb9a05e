/**
 * Loaded before the agent's program: counts what it does to its node's files, and the commands and signals that it sends,
 * and has the kernel kill it (SIGKILL) right before the n-th, or in the middle of it where that is a write. Or, from the n-th
 * on, has the disk take nothing new.
 */
import child_process from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const at = Number(process.env.TEST_KILL_AT ?? 0);
const fullAt = Number(process.env.TEST_FULL_AT ?? Number.POSITIVE_INFINITY);
const torn = process.env.TEST_KILL_TORN === '1';
const trace = process.env.TEST_KILL_TRACE ? fs.openSync(process.env.TEST_KILL_TRACE, 'a') : null;
const kill = process.kill.bind(process);
const write = fs.writeSync;
const needsRoom = new Set(['openSync', 'writeFileSync', 'symlinkSync', 'mkdirSync']);
let count = 0;

const die = () => {
  kill(process.pid, 'SIGKILL');
  // The signal is on its way; nothing may happen meanwhile.
  for (;;);
};
const step = (name) => {
  count += 1;
  if (trace !== null) write(trace, `${name}\n`);
  return count === at;
};
const watch = (module, name, matters = () => true) => {
  const original = module[name];
  module[name] = (...args) => {
    if (!matters(...args)) return original.apply(module, args);
    if (step(name === 'spawn' ? `spawn ${args[0]}` : name)) {
      if (torn && name === 'writeFileSync') {
        const text = String(args[1]);
        original.call(module, args[0], text.slice(0, text.length / 2), ...args.slice(2));
      }
      die();
    }
    if (count >= fullAt && needsRoom.has(name) && !(name === 'mkdirSync' && fs.existsSync(args[0])))
      throw Object.assign(new Error(`ENOSPC: no space left on device, ${name}`), { code: 'ENOSPC' });
    return original.apply(module, args);
  };
};

for (const name of ['renameSync', 'symlinkSync', 'unlinkSync', 'rmSync', 'mkdirSync', 'writeFileSync', 'fsyncSync'])
  watch(fs, name);
watch(fs, 'openSync', (_path, flags) => typeof flags === 'string' && flags !== 'r');
watch(child_process, 'spawn');
process.kill = (pid, signal) => {
  if (signal !== 0 && step(`kill ${signal}`)) die();
  return kill(pid, signal);
};
syncBuiltinESMExports();
