/** Admins on the deployed stack: the last one who can get in stays, and AWS credentials are the way back when none can. */
import { beforeAll, expect, test } from 'vitest';
import { cloud, describeWithCloud } from './cloud.ts';
import { openTerminal, type Run, type Terminal } from './terminal.ts';

describeWithCloud('the last admin', () => {
  let terminal: Terminal;
  const as = (name: string) =>
    `--server=${cloud.server} --cacert=~/.airunner/ca-cert.pem --client-cert=~/.airunner/${name}-cert.pem --client-key=~/.airunner/${name}-key.pem`;
  const admin = (words: string): Promise<Run> => terminal.run(`everleaf ${words} ${as('admin')}`);
  const done = async (words: string): Promise<string> => {
    const result = await admin(words);
    expect(result, words).toMatchObject({ code: 0 });
    return result.stdout;
  };
  const bootstrap = () =>
    terminal.run(
      `everleaf bootstrap --environment=prod --domain=airunner.example.com --aws-region=ap-southeast-2 --admin --passphrase-file=${cloud.passphraseFile}`,
    );

  beforeAll(() => {
    terminal = openTerminal(cloud);
  });

  test('another admin can be made, suspended, and its certificate revoked', async () => {
    await done('principal create admin-two --type=admin');
    await done('certificate issue admin-two --key-out=two-key.pem --cert-out=two-cert.pem');
    const [, serial] = /^Serial: (\S+)$/m.exec(await done('certificate list admin-two')) ?? [];
    await done('principal suspend admin-two --reason="left the company"');
    await done(`certificate revoke ${serial} --reason=cessation_of_operation`);
  });

  test('the emergency admin gets in with its sealed key and its passphrase', async () => {
    const answer = await terminal.run(
      `everleaf principal get admin-emergency ${as('admin-emergency')} --passphrase-file=${cloud.passphraseFile}`,
    );
    expect(answer).toMatchObject({ code: 0 });
    expect(answer.stdout).toMatch(/^Status: active$/m);
  });

  test('the last one is suspended by force only; then bootstrap --admin is the way in', async () => {
    await done('principal suspend admin-emergency --reason="drill"');
    const refused = await admin('principal suspend admin-bootstrap --reason="drill"');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/no admin who can get in would be left/);
    await done('principal suspend admin-bootstrap --reason="drill" --force');
    const out = await admin('principal list');
    expect(out.code).toBe(1);
    expect(out.stderr).toContain('principal suspended: drill');

    expect(await bootstrap()).toMatchObject({ code: 0 });
    expect(await done('principal get admin-emergency')).toMatch(/^Status: active$/m);
    expect((await terminal.run('ls -l ~/.airunner/admin-key.pem.prev')).stdout).toMatch(/^-rw-------/);
  });
});
