// What a device keeps: how long opening it takes, how large it is, what coming back to the backend costs, and what a room
// that nobody uses costs the server.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { targetDir } from '../../scripts/lib/paths.mjs';
import { freshProfile, startBrowser } from '../../tests/browser/lib/browsers.mjs';
import { eventually, pause } from '../../tests/browser/lib/runner.mjs';
import { roomsOpen, startPeersync } from '../lib/backends.mjs';
import { startCounter } from '../lib/counter.mjs';
import { median, short, spread } from '../lib/figures.mjs';
import { openBenchPage } from '../lib/pages.mjs';
import { editingTrace, traceLines } from '../lib/trace.mjs';

const EDITS_PER_OPERATION = 100;
const MISSED = 100;
// Of ours the newest operations stay beside the snapshot (FOLD_KEEP_OPS, and FOLD_OPS before it is due); of theirs one row.
const FOLDED_ROWS = { peersync: 660, yjs: 2 };

export async function offline(setting) {
  const trace = editingTrace(setting.quick ? 26_000 : Infinity);
  const lines = traceLines(trace.edits);
  const rounds = setting.quick ? 3 : 9;
  const native = await nativeLoads(setting, lines, rounds);
  const targets = {
    peersync: { backend: setting.peersync.ws, http: setting.peersync.http, sdk: `${setting.peersync.http}/sdk/index.js` },
    yjs: {},
  };
  const pages = await browserLoads(setting, targets, { lines, rounds, length: trace.text.length, perOperation: EDITS_PER_OPERATION, room: 'trace' });
  const count = setting.quick ? 1_000 : 10_000;
  const disk = await diskUse(setting, targets, count);
  const back = await rejoins(setting);
  const idle = await idleRooms(setting);
  return {
    title: 'What a device keeps, and coming back',
    how: `${trace.edits.length} edits of ${trace.name}, ${EDITS_PER_OPERATION} to an operation (${native.operations}), ${trace.text.length} characters left; `
      + `${rounds} openings each, median (least to greatest). Browser: Chromium with a profile on disk, a fresh page each time, module loaded, `
      + 'from `client.open()` to the text as a string (yjs: `new IndexeddbPersistence`), systems by turns.',
    head: ['what', 'peersync', 'peersync, folded', 'yjs', 'yjs, one update', 'target', 'reached'],
    rows: [...loadRows(native, pages), ...diskRows(disk, count), ...rejoinRows(back), ...idleRows(idle)],
  };
}

function loadRows(native, pages) {
  const took = (system, when) => spread(pages[system][when].times);
  const stored = (system, when) => {
    const { rows, bytes } = pages[system][when].size;
    return `${rows.toLocaleString('en-US')}; ${kib(bytes)}`;
  };
  const each = (of) => [of('peersync', 'before'), of('peersync', 'after'), of('yjs', 'before'), of('yjs', 'after')];
  const ratio = (when) => short(median(pages.peersync[when].times) / median(pages.yjs[when].times));
  return [
    ['native: open the file and the room, ms', spread(native.before.ms), spread(native.after.ms), '', '', '', ''],
    ['native: of that, the file, ms', spread(native.before.fileMs), spread(native.after.fileMs), '', '', '', ''],
    ['native: entries; KiB of them', ...['before', 'after'].map((when) => `${native[when].entries}; ${kib(native[when].bytes)}`), '', '', '', ''],
    ['native: folding, ms', '', short(native.foldMs), '', '', '', ''],
    ['browser: open, ms', ...each(took), '', ''],
    ['browser: × yjs', ratio('before'), ratio('after'), '', '', '', ''],
    ['browser: rows; KiB of keys and values', ...each(stored), '', ''],
  ];
}

function diskRows({ native, served, pages }, count) {
  const each = (what) => [pages.peersync.before[what], pages.peersync.after[what], pages.yjs.before[what], pages.yjs.after[what]].map(kib);
  const of = count.toLocaleString('en-US');
  return [
    [`server's file after ${of} operations, KiB`, kib(native.before), kib(native.folded), '', '', '', ''],
    ['the same, opened again, KiB', '', kib(native.openedAgain), '', '', '', ''],
    ['the same, as the real server folds it meanwhile, KiB', '', kib(served), '', '', '', ''],
    [`browser's database after ${of} operations: keys and values, KiB`, ...each('bytes'), '', ''],
    ['the same: `storage.estimate()`, KiB', ...each('usage'), '', ''],
  ];
}

