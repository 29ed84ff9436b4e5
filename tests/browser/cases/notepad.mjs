// The notepad as people use it: keyboard, states, people, caret, width.
import assert from 'node:assert/strict';
import { openPage, screenshot } from '../lib/browsers.mjs';
import { freshRoom } from '../lib/peer.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

const notepad = (server, room, backend) =>
  `${server.http}/notepad/?${new URLSearchParams(backend ? { room, backend } : { room })}`;

const value = (page) => page.locator('#paper').inputValue();
const writable = (page, ms = 20_000) =>
  eventually(ms, 'the notepad takes text', () => page.evaluate(() => !document.querySelector('#paper').readOnly));
const shows = (page, id, pattern, ms = 20_000) =>
  eventually(ms, `#${id} shows ${pattern}`, async () => pattern.test(await page.locator(`#${id}`).innerText()));
const has = (page, text) => eventually(20_000, `the notepad has '${text}'`, async () => (await value(page)) === text);
const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

async function openPad(context, name, url, options) {
  const page = await openPage(context, name, url, options);
  await writable(page);
  return page;
}

test('notepad: typing in one page shows in the other, and both say Saved', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const b = await openPad(context, 'B', url);
  await a.keyboard.type('Hello from one');
  await has(b, 'Hello from one');
  await b.locator('#paper').press('Control+End');
  await b.keyboard.type(', and from two');
  await has(a, 'Hello from one, and from two');
  await b.keyboard.press('Home');
  for (const _ of 'Hello ') await b.keyboard.press('Shift+ArrowRight');
  await b.keyboard.type('Bye ');
  await b.keyboard.press('Backspace');
  await has(a, 'Byefrom one, and from two');
  await Promise.all([shows(a, 'state', /^Saved$/), shows(b, 'state', /^Saved$/)]);
  assert.match(await a.locator('#count').innerText(), /^25 characters$/);
  assert.deepEqual([a.failures, b.failures], [[], []]);
});

test('notepad: letters typed fast by both at once end in one text', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const [a, b] = [await openPad(context, 'A', url), await openPad(context, 'B', url)];
  await Promise.all([a.keyboard.type('abcdefghij'.repeat(8), { delay: 5 }), b.keyboard.type('0123456789'.repeat(8), { delay: 5 })]);
  const text = await eventually(20_000, 'both have 160 characters, the same', async () => {
    const [one, two] = await Promise.all([value(a), value(b)]);
    return one.length === 160 && one === two && one;
  });
  assert.equal(text.replace(/\d/g, ''), 'abcdefghij'.repeat(8));
  assert.equal(text.replace(/\D/g, ''), '0123456789'.repeat(8));
});

test('notepad: the number of people follows who is there', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  await shows(a, 'people', /^1 person here$/);
  const b = await openPad(context, 'B', url);
  await Promise.all([shows(a, 'people', /^2 people here$/), shows(b, 'people', /^2 people here$/)]);
  await b.forget();
  await shows(a, 'people', /^1 person here$/, 30_000);
});

test('notepad: says when it is offline, keeps edits, and says Saved only after they are', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const proxy = await startProxy(context, server.port);
  const room = freshRoom('pad');
  const a = await openPad(context, 'A', notepad(server, room, proxy.ws));
  const b = await openPad(context, 'B', notepad(server, room));
  await a.keyboard.type('one');
  await Promise.all([shows(a, 'state', /^Saved$/), has(b, 'one')]);
  proxy.cut();
  await shows(a, 'state', /^Offline – edits are kept in this tab$/);
  await a.keyboard.type(' two');
  await shows(a, 'state', /^Offline – \d+ edits? kept in this tab$/);
  assert.equal(await a.locator('#people').innerText(), '–');
  await screenshot(a, 'notepad-offline');
  await b.locator('#paper').press('Control+End');
  await b.keyboard.type(' three');
  proxy.restore();
  await shows(a, 'state', /^Saved$/, 40_000);
  const text = await value(a);
  assert.ok(['one two three', 'one three two'].includes(text), text);
  await has(b, text);
});

test('notepad: edits that nobody has acknowledged are shown as pending', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const proxy = await startProxy(context, server.port);
  const a = await openPad(context, 'A', notepad(server, freshRoom('pad'), proxy.ws));
  proxy.blackhole();
  await a.keyboard.type('x');
  await shows(a, 'state', /^1 edit pending$/, 5_000);
  proxy.restore();
  await shows(a, 'state', /^Saved$/, 60_000);
});

test('notepad: opened without a backend it says so, and works once there is one', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const proxy = await startProxy(context, server.port);
  proxy.cut();
  const a = await openPage(context, 'A', notepad(server, freshRoom('pad'), proxy.ws));
  await shows(a, 'state', /^(Connecting…|No connection – next try in \d+ s)$/);
  assert.equal(await a.locator('#paper').isEditable(), false);
  proxy.restore();
  await writable(a, 40_000);
  await shows(a, 'state', /^Saved$/);
});

