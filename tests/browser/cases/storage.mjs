// This device's storage, and what happens to it: deleted, full, missing, of a later version, or its browser killed.
import assert from 'node:assert/strict';
import { freshProfile, screenshot, startBrowser } from '../lib/browsers.mjs';
import { notepad, openPad, shows } from '../lib/pad.mjs';
import { expectNoEquivocation, expectSameText, freshRoom, makePeer, openPeer } from '../lib/peer.mjs';
import { eventually, pause, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';
import { startSite } from '../lib/site.mjs';

/** Times that a browser is killed while it is written in. */
const KILLS = Number(process.env.PEERSYNC_BROWSER_KILLS ?? 2);

/** What the page was told about its storage, within `ms`. */
async function toldOf(peer, code, ms = 10_000) {
  const [error] = await eventually(ms, `${code} is told`, async () => {
    const errors = (await peer.events('error')).filter((event) => event.code === code);
    return errors.length > 0 && errors;
  });
  const modes = (await peer.events('storage')).map(({ payload }) => payload);
  return { error, modes };
}

/** In memory, said to be so, and in sync with `other` all the same. */
async function worksInMemory(peer, other, server) {
  assert.equal((await peer.syncStatus()).local, 'memory');
  await peer.insert(0, '[own]');
  const ack = await peer.page.evaluate(() => {
    const message = { type: 'operation', operation: 'INSERT', data: { content: 'x', doc: 'other' } };
    return window.peer.client.send(message, { until: 'local', timeoutMs: 10_000 });
  });
  assert.equal(ack.durability, 'none');
  await other.insert(0, '[other]');
  await expectSameText([peer, other], ['[own]', '[other]'], '');
  await peer.settled();
  assert.deepEqual((await peer.events('ack')).filter(({ payload }) => payload.durability === 'local'), []);
  assert.deepEqual(await peer.syncStatus(), { local: 'memory', backend: 'stored', oldestPendingMs: null });
  await expectNoEquivocation(server);
}

test('storage: a database that is deleted under the page is told, and filled again', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const site = await startSite(context);
  const room = freshRoom('deleted');
  const a = await openPeer(context, 'A', server, { site, room });
  const b = await openPeer(context, 'B', server, { site, room });
  await a.insert(0, '[a0]');
  await a.stored();
  await a.settled();
  const begun = Date.now();
  const deleted = await a.page.evaluate(async () => {
    const databases = (await indexedDB.databases()).map(({ name }) => name);
    const answers = databases.map((name) => new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = () => resolve(name);
      request.onerror = () => reject(request.error);
    }));
    return Promise.all(answers);
  });
  assert.ok(deleted.length >= 1);
  // Seen with the next edit at the latest.
  await a.insert(0, '[a1]');
  const { error } = await toldOf(a, 'STORAGE_FAILED');
  console.log(`# storage: a deleted database is told ${error.at - begun} ms after its deletion was asked for`);
  await b.insert(0, '[b0]');
  await expectSameText([a, b], ['[a0]', '[a1]', '[b0]'], '');
  await a.settled();
  await a.stored(30_000);
  // It is all there again: a visit without a server shows it.
  await server.kill();
  await a.page.reload();
  const again = await makePeer(a.page, server, { room, until: 'open' });
  await expectSameText([again], ['[a0]', '[a1]', '[b0]'], '');
  await again.insert(0, '[a2]');
  await server.start();
  await again.page.evaluate(() => window.peer.client.connect());
  await expectSameText([again, b], ['[a0]', '[a1]', '[a2]', '[b0]'], '', 60_000);
  await again.settled();
  await expectNoEquivocation(server);
});

