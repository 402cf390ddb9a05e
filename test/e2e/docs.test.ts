/** The commands that the documents print, run as printed against the local stack. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { root } from '../../local/tools.ts';
import { cloud, describeWithCloud } from './cloud.ts';
import { openTerminal, type Terminal } from './terminal.ts';

/** The shell blocks of a document's section, one string each. */
const blocks = (file: string, section: string): string[] => {
  const text = readFileSync(join(root, file), 'utf8');
  const [, body = ''] = text.split(`## ${section}\n`);
  const [own = ''] = body.split(/^## /m);
  return [...own.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
};

describeWithCloud('commands in the documents', () => {
  let terminal: Terminal;

  const config = (worker: string) => ({
    server: cloud.server,
    cacert: '~/.airunner/ca-cert.pem',
    client_cert: `~/.airunner/${worker}-cert.pem`,
    client_key: `~/.airunner/${worker}-key.pem`,
  });

  beforeAll(async () => {
    terminal = openTerminal(cloud);
    mkdirSync(join(terminal.home, '.everleaf'));
    writeFileSync(join(terminal.home, '.everleaf', 'config.json'), JSON.stringify(config('admin')));
    // The service whose restart the documents ask for is the user's own.
    const service = await terminal.run(`aws ecs create-cluster --cluster-name airunner-prod &&
aws ecs register-task-definition --family airunner --container-definitions '[{"name":"app","image":"app","memory":64}]' &&
aws ecs create-service --cluster airunner-prod --service-name airunner-prod --task-definition airunner --desired-count 0`);
    expect(service).toMatchObject({ code: 0 });
  });

  /** Runs a block line by line as a person would type it, with an id of our own and a serial number just listed. */
  const type = async (block: string, id: string): Promise<void> => {
    const commands = block
      .replaceAll(/\\\n\s*/g, ' ')
      .trim()
      .split(/\n(?=\S)/);
    for (const printed of commands) {
      const listed = await terminal.run(`everleaf certificate list ${id} --output json`);
      const serial = /"serial_number": ?"([0-9a-f]+)"/.exec(listed.stdout)?.[1] ?? '<serial>';
      const command = printed.replaceAll('worker-prod-01', id).replaceAll('<serial>', serial);
      const result = await terminal.run(command);
      expect(result, command).toMatchObject({ code: 0 });
    }
  };

  test('README: Use', async () => {
    const [block = '', ...more] = blocks('README.md', 'Use');
    expect(more).toEqual([]);
    await type(block, 'docs-readme');
  });

  describe('docs/operations.md', () => {
    beforeAll(async () => {
      await terminal.run('everleaf principal create docs-worker --type worker');
      await terminal.run('everleaf certificate issue docs-worker --key-out docs-key.pem --cert-out docs-cert.pem');
      await terminal.run(
        'openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=other -keyout other-key.pem -out other-ca.pem',
      );
    });

    test.each([
      'Someone must be out now',
      'One certificate must be out now',
      'The API is down: AWS credentials alone',
      'Who changed what',
      'The truststore',
      'The server certificate',
    ])('%s', async (section) => {
      const found = blocks('docs/operations.md', section);
      expect(found.length).toBeGreaterThan(0);
      for (const block of found) await type(block, 'docs-worker');
    });

    test('every section with commands is run by a test here', () => {
      const text = readFileSync(join(root, 'docs/operations.md'), 'utf8');
      const sections = text.split(/^## /m).filter((part) => part.includes('```sh'));
      expect(sections).toHaveLength(6);
    });
  });

  test('the stack synthesises as README deploys it to AWS', async () => {
    const [block = ''] = blocks('README.md', 'Deploy to AWS');
    const command = block.split('\n').find((line) => line.startsWith('npx cdk deploy'));
    const result = await terminal.run(
      `cd '${root}' && ${command?.replace('cdk deploy', `cdk synth --quiet --output '${terminal.home}/cdk.out'`)}`,
    );
    expect(result).toMatchObject({ code: 0 });
  });
});
