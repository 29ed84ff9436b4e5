// The notepad as people use it: keyboard, states, people, cursors, undo, authors, width.
import assert from 'node:assert/strict';
import { openPage, screenshot } from '../lib/browsers.mjs';
import { editable, has, notepad, openPad, paper, shows, value, writable } from '../lib/pad.mjs';
import { freshRoom } from '../lib/peer.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);

test('notepad: typing in one page shows in the other, and both say Saved', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const b = await openPad(context, 'B', url);
  await a.keyboard.type('Hello from one');
  await has(b, 'Hello from one');
  await paper(b).press('Control+End');
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
  await shows(a, 'state', /^Offline – edits are kept on this device$/);
  await a.keyboard.type(' two');
  await shows(a, 'state', /^Offline – saved on this device, will be sent$/);
  assert.equal(await a.locator('#people').innerText(), '–');
  await screenshot(a, 'notepad-offline');
  await paper(b).press('Control+End');
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
  await shows(a, 'state', /^Sending…/, 5_000);
  proxy.restore();
  await shows(a, 'state', /^Saved$/, 60_000);
});

test('notepad: opened without a backend it says so, and works once there is one', { timeoutMs: 90_000 }, async (context) => {
  const server = await startServer(context);
  const proxy = await startProxy(context, server.port);
  proxy.cut();
  const a = await openPage(context, 'A', notepad(server, freshRoom('pad'), proxy.ws));
  await shows(a, 'state', /^Offline – edits are kept on this device$/);
  await writable(a);
  await a.keyboard.type('too early');
  await shows(a, 'state', /^Offline – saved on this device, will be sent$/);
  proxy.restore();
  await shows(a, 'state', /^Saved$/, 40_000);
  assert.equal(await value(a), 'too early');
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
  assert.equal(await editable(a), false);
  assert.equal(await value(a), 'before');
  assert.deepEqual(a.failures, []);
});

test('notepad: caret, selection and scroll stay where they are while others type', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const b = await openPad(context, 'B', url);
  const lines = Array.from({ length: 120 }, (_, line) => `line ${line}`).join('\n');
  await paper(a).fill(lines);
  await has(b, lines);

  const select = (anchor, head) =>
    a.evaluate(async ([anchor, head]) => {
      const { EditorView } = await import('@codemirror/view');
      window.view = EditorView.findFromDOM(document.querySelector('#editor'));
      window.view.dispatch({ selection: { anchor, head }, scrollIntoView: true });
    }, [anchor, head]);
  const selected = () =>
    a.evaluate(() => {
      const { anchor, head } = window.view.state.selection.main;
      return { text: window.view.state.sliceDoc(head, anchor), head, top: Math.round(window.view.coordsAtPos(head).top) };
    });
  const from = lines.indexOf('line 60');
  await select(from + 'line 60'.length, from);
  let last;
  const before = await eventually(5_000, 'the selected line is in sight and stands still', async () => {
    const now = await selected();
    const stands = now.top === last;
    last = now.top;
    return stands && now.top > 0 && now.top < 800 && now;
  });

  const replaced = (old, now) =>
    b.evaluate(([old, now]) => {
      const text = window.peersyncClient.text('document');
      const at = text.toString().indexOf(old);
      text.delete(at, old.length);
      text.insert(at, now);
    }, [old, now]);
  await replaced('line 3\n', 'a much longer line 3\n');
  await replaced('line 100', 'line one hundred');
  await replaced('line 30', 'line 30, and one more\nline 30');
  await eventually(10_000, 'all changes are here', async () => /longer line 3[^]*one more[^]*one hundred/.test(await value(a)));
  // Backward as before, and where it was on the screen although a line has come above it.
  const head = from + 'a much longer '.length + 'line 30, and one more\n'.length;
  await eventually(5_000, `the selected line stays at ${before.top}`, async () => Math.abs((await selected()).top - before.top) <= 2);
  const { top: _, ...rest } = await selected();
  assert.deepEqual(rest, { text: 'line 60', head });

  await select(0, 0);
  await b.evaluate(() => window.peersyncClient.text('document').insert(0, 'before the caret? '));
  await eventually(10_000, 'the change at the caret is here', async () => (await value(a)).startsWith('before'));
  await paper(a).focus();
  await a.keyboard.type('I type: ');
  const both = await eventually(10_000, 'both agree', async () => {
    const [one, two] = [await value(a), await value(b)];
    return one === two && one;
  });
  assert.ok(/^(I type: before the caret\? |before the caret\? I type: )line 0/.test(both), both.slice(0, 40));
});