test('storage: a full disk is told within a second or so, and the room goes on in memory', { timeoutMs: 60_000 }, async (context) => {
  const server = await startServer(context);
  const site = await startSite(context);
  const room = freshRoom('full');
  const b = await openPeer(context, 'B', server, { site, room });
  const prepare = async (page) => {
    const session = await page.context().newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', { origin: site, quotaSize: 1 });
  };
  const begun = Date.now();
  const a = await openPeer(context, 'A', server, { site, room, prepare });
  await a.insert(0, 'x');
  const { error, modes } = await toldOf(a, 'STORAGE_FULL');
  console.log(`# storage: a full disk is told ${error.at - begun} ms after the page was asked for`);
  assert.deepEqual(modes, [{ mode: 'memory', reason: 'STORAGE_FULL' }]);
  await a.page.evaluate(() => window.peer.text.delete(0, 1));
  await worksInMemory(a, b, server);
});

test('storage: a browser without a database keeps rooms in memory, and says so', { timeoutMs: 60_000 }, async (context) => {
  const server = await startServer(context);
  const site = await startSite(context);
  const room = freshRoom('none');
  const without = (page) => page.addInitScript(() => delete globalThis.indexedDB);
  const a = await openPeer(context, 'A', server, { site, room, prepare: without });
  assert.equal(await a.page.evaluate(() => typeof indexedDB), 'undefined');
  const b = await openPeer(context, 'B', server, { site, room });
  const { modes } = await toldOf(a, 'STORAGE_FAILED');
  assert.deepEqual(modes, [{ mode: 'memory', reason: 'STORAGE_FAILED' }]);
  await worksInMemory(a, b, server);

  const pad = await openPad(context, 'C', notepad({ http: site }, freshRoom('none'), server.ws), { prepare: without });
  await pad.keyboard.type('kept by the server');
  await shows(pad, 'state', /^Saved – this browser keeps no copy$/);
  await screenshot(pad, 'notepad-memory-saved');
  await server.kill();
  await shows(pad, 'state', /^Offline – edits are kept in this tab only$/);
  await pad.keyboard.type(', and then not');
  await shows(pad, 'state', /^Offline – only in this tab(: this browser keeps nothing|, unsent for \d+ s)$/);
  await screenshot(pad, 'notepad-memory-offline');
  assert.deepEqual(pad.failures, []);
});

test('storage: chosen to be in memory it is no failure', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('chosen');
  const a = await openPeer(context, 'A', server, { room, persistence: 'memory' });
  const b = await openPeer(context, 'B', server, { room });
  await worksInMemory(a, b, server);
  assert.deepEqual((await a.events('error')).map(({ code }) => code), []);
  assert.deepEqual(await a.page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name)), []);
});

test('storage: two databases of one page know nothing of each other', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('two');
  const a = await openPeer(context, 'A', server, { room });
  await a.insert(0, 'here');
  await a.stored();
  const other = await makePeer(a.page, server, { room, dbName: 'another', until: 'open' });
  assert.equal(await other.toString(), '');
});

test('storage: a database of a later version is left alone', { timeoutMs: 60_000 }, async (context) => {
  const server = await startServer(context);
  const site = await startSite(context);
  const room = freshRoom('later');
  const a = await openPeer(context, 'A', server, { site, room });
  await a.insert(0, '[kept]');
  await a.settled();
  await a.stored();
  const names = await a.page.evaluate(async () => {
    await window.peer.client.close();
    return (await indexedDB.databases()).map(({ name, version }) => [name, version]);
  });
  await a.page.evaluate((names) => Promise.all(names.map(([name]) => new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1_000);
    request.onsuccess = () => resolve(request.result.close());
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error('blocked'));
  }))), names);
  const again = await makePeer(a.page, server, { room });
  const { modes } = await toldOf(again, 'STORAGE_NEWER');
  assert.deepEqual(modes, [{ mode: 'memory', reason: 'STORAGE_NEWER' }]);
  assert.equal(await again.toString(), '[kept]', 'the room comes from the backend');
  await again.page.evaluate(() => window.peer.text.delete(0, 6));
  const b = await openPeer(context, 'B', server, { site, room });
  await worksInMemory(again, b, server);
  const versions = await again.page.evaluate(async () => (await indexedDB.databases()).map(({ version }) => version));
  assert.deepEqual(versions, names.map(() => 1_000));
});

