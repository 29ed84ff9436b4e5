// What a page's console shows of one operation's way, and how it is chosen.
import assert from 'node:assert/strict';
import { openPage } from '../lib/browsers.mjs';
import { freshRoom } from '../lib/peer.mjs';
import { eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

/** A connected client whose page has `setUp` run before. */
async function join(context, name, server, room, { debug, stored } = {}) {
  const page = await openPage(context, name, `${server.http}/`);
  await page.evaluate(
    async ([url, room, debug, stored]) => {
      if (stored) localStorage.debug = stored;
      const { BrowserSyncClient, configureDebug } = await import('/sdk/index.js');
      window.configureDebug = configureDebug;
      window.client = new BrowserSyncClient(url, debug === undefined ? { room } : { room, debug });
      window.text = window.client.text('notes');
      await window.client.connect();
    },
    [server.ws, room, debug, stored],
  );
  return page;
}

/** What the page logged with `console.debug`, as [module, message, operation]. */
function traced(page) {
  const lines = page.lines.map((line) => /^debug: (\S+) ([^=]*?)(?: \w+=.*)?$/.exec(line)).filter(Boolean);
  return lines.map((found) => [found[1], found[2], / op=(\S+)/.exec(found[0])?.[1]]);
}

const insert = (page, words) =>
  page.evaluate(async (words) => {
    window.text.insert(0, words);
    while (window.client.pending > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }, words);

const shows = (page, words) =>
  eventually(10_000, `'${words}' is here`, () => page.evaluate((words) => window.text.toString() === words, words));

test('debug: the option shows one operation’s way, and only the named part', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('debug');
  const a = await join(context, 'A', server, room, { debug: 'engine' });
  await insert(a, 'seen');
  await eventually(10_000, 'the acknowledgement is traced', () => traced(a).some(([, said]) => said === 'acknowledged by the peer'));
  const lines = traced(a);
  const id = lines.find(([, said]) => said === 'made')[2];
  const way = lines.filter(([, , op]) => op === id).map(([, said]) => said);
  // It is stored here too, before or after the backend says so.
  assert.deepEqual(way.filter((said) => said !== 'persisted').slice(0, 2), ['made', 'acknowledged by the peer']);
  assert.deepEqual([...new Set(lines.map(([name]) => name))], ['peersync:engine']);
});

test('debug: localStorage chooses parts with stars and exclusions, and the choice can be changed', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('debug');
  const a = await join(context, 'A', server, room);
  const b = await join(context, 'B', server, room, { stored: 'other:*, peersync:*, -peersync:sdk' });
  await insert(a, 'one');
  await shows(b, 'one');
  assert.deepEqual(traced(a), [], 'nothing unless it is asked for');
  const lines = traced(b);
  const id = lines.find(([, said]) => said === 'decoded')[2];
  const way = lines.filter(([, , op]) => op === id).map(([, said]) => said);
  assert.deepEqual(way.slice(0, 3), ['decoded', 'judged', 'delivered']);
  const names = new Set(lines.map(([name]) => name));
  assert.ok(names.has('peersync:node') && !names.has('peersync:sdk'), [...names].join());
  assert.ok([...names].every((name) => name.startsWith('peersync:')), [...names].join());
  await b.evaluate(() => window.configureDebug(false));
  const before = b.lines.length;
  await insert(a, 'two ');
  await shows(b, 'two one');
  assert.equal(b.lines.length, before);
});
