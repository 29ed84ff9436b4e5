// Binds a <textarea> to a shared text: input becomes the smallest edit, changes of others keep caret and scroll.

/** The smallest replacement that turns `before` into `after`; of equal ones, the one that ends at `caret`. */
export function smallestEdit(before, after, caret) {
  const shorter = Math.min(before.length, after.length);
  const sameAtEnd = (n) => before[before.length - 1 - n] === after[after.length - 1 - n];
  let suffix = 0;
  while (suffix < Math.min(shorter, after.length - caret) && sameAtEnd(suffix)) suffix += 1;
  let prefix = 0;
  while (prefix < shorter - suffix && before[prefix] === after[prefix]) prefix += 1;
  while (suffix < shorter - prefix && sameAtEnd(suffix)) suffix += 1;
  // Never between the two halves of a surrogate pair.
  if (prefix > 0 && /[\uD800-\uDBFF]/.test(before[prefix - 1])) prefix -= 1;
  if (suffix > 0 && /[\uDC00-\uDFFF]/.test(before[before.length - suffix])) suffix -= 1;
  return { index: prefix, remove: before.length - prefix - suffix, insert: after.slice(prefix, after.length - suffix) };
}

/** Shows `text` in `area` from now on and back. `onError` gets what an edit throws; the area then shows the text. */
export function bindTextarea(area, text, onError) {
  let shown = '';
  // Deltas that came while an input method composes: touching the area then would end the composition.
  let composing = false;
  let held = [];

  const keepView = (change) => {
    const { selectionDirection, scrollTop } = area;
    change();
    area.setSelectionRange(area.selectionStart, area.selectionEnd, selectionDirection);
    area.scrollTop = scrollTop;
    shown = area.value;
  };

  const applyDelta = (delta) => {
    let at = 0;
    for (const { retain = 0, insert = '', delete: remove = 0 } of delta) {
      at += retain;
      if (insert || remove) area.setRangeText(insert, at, at + remove, 'preserve');
      at += insert.length;
    }
  };

  /** Makes the area equal to the text, however they came to differ. */
  const catchUp = () => {
    let wanted = text.toString();
    if (wanted.includes('\r')) {
      // A textarea only has \n: with anything else its positions would not be the text's.
      wanted = wanted.replace(/\r\n?/g, '\n');
      text.replace(wanted);
    }
    if (area.value === wanted) return;
    const { index, remove, insert } = smallestEdit(area.value, wanted, wanted.length);
    keepView(() => area.setRangeText(insert, index, index + remove, 'preserve'));
  };

  const edit = ({ index, remove, insert }) => {
    try {
      if (remove) text.delete(index, remove);
      if (insert) text.insert(index, insert);
    } catch (error) {
      onError(error);
      catchUp();
    }
    shown = area.value;
  };

  area.addEventListener('input', () => {
    if (held.length === 0) edit(smallestEdit(shown, area.value, area.selectionEnd));
  });

  area.addEventListener('compositionstart', () => (composing = true));
  area.addEventListener('compositionend', () => {
    composing = false;
    if (held.length === 0) return;
    // Replay: the area as it was before the first held delta, the deltas (the selection marks the own edit and moves
    // with them), then the own edit at its new place.
    const { index, remove, insert } = smallestEdit(shown, area.value, area.selectionEnd);
    const caret = area.selectionEnd - index;
    keepView(() => {
      area.value = shown;
      area.setSelectionRange(index, index + remove);
      held.forEach(applyDelta);
      held = [];
    });
    const { selectionStart, selectionEnd } = area;
    area.setRangeText(insert, selectionStart, selectionEnd, 'end');
    area.setSelectionRange(selectionStart + caret, selectionStart + caret);
    edit({ index: selectionStart, remove: selectionEnd - selectionStart, insert });
    catchUp();
  });

  catchUp();
  return text.observe(({ delta, origin }) => {
    if (origin === 'remote') {
      if (composing) {
        held.push(delta);
        return;
      }
      keepView(() => applyDelta(delta));
    }
    if (!composing) catchUp();
  });
}
