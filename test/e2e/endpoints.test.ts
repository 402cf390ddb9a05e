/** Fleets, policies, endpoints and the inventory, with the command line against the deployed stack. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { adminPair, cloud, describeWithCloud } from './cloud.ts';
import { call, openTerminal, type Terminal } from './terminal.ts';

const mark = randomBytes(3).toString('hex');
const [fleet, policy, endpoint] = [`fleet-${mark}`, `policy-${mark}`, `web-${mark}`];
let terminal: Terminal;

const done = async (command: string): Promise<string> => {
  const result = await terminal.run(command);
  expect(result, command).toMatchObject({ code: 0 });
  return result.stdout;
};
const refused = async (command: string, code: number): Promise<string> => {
  const result = await terminal.run(command);
  expect(result, command).toMatchObject({ code });
  return result.stderr;
};

describeWithCloud('fleets, policies and endpoints', () => {
  beforeAll(() => {
    terminal = openTerminal(cloud);
    mkdirSync(join(terminal.home, '.everleaf'));
    const files = `~/.${cloud.name}`;
    const config = {
      ...{ server: cloud.server, cacert: `${files}/ca-cert.pem` },
      ...{ client_cert: `${files}/admin-cert.pem`, client_key: `${files}/admin-key.pem` },
    };
    writeFileSync(join(terminal.home, '.everleaf', 'config.json'), JSON.stringify(config));
  });

  test('are made, shown and listed; the inventory shows the endpoint', async () => {
    await done(`everleaf policy put ${policy} --preset 47-day --retries 2`);
    await done(`everleaf fleet put ${fleet} --endpoint 'web-*' --poll-after-seconds 10`);
    await done(
      `everleaf endpoint put ${endpoint} --dns-name ${endpoint}.example.com --policy ${policy} --fleet ${fleet}`,
    );
    expect(await done(`everleaf endpoint get ${endpoint}`)).toContain(`${endpoint}.example.com`);
    expect(await done('everleaf policy list')).toContain(policy);
    expect(await done('everleaf fleet list')).toContain(fleet);
    expect(await done('everleaf inventory')).toContain(endpoint);
    await done('everleaf inventory --expiry-within-days 30');
    expect(await done(`everleaf policy get ${policy}`)).toMatch(/47/);
    const listed = await call(cloud, adminPair(), '/api/v1/identity/inventory?expiry_within_days=30');
    expect(listed.status).toBe(200);
  });

  test('an enrolment token is shown once and can be revoked', async () => {
    const made = JSON.parse(await done(`everleaf fleet token ${fleet} --output json`));
    const shown = await done(`everleaf fleet get ${fleet} --output json`);
    expect(shown).not.toContain(made.token);
    expect(shown).toContain(made.token_id);
    await done(`everleaf fleet token ${fleet} --revoke ${made.token_id}`);
  });

  test('what is in use, or a preset, is not deleted; the rest is, and a row of each is in the audit', async () => {
    expect(await refused(`everleaf policy delete ${policy}`, 1)).toContain(endpoint);
    expect(await refused(`everleaf fleet delete ${fleet}`, 1)).toContain(endpoint);
    await refused('everleaf policy delete 47-day', 1);
    expect(
      await refused(
        `everleaf endpoint put ${endpoint} --dns-name x.example.com --fleet ${fleet} --policy none-such`,
        2,
      ),
    ).toContain('policy');
    await done(`everleaf endpoint delete ${endpoint}`);
    await done(`everleaf policy delete ${policy}`);
    await done(`everleaf fleet delete ${fleet}`);
    for (const until = Date.now() + 30_000; ; ) {
      const { entries } = JSON.parse(
        await done(`everleaf audit list --since 1h --subject endpoints/${endpoint} --output json`),
      );
      const actions = entries.map(({ action }: { action: string }) => action);
      if (actions.includes('endpoint_deleted')) {
        expect(actions).not.toContain('out_of_band');
        break;
      }
      expect(Date.now(), actions.join(' ')).toBeLessThan(until);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  });
});
