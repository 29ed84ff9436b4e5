// Builds pkg/: the crate as wasm, its JavaScript glue and types, optimised for size.
//   node scripts/build-wasm.mjs [--dev]     --dev: seconds instead of minutes, large, with debug assertions
import { copyFileSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';
import { main } from './lib/main.mjs';
import { at, targetDir, tool } from './lib/paths.mjs';
import { cargo, run } from './lib/run.mjs';
import { digest, unlessFresh } from './lib/stamp.mjs';
import { step } from './lib/step.mjs';
import { WASM_TARGET, ensureBuildTools } from './lib/tools.mjs';

// What rustc's wasm32-unknown-unknown target may use. Named here because stripping removes the section that says so.
const WASM_FEATURES = [
  '--enable-bulk-memory', '--enable-bulk-memory-opt', '--enable-call-indirect-overlong', '--enable-multivalue',
  '--enable-mutable-globals', '--enable-nontrapping-float-to-int', '--enable-reference-types', '--enable-sign-ext',
];
const OPTIMISE = ['-Oz', '--strip-debug', '--strip-producers', ...WASM_FEATURES];

const pkg = (...parts) => at('pkg', ...parts);
const binaryen = at('node_modules', 'binaryen');

export async function buildWasm({ dev = false } = {}) {
  const profile = dev ? 'dev' : 'wasm-release';
  const compiled = path.join(targetDir, WASM_TARGET, dev ? 'debug' : profile, 'peersync.wasm');
  await step(`wasm: compile (${profile})`, async () => {
    // The crate type is given here: in the manifest, beside rlib, it would silently turn LTO off.
    const what = ['--lib', '--crate-type', 'cdylib', '--target', WASM_TARGET, '--profile', profile];
    await cargo(['rustc', '--locked', ...what]);
  });
  await step('wasm: bind and optimise', () => {
    const versions = [profile, ...OPTIMISE, readFileSync(path.join(binaryen, 'package.json'), 'utf8')];
    const made = digest([compiled, tool('wasm-bindgen')], versions);
    const outputs = ['peersync.js', 'peersync.d.ts', 'peersync_bg.wasm'].map((name) => pkg(name));
    return unlessFresh({ stamp: pkg('.stamp'), made, outputs }, () => bind(compiled, pkg(), { optimise: !dev }));
  });
}

/** Fills a fresh folder, then swaps it in: a running server never serves half a package. */
export async function bind(compiled, folder, { optimise }) {
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  await run(tool('wasm-bindgen'), ['--target', 'web', '--out-dir', fresh, '--out-name', 'peersync', compiled]);
  if (optimise) {
    const wasm = path.join(fresh, 'peersync_bg.wasm');
    const bound = path.join(fresh, 'bound.wasm');
    copyFileSync(wasm, bound);
    await run(process.execPath, [path.join(binaryen, 'bin', 'wasm-opt'), ...OPTIMISE, bound, '-o', wasm]);
    rmSync(bound);
  }
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);
}

await main(import.meta.url, async (args) => {
  await ensureBuildTools();
  await buildWasm({ dev: args.includes('--dev') });
});
