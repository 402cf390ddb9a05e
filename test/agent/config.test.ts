/** The agent's own file: what it may say, and that everything else is refused by name. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readAgentConfig } from '../../src/agent/config.ts';

let folder: string;
const file = () => join(folder, 'agent.json');
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'everleaf-config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const good = {
  server: 'https://api.example.com',
  client_cert: '/etc/everleaf/agent-cert.pem',
  client_key: '/etc/everleaf/agent-key.pem',
  state_dir: '/var/lib/everleaf',
  endpoints: {
    web: { directory: '/etc/ssl/web', check: ['nginx', '-t'], reload: ['systemctl', 'reload', 'nginx'] },
    mail: { directory: '/etc/ssl/mail', reload: { signal: 'SIGHUP', pid_file: '/run/mail.pid' }, timeout_seconds: 5 },
    cluster: { kubernetes: { namespace: 'web', secret: 'web-tls' } },
  },
};
const read = (content: unknown) => {
  writeFileSync(file(), typeof content === 'string' ? content : JSON.stringify(content));
  return readAgentConfig(file());
};
const withWeb = (web: object) => ({ ...good, endpoints: { web: { directory: '/etc/ssl/web', ...web } } });

it('says what runs and where, with 30 seconds for each command unless it says otherwise', () => {
  const { endpoints, cacert, http01, server } = read(good);
  expect([server.href, cacert, http01]).toEqual(['https://api.example.com/', null, null]);
  expect(endpoints.get('web')).toMatchObject({ check: ['nginx', '-t'], timeout_ms: 30_000, group_readable: false });
  expect(endpoints.get('mail')).toMatchObject({ check: null, reload: { kind: 'signal' }, timeout_ms: 5_000 });
  expect(endpoints.get('cluster')?.directory).toBe('/var/lib/everleaf/secrets/cluster');
});

describe('refuses', () => {
  it.each([
    ['an unknown setting', { ...good, endpoint: {} }, ': endpoint is not a setting'],
    ['an endpoint’s unknown setting', withWeb({ relaod: ['x'] }), ': endpoints.web.relaod is not a setting'],
    [
      'a reload’s unknown setting',
      withWeb({ reload: { signal: 'SIGHUP', pid_file: '/p', pid: 1 } }),
      'endpoints.web.reload.pid is not',
    ],
    ['a missing setting', { ...good, server: undefined }, ': server is missing'],
    ['a server without TLS', { ...good, server: 'http://api.example.com' }, ': server must be an address'],
    ['a relative path', { ...good, state_dir: 'state' }, ': state_dir must be an absolute path'],
    ['a path with ..', withWeb({ directory: '/etc/ssl/../web' }), 'endpoints.web.directory must be an absolute path'],
    ['a relative program', withWeb({ check: ['./check'] }), 'endpoints.web.check must begin with an absolute path'],
    ['a command for a shell', withWeb({ reload: 'systemctl reload nginx' }), 'endpoints.web.reload'],
    ['a command without words', withWeb({ check: [] }), 'endpoints.web.check must name a command'],
    [
      'a signal that kills',
      withWeb({ reload: { signal: 'SIGKILL', pid_file: '/p' } }),
      'endpoints.web.reload.signal must be one of',
    ],
    ['no time at all', withWeb({ timeout_seconds: 0 }), 'endpoints.web.timeout_seconds must be 1 to 3600'],
    [
      'more endpoints than a heartbeat tells of',
      {
        ...good,
        endpoints: Object.fromEntries(Array.from({ length: 201 }, (_, n) => [`e${n}`, { directory: `/e/${n}` }])),
      },
      'endpoints must be at most 200',
    ],
    [
      'an endpoint id that the server would not know',
      { ...good, endpoints: { WEB: { directory: '/w' } } },
      '"WEB" is no endpoint id',
    ],
    [
      'an endpoint id that leads elsewhere',
      { ...good, endpoints: { '../web': { directory: '/w' } } },
      '"../web" is no endpoint id',
    ],
    [
      'one folder for two',
      { ...good, endpoints: { a: { directory: '/e/a' }, b: { directory: '/e/a/b' } } },
      'endpoints.b.directory is also that of a',
    ],
    [
      'a folder in state_dir',
      withWeb({ directory: '/var/lib/everleaf/web' }),
      'endpoints.web.directory and state_dir must be apart',
    ],
    ['a port that is none', { ...good, http01: { port: 70_000 } }, ': http01.port must be a port'],
    ['what is no JSON', '{', 'is not JSON'],
  ])('%s', (_, content, said) => {
    expect(() => read(content)).toThrow(said);
  });
  it.each([0o666, 0o664, 0o646])('a file that others can change (mode %o)', (mode) => {
    read(good);
    chmodSync(file(), mode);
    expect(() => readAgentConfig(file())).toThrow(`chmod go-w ${file()}`);
  });
  it('a file in a folder where others could put another in its place', () => {
    const shared = join(folder, 'shared');
    mkdirSync(shared);
    writeFileSync(join(shared, 'agent.json'), JSON.stringify(good));
    chmodSync(shared, 0o777);
    expect(() => readAgentConfig(join(shared, 'agent.json'))).toThrow(`chmod go-w ${shared}`);
  });
});