function rejoinRows({ session, transport }) {
  const [none, some] = session;
  const sum = ({ sent, received }) => sent + received;
  const ratio = sum(some) / some.written;
  const both = (what, index) => {
    const { tcp, payload } = transport[what][index];
    return payload ? `${short(payload)}; ${short(tcp)}` : short(tcp);
  };
  return [
    ['rejoin in sync: session, bytes out + in', `${none.sent} + ${none.received}`, '', '', '', '≤ 200', reached(sum(none) <= 200)],
    [`rejoin, ${MISSED} missed (${some.written} bytes between its writer and the server): session, bytes out + in`, `${some.sent} + ${some.received}`, '', '', '', '≤ 1.5 ×', `${reached(ratio <= 1.5)}, ${short(ratio)}`],
    ['rejoin in sync, browser: WebSocket payload; TCP, both ways', both('peersync', 0), '', both('yjs', 0), '', '', ''],
    [`rejoin, ${MISSED} missed, browser: WebSocket payload; TCP, both ways`, both('peersync', 1), '', both('yjs', 1), '', '', ''],
  ];
}

function idleRows({ before, loaded, unloaded, again, rooms, took }) {
  const each = (loaded - before) / rooms;
  return [
    [`server: ${rooms.toLocaleString('en-US')} idle rooms (made in ${short(took / 1_000)} s), KiB a room`, short(each / 1_024), '', '', '', '≤ 64', reached(each <= 64 * 1_024)],
    ['server: resident before; with the rooms; after they were unloaded; with as many others, MiB', [before, loaded, unloaded, again].map(mib).join('; '), '', '', '', '', ''],
  ];
}

const reached = (yes) => (yes ? 'yes' : 'no');
const kib = (bytes) => short(bytes / 1_024);
const mib = (bytes) => (Number.isFinite(bytes) ? (bytes / 2 ** 20).toFixed(1) : '-');

/** What `examples/bench_offline` answers. */
async function measure(...args) {
  const binary = process.env.PEERSYNC_OFFLINE || path.join(targetDir, 'release', 'examples', 'bench_offline');
  const { stdout } = await promisify(execFile)(binary, args.map(String), { timeout: 300_000 });
  return JSON.parse(stdout);
}

function ownFolder({ context, folder }, name) {
  const own = mkdtempSync(path.join(folder, `${name}-`));
  context.defer(() => rmSync(own, { recursive: true, force: true }));
  return own;
}

async function nativeLoads(setting, lines, rounds) {
  const own = ownFolder(setting, 'load');
  const file = path.join(own, 'trace');
  writeFileSync(file, lines);
  return measure('load', file, path.join(own, 'store'), rounds);
}

/** Writes a text in each system's own browser, opens it again and again, makes it smaller, and opens that. */
async function browserLoads({ context, site }, targets, { lines, rounds, length, perOperation, room }) {
  const pages = {};
  for (const [system, target] of Object.entries(targets)) {
    const { page } = await startBrowser(context, freshProfile(context), site.url);
    const fresh = async (what, ...args) => {
      await page.goto(site.url);
      await page.waitForFunction(() => window.bench);
      return page.evaluate(([what, args]) => window.bench[what](...args), [what, [system, { ...target, room }, ...args]]);
    };
    pages[system] = { fresh, before: { times: [] }, after: { times: [] } };
    pages[system].before.size = await fresh('writeStored', lines, perOperation);
  }
  const openings = async (when) => {
    for (let round = 0; round < rounds; round += 1) {
      for (const [system, { fresh, [when]: { times } }] of Object.entries(pages)) {
        const opened = await fresh('reopenStored');
        if (opened.length !== length) throw new Error(`${system}: ${opened.length} characters of ${length}, ${when} folding`);
        times.push(opened.took);
      }
    }
  };
  await openings('before');
  for (const [system, { fresh, after }] of Object.entries(pages)) after.size = await fresh('foldStored', FOLDED_ROWS[system]);
  await openings('after');
  return pages;
}