test('storage: a client that was closed goes on in its log; a second beside it does not', { timeoutMs: 60_000 }, async (context) => {
  const server = await startServer(context);
  const site = await startSite(context);
  const room = freshRoom('again');
  const a = await openPeer(context, 'A', server, { site, room });
  await a.insert(0, '[a0]');
  await a.settled();
  const writer = await a.writer();
  const author = await a.page.evaluate(() => window.peer.client.author);
  await a.page.evaluate(() => window.peer.client.close());
  const again = await makePeer(a.page, server, { room });
  await again.insert(0, '[a1]');
  assert.equal(await again.writer(), writer, 'the log is continued');
  assert.equal(await again.page.evaluate(() => window.peer.client.author), author, 'by the same author');
  await again.settled();
  const first = await again.page.evaluateHandle(() => window.peer);
  const beside = await makePeer(again.page, server, { room });
  await beside.insert(0, '[a2]');
  assert.notEqual(await beside.writer(), writer, 'a log that is in use is not shared');
  assert.equal(await beside.page.evaluate(() => window.peer.client.author), author);
  await beside.settled();
  await first.evaluate(({ client }) => client.close());
  await expectSameText([beside], ['[a0]', '[a1]', '[a2]'], '');
  await expectNoEquivocation(server);
});

/** Writes until killed, and collects what is said to be safe: by its token, how safe. */
async function writeUntilKilled(browser, server, room, prefix, safe) {
  const { page, kill } = browser;
  await page.exposeFunction('safe', (tokens, durability) => tokens.forEach((token) => safe.set(token, [...(safe.get(token) ?? []), durability])));
  const peer = await makePeer(page, server, { room });
  await page.evaluate((prefix) => {
    const { client, text } = window.peer;
    const made = [];
    client.on('ack', ({ seq, durability }) => {
      const tokens = made.filter((edit) => edit.seq <= seq && !edit[durability]);
      for (const edit of tokens) edit[durability] = true;
      if (tokens.length > 0) window.safe(tokens.map(({ token }) => token), durability);
    });
    const write = () => {
      const token = `[${prefix}${made.length}]`;
      made.push({ token, seq: text.insert(0, token) });
      setTimeout(write, 3);
    };
    write();
  }, prefix);
  await pause(500 + Math.random() * 1_000);
  await kill();
  return peer;
}

test(`storage: a browser killed while one writes (${KILLS} times) loses nothing that was said to be safe`, { timeoutMs: 60_000 + KILLS * 20_000 }, async (context) => {
  const server = await startServer(context);
  const site = await startSite(context);
  const room = freshRoom('killed');
  const profile = freshProfile(context);
  const safe = new Map();
  for (let round = 0; round < KILLS; round += 1) {
    await writeUntilKilled(await startBrowser(context, profile, `${site}/`), server, room, `k${round}_`, safe);
    const browser = await startBrowser(context, profile, `${site}/`);
    const peer = await makePeer(browser.page, server, { room, until: 'open' });
    const text = await peer.toString();
    const missing = [...safe].filter(([token, by]) => by.includes('local') && text.split(token).length !== 2).map(([token]) => token);
    assert.deepEqual(missing, [], 'lost or doubled on this device');
    await peer.page.evaluate(() => window.peer.client.connect());
    await peer.settled();
    await browser.kill();
  }
  const counts = ['local', 'backend'].map((durability) => [...safe.values()].filter((by) => by.includes(durability)).length);
  assert.ok(counts.every((count) => count >= 10 * KILLS), `only ${counts} were said to be safe`);
  const reader = await openPeer(context, 'A', server, { site, room });
  const text = await reader.toString();
  assert.deepEqual([...safe.keys()].filter((token) => text.split(token).length !== 2), [], 'lost or doubled at the backend');
  console.log(`# storage: killed ${KILLS} times; ${counts[0]} edits stored on this device, ${counts[1]} at the backend, none lost`);
  await expectNoEquivocation(server);
});
