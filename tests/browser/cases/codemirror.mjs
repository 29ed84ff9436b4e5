// The CodeMirror binding with a text and a client made up in the page, so that changes of others come exactly when wanted.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { openPage } from '../lib/browsers.mjs';
import { eventually, test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

const source = new URL('../../../js/src/codemirror.ts', import.meta.url);

/** A page that has CodeMirror and the package by their names, and nothing that runs. */
async function openBlank(context) {
  const server = await startServer(context);
  // The page stops at once: its backend is none.
  const page = await openPage(context, 'A', `${server.http}/notepad/?backend=none`);
  await page.locator('#state[data-state=failed]').waitFor();
  await page.evaluate(() => document.body.replaceChildren());
  return { page, server };
}

/** A page with `bound`: `view`, `text` (a plain string that reports its calls), `client`, `remote(index, remove, insert)`. */
async function openBound(context, initial, options = {}) {
  const { page } = await openBlank(context);
  await page.evaluate(async ([initial, options]) => {
    const { EditorView, keymap } = await import('@codemirror/view');
    const { standardKeymap } = await import('@codemirror/commands');
    const { peersyncText } = await import('peersync/codemirror');
    const listeners = { text: new Set(), presence: new Set(), client: new Set() };
    const text = {
      name: 'notes',
      content: initial,
      calls: [],
      runs: [],
      get length() {
        return text.content.length;
      },
      toString: () => text.content,
      change(origin, index, remove, insert) {
        text.content = text.content.slice(0, index) + insert + text.content.slice(index + remove);
        const delta = [{ retain: index }, { delete: remove }, { insert }];
        queueMicrotask(() => listeners.text.forEach((listener) => listener({ origin, delta, author: 'x', id: '1' })));
      },
      insert(index, inserted) {
        if (text.refuse || inserted.includes('\0')) throw new Error('refused');
        text.calls.push(['insert', index, inserted]);
        text.change('local', index, 0, inserted);
      },
      delete(index, length) {
        text.calls.push(['delete', index, length]);
        text.change('local', index, length, '');
      },
      observe(listener) {
        listeners.text.add(listener);
        return () => listeners.text.delete(listener);
      },
      cursor: (index, assoc) => `${index} ${assoc}`,
      index: (cursor) => (/^\d+ -?1$/.test(cursor) ? Number.parseInt(cursor, 10) : undefined),
      authors: () => text.runs,
    };
    const states = new Map();
    const client = {
      status: 'connected',
      peerId: 'own',
      author: 'me',
      peers: [],
      canUndo: true,
      canRedo: false,
      undo: () => text.change('local', 0, 3, '') ?? true,
      redo: () => false,
      own: {},
      presence: {
        set: (fields) => Object.assign(client.own, fields),
        get: () => client.own,
        others: () => new Map(states),
        observe(listener) {
          listeners.presence.add(listener);
          return () => listeners.presence.delete(listener);
        },
      },
      on(type, listener) {
        listeners.client.add(listener);
        return () => listeners.client.delete(listener);
      },
      tell: () => listeners.client.forEach((listener) => listener()),
      peer(peerId, author, state) {
        if (state) states.set(peerId, state);
        else states.delete(peerId);
        client.peers = [...states.keys()].map((id) => ({ peerId: id, author: id === peerId ? author : id }));
        listeners.presence.forEach((listener) => listener({ peerId, state }));
      },
    };
    const errors = [];
    const onError = (error) => errors.push(error.message);
    const view = new EditorView({
      parent: document.body,
      extensions: [peersyncText(text, { client, onError, ...options }), keymap.of(standardKeymap), EditorView.lineWrapping],
    });
    const remote = (...change) => text.change('remote', ...change);
    Object.assign(window, { bound: { view, text, client, remote, errors, listeners } });
    await Promise.resolve();
    view.focus();
  }, [initial, options]);
  return page;
}

const shown = (page) => page.evaluate(() => window.bound.view.state.doc.toString());
const content = (page) => page.evaluate(() => window.bound.text.content);
const calls = (page) => page.evaluate(() => window.bound.text.calls);
const select = (page, anchor, head = anchor) =>
  page.evaluate(([anchor, head]) => window.bound.view.dispatch({ selection: { anchor, head } }), [anchor, head]);

test('codemirror: shows the text from the start, and typing goes through letter by letter', async (context) => {
  const page = await openBound(context, 'aaaa');
  assert.equal(await shown(page), 'aaaa');
  await select(page, 2);
  await page.keyboard.type('a');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Delete');
  await page.keyboard.press('Enter');
  assert.deepEqual(await calls(page), [['insert', 2, 'a'], ['delete', 2, 1], ['delete', 2, 1], ['insert', 2, '\n']]);
  assert.equal(await content(page), 'aa\na');
});

test('codemirror: an emoji goes as a whole, whichever way it is deleted', async (context) => {
  const page = await openBound(context, 'x😀e\u0301y');
  await select(page, 3);
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Delete');
  assert.equal(await content(page), 'xy');
  await page.evaluate(() => window.bound.view.dispatch({ changes: { from: 1, insert: '😀' } }));
  // 😀 and 😁 share their first half.
  await page.evaluate(() => window.bound.view.dispatch({ changes: { from: 2, to: 3, insert: '\ude01' } }));
  assert.equal(await content(page), 'x😁y');
  assert.deepEqual((await calls(page)).slice(-2), [['insert', 1, '😁'], ['delete', 3, 2]]);
});

test('codemirror: changes of others move caret and selection with the text, and are not sent back', async (context) => {
  const page = await openBound(context, 'one two three');
  await select(page, 7, 4);
  await page.evaluate(() => {
    window.bound.remote(0, 3, 'number one');
    window.bound.remote(15, 5, '3');
  });
  const seen = await page.evaluate(() => {
    const { anchor, head } = window.bound.view.state.selection.main;
    return { anchor, head, doc: window.bound.view.state.doc.toString(), calls: window.bound.text.calls };
  });
  assert.deepEqual(seen, { anchor: 14, head: 11, doc: 'number one two 3', calls: [] });
});

test('codemirror: an edit made before an event has come is not misplaced', async (context) => {
  const page = await openBound(context, 'left right');
  const seen = await page.evaluate(async () => {
    const { view, text, remote } = window.bound;
    remote(0, 0, '>> ');
    view.dispatch({ changes: { from: 4, insert: '!' } });
    remote(text.length, 0, ' <<');
    await new Promise((resolve) => setTimeout(resolve));
    return [view.state.doc.toString(), text.content];
  });
  assert.deepEqual(seen, ['>> left! right <<', '>> left! right <<']);
});

test('codemirror: whatever makes editor and text differ is put right', async (context) => {
  const page = await openBound(context, 'abc');
  await page.keyboard.type('x');
  await page.evaluate(() => (window.bound.text.content = 'something else'));
  await eventually(5_000, 'the editor shows the text', async () => (await shown(page)) === 'something else');
});

test('codemirror: what a line is composed in waits until the input method is done; other lines do not', async (context) => {
  const page = await openBound(context, 'first\nleft right\nlast');
  const protocol = await page.context().newCDPSession(page);
  const compose = (string) => protocol.send('Input.imeSetComposition', { text: string, selectionStart: string.length, selectionEnd: string.length });
  await select(page, 10);
  await compose('k');
  await compose('か');
  await eventually(5_000, 'the composition is in the text', async () => (await content(page)) === 'first\nleftか right\nlast');
  await page.evaluate(() => {
    window.bound.remote(0, 5, 'FIRST');
    window.bound.remote(window.bound.text.length, 0, '!');
  });
  assert.equal(await shown(page), 'FIRST\nleftか right\nlast!');
  assert.ok(await page.evaluate(() => window.bound.view.composing), 'the composition goes on');
  await page.evaluate(() => {
    window.bound.remote(6, 0, '>> ');
    window.bound.remote(window.bound.text.content.indexOf('\nlast'), 0, ' <<');
  });
  assert.equal(await shown(page), 'FIRST\nleftか right\nlast!');
  await compose('かな');
  assert.equal(await content(page), 'FIRST\n>> leftかな right <<\nlast!');
  await protocol.send('Input.insertText', { text: '仮名' });
  await eventually(5_000, 'all of it is there', async () => (await shown(page)) === 'FIRST\n>> left仮名 right <<\nlast!');
  await page.keyboard.type('!');
  assert.equal(await content(page), 'FIRST\n>> left仮名! right <<\nlast!');
  assert.equal(await shown(page), await content(page));
});

test('codemirror: nobody waits for ever for an input method', async (context) => {
  const page = await openBound(context, 'left right');
  const protocol = await page.context().newCDPSession(page);
  await select(page, 4);
  await protocol.send('Input.imeSetComposition', { text: 'か', selectionStart: 1, selectionEnd: 1 });
  await eventually(5_000, 'the composition is in the text', async () => (await content(page)) === 'leftか right');
  await page.evaluate(() => window.bound.remote(0, 0, '>> '));
  assert.equal(await shown(page), 'leftか right');
  await page.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 10_001;
  });
  await eventually(5_000, 'the change is shown', async () => (await shown(page)) === '>> leftか right');
  await page.keyboard.type('!');
  assert.equal(await shown(page), await content(page));
  assert.match(await content(page), /^>> left.*right$/);
});

