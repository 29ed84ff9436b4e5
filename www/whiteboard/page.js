// Small parts of the page: toasts, what is said aloud, panels that open beside their button, questions.

const $ = (id) => document.getElementById(id);
let toastTimer;
let speechTimer;

export function toast(sentence, ms = 2_500) {
  $('toast').textContent = sentence;
  $('toast').classList.add('shown');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $('toast').classList.remove('shown'), ms);
}

/** For screen readers. With `afterMs` only once it lasts: while someone draws, some sentences change all the time. */
export function announce(sentence, afterMs = 0) {
  // What is said now stays to be heard, whatever comes meanwhile that has yet to last.
  if (afterMs === 0) $('spoken').textContent = sentence;
  clearTimeout(speechTimer);
  if (afterMs > 0) speechTimer = setTimeout(() => ($('spoken').textContent = sentence), afterMs);
}

/** Every button with `aria-controls` opens its panel; a press elsewhere, Escape or a choice in a menu closes it. */
export function bindPanels() {
  const buttons = [...document.querySelectorAll('button[aria-controls]')];
  const set = (button, open) => {
    button.setAttribute('aria-expanded', `${open}`);
    $(button.getAttribute('aria-controls')).hidden = !open;
  };
  const openOne = () => buttons.find((button) => button.getAttribute('aria-expanded') === 'true');
  for (const button of buttons) {
    const panel = $(button.getAttribute('aria-controls'));
    button.addEventListener('click', () => {
      const open = panel.hidden;
      set(button, open);
      if (open) panel.querySelector('input:checked, input[type=text], button')?.focus();
    });
    if (panel.matches('.menu')) panel.addEventListener('click', () => set(button, false));
  }
  addEventListener('pointerdown', ({ target }) => {
    const button = openOne();
    if (button && !button.parentElement.contains(target)) set(button, false);
  }, { capture: true });
  addEventListener('keydown', (event) => {
    const button = openOne();
    if (event.key !== 'Escape' || !button) return;
    event.stopPropagation();
    set(button, false);
    button.focus();
  }, { capture: true });
}

/** Asks with `dialog`, which has a paragraph for `sentence` and a button of value 'yes'. */
export function confirmed(dialog, sentence) {
  dialog.querySelector('p').textContent = sentence;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
