// A board of shapes: loading a thousand of them, a drag as a second browser sees it, and what a tab's memory holds.
import { eventually, pause } from '../../tests/browser/lib/runner.mjs';
import { roomsOpen } from '../lib/backends.mjs';
import { engine } from '../lib/engine.mjs';
import { median, percentile, short, spread } from '../lib/figures.mjs';
import { openBenchPage } from '../lib/pages.mjs';
import { shapeOf } from '../page/shape.mjs';
import { difference } from './latency.mjs';

const SHAPES = 1_000;
// Longer than the coalescing window: every shape is an operation of its own, as if it had been drawn.
const DRAWN_MS = 12;

export async function shapes(setting) {
  const { peersync, yjs, engines, quick } = setting;
  const targets = {
    peersync: { backend: peersync.ws, http: peersync.http, sdk: `${peersync.http}/sdk/index.js` },
    yjs: { backend: yjs.ws },
  };
  const [loads, rounds, seconds] = quick ? [3, 1, 2] : [9, 3, 5];
  const rooms = await fill(setting, targets);
  const [loading, memory] = await load(setting, targets, rooms, loads);
  if (!quick) loading.rested = await loadRested(setting, targets.peersync, rooms, loads);
  const drags = await drag(setting, targets, rooms, rounds, seconds);
  const moves = await manyMoves(engines.shipped, quick ? 1_000 : 10_000);
  const both = (what) => [spread(loading[`peersync/${what}`]), spread(loading[`yjs/${what}`])];
  const reached = (yes) => (yes ? 'yes' : 'no');
  const fast = (what) => ['≤ 200', reached(median(loading[`peersync/${what}`]) <= 200)];
  const { rested: waits } = loading;
  const rested = waits ? [spread(waits), '', '≤ 200', reached(median(waits) <= 200)] : ['-', '', '', ''];
  const seen = (what) => [short(drags.peersync[what]), short(drags.yjs[what])];
  const held = (what) => [memory.peersync[what], memory.yjs[what]];
  return {
    title: 'A board of shapes',
    how: `Chromium. Loads: from connect() in a fresh page, module loaded, until ${SHAPES} records are there; ${loads} fresh profiles, median `
      + `(least to greatest). Drag: 60 moves a second for ${seconds} s, ${rounds} rounds, seen by a second browser process. Memory: `
      + 'V8 heap in use after a collection (CDP Runtime.getHeapUsage), and the wasm memory, which only grows. '
      + `Average shape: ${moves.average} bytes of JSON.`,
    head: ['what', 'peersync', 'Yjs + y-websocket', 'target', 'reached'],
    rows: [
      [`load ${SHAPES} shapes drawn one by one (${rooms.operations.drawn} operations), ms`, ...both('drawn'), ...fast('drawn')],
      ['the same, after nobody was in the room for a while, ms', ...rested],
      [`load ${SHAPES} shapes put there at once (${rooms.operations.pasted} operations), ms`, ...both('pasted'), ...fast('pasted')],
      ['load an empty room, ms', ...both('empty'), '', ''],
      ['load the wasm and its glue, ms', spread(loading['peersync/module']), '', '', ''],
      ['drag: distinct positions seen per second, least second', ...seen('least'), '≥ 50', reached(drags.peersync.least >= 50)],
      ['drag: distinct positions seen per second, median', ...seen('median'), '', ''],
      ['drag: delay p50 / p95, ms', ...['peersync', 'yjs'].map((system) => `${short(drags[system].p50)} / ${short(drags[system].p95)}`), '', ''],
      ['tab memory, empty room, MiB', ...held('empty'), '', ''],
      [`tab memory, ${SHAPES} shapes drawn one by one, MiB`, ...held('drawn'), '', ''],
      [`${moves.count} committed moves of one shape: what shows, bytes`, moves.visible, '', '', ''],
      [`${moves.count} committed moves of one shape: the log, KiB`, short(moves.log / 1_024), '', '', ''],
    ],
  };
}

/** The same boards for both systems. */
async function fill({ context, site }, targets) {
  const rooms = { operations: {}, drawn: 'board-drawn', pasted: 'board-pasted', empty: 'board-empty' };
  for (const [system, target] of Object.entries(targets)) {
    for (const [room, everyMs] of [['drawn', DRAWN_MS], ['pasted', 0]]) {
      const page = await openBenchPage(context, 'A', site);
      await page.bench('openBoard', 'board', system, { ...target, room: rooms[room] });
      await page.bench('draw', 'board', SHAPES, everyMs);
      await eventually(60_000, 'everything is acknowledged', () => page.bench('boardSettled', 'board'));
      const operations = await page.bench('boardOperations', 'board');
      if (system === 'peersync') rooms.operations[room] = operations;
      if (room === 'drawn' && operations < SHAPES * 0.95) throw new Error(`${system}: ${operations} operations for ${SHAPES} shapes`);
      // y-websocket does not say when its server has everything: who draws stays until somebody else has seen it.
      const witness = await openBenchPage(context, 'B', site);
      await witness.bench('openBoard', 'board', system, { ...target, room: rooms[room] }, SHAPES);
      for (const each of [page, witness]) {
        await each.bench('closeBoard', 'board');
        await each.forget();
      }
    }
  }
  return rooms;
}