test('codemirror: an edit that is refused is taken back, and told', async (context) => {
  const page = await openBound(context, 'kept');
  await page.evaluate(() => (window.bound.text.refuse = true));
  await page.keyboard.type('x');
  await eventually(5_000, 'the text is shown again', async () => (await shown(page)) === 'kept');
  assert.deepEqual(await page.evaluate(() => window.bound.errors), ['refused']);
});

test('codemirror: a paste with NUL over a selection replaces it, and one that is refused leaves it', async (context) => {
  const page = await openBound(context, 'keep gone keep');
  const paste = (text) => page.evaluate((text) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', text);
    const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
    document.querySelector('.cm-content').dispatchEvent(paste);
  }, text);
  await select(page, 5, 9);
  await paste('a\0b');
  await eventually(5_000, 'NUL is replaced', async () => (await shown(page)) === 'keep a\ufffdb keep');
  assert.equal(await content(page), 'keep a\ufffdb keep');
  await page.evaluate(() => (window.bound.text.refuse = true));
  await select(page, 0, 4);
  await paste('x');
  await eventually(5_000, 'the selection is shown again', async () => (await shown(page)) === 'keep a\ufffdb keep');
  assert.equal(await content(page), 'keep a\ufffdb keep');
  assert.deepEqual(await page.evaluate(() => window.bound.errors), ['refused']);
});