async function diskUse(setting, targets, count) {
  const native = await measure('disk', count, ownFolder(setting, 'disk'));
  const server = await startPeersync(setting.context, setting.folder);
  await measure('type', server.ws, 'disk', count);
  const served = statSync(path.join(server.data, 'peersync.redb')).size;
  const lines = Array.from({ length: count }, (_, place) => `${place} 0 "x"\n`).join('');
  const loads = await browserLoads(setting, targets, { lines, rounds: 1, length: count, perOperation: 1, room: 'disk' });
  const pages = Object.fromEntries(Object.entries(loads).map(([system, { before, after }]) => [system, { before: before.size, after: after.size }]));
  return { native, served, pages };
}

/** Engines alone for the session's own bytes; then browsers, where the transport's are counted with them. */
async function rejoins({ context, site, peersync, yjs }) {
  const session = await measure('rejoin', MISSED);
  const targets = {
    peersync: { server: peersync, path: '/ws', sdk: `${peersync.http}/sdk/index.js` },
    yjs: { server: yjs, path: '' },
  };
  const transport = {};
  for (const [system, { server, path: place, sdk }] of Object.entries(targets)) {
    const counter = await startCounter(context, server.port);
    const counted = { backend: `ws://127.0.0.1:${counter.port}${place}`, sdk, room: 'rejoin' };
    const direct = { ...counted, backend: server.ws };
    const [leaver, other] = [await openBenchPage(context, 'A', site), await openBenchPage(context, 'B', site)];
    const typed = async (count) => {
      await other.bench('open', system, system, direct);
      await other.bench('type', system, count, 12);
      await eventually(20_000, 'it is acknowledged', () => other.bench('settled', system));
      await pause(500);
      await other.bench('close', system);
    };
    const has = (length) => eventually(20_000, `${length} characters are here`, async () =>
      (await leaver.bench('synced', system)) && (await leaver.bench('length', system)) === length);
    await leaver.bench('open', system, system, counted);
    await typed(500);
    await has(500);
    await pause(3_000);
    transport[system] = [];
    for (const [count, length] of [[0, 500], [MISSED, 500 + MISSED]]) {
      await leaver.bench(system === 'yjs' ? 'leave' : 'close', system);
      if (count) await typed(count);
      await pause(1_000);
      const before = counter.total();
      if (system === 'yjs') await leaver.bench('back', system);
      else await leaver.bench('open', system, system, counted);
      await has(length);
      await pause(1_000);
      transport[system].push({ tcp: counter.total() - before, payload: system === 'yjs' ? 0 : await leaver.bench('bytes', system) });
    }
    await leaver.bench('close', system);
  }
  return { session, transport };
}

async function idleRooms({ context, folder, quick }) {
  const server = await startPeersync(context, folder);
  const rooms = quick ? 200 : 1_000;
  const resident = () => Number(readFileSync(`/proc/${server.pid}/status`, 'utf8').match(/^VmRSS:\s+(\d+) kB$/m)[1]) * 1_024;
  const open = () => roomsOpen(server);
  // What every connection and room needs once.
  await measure('rooms', server.ws, 48);
  await pause(1_000);
  const [before, others] = [resident(), await open()];
  const { ms } = await measure('rooms', server.ws, rooms);
  await pause(1_000);
  const [loaded, now] = [resident(), await open()];
  if (now < rooms || now - others !== rooms) throw new Error(`${now} rooms in memory, of which ${others} were there before; ${rooms} were to come`);
  if (quick) return { before, loaded, unloaded: NaN, again: NaN, rooms, took: ms };
  await eventually(150_000, 'the rooms are out of memory', async () => (await open()) === 0);
  await pause(1_000);
  const unloaded = resident();
  // What the process has kept is used again.
  await measure('rooms', server.ws, rooms);
  await pause(1_000);
  return { before, loaded, unloaded, again: resident(), rooms, took: ms };
}
