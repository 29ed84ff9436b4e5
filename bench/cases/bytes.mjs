// What one typed character costs on the wire, counted between each browser and its backend.
import { eventually, pause } from '../../tests/browser/lib/runner.mjs';
import { short } from '../lib/figures.mjs';
import { startCounter } from '../lib/counter.mjs';
import { openBenchPage } from '../lib/pages.mjs';

// Two periods of libp2p's ping.
const IDLE_MS = 10_000;

export async function bytes({ context, site, peersync, yjs, quick }) {
  const [count, everyMs, idlePeriods] = quick ? [100, 30, 1] : [500, 100, 3];
  const targets = {
    peersync: { server: peersync, path: '/ws', sdk: `${peersync.http}/sdk/index.js` },
    yjs: { server: yjs, path: '' },
  };
  const measured = {};
  // Both at once: only bytes count here, and sums do not depend on who else runs.
  await Promise.all(Object.entries(targets).map(async ([system, { server, path, sdk }]) => {
    const counters = [await startCounter(context, server.port), await startCounter(context, server.port)];
    const pages = [await openBenchPage(context, 'A', site), await openBenchPage(context, 'B', site)];
    for (const [place, page] of pages.entries()) {
      const backend = `ws://127.0.0.1:${counters[place].port}${path}`;
      await page.bench('open', system, system, { backend, sdk, room: 'bytes' });
    }
    const [writer, reader] = pages;
    const totals = () => counters.map((counter) => counter.total());
    // The first operation of a writer introduces it to everyone. One before each idle period, so that none is long enough
    // for the digest that a silent session repeats: a typing one has only its pings.
    const idles = [];
    for (let period = 1; period <= idlePeriods; period += 1) {
      await writer.bench('type', system, 1, 0);
      await quiet(writer, reader, system, period);
      const start = totals();
      await pause(IDLE_MS);
      idles.push(totals().map((total, place) => (total - start[place]) / IDLE_MS));
    }
    const idle = counters.map((_, place) => idles.reduce((sum, period) => sum + period[place], 0) / idlePeriods);
    const before = totals();
    const begun = performance.now();
    await writer.bench('type', system, count, everyMs);
    await quiet(writer, reader, system, idlePeriods + count);
    const elapsed = performance.now() - begun;
    const gross = totals().map((total, place) => total - before[place]);
    const operations = await writer.bench('operations', system);
    if (operations !== idlePeriods + count) throw new Error(`${system}: ${idlePeriods + count} characters became ${operations} operations`);
    measured[system] = gross.map((sum, place) => ({
      gross: sum / count, net: (sum - idle[place] * elapsed) / count, idle: idle[place] * 1_000,
    }));
  }));
  const row = (name, [writer, reader], target, reached) => [
    name, ...[writer.net, reader.net, writer.gross, reader.gross, writer.idle, reader.idle].map((value) => value.toFixed(1)), target, reached,
  ];
  const reached = measured.peersync[0].net <= 160 ? 'yes' : 'no';
  return {
    title: 'Bytes on the wire per typed character, acknowledgements included',
    how: `${count} characters, ${everyMs} ms apart, each an operation of its own; all bytes that TCP carries both ways, less what `
      + `the idle connection carries in the same time (measured over ${(idlePeriods * IDLE_MS) / 1_000} s before).`,
    head: ['system', 'writer', 'reader', 'writer, with idle', 'reader, with idle', 'writer idle B/s', 'reader idle B/s', 'target', 'reached'],
    rows: [row('peersync', measured.peersync, 'writer ≤ 160', reached), row('Yjs + y-websocket', measured.yjs, '', '')],
  };
}

async function quiet(writer, reader, system, count) {
  await eventually(20_000, `${count} characters arrive`, async () => (await reader.bench('length', system)) === count);
  await eventually(20_000, 'everything is acknowledged', () => writer.bench('settled', system));
  // Acknowledgements may be in the air for a moment longer.
  await pause(300);
}
