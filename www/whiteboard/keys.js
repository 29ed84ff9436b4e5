// The keyboard. Letters choose tools, whatever has the focus, unless something is being written.

const TOOLS = { v: 'select', h: 'hand', p: 'freehand', l: 'line', r: 'rectangle', c: 'circle', t: 'text', e: 'eraser' };
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ORDER = { ']': 'forward', '[': 'backward', PageUp: 'forward', PageDown: 'backward', Home: 'front', End: 'back' };
const PLAIN = { Delete: 'remove', Backspace: 'remove', '+': 'zoomIn', '=': 'zoomIn', '-': 'zoomOut', '0': 'zoomReset', f: 'fit', '?': 'help', Escape: 'escape' };
const FAR = 10;

/** Calls `actions` for keys; see `actionsOf` of the page. */
export function listenToKeys(actions, pointers) {
  const board = document.getElementById('board');

  addEventListener('keydown', (event) => {
    const { target } = event;
    const writes = target.matches('textarea, input[type=text], input[type=color]');
    if (writes || event.isComposing || event.defaultPrevented || document.querySelector('dialog[open]')) return;
    // AltGr is how some keyboards write brackets.
    const command = (event.ctrlKey || event.metaKey) && !event.getModifierState('AltGraph');
    const done = command ? withCommand(event, actions) : plain(event, actions, target === board || target === document.body);
    if (done) event.preventDefault();
  });

  // Held, the space bar moves the board; on a button it still presses that.
  const hold = (held) => (event) => {
    if (event.key !== ' ' || (held && event.target !== board && event.target !== document.body)) return;
    if (held) event.preventDefault();
    pointers.panning = held;
    board.classList.toggle('grab', held);
  };
  addEventListener('keydown', hold(true));
  addEventListener('keyup', hold(false));
  addEventListener('blur', () => hold(false)({ key: ' ' }));
}

function withCommand(event, actions) {
  const key = event.key.toLowerCase();
  if (key === 'z') actions[event.shiftKey ? 'redo' : 'undo']();
  else if (key === 'y') actions.redo();
  else if (key === 'a') actions.all();
  else if (key === 'd') actions.duplicate();
  else return false;
  return true;
}

function plain(event, actions, onBoard) {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (ARROWS[key]) return onBoard && actions.hasSelection() && arrow(event, actions);
  // Elsewhere these belong to buttons, lists and the page.
  if (!onBoard && ['Enter', 'Home', 'End', 'PageUp', 'PageDown'].includes(key)) return false;
  if (TOOLS[key]) actions.use(TOOLS[key]);
  else if (ORDER[key]) actions.order(ORDER[key]);
  else if (PLAIN[key]) actions[PLAIN[key]]();
  else if (key === 'n') actions[event.shiftKey ? 'previous' : 'next']();
  else if (key === 'Enter') actions.place();
  else if (/^[1-8]$/.test(key)) actions.color(Number(key) - 1);
  else return false;
  return true;
}

function arrow(event, actions) {
  const [dx, dy] = ARROWS[event.key].map((step) => step * (event.shiftKey ? FAR : 1));
  if (event.altKey) actions.stretch(dx, dy);
  else actions.nudge(dx, dy);
  return true;
}
