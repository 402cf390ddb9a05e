/** What the agent says: one line an event, JSON or plain, never a key. */
import { clean, date } from '../cli/print.ts';

export type Level = 'info' | 'warning' | 'error';
export type Fields = Readonly<Record<string, string | number | boolean | null | undefined>>;
export type Log = (level: Level, event: string, fields?: Fields) => void;

const keyBlock = /-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)/g;
const keyEnd = /^[\s\S]*-----END [A-Z ]*PRIVATE KEY-----/;

/** Text that a command or a server wrote, without what it may show of a key, even one whose beginning was cut off. */
export const withoutKeys = (text: string): string =>
  text.replace(keyBlock, '[private key]').replace(keyEnd, '[private key]');

const plain = (value: string | number | boolean | null): string =>
  typeof value === 'string' && (value === '' || /[\s"=\\]/.test(value)) ? JSON.stringify(value) : String(value);

/** `write` gets each line with its end. `now` in ms. */
export const openLog = (write: (line: string) => void, now: () => number, format: 'plain' | 'json'): Log => {
  return (level, event, fields = {}) => {
    const said = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, typeof value === 'string' ? withoutKeys(value) : value] as const],
    );
    const time = new Date(now()).toISOString();
    write(
      format === 'json'
        ? `${JSON.stringify({ time, level, event, ...Object.fromEntries(said) })}\n`
        : `${clean([date(now()), level, event, ...said.map(([name, value]) => `${name}=${plain(value)}`)].join(' '))}\n`,
    );
  };
};
