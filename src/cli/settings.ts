/** Where the server is and who we are: from options, else EVERLEAF_*, else ~/.everleaf/config.json. */
import { join } from 'node:path';
import { z } from 'zod';
import { Misuse } from './failure.ts';
import { expandHome, readIfThere } from './files.ts';
import type { Terminal } from './terminal.ts';

/** The options that every command talking to the server takes, as commander names them. */
export interface ServerOptions {
  readonly server?: string | undefined;
  readonly cacert?: string | undefined;
  readonly clientCert?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly passphraseFile?: string | undefined;
  readonly output?: 'table' | 'json' | undefined;
}

export interface Settings {
  readonly server: URL;
  /** null: the system's own roots. */
  readonly cacert: string | null;
  readonly clientCert: string;
  readonly clientKey: string;
}

const configSchema = z.strictObject({
  server: z.string().optional(),
  cacert: z.string().optional(),
  client_cert: z.string().optional(),
  client_key: z.string().optional(),
});

const readConfig = (file: string): z.infer<typeof configSchema> => {
  const text = readIfThere(file, 'config');
  if (text === null) return {};
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    throw new Misuse(`${file} is not JSON`);
  }
  const parsed = configSchema.safeParse(content);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const field = issue?.code === 'unrecognized_keys' ? issue.keys[0] : issue?.path.join('.');
  throw new Misuse(
    `${file}: ${field ?? ''} ${issue?.code === 'unrecognized_keys' ? 'is not a setting' : issue?.message}`,
  );
};

const parseServer = (text: string): URL => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || url.protocol !== 'https:' || url.username || url.password || url.search || url.hash)
    throw new Misuse('--server: must be an address like https://api.example.com');
  return url;
};

/** @throws Misuse naming the option that is missing or wrong. */
export const readSettings = (terminal: Terminal, options: ServerOptions): Settings => {
  const file = join(terminal.home, '.everleaf', 'config.json');
  let config: z.infer<typeof configSchema> | undefined;
  const find = (option: string | undefined, variable: string, field: keyof z.infer<typeof configSchema>) => {
    if (option !== undefined) return option;
    const fromEnvironment = terminal.env[variable];
    if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
    config ??= readConfig(file);
    return config[field];
  };
  const need = (value: string | undefined, option: string, variable: string): string => {
    if (value !== undefined && value !== '') return value;
    throw new Misuse(`${option} is missing: give it, or set ${variable}, or write it into ${file}`);
  };
  const path = (value: string) => expandHome(value, terminal.home);
  const cacert = find(options.cacert, 'EVERLEAF_CACERT', 'cacert');
  return {
    server: parseServer(need(find(options.server, 'EVERLEAF_SERVER', 'server'), '--server', 'EVERLEAF_SERVER')),
    cacert: cacert === undefined || cacert === '' ? null : path(cacert),
    clientCert: path(
      need(find(options.clientCert, 'EVERLEAF_CLIENT_CERT', 'client_cert'), '--client-cert', 'EVERLEAF_CLIENT_CERT'),
    ),
    clientKey: path(
      need(find(options.clientKey, 'EVERLEAF_CLIENT_KEY', 'client_key'), '--client-key', 'EVERLEAF_CLIENT_KEY'),
    ),
  };
};
