// Tabs of one browser: one WebSocket for all, handed over when its tab goes; and each other's neighbours without any.
import assert from 'node:assert/strict';
import { openBeside } from '../lib/browsers.mjs';
import { expectSameText, freshRoom, makePeer, openPeer, tokensOf } from '../lib/peer.mjs';
import { eventually, pause, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

const TABS = 5;
const ROUNDS = 5;
/** For so long a tab does nothing at all. */
const HANGS_MS = 8_000;
/** From the end of the tab that kept the connection until another is connected. */
const HANDOVER_MS = 250;
/** For a machine that is busy with other tests: the figures themselves are printed. */
const SLACK_MS = 1_000;

async function metric(server, name) {
  const text = await (await fetch(`${server.http}/metrics`)).text();
  return Number(new RegExp(`^peersync_${name} (\\d+)$`, 'm').exec(text)[1]);
}

/** `connect()` is done when the room is there, from this device or another tab. */
async function online(tab) {
  await eventually(20_000, 'the tab is connected', async () => (await tab.state()).status === 'connected');
  return tab;
}

/** One more tab beside that of `peer`, connected. */
const openTab = async (peer, server, options) => online(await makePeer(await openBeside(peer.page, `${server.http}/`), server, options));

/** Ends the tab's process, without a word to its page. */
async function crash({ page }) {
  const cdp = await page.context().newCDPSession(page);
  const crashed = new Promise((resolve) => page.once('crash', resolve));
  cdp.send('Page.crash').catch(() => {});
  await crashed;
}

/** `count` tabs of one browser in one room, all connected. The first one keeps the connection. */
async function openTabs(context, server, room, count, options = {}) {
  const tabs = [await online(await openPeer(context, 'A', server, { room, ...options }))];
  while (tabs.length < count) tabs.push(await openTab(tabs[0], server, { room, ...options }));
  return tabs;
}

const sockets = (server, count) => eventually(5_000, `${count} WebSockets`, async () => (await metric(server, 'websockets')) === count);

/** Each tab types its tokens at the same place, while `meanwhile` goes on. */
async function typeAll(tabs, count, meanwhile) {
  const startAt = Date.now() + 100;
  const typing = tabs.map((tab, index) => tab.type({ prefix: `t${index}-`, count, index: 0, everyMs: 20, startAt }));
  const [result] = await Promise.all([meanwhile(), ...typing]);
  return { result, tokens: tabs.flatMap((_, index) => tokensOf(`t${index}-`, count)) };
}

/**
 * Ends the tab that keeps the connection. After how long the first of the others notices, one is connected, all are.
 * Counts from when the browser is asked to end the tab, which takes its time as well.
 */
async function handover(others, end) {
  const since = Date.now();
  const after = async (type) => {
    const times = await Promise.all(others.map(async (tab) => (await tab.events(type)).map(({ at }) => at).find((at) => at > since)));
    return times.filter((at) => at !== undefined).map((at) => at - since);
  };
  await end();
  await pause(500);
  await eventually(10_000, 'every other tab is connected', async () => (await after('connected')).length === others.length);
  const [noticed, connected] = [await after('disconnected'), await after('connected')];
  return { noticed: Math.min(...noticed), first: Math.min(...connected), all: Math.max(...connected) };
}

function report(what, handovers) {
  const spread = (name) => {
    const sorted = handovers.map((times) => times[name]).toSorted((a, b) => a - b);
    return { median: sorted[Math.floor(sorted.length / 2)], max: sorted.at(-1) };
  };
  const figures = ['noticed', 'first', 'all'].map((name) => `${name} ${spread(name).median} ms, at most ${spread(name).max} ms`);
  console.log(`# handover, ${what}, median of ${handovers.length}: ${figures.join('; ')}`);
  const { median } = spread('first');
  assert.ok(median <= HANDOVER_MS + SLACK_MS, `handed over after ${median} ms`);
}

test('five tabs share one WebSocket and see each other’s edits, once', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const tabs = await openTabs(context, server, freshRoom('tabs'), TABS);
  await sockets(server, 1);
  await eventually(5_000, `${TABS} connections`, async () => (await metric(server, 'connections')) === TABS);
  const { tokens } = await typeAll(tabs, 40, () => pause(0));
  await expectSameText(tabs, tokens, '');
  await Promise.all(tabs.map((tab) => tab.settled()));
  assert.equal(await metric(server, 'websockets'), 1);
});

for (const [how, end] of [
  ['closed', (tab) => tab.page.close()],
  ['crashed', crash],
]) {
  test(`the tab that keeps the WebSocket is ${how}: another has one at once, nothing is lost or doubled`, { timeoutMs: 120_000 }, async (context) => {
    const server = await startServer(context);
    const room = freshRoom(how);
    let tabs = await openTabs(context, server, room, TABS);
    await sockets(server, 1);
    const times = [];
    const tokens = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      const [holder, ...others] = tabs;
      const typed = await typeAll(others, 30, async () => {
        await pause(150);
        return handover(others, () => end(holder));
      });
      times.push(typed.result);
      tokens.push(...typed.tokens);
      await Promise.all(others.map((tab) => tab.settled()));
      await expectSameText(others, tokens, '');
      await sockets(server, 1);
      // Tokens are told apart by the tab's place: it must not be typed again.
      await others[0].page.evaluate(() => window.peer.text.delete(0, window.peer.text.length));
      tokens.length = 0;
      await eventually(5_000, 'an empty page', async () => (await Promise.all(others.map((tab) => tab.toString()))).every((text) => text === ''));
      tabs = [...others, await openTab(others[0], server, { room })];
    }
    report(how, times);
  });
}

test('tabs go on together while the server is down', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const tabs = await openTabs(context, server, freshRoom('down'), 3);
  await Promise.all(tabs.map((tab) => tab.settled()));
  await server.kill();
  await eventually(10_000, 'nobody is connected', async () => (await Promise.all(tabs.map((tab) => tab.state()))).every(({ status }) => status !== 'connected'));
  const { tokens } = await typeAll(tabs, 20, () => pause(0));
  await expectSameText(tabs, tokens, '');
  await server.start();
  await Promise.all(tabs.map((tab) => tab.settled(60_000)));
  await expectSameText(tabs, tokens, '');
});

test('tabs that share nothing have a WebSocket each', async (context) => {
  const server = await startServer(context);
  await openTabs(context, server, freshRoom('apart'), 3, { shareUplink: false });
  await sockets(server, 3);
});

test('a tab that hangs and keeps the WebSocket holds nobody up', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('hangs');
  const [holder] = await openTabs(context, server, room, 1);
  const hangs = holder.page.evaluate((ms) => {
    for (const end = Date.now() + ms; Date.now() < end; );
  }, HANGS_MS);
  const since = Date.now();
  const beside = await openTab(holder, server, { room });
  const after = Date.now() - since;
  console.log(`# beside a tab that hangs: connected after ${after} ms`);
  assert.ok(after < HANGS_MS, `connected after ${after} ms`);
  await sockets(server, 2);
  await beside.insert(0, 'meanwhile');
  await beside.settled();
  await hangs;
  await eventually(10_000, 'the other tab has it', async () => (await holder.toString()) === 'meanwhile');
});
