// Builds everything that `npm start` runs: wasm, wrapper, what the pages use, server.
//   npm run build [-- --dev]
import { buildJs } from './build-js.mjs';
import { buildVendor } from './build-vendor.mjs';
import { buildWasm } from './build-wasm.mjs';
import { main } from './lib/main.mjs';
import { serverBinary } from './lib/paths.mjs';
import { cargo } from './lib/run.mjs';
import { step } from './lib/step.mjs';
import { ensureBuildTools } from './lib/tools.mjs';

/** Returns the path of the server binary. */
export async function buildServer({ dev = false } = {}) {
  const profile = dev ? [] : ['--release'];
  await step(`server: compile (${dev ? 'dev' : 'release'})`, async () => {
    await cargo(['build', '--locked', ...profile, '--features', 'server', '--bin', 'peersync']);
  });
  return serverBinary(dev ? 'debug' : 'release');
}

/** Installs what is missing and builds all. Returns the path of the server binary. */
export async function buildAll(options = {}) {
  await ensureBuildTools();
  await buildWasm(options);
  await buildJs();
  await buildVendor();
  return buildServer(options);
}

await main(import.meta.url, async (args) => {
  await buildAll({ dev: args.includes('--dev') });
});
