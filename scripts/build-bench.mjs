// Builds target/bench/<name>/: examples/bench_wasm.rs, compiled and optimised exactly as the package is.
//   node scripts/build-bench.mjs [--name NAME] [--config KEY=VALUE]…     --config: as Cargo takes it, for another build to compare
import path from 'node:path';
import { parseArgs } from 'node:util';
import { bind } from './build-wasm.mjs';
import { main } from './lib/main.mjs';
import { targetDir } from './lib/paths.mjs';
import { cargo } from './lib/run.mjs';
import { step } from './lib/step.mjs';
import { WASM_TARGET, ensureBuildTools } from './lib/tools.mjs';
import { digest, unlessFresh } from './lib/stamp.mjs';

/** Returns the folder. */
export async function buildBench({ name = 'shipped', config = [] } = {}) {
  const compiled = path.join(targetDir, WASM_TARGET, 'wasm-release', 'examples', 'bench_wasm.wasm');
  const folder = path.join(targetDir, 'bench', name);
  await step(`bench wasm: compile (${name})`, () =>
    cargo(['build', '--locked', '--example', 'bench_wasm', '--target', WASM_TARGET, '--profile', 'wasm-release',
      ...config.flatMap((entry) => ['--config', entry])]));
  await step('bench wasm: bind and optimise', () => {
    const outputs = ['peersync.js', 'peersync_bg.wasm'].map((file) => path.join(folder, file));
    return unlessFresh({ stamp: path.join(folder, '.stamp'), made: digest([compiled]), outputs }, () => bind(compiled, folder, { optimise: true }));
  });
  return folder;
}

await main(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { name: { type: 'string' }, config: { type: 'string', multiple: true } } });
  await ensureBuildTools();
  await buildBench(values);
});
