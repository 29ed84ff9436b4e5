// The binding of a textarea to a text, with a text made up in the page, so that remote changes come exactly when wanted.
import assert from 'node:assert/strict';
import { openPage } from '../lib/browsers.mjs';
import { test } from '../lib/runner.mjs';
import { startServer } from '../lib/server.mjs';

/** A page with `area`, `text` (a plain string that reports its edits), `remote(delta)` and `type(before|after caret)`. */
async function openBound(context, initial) {
  const server = await startServer(context);
  const page = await openPage(context, 'A', `${server.http}/`);
  await page.evaluate(async (initial) => {
    const { bindTextarea } = await import('/notepad/textarea.js');
    const area = document.createElement('textarea');
    document.body.prepend(area);
    let content = initial;
    let notify = () => {};
    const splice = (at, remove, insert) => (content = content.slice(0, at) + insert + content.slice(at + remove));
    const text = {
      edits: [],
      refuse: false,
      toString: () => content,
      insert(at, inserted) {
        if (text.refuse) throw new Error('refused');
        text.edits.push(['insert', at, inserted]);
        splice(at, 0, inserted);
      },
      delete(at, length) {
        text.edits.push(['delete', at, length]);
        splice(at, length, '');
      },
      replace(whole) {
        text.edits.push(['replace', whole]);
        content = whole;
      },
      observe: (listener) => (notify = listener),
    };
    const remote = (delta) => {
      let at = 0;
      for (const { retain = 0, insert = '', delete: remove = 0 } of delta) {
        at += retain;
        splice(at, remove, insert);
        at += insert.length;
      }
      notify({ delta, origin: 'remote' });
    };
    const errors = [];
    /** What an input method does: the range becomes `string`, with an input event. */
    const put = (start, end, string) => {
      area.setRangeText(string, start, end, 'end');
      area.dispatchEvent(new InputEvent('input', { isComposing: true, inputType: 'insertCompositionText' }));
    };
    const compose = (type) => area.dispatchEvent(new CompositionEvent(type));
    bindTextarea(area, text, (error) => errors.push(error.message));
    Object.assign(window, { bound: { area, text, remote, put, compose, errors } });
    area.focus();
  }, initial);
  return page;
}

const inPage = (page, run, arg) => page.evaluate(run, arg);

test('textarea: among equal letters the edit is where the caret is', async (context) => {
  const page = await openBound(context, 'aaaa');
  await inPage(page, () => window.bound.area.setSelectionRange(2, 2));
  await page.keyboard.type('a');
  await page.keyboard.press('Backspace');
  await page.keyboard.press('Delete');
  assert.deepEqual(await inPage(page, () => window.bound.text.edits), [['insert', 2, 'a'], ['delete', 2, 1], ['delete', 2, 1]]);
});

test('textarea: a surrogate pair is never split', async (context) => {
  const page = await openBound(context, 'x😀y');
  const edits = await inPage(page, () => {
    const { area, text } = window.bound;
    // 😀 and 😁 share their first half, 😀 and 🤀 their second.
    area.setRangeText('😁', 1, 3, 'end');
    area.dispatchEvent(new InputEvent('input'));
    area.setRangeText(String.fromCodePoint(0x1fa01), 1, 3, 'end');
    area.dispatchEvent(new InputEvent('input'));
    return text.edits;
  });
  assert.deepEqual(edits, [['delete', 1, 2], ['insert', 1, '😁'], ['delete', 1, 2], ['insert', 1, '\u{1fa01}']]);
});

test('textarea: a change of another waits until the input method is done', async (context) => {
  const page = await openBound(context, 'left right');
  const seen = await inPage(page, () => {
    const { area, text, remote, put, compose } = window.bound;
    area.setSelectionRange(4, 4);
    compose('compositionstart');
    put(4, 4, 'k');
    remote([{ insert: '>> ' }, { retain: 11 }, { insert: ' <<' }]);
    const during = area.value;
    put(4, 5, 'か');
    compose('compositionend');
    return { during, after: area.value, text: text.toString(), caret: area.selectionStart };
  });
  assert.deepEqual(seen, { during: 'leftk right', after: '>> leftか right <<', text: '>> leftか right <<', caret: 8 });
  await page.keyboard.type('!');
  assert.equal(await inPage(page, () => window.bound.text.toString()), '>> leftか! right <<');
});

test('textarea: a composition that nobody disturbs goes through letter by letter', async (context) => {
  const page = await openBound(context, '');
  const edits = await inPage(page, () => {
    const { text, put, compose } = window.bound;
    compose('compositionstart');
    put(0, 0, 'n');
    put(0, 1, 'に');
    compose('compositionend');
    return text.edits;
  });
  assert.deepEqual(edits, [['insert', 0, 'n'], ['delete', 0, 1], ['insert', 0, 'に']]);
});

test('textarea: an edit that is refused is taken back, and told', async (context) => {
  const page = await openBound(context, 'kept');
  await inPage(page, () => (window.bound.text.refuse = true));
  await page.keyboard.type('x');
  const seen = await inPage(page, () => ({ value: window.bound.area.value, errors: window.bound.errors }));
  assert.deepEqual(seen, { value: 'kept', errors: ['refused'] });
});

test('textarea: line ends that it cannot show are made plain for everyone', async (context) => {
  const page = await openBound(context, 'a\r\nb\rc');
  const [value, text] = await inPage(page, () => [window.bound.area.value, window.bound.text.toString()]);
  assert.deepEqual([value, text], ['a\nb\nc', 'a\nb\nc']);
});