test('codemirror: carriage returns count and do not show; what is pasted has none', async (context) => {
  const page = await openBound(context, 'a\r\nb\r\nc');
  assert.deepEqual(await page.locator('.cm-line').allInnerTexts(), ['a', 'b', 'c']);
  assert.deepEqual(await calls(page), [], 'to look at a text does not change it');
  await page.evaluate(() => window.bound.remote(6, 1, 'C'));
  assert.equal(await shown(page), 'a\r\nb\r\nC');
  await select(page, 7);
  await page.evaluate(() => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', '1\r\n2\r3\n');
    const paste = new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true });
    document.querySelector('.cm-content').dispatchEvent(paste);
  });
  assert.equal(await content(page), 'a\r\nb\r\nC1\n2\n3\n');
  await select(page, 4);
  await page.keyboard.press('End');
  await page.keyboard.type('!');
  assert.equal(await content(page), 'a\r\nb!\nC1\n2\n3\n', 'the edited line has lost its carriage return');
  assert.equal(await shown(page), await content(page));
});

test('codemirror: undo is the client\'s, by key and by menu, and shows where it was', async (context) => {
  const page = await openBound(context, 'one two');
  await select(page, 7);
  await page.keyboard.press('ControlOrMeta+z');
  await eventually(5_000, 'it is undone', async () => (await shown(page)) === ' two');
  assert.equal(await page.evaluate(() => window.bound.view.state.selection.main.head), 0);
  assert.deepEqual(await calls(page), []);
  await page.evaluate(() => {
    const event = new InputEvent('beforeinput', { inputType: 'historyUndo', bubbles: true, cancelable: true });
    document.querySelector('.cm-content').dispatchEvent(event);
  });
  await eventually(5_000, 'more is undone', async () => (await shown(page)) === 'o');
});

test('codemirror: takes no text before the module is loaded, and none offline where that was asked for', async (context) => {
  const page = await openBound(context, 'x', { offline: 'read-only' });
  const readOnly = (status, peerId) =>
    page.evaluate(([status, peerId]) => {
      Object.assign(window.bound.client, { status, peerId: peerId ?? undefined });
      window.bound.client.tell();
      return window.bound.view.state.readOnly;
    }, [status, peerId]);
  assert.equal(await readOnly('connected', 'own'), false);
  assert.equal(await readOnly('disconnected', 'own'), true);
  await page.keyboard.type('y');
  assert.equal(await content(page), 'x');
  await page.evaluate(() => window.bound.remote(0, 0, 'others '));
  assert.equal(await shown(page), 'others x');
  assert.equal(await readOnly('connected', null), true);
  assert.equal(await readOnly('closed', 'own'), true);
});

