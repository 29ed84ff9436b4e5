// From the call that inserts a character in one Chromium process to the call that reports it in another.
import { eventually } from '../../tests/browser/lib/runner.mjs';
import { median, percentile, short, spread } from '../lib/figures.mjs';
import { openBenchPage } from '../lib/pages.mjs';

const ROUNDS = 5;

/** Rounds alternate between the systems, so that whatever else the machine does meets both. */
export async function latency({ context, site, peersync, yjs, quick }) {
  const [count, everyMs] = quick ? [40, 25] : [200, 100];
  const pages = { a: await openBenchPage(context, 'A', site), b: await openBenchPage(context, 'B', site) };
  const targets = {
    peersync: { backend: peersync.ws, sdk: `${peersync.http}/sdk/index.js` },
    yjs: { backend: yjs.ws },
  };
  for (const [system, target] of Object.entries(targets)) {
    for (const page of Object.values(pages)) await page.bench('open', system, system, { ...target, room: 'latency' });
    await pages.a.bench('type', system, 10, everyMs);
    await arrived(pages.b, system, 10);
  }
  const rounds = { peersync: [], yjs: [] };
  const errors = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const system of Object.keys(targets)) {
      const before = await difference(pages);
      const known = (await pages.b.bench('arrivals', system)).length;
      const typed = await pages.a.bench('type', system, count, everyMs);
      await arrived(pages.b, system, known + count);
      const after = await difference(pages);
      errors.push(before.error, after.error);
      const ahead = (before.ahead + after.ahead) / 2;
      const arrivals = (await pages.b.bench('arrivals', system)).slice(known);
      rounds[system].push(typed.map(({ at }, place) => arrivals[place] - at - ahead));
    }
  }
  const operations = await pages.a.bench('operations', 'peersync');
  const expected = 10 + ROUNDS * count;
  if (operations !== expected) throw new Error(`${expected} characters became ${operations} operations`);
  const figures = Object.fromEntries(Object.entries(rounds).map(([system, lists]) => {
    const all = lists.flat();
    const [p50, p95, p99] = [50, 95, 99].map((percent) => percentile(all, percent));
    return [system, { p50, p95, p99, max: Math.max(...all), rounds: lists.map(median) }];
  }));
  const row = (name, { p50, p95, p99, max, rounds }, target, reached) =>
    [name, ...[p50, p95, p99, max].map(short), spread(rounds), target, reached];
  const { p50, p99 } = figures.peersync;
  return {
    title: 'Operation latency, browser to browser through the backend',
    how: `${ROUNDS * count} operations of one character, ${everyMs} ms apart, in ${ROUNDS} rounds that alternate between the `
      + `systems; two Chromium processes; clocks compared before and after each round, to ±${short(median(errors))} ms. Milliseconds.`,
    head: ['system', 'p50', 'p95', 'p99', 'max', 'p50 of the rounds', 'target', 'reached'],
    rows: [
      row('peersync', figures.peersync, 'p50 ≤ 5, p99 ≤ 25', p50 <= 5 && p99 <= 25 ? 'yes' : 'no'),
      row('Yjs + y-websocket', figures.yjs, '', ''),
    ],
  };
}

const arrived = (page, system, count) =>
  eventually(20_000, `${count} characters arrive`, async () => (await page.bench('arrivals', system)).length >= count);

/** How far page B's clock is ahead of page A's. */
export async function difference({ a, b }) {
  const [ofA, ofB] = [await a.bench('clock'), await b.bench('clock')];
  return { ahead: ofA.ahead - ofB.ahead, error: ofA.error + ofB.error };
}
