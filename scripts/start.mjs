// npm start: from a fresh clone to a running server.
//   npm start [-- any flag of `peersync serve`]
import { buildAll } from './build.mjs';
import { main } from './lib/main.mjs';
import { forwardSignals, listening, startServer } from './lib/server.mjs';

await main(import.meta.url, async (args) => {
  const server = startServer(await buildAll(), args);
  forwardSignals(() => server.child);
  const url = await listening(server);
  if (url) {
    console.log(`\n  peersync is running: ${url}`);
    console.log(`  Open ${url}/notepad/ in two windows and type. Ctrl-C stops it.\n`);
  }
  process.exitCode = await server.exited;
});
