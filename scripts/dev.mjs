// npm run dev: like start, with fast unoptimised builds, rebuilding what changed. Pages in www/ need a reload only.
import { watch } from 'node:fs';
import { buildJs } from './build-js.mjs';
import { buildWasm } from './build-wasm.mjs';
import { buildAll, buildServer } from './build.mjs';
import { main } from './lib/main.mjs';
import { at } from './lib/paths.mjs';
import { forwardSignals, listening, startServer } from './lib/server.mjs';

const QUIET_MILLIS = 200;

async function buildRust() {
  await buildWasm({ dev: true });
  await buildJs();
  await buildServer({ dev: true });
}

const REBUILDS = {
  src: { what: 'Rust', restarts: true, rebuild: buildRust },
  'js/src': { what: 'wrapper', restarts: false, rebuild: buildJs },
  www: { what: 'pages', restarts: false, rebuild: async () => {} },
};

await main(import.meta.url, async (args) => {
  const binary = await buildAll({ dev: true });
  let server = startServer(binary, args);
  let stopping = false;
  forwardSignals(() => { stopping = true; return server.child; });
  const url = await listening(server);
  if (!url) {
    process.exitCode = await server.exited;
    return;
  }
  console.log(`\n  peersync is running: ${url}; watching ${Object.keys(REBUILDS).join(', ')}\n`);

  const changed = new Set();
  let timer;
  let work = Promise.resolve();
  const settle = async () => {
    const folders = [...changed];
    changed.clear();
    try {
      for (const folder of folders) await REBUILDS[folder].rebuild();
      if (folders.some((folder) => REBUILDS[folder].restarts) && !stopping) {
        server.child.kill('SIGTERM');
        await server.exited;
        server = startServer(binary, args);
        await listening(server);
      }
      console.log(`  ${folders.map((folder) => REBUILDS[folder].what).join(', ')} rebuilt: reload the page\n`);
    } catch (error) {
      // A program half written is the normal case here: the old server goes on.
      console.error(`  ${error.message}\n`);
    }
  };
  for (const folder of Object.keys(REBUILDS)) {
    watch(at(folder), { recursive: true }, () => {
      changed.add(folder);
      clearTimeout(timer);
      timer = setTimeout(() => { work = work.then(settle); }, QUIET_MILLIS);
    });
  }
  while (!stopping) await new Promise((resolve) => { setTimeout(resolve, QUIET_MILLIS); });
  await work;
  process.exitCode = await server.exited;
  process.exit();
});
