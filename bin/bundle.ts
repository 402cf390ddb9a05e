/** The command line as it is delivered, in one file, so that it starts fast and runs on any Node from 20. */
import { chmod, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Writes `everleaf.mjs` into a folder, and says where it is. */
export const bundle = async (folder: string): Promise<string> => {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(`${root}package.json`, 'utf8')));
  const outfile = join(folder, 'everleaf.mjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['bin/everleaf.ts'],
    outfile,
    bundle: true,
    minify: true,
    keepNames: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
    legalComments: 'none',
    define: { EVERLEAF_VERSION: JSON.stringify(version) },
    banner: {
      js: [
        '#!/usr/bin/env node',
        "import { createRequire as __createRequire } from 'node:module';",
        'const require = __createRequire(import.meta.url);',
      ].join('\n'),
    },
  });
  await chmod(outfile, 0o755);
  return outfile;
};
