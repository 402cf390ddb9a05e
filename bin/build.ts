/** Bundles the command line into one file, `dist/everleaf.mjs`, so that it starts fast and runs on any Node from 20. */
import { chmod, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = z.object({ version: z.string() }).parse(JSON.parse(await readFile(`${root}package.json`, 'utf8')));

await build({
  absWorkingDir: root,
  entryPoints: ['bin/everleaf.ts'],
  outfile: 'dist/everleaf.mjs',
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
await chmod(`${root}dist/everleaf.mjs`, 0o755);