test('codemirror: the selection is published once the editor was entered, and withdrawn at the end', async (context) => {
  const page = await openBound(context, 'one two', { user: { name: 'Ada', color: '#123456' }, field: 'where' });
  const own = () => page.evaluate(() => window.bound.client.own);
  await select(page, 6, 2);
  assert.deepEqual(await own(), { name: 'Ada', color: '#123456', where: { doc: 'notes', anchor: '6 -1', head: '2 1' } });
  await page.evaluate(() => window.bound.view.destroy());
  assert.equal((await own()).where, null);
  const left = await page.evaluate(() => Object.values(window.bound.listeners).map(({ size }) => size));
  assert.deepEqual(left, [0, 0, 0], 'no listener is left');
});

test('codemirror: of two editors of one client, the end of one leaves the selection that the other published', async (context) => {
  const page = await openBound(context, 'abc');
  const heads = await page.evaluate(async () => {
    const { EditorView } = await import('@codemirror/view');
    const { peersyncText } = await import('peersync/codemirror');
    const { view, text, client } = window.bound;
    const enter = async (editor, head) => {
      editor.focus();
      editor.dispatch({ selection: { anchor: head } });
      await new Promise((resolve) => setTimeout(resolve));
      return client.own.selection?.head;
    };
    const second = new EditorView({ parent: document.body, extensions: peersyncText(text, { client }) });
    await Promise.resolve();
    const seen = [await enter(view, 1), await enter(second, 2)];
    // As the module gives it: in another order.
    const { doc, anchor, head } = client.own.selection;
    client.own.selection = { head, doc, anchor };
    view.destroy();
    seen.push(client.own.selection?.head);
    second.destroy();
    return [...seen, client.own.selection];
  });
  assert.deepEqual(heads, ['1 1', '2 1', '2 1', null]);
});

test('codemirror: cursors of others are drawn where the text has them, and go with their owner', async (context) => {
  const page = await openBound(context, 'one two\nthree');
  const carets = () =>
    page.locator('.cm-peersync-caret').evaluateAll((all) => all.map((one) => ({
      name: one.textContent,
      x: one.getBoundingClientRect().left,
      color: getComputedStyle(one).borderLeftColor,
    })));
  const at = (position) => page.evaluate((position) => window.bound.view.coordsAtPos(position).left, position);
  const tell = (peerId, state) => page.evaluate(([peerId, state]) => window.bound.client.peer(peerId, peerId, state ?? undefined), [peerId, state]);
  await tell('p', { name: 'Ada', color: '#aa0000', selection: { doc: 'notes', anchor: '4 1', head: '7 -1' } });
  await eventually(5_000, 'a caret is there', async () => (await carets()).length === 1);
  const [{ name, x, color }] = await carets();
  assert.deepEqual([name, color], ['Ada', 'rgb(170, 0, 0)']);
  assert.ok(Math.abs(x - (await at(7))) < 2, `${x} is not at the end of 'two'`);
  assert.equal(await page.locator('.cm-peersync-selection').count(), 1);
  assert.ok(await page.locator('.cm-peersync-name').isVisible());
  await tell('p', null);
  await eventually(1_000, 'the caret is gone', async () => (await carets()).length === 0);
  assert.equal(await page.locator('.cm-peersync-selection').count(), 0);
});

test('codemirror: presence of any shape harms nothing, and a name is text', async (context) => {
  const page = await openBound(context, 'one two');
  await page.evaluate(() => {
    const { client } = window.bound;
    const here = { doc: 'notes', anchor: '3 1', head: '3 1' };
    const values = [null, 7, 'x', [], {}, { doc: 'notes' }, { ...here, doc: 'other' }, { ...here, head: 'nonsense' },
                    { ...here, anchor: 'x'.repeat(100_000) }, { ...here, head: { toString: 1 } }];
    values.forEach((selection, at) => client.peer(`wrong${at}`, 'x', { selection }));
    client.peer('far', 'x', { name: { a: 1 }, color: 'url(//evil)', selection: { doc: 'notes', anchor: '99999999 1', head: '4294967295 1' } });
    client.peer('markup', 'x', { name: '<img src=x onerror="window.evil = 1">', color: 'red;}', selection: here });
    for (let at = 0; at < 100; at += 1) client.peer(`z${at}`, 'x', { selection: here });
  });
  await eventually(5_000, 'the carets are there', async () => (await page.locator('.cm-peersync-caret').count()) === 50);
  const names = await page.locator('.cm-peersync-name').allTextContents();
  assert.equal(names[0], 'Guest');
  assert.equal(names[1], '<img src=x onerror="window.evil = 1">');
  assert.equal(await page.locator('.cm-peersync-carets img').count(), 0);
  await page.keyboard.type('!');
  assert.equal(await content(page), '!one two');
  assert.equal(await page.evaluate(() => window.evil), undefined);
  assert.deepEqual(page.failures, []);
  assert.deepEqual(page.lines.filter((line) => /plugin crashed|error/i.test(line)), []);
});

