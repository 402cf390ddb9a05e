/** The whole template as it was last agreed on: a change of it is seen in review. Hashes of code and metadata are left out. */
import { expect, test } from 'vitest';
import { synthesise } from './synth.ts';

test('the template is the one agreed on (npx vitest run -u test/lib/snapshot.test.ts after a change that is meant)', async () => {
  const { Resources, Outputs } = synthesise();
  const template = { Resources: withoutMetadata(Resources), Outputs };
  const text = JSON.stringify(template, null, 2)
    .replaceAll(/[0-9a-f]{64}\.zip/g, '<code>.zip')
    .replaceAll(/(Deployment[0-9A-F]{8})[0-9a-f]{32}/g, '$1<contents>');
  await expect(`${text}\n`).toMatchFileSnapshot('everleaf.template.json');
});

const withoutMetadata = (resources: Readonly<Record<string, { Type: string }>>) =>
  Object.fromEntries(Object.entries(resources).filter(([, { Type }]) => Type !== 'AWS::CDK::Metadata'));