test('notepad: a wrong backend is named as such', async (context) => {
  const server = await startServer(context);
  const a = await openPage(context, 'A', notepad(server, 'x', 'http://localhost/ws'));
  await shows(a, 'state', /^Stopped: .*ws:\/\//);
});

test('notepad: a crashed module is told, and nothing more can be typed', async (context) => {
  const server = await startServer(context);
  const a = await openPad(context, 'A', notepad(server, freshRoom('pad')));
  await a.keyboard.type('before');
  await shows(a, 'state', /^Saved$/);
  await a.evaluate(() => import('/pkg/peersync.js').then(({ __trap }) => __trap()).catch(() => {}));
  await shows(a, 'state', /^Stopped: .*reload the page/);
  assert.equal(await a.locator('#paper').isEditable(), false);
  assert.equal(await value(a), 'before');
  assert.deepEqual(a.failures, []);
});

test('notepad: caret, selection and scroll stay where they are while others type', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const b = await openPad(context, 'B', url);
  const lines = Array.from({ length: 120 }, (_, line) => `line ${line}`).join('\n');
  await a.locator('#paper').fill(lines);
  await has(b, lines);

  const select = (start, end, direction) =>
    a.evaluate(([s, e, d]) => document.querySelector('#paper').setSelectionRange(s, e, d), [start, end, direction]);
  const selected = () =>
    a.evaluate(() => {
      const { value, selectionStart, selectionEnd, selectionDirection, scrollTop } = document.querySelector('#paper');
      return { text: value.slice(selectionStart, selectionEnd), selectionStart, selectionDirection, scrollTop };
    });
  const from = lines.indexOf('line 60');
  await select(from, from + 'line 60'.length, 'backward');
  await a.evaluate(() => (document.querySelector('#paper').scrollTop = 900));

  const replaced = (before, after) =>
    b.evaluate(([before, after]) => {
      const text = window.peersyncClient.text('document');
      const at = text.toString().indexOf(before);
      text.delete(at, before.length);
      text.insert(at, after);
    }, [before, after]);
  await replaced('line 3\n', 'a much longer line 3\n');
  await replaced('line 100', 'line one hundred');
  await eventually(10_000, 'both changes are here', async () => /longer line 3[^]*one hundred/.test(await value(a)));
  assert.deepEqual(await selected(), {
    text: 'line 60',
    selectionStart: from + 'a much longer '.length,
    selectionDirection: 'backward',
    scrollTop: 900,
  });

  await select(0, 0);
  await b.evaluate(() => window.peersyncClient.text('document').insert(0, 'before the caret? '));
  await eventually(10_000, 'the change at the caret is here', async () => (await value(a)).startsWith('before'));
  await a.keyboard.type('I type: ');
  const both = await eventually(10_000, 'both agree', async () => {
    const [one, two] = [await value(a), await value(b)];
    return one === two && one;
  });
  assert.ok(/^(I type: before the caret\? |before the caret\? I type: )line 0/.test(both), both.slice(0, 40));
});

test('notepad: fits a phone and a desktop, light and dark, without scrolling sideways', async (context) => {
  const server = await startServer(context);
  const room = `${freshRoom('a-room-whose-name-is-much-too-long-for-the-width-of-a-telephone')}`;
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[360, 740], [1280, 800]]) {
      const options = { viewport: { width, height }, colorScheme };
      const page = await openPad(context, 'A', notepad(server, room), options);
      await page.locator('#paper').fill(`Saturday\n\n- water the tomatoes\n- ask Jo about the ladder\n\n${'long'.repeat(60)}`);
      await shows(page, 'state', /^Saved$/);
      assert.ok((await overflow(page)) <= 0, `the notepad is too wide at ${width}`);
      const below = await page.evaluate(() => document.documentElement.scrollHeight - window.innerHeight);
      assert.ok(below <= 0, `the notepad is too high at ${height}`);
      await screenshot(page, `notepad-${width}-${colorScheme}`);
      await page.goto(`${server.http}/`);
      assert.ok((await overflow(page)) <= 0, `the landing page is too wide at ${width}`);
      await screenshot(page, `landing-${width}-${colorScheme}`, { fullPage: true });
      await page.forget();
    }
  }
});

test('notepad: the link is shared by keyboard and names the room', async (context) => {
  const server = await startServer(context);
  const room = freshRoom('pad & paper');
  const permissions = ['clipboard-read', 'clipboard-write'];
  const page = await openPad(context, 'A', notepad(server, room), { permissions });
  assert.equal(await page.locator('#room').innerText(), room);
  await page.locator('#share').focus();
  await page.keyboard.press('Enter');
  await shows(page, 'toast', /^Link copied$/);
  const link = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(new URL(link).searchParams.get('room'), room);
  // Tab leaves the button for the paper, and what is typed goes there.
  await page.keyboard.press('Tab');
  await page.keyboard.type('by keyboard');
  await has(page, 'by keyboard');
});

test('landing page: leads to a notepad in a room of its own, and to the default room', async (context) => {
  const server = await startServer(context);
  const page = await openPage(context, 'A', `${server.http}/`);
  const first = await page.locator('#fresh').getAttribute('href');
  assert.match(first, /^\/notepad\/\?room=[a-z2-9]{10}$/);
  await page.reload();
  assert.notEqual(await page.locator('#fresh').getAttribute('href'), first);
  await page.locator('text=Join the default room').click();
  await writable(page);
  assert.equal(await page.locator('#room').innerText(), 'default');
  assert.deepEqual(page.failures, []);
});