test('notepad: three people typing at once, emoji and combining characters too, end in one text', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const pages = [await openPad(context, 'A', url), await openPad(context, 'B', url), await openPad(context, 'C', url)];
  const words = ['a\u0308😀', 'e\u0301👩‍👧', 'o\u0302🇩🇪'];
  await Promise.all(pages.map((page, at) => page.keyboard.type(words[at].repeat(12), { delay: 5 })));
  const whole = words.join('').length * 12;
  const text = await eventually(20_000, `all have ${whole} code units, the same`, async () => {
    const [one, two, three] = await Promise.all(pages.map(value));
    return one.length === whole && one === two && two === three && one;
  });
  assert.doesNotMatch(text, /\p{Surrogate}|\ufffd/u, 'no emoji is broken');
  for (const word of words) {
    // Each wrote with a letter and emoji of their own; in between the others may have written.
    const own = [...text].filter((letter) => word.includes(letter));
    assert.ok(own.length >= [...word].length * 12, `${word}: ${own.length}`);
  }
  for (const page of pages) assert.equal(await page.evaluate(() => window.peersyncClient.text('document').toString()), text);
});

/** Sets name and colour as a person does. */
async function introduce(page, name, color) {
  await page.locator('#color').fill(color);
  await page.locator('#name').fill(name);
  await page.locator('#name').press('Enter');
}

test('notepad: cursor, selection and name of another are seen, follow, and are gone when the other leaves', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const b = await openPad(context, 'B', url, { viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  await introduce(a, 'Ada', '#9333ea');
  await introduce(b, 'Grace <b>', '#c2410c');
  await a.keyboard.type('Two people in one text\nand a second line');
  await has(b, 'Two people in one text\nand a second line');
  const caret = b.locator('.cm-peersync-caret');
  const label = b.locator('.cm-peersync-name');
  await eventually(10_000, 'the name is there', async () => (await label.allTextContents()).join() === 'Ada');
  assert.ok(await label.isVisible());
  assert.equal(await caret.evaluate((element) => getComputedStyle(element).borderLeftColor), 'rgb(147, 51, 234)');
  const left = () => caret.evaluate((element) => element.getBoundingClientRect().left);
  const end = await left();
  await a.keyboard.press('Home');
  await eventually(5_000, 'the caret has moved', async () => (await left()) < end - 50);
  await a.keyboard.press('Shift+End');
  await eventually(5_000, 'the selection is drawn', async () => (await b.locator('.cm-peersync-selection').count()) > 0);
  await paper(b).focus();
  await b.keyboard.press('Control+Home');
  await b.keyboard.type('> ');
  await eventually(5_000, 'the other name is text', async () => (await a.locator('.cm-peersync-name').allTextContents()).join() === 'Grace <b>');
  await screenshot(a, 'notepad-cursors-1280');
  await screenshot(b, 'notepad-cursors-390');
  await b.locator('#authors').click();
  await shows(b, 'legend', /Ada\s*95 %/);
  await screenshot(b, 'notepad-authors-390');
  assert.ok((await overflow(b)) <= 0, 'the phone shows too wide a page');
  await b.evaluate(() => void window.peersyncClient.close());
  await eventually(1_000, 'the cursor is gone', async () => (await a.locator('.cm-peersync-caret').count()) === 0);
  await shows(a, 'people', /^1 person here$/);
  assert.deepEqual([a.failures, b.failures], [[], []]);
});

test('notepad: the name is remembered, and so is who wrote what', async (context) => {
  const server = await startServer(context);
  const a = await openPad(context, 'A', notepad(server, freshRoom('pad')));
  assert.match(await a.locator('#name').inputValue(), /^\w+ \w+$/, 'a name to begin with');
  await introduce(a, 'Ada', '#9333ea');
  await a.keyboard.type('mine');
  await shows(a, 'state', /^Saved$/);
  await a.reload();
  await writable(a);
  assert.equal(await a.locator('#name').inputValue(), 'Ada');
  assert.equal(await a.locator('#color').inputValue(), '#9333ea');
  await a.locator('#authors').click();
  await shows(a, 'legend', /^Ada \(you\)\s*100 %$/);
});

test('notepad: undo and redo touch own edits only, while others write', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const b = await openPad(context, 'B', url);
  assert.ok(await a.locator('#undo').isDisabled());
  await a.keyboard.type('ours: ');
  await has(b, 'ours: ');
  await a.evaluate(() => window.peersyncClient.checkpoint());
  await a.keyboard.type('one');
  await has(b, 'ours: one');
  await paper(b).press('Control+End');
  await b.keyboard.type(' BEE');
  await has(a, 'ours: one BEE');
  // While the other goes on writing in the middle of it all.
  const typing = b.keyboard.type('BUZZ'.repeat(5), { delay: 20 });
  await a.keyboard.press('ControlOrMeta+z');
  await typing;
  const undone = `ours:  BEE${'BUZZ'.repeat(5)}`;
  await Promise.all([has(a, undone), has(b, undone)]);
  await a.locator('#redo').click();
  const redone = undone.replace(':  ', ': one ');
  await Promise.all([has(a, redone), has(b, redone)]);
  await a.locator('#undo').click();
  await a.locator('#undo').click();
  await Promise.all([has(a, ` BEE${'BUZZ'.repeat(5)}`), has(b, ` BEE${'BUZZ'.repeat(5)}`)]);
  await eventually(5_000, 'nothing is left to undo', () => a.locator('#undo').isDisabled());
  assert.ok(await b.locator('#redo').isDisabled(), 'the other has nothing to redo');
});

