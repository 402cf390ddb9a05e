/** The command line as it is delivered: `everleaf.mjs`, and beside it, in chunks, what only some commands load. */
import { chmod, readdir, readFile, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { z } from 'zod';

const root = fileURLToPath(new URL('..', import.meta.url));

/** zod's `z` holds every language and format it knows; as a namespace only what is used comes along, a fifth of it. */
const leanZod: Plugin = {
  name: 'lean-zod',
  setup: (bundling) => {
    bundling.onLoad({ filter: /[\\/](?:src|bin)[\\/].*\.ts$/ }, async ({ path }) => ({
      loader: 'ts',
      contents: (await readFile(path, 'utf8')).replace(/^import \{ z \} from 'zod';$/m, "import * as z from 'zod';"),
    }));
  },
};

/** Writes it into a folder, where chunks of an earlier build go. Runs on any Node from 20. */
export const bundle = async (outdir: string): Promise<string> => {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(await readFile(`${root}package.json`, 'utf8')));
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['bin/everleaf.ts'],
    outdir,
    outExtension: { '.js': '.mjs' },
    chunkNames: 'chunks/[name]-[hash]',
    // One file would hold AWS's clients and an X.509 library in the memory of an agent that runs for months.
    splitting: true,
    bundle: true,
    minify: true,
    keepNames: true,
    metafile: true,
    plugins: [leanZod],
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
  const written = new Set(Object.keys(metafile.outputs).map((path) => basename(path)));
  const chunks = join(outdir, 'chunks');
  for (const name of await readdir(chunks)) if (!written.has(name)) await rm(join(chunks, name));
  const program = join(outdir, 'everleaf.mjs');
  await chmod(program, 0o755);
  return program;
};
