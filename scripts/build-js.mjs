// Builds js/dist/: the TypeScript wrapper. Needs pkg/, whose types it imports.
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { Refusal, main } from './lib/main.mjs';
import { at } from './lib/paths.mjs';
import { run } from './lib/run.mjs';
import { digest, unlessFresh } from './lib/stamp.mjs';
import { step } from './lib/step.mjs';

const dist = (...parts) => at('js', 'dist', ...parts);
const typescript = at('node_modules', 'typescript');

export async function buildJs() {
  await step('wrapper: compile', () => {
    if (!existsSync(at('js', 'src', 'index.ts'))) throw new Refusal('js/src/index.ts is missing.');
    const inputs = [at('js', 'src'), at('js', 'tsconfig.json'), at('pkg', 'peersync.d.ts')];
    const made = digest([...inputs, path.join(typescript, 'package.json')]);
    return unlessFresh({ stamp: dist('.stamp'), made, outputs: [dist('index.js')] }, async () => {
      rmSync(dist(), { recursive: true, force: true });
      const compile = (...options) => run(process.execPath, [path.join(typescript, 'bin', 'tsc'), '-p', at('js'), ...options]);
      // Comments are for the types, which editors show; a page that loads the package unbundled need not fetch them.
      await compile('--emitDeclarationOnly');
      await compile('--declaration', 'false', '--removeComments');
    });
  });
}

await main(import.meta.url, buildJs);