test('notepad: who wrote what is marked when asked for, with names and colours, and follows what is written', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const b = await openPad(context, 'B', url);
  await introduce(a, 'Ada', '#9333ea');
  await introduce(b, 'Grace', '#c2410c');
  await a.keyboard.type('From Ada. ');
  await has(b, 'From Ada. ');
  await paper(b).press('Control+End');
  await b.keyboard.type('From Grace.');
  await has(a, 'From Ada. From Grace.');
  const marks = (page) =>
    page.locator('.cm-peersync-author').evaluateAll((all) => all.map(({ textContent, title }) => `${title}: ${textContent}`));
  assert.deepEqual(await marks(a), [], 'not before it is asked for');
  await a.locator('#authors').click();
  assert.equal(await a.locator('#authors').getAttribute('aria-pressed'), 'true');
  const wanted = (...pieces) => async () => JSON.stringify(await marks(a)) === JSON.stringify(pieces);
  await eventually(5_000, 'both are marked', wanted('Written by Ada: From Ada. ', 'Written by Grace: From Grace.'));
  await shows(a, 'legend', /Grace\s*52 %\s*Ada \(you\)\s*48 %/);
  await screenshot(a, 'notepad-authors-1280');
  await b.keyboard.press('Control+Home');
  await b.keyboard.type('Hi! ');
  await eventually(5_000, 'the new words are marked',
    wanted('Written by Grace: Hi! ', 'Written by Ada: From Ada. ', 'Written by Grace: From Grace.'));
  await b.evaluate(() => void window.peersyncClient.close());
  await shows(a, 'people', /^1 person here$/);
  await a.keyboard.type('!');
  await eventually(5_000, 'who left keeps the name', async () => (await marks(a)).some((mark) => mark.startsWith('Written by Grace')));
  await a.locator('#authors').click();
  await eventually(5_000, 'the marks are gone', wanted());
  assert.ok(await a.locator('#legend').isHidden());
});

test('notepad: what is pasted from a Windows file has plain line ends, and positions stay right', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const [a, b] = [await openPad(context, 'A', url), await openPad(context, 'B', url)];
  await a.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', 'one\r\ntwo 😀\r\nthree');
    document.querySelector('.cm-content').dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  });
  await has(b, 'one\ntwo 😀\nthree');
  await paper(b).press('Control+End');
  await b.keyboard.type('!');
  await a.keyboard.type('?');
  await eventually(10_000, 'both have both marks', async () => {
    const [one, two] = [await value(a), await value(b)];
    return one === two && /^one\ntwo 😀\nthree(!\?|\?!)$/.test(one);
  });
  // Carriage returns that another program put there are characters of the text, and no position is off by them.
  await a.evaluate(() => window.peersyncClient.text('document').insert(0, 'x\r\ny\r\n'));
  await eventually(10_000, 'they are there', async () => (await value(b)).startsWith('x\r\ny\r\none'));
  await b.keyboard.press('Control+End');
  await b.keyboard.type('end');
  await eventually(10_000, 'the end is the end', async () => (await value(a)).endsWith('end'));
  assert.equal(await value(a), await a.evaluate(() => window.peersyncClient.text('document').toString()));
});

test('notepad: fits a phone and a desktop, light and dark, without scrolling sideways', async (context) => {
  const server = await startServer(context);
  const room = `${freshRoom('a-room-whose-name-is-much-too-long-for-the-width-of-a-telephone')}`;
  for (const colorScheme of ['light', 'dark']) {
    for (const [width, height] of [[390, 844], [360, 740], [1280, 800]]) {
      const options = { viewport: { width, height }, colorScheme };
      const page = await openPad(context, 'A', notepad(server, room), options);
      await paper(page).fill(`Saturday\n\n- water the tomatoes\n- ask Jo about the ladder\n\n${'long'.repeat(60)}`);
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

test('notepad: a tab that another opened is a person of its own, and stays who it is when reloaded', async (context) => {
  const server = await startServer(context);
  const url = notepad(server, freshRoom('pad'));
  const a = await openPad(context, 'A', url);
  const who = (page) => page.evaluate(() => [window.peersyncClient.author, document.getElementById('name').value]);
  const [author, name] = await who(a);
  const opening = a.context().waitForEvent('page');
  await a.evaluate((url) => void window.open(url), url);
  const b = await opening;
  await writable(b);
  const copy = await who(b);
  assert.notEqual(copy[0], author);
  await shows(a, 'people', /^2 people here$/);
  for (const [page, before] of [[a, [author, name]], [b, copy]]) {
    await page.reload();
    await writable(page);
    assert.deepEqual(await who(page), before);
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
  // Tab goes on over the tools to the paper, and what is typed goes there.
  const inPaper = () => paper(page).evaluate((element) => element === document.activeElement);
  for (let tabs = 0; tabs < 8 && !(await inPaper()); tabs += 1) await page.keyboard.press('Tab');
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
