/** The tools that only the tests need: the AWS command line that the runbooks type, and cfn-lint. */
import { join } from 'node:path';
import { type PythonTools, root } from '../local/tools.ts';

export const testTools: PythonTools = {
  requirements: join(root, 'test', 'requirements.txt'),
  folder: 'test',
  label: 'the AWS command line and cfn-lint, pinned with hashes',
  megabytes: 45,
};