/** Systems and rooms by turns, each in a fresh profile. */
async function load({ context, site, peersync }, targets, rooms, loads) {
  const times = { 'peersync/module': [] };
  const memory = { peersync: {}, yjs: {} };
  for (let run = 0; run < loads; run += 1) {
    for (const [system, target] of Object.entries(targets)) {
      for (const room of ['drawn', 'pasted', 'empty']) {
        const page = await openBenchPage(context, 'B', site);
        const wanted = room === 'empty' ? 0 : SHAPES;
        if (system === 'peersync') times['peersync/module'].push(await page.bench('loadModule', peersync.http));
        const { took, size } = await page.bench('openBoard', 'board', system, { ...target, room: rooms[room] }, wanted);
        if (size !== wanted) throw new Error(`${system}: ${size} shapes`);
        (times[`${system}/${room}`] ??= []).push(took);
        if (run === loads - 1) memory[system][room] = await held(page, system === 'peersync' && peersync.http);
        await page.bench('closeBoard', 'board');
        await page.forget();
      }
    }
  }
  return [times, memory];
}

/** Once nobody is left the server folds a room of many operations and forgets it: whoever comes then gets a snapshot. */
async function loadRested({ context, site, peersync }, target, rooms, loads) {
  await eventually(150_000, 'the rooms are out of memory', async () => (await roomsOpen(peersync)) === 0);
  const times = [];
  for (let run = 0; run < loads; run += 1) {
    const page = await openBenchPage(context, 'B', site);
    await page.bench('loadModule', peersync.http);
    times.push((await page.bench('openBoard', 'board', 'peersync', { ...target, room: rooms.drawn }, SHAPES)).took);
    await page.bench('closeBoard', 'board');
    await page.forget();
  }
  return times;
}

/** What a page's memory holds, in MiB: V8's heap, and wasm's memory if there is any. */
async function held(page, http) {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  const mib = (bytes) => (bytes / 2 ** 20).toFixed(1);
  return http ? `${mib(usedSize)} + wasm ${mib(await page.bench('wasmBytes'))}` : mib(usedSize);
}

async function drag({ context, site }, targets, rooms, rounds, seconds) {
  const pages = { a: await openBenchPage(context, 'A', site), b: await openBenchPage(context, 'B', site) };
  const measured = Object.fromEntries(Object.keys(targets).map((system) => [system, { perSecond: [], delays: [] }]));
  for (const [system, target] of Object.entries(targets)) {
    for (const page of Object.values(pages)) await page.bench('openBoard', system, system, { ...target, room: rooms.drawn }, SHAPES);
    await pages.a.bench('drag', system, 1);
    await pause(500);
    await pages.b.bench('seenDrags', system);
  }
  for (let round = 0; round < rounds; round += 1) {
    for (const [system, { perSecond, delays }] of Object.entries(measured)) {
      const before = await difference(pages);
      const moves = await pages.a.bench('drag', system, seconds);
      await pause(500);
      const after = await difference(pages);
      const ahead = (before.ahead + after.ahead) / 2;
      const seen = await pages.b.bench('seenDrags', system);
      const [first] = seen;
      const numbers = Array.from({ length: seconds }, () => new Set());
      for (const { number, at } of seen) {
        delays.push(at - moves[number].at - ahead);
        // A position told twice counts once.
        numbers[Math.floor((at - first.at) / 1_000)]?.add(number);
      }
      perSecond.push(...numbers.map(({ size }) => size));
    }
  }
  return Object.fromEntries(Object.entries(measured).map(([system, { perSecond, delays }]) =>
    [system, { least: Math.min(...perSecond), median: median(perSecond), p50: median(delays), p95: percentile(delays, 95) }]));
}

/** One shape moved again and again, each move an operation. The state keeps one value a field (SPEC L7); the log keeps all. */
async function manyMoves(folder, count) {
  const { BenchReplica } = await engine(folder);
  const replica = new BenchReplica(1, true);
  for (let move = 0; move <= count; move += 1) {
    replica.setShape('a', 100 + move / 2, 200 - move / 4, 1_760_000_000_000 + move);
    replica.commit(1_760_000_000_000 + move);
  }
  const sizes = Array.from({ length: SHAPES }, (_, number) => JSON.stringify(shapeOf(number)).length);
  const visible = replica.shapeBytes('a');
  return { count: count.toLocaleString('en-US'), visible, log: replica.logBytes(), average: Math.round(sizes.reduce((sum, size) => sum + size, 0) / SHAPES) };
}