test('codemirror: who wrote what shows by marks that follow the text', async (context) => {
  const page = await openBound(context, 'mine yours', { authors: true });
  await page.evaluate(() => {
    const { client, text } = window.bound;
    text.runs = [{ length: 5, author: 'me' }, { length: 5, author: 'ada' }];
    client.own = { name: 'Bea', color: '#111111' };
    client.peer('p', 'ada', { name: 'Ada', color: '#aa0000' });
  });
  const marks = () =>
    page.locator('.cm-peersync-author').evaluateAll((all) => all.map((one) => [one.textContent, one.title, one.style.getPropertyValue('--peersync-color').trim()]));
  const both = [['mine ', 'Written by Bea', '#111111'], ['yours', 'Written by Ada', '#aa0000']];
  await eventually(5_000, 'both are marked', async () => (await marks()).length === 2);
  assert.deepEqual(await marks(), both);
  const legend = await page.evaluate(async () => (await import('peersync/codemirror')).writers(window.bound.view.state));
  assert.deepEqual(legend.map(({ name, length, self }) => [name, length, self]), [['Bea', 5, true], ['Ada', 5, false]]);
  await page.evaluate(() => {
    window.bound.text.runs[0].length += 2;
    window.bound.remote(0, 0, '> ');
  });
  await eventually(5_000, 'the new letters are marked', async () => (await marks())[0]?.[0] === '> mine ');
  await page.evaluate(async () => (await import('peersync/codemirror')).showAuthors(window.bound.view, false));
  assert.deepEqual(await marks(), []);
});

test('codemirror: another text in the place of the first is bound, and the first is let go', async (context) => {
  const page = await openBound(context, 'first');
  const seen = await page.evaluate(async () => {
    const { Compartment, StateEffect } = await import('@codemirror/state');
    const { peersyncText } = await import('peersync/codemirror');
    const { view, text, client } = window.bound;
    const place = new Compartment();
    const heard = new Set();
    const other = (content) => ({ ...text, name: content, toString: () => content, length: content.length, observe: (listener) => (heard.add(listener), () => heard.delete(listener)) });
    view.dispatch({ effects: StateEffect.reconfigure.of(place.of(peersyncText(other('second'), { client }))) });
    await Promise.resolve();
    const second = view.state.doc.toString();
    view.dispatch({ effects: place.reconfigure(peersyncText(other('third'), { client })) });
    await Promise.resolve();
    return { second, third: view.state.doc.toString(), field: client.own.selection?.doc, heard: heard.size, first: text.content };
  });
  assert.deepEqual(seen, { second: 'second', third: 'third', field: 'third', heard: 1, first: 'first' });
});

test('codemirror: every example of the binding runs as printed', async (context) => {
  const examples = [...readFileSync(source, 'utf8').matchAll(/```ts\n([^]*?)```/g)].map(([, block]) => block.replace(/^ *\* ?/gm, ''));
  assert.equal(examples.length, 6);
  const { page, server } = await openBlank(context);
  await page.evaluate(() => {
    window.untrue = 0;
    console.assert = (condition) => (window.untrue += condition ? 0 : 1);
  });
  for (const [index, example] of examples.entries()) {
    const code = example.replaceAll('ws://localhost:8000/ws', server.ws);
    await page.evaluate((code) => {
      document.body.replaceChildren();
      window.ended = false;
      const script = document.createElement('script');
      script.type = 'module';
      script.textContent = `${code}\nwindow.ended = true;`;
      document.head.append(script);
    }, code);
    await eventually(20_000, `example ${index + 1} has run`, () => page.evaluate(() => window.ended));
    assert.equal(await page.evaluate(() => window.untrue), 0, `an assertion of example ${index + 1}`);
    assert.ok(await page.locator('.cm-editor').count());
  }
  assert.deepEqual(page.failures, []);
});
