// From nothing to a joined, empty room, in a browser that has nothing cached.
import { spread } from '../lib/figures.mjs';
import { openBenchPage } from '../lib/pages.mjs';

export async function loading({ context, site, peersync, quick }) {
  const times = [];
  for (let run = 0; run < (quick ? 5 : 20); run += 1) {
    const page = await openBenchPage(context, 'A', site);
    times.push(await page.bench('load', { http: peersync.http, backend: peersync.ws, room: `load-${run}` }));
    await page.forget();
  }
  return {
    title: 'Loading and joining',
    how: `${times.length} fresh browser profiles, server on the same machine, wasm sent uncompressed. Milliseconds: median (least to greatest).`,
    head: ['what', 'ms'],
    rows: [
      ['wasm and its glue: fetch, compile, instantiate', spread(times.map(({ load }) => load))],
      ['connect() to an empty room: dial, noise, yamux, session', spread(times.map(({ join }) => join))],
    ],
  };
}
