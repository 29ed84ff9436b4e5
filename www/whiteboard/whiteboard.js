// Whiteboard: shapes as records.
import { BrowserSyncClient, isPeersyncError } from '/sdk/index.js';
import { workOffline } from '../offline.js';
import { profile } from '../profile.js';
import { backend, bindShare, room } from '../room.js';
import { showLine, Status } from '../status.js';
import { onColor, onTheme } from './colors.js';
import { Edits } from './edits.js';
import { download, toPng } from './export.js';
import { listenToKeys } from './keys.js';
import { announce, bindPanels, confirmed, toast } from './page.js';
import { Palette } from './palette.js';
import { People } from './people.js';
import { Pointers } from './pointers.js';
import { Scene } from './scene.js';
import { Selection } from './selection.js';
import { bounds, grow, join } from './shapes.js';
import { TextEditor } from './text-editor.js';
import { Tools } from './tools.js';
import { View } from './view.js';

const $ = (id) => document.getElementById(id);
const REFRESH_MS = 16;
/** Selected shapes that others are told of. */
const SHOWN_IDS = 30;

const board = $('board');
const view = new View(board);
const scene = new Scene($('shapes'), $('ghosts'));
const selection = new Selection(scene, view, $('frames'));
const palette = new Palette();
let status;
let failed = false;
let people;

const usable = () => status.arrived && !failed;
const everything = () => {
  const shapes = [...scene.ids()].map((id) => scene.shape(id));
  return shapes.length > 0 ? join(shapes.map((shape) => grow(bounds(shape), shape.width / 2))) : undefined;
};

// ---- what is shown ----

function show() {
  if (showLine($('state'), status.line)) announce($('state').textContent, 1_000);
  const { others } = status;
  const number = others && 1 + new Set(others.map(({ author }) => author)).size;
  $('people').textContent = others ? `${number} ${number === 1 ? 'person' : 'people'} here` : '–';
}

function showCount() {
  const { count } = scene;
  const arrived = status?.arrived ?? false;
  if (arrived) $('count').textContent = `${count.toLocaleString('en')} shape${count === 1 ? '' : 's'}`;
  if (arrived) $('hint').textContent = 'Draw something. Everyone in this room sees it.';
  $('hint').classList.toggle('gone', failed || (arrived && (count > 0 || $('ghosts').childElementCount > 0)));
}

function showPeople() {
  const faces = [profile, ...(people?.list ?? [])].slice(0, 4).map(({ name, color }) => face(name, color));
  $('faces').replaceChildren(...faces.reverse());
  const others = (people?.list ?? []).map(({ name, color }) => {
    const item = document.createElement('li');
    item.append(face(name, color), name);
    return item;
  });
  $('others').replaceChildren(...others);
}

function face(name, color) {
  const made = document.createElement('span');
  made.className = 'face';
  made.style.background = color;
  made.style.color = onColor(color);
  made.textContent = [...name][0]?.toUpperCase() ?? '?';
  return made;
}

function showView() {
  $('world').setAttribute('transform', `translate(${-view.x * view.zoom} ${-view.y * view.zoom}) scale(${view.zoom})`);
  const grid = 24 * view.zoom * (view.zoom < 0.5 ? 4 : 1);
  board.style.setProperty('--grid', `${grid}px`);
  board.style.backgroundPosition = `${-view.x * view.zoom - grid / 2}px ${-view.y * view.zoom - grid / 2}px`;
  $('zoom').textContent = `${Math.round(view.zoom * 100)} %`;
}

// ---- the client ----

function open() {
  const client = new BrowserSyncClient(backend, { room });
  const records = client.records('shapes');
  // Not with every event: a thousand edits at once change the status line once.
  let refreshing;
  const refresh = () => {
    refreshing ??= setTimeout(() => {
      refreshing = undefined;
      show();
    }, REFRESH_MS);
  };

  client.on('history', ({ canUndo, canRedo }) => {
    $('undo').disabled = !canUndo;
    $('redo').disabled = !canRedo;
  });
  status = new Status(client, { arrive: () => arrive(client, records), change: refresh, stop, toast });
  // TIMEOUT means that it is still trying.
  client.connect().catch((error) => isPeersyncError(error, 'TIMEOUT') || status.fail(error));
  return client;
}

/** The room's state is here: from now on it is drawn, and can be drawn on. */
function arrive(client, records) {
  const started = performance.now();
  records.observe(({ changes, origin, author }) => {
    for (const change of changes) apply(change, records);
    if (origin === 'remote') for (const { id } of changes) people.settled(id, author);
  });
  scene.load(records.values());
  performance.measure('whiteboard load', { start: started });
  const box = everything();
  if (box && (box.left < 0 || box.top < 0 || box.right > view.width || box.bottom > view.height)) view.show(box);
  people = new People({ client, scene, selection, view, layer: $('cursors'), onChange: showPeople });
  draw(client, records);
  showPeople();
  board.classList.add('ready');
  workOffline();
}

function apply(change, records) {
  const { type, id } = change;
  if (type === 'insert') scene.insert(id, change.value, change.before);
  else if (type === 'update') scene.update(id, records.get(id));
  else if (type === 'move') scene.move(id, change.before);
  else if (type === 'delete') {
    scene.delete(id);
    selection.forget(id);
  }
}

function stop() {
  failed = true;
  board.classList.remove('ready');
  showCount();
}

// ---- drawing ----

/** Makes the board answer to pointers, keys and buttons. */
function draw(client, records) {
  const say = (fields) => {
    try {
      client.presence.set(fields);
    } catch {
      // Presence is a courtesy: what cannot be told is not told.
    }
  };
  const edits = new Edits(client, records, {
    onError: (error) => toast(`Not possible: ${error.message}`),
    onPermanent: () => toast('That was too much to be kept: it cannot be undone', 6_000),
  });
  const focus = () => board.focus({ preventScroll: true });
  const context = { view, scene, selection, edits, say, tell: toast, style: palette.style, focus };
  const editor = new TextEditor(context, $('writing'));
  const tools = new Tools({ ...context, type: (place) => editor.start(place), pan: () => pointers.pan() });
  const pointers = new Pointers(board, view, (at, event) => {
    if (!usable()) return undefined;
    event.preventDefault();
    if (!editor.close()) return undefined;
    focus();
    return tools.begin(at, event);
  });
  board.addEventListener('dblclick', (event) => {
    if (tools.current !== 'select' || !usable() || event.target === $('writing')) return;
    const at = view.toBoard(event);
    const id = tools.hit(at, { pointerType: 'mouse' });
    if (id === undefined || scene.stored(id)?.type === 'text') editor.start(id === undefined ? { at } : { id });
  });
  const actions = actionsOf({ client, edits, tools, editor, pointers, context });
  tellCursor(say);
  hover(tools, pointers);
  let told = '[]';
  selection.onChange(() => {
    const { ids } = selection;
    $('actions').hidden = ids.length === 0;
    const telling = JSON.stringify(ids.slice(0, SHOWN_IDS));
    if (telling !== told) say({ selection: ids.length > 0 ? ids.slice(0, SHOWN_IDS) : null });
    told = telling;
  });
  palette.onPick((fields) => {
    if (selection.ids.length > 0 && usable()) edits.restyle(selection.ids, fields);
    focus();
  });
  introduce(client, say);
  bindButtons(actions);
  listenToKeys(actions, pointers);
}

/** Tells who this is, and of two whom chance gave one colour, lets the one with the larger peer id take another. */
function introduce(client, say) {
  const tell = () => {
    say({ name: profile.name, color: profile.color });
    showPeople();
  };
  $('name').addEventListener('change', () => {
    if ($('name').value.trim()) profile.name = $('name').value.trim();
    $('name').value = profile.name;
    tell();
  });
  $('color').addEventListener('change', () => {
    profile.color = $('color').value;
    tell();
  });
  tell();
  client.on('presence', () => {
    const taken = people.list.filter(({ peerId }) => peerId < client.peerId).map(({ color }) => color);
    if (!profile.avoidColors(taken)) return;
    $('color').value = profile.color;
    tell();
  });
}

/** What buttons and keys do. */
function actionsOf({ edits, tools, editor, pointers, context }) {
  const guard = (action) => (...args) => {
    if (usable()) action(...args);
  };
  /** For what takes shapes away or changes them underneath: a gesture in progress would be about what was before. */
  const alone = (action) => guard((...args) => {
    pointers.cancel();
    return action(...args);
  });
  const use = (tool) => {
    editor.close();
    pointers.cancel();
    tools.current = tool;
    board.dataset.tool = tool;
    board.style.cursor = '';
    document.querySelector(`[name=tool][value=${tool}]`).checked = true;
    if (tool !== 'select') selection.clear();
  };
  const select = (step) => {
    const ids = [...scene.ids()];
    if (ids.length === 0) return;
    use('select');
    const now = ids.indexOf(selection.ids.at(-1));
    const next = (now < 0 && step < 0 ? ids.length - 1 : now + step + ids.length) % ids.length;
    selection.set([ids[next]]);
    announce(`${scene.stored(ids[next]).type}, ${next + 1} of ${ids.length}`);
  };
  const place = () => {
    const [id] = selection.ids;
    if (id !== undefined && scene.stored(id)?.type === 'text') editor.start({ id });
    else if (tools.current !== 'select') {
      const shape = tools.current;
      const placed = tools.place();
      if (placed === undefined) return;
      use('select');
      selection.set([placed]);
      announce(`${shape} placed`);
    }
  };
  return {
    use,
    undo: alone(() => edits.undo()),
    redo: alone(() => edits.redo()),
    order: guard((where) => edits.reorder(selection.ids, where)),
    remove: alone(() => edits.remove(selection.ids)),
    duplicate: guard(() => tools.duplicate()),
    nudge: guard((dx, dy) => tools.nudge(dx, dy)),
    stretch: guard((dx, dy) => tools.stretch(dx, dy)),
    next: guard(() => select(1)),
    previous: guard(() => select(-1)),
    place: guard(place),
    hasSelection: () => selection.ids.length > 0,
    all: guard(() => {
      use('select');
      selection.set(scene.ids());
    }),
    escape: () => {
      if (pointers.cancel()) return;
      if (selection.ids.length > 0) selection.clear();
      else use('select');
    },
    clear: alone(async () => {
      const { count } = scene;
      const shapes = count === 1 ? 'One shape goes' : `All ${count.toLocaleString('en')} shapes go`;
      if (await confirmed($('clearing'), `${shapes}, for everyone in this room. You can undo it.`)) edits.clear();
      context.focus();
    }),
    png: guard(async () => {
      const picture = await toPng([...scene.ids()].map((id) => scene.stored(id)));
      if (picture) download(picture, `${room.replace(/[^\p{L}\p{N}_-]+/gu, '-').slice(0, 60)}.png`);
      else toast('There is nothing to export yet');
    }),
    color: (number) => palette.choose(number),
    zoomIn: () => view.zoomBy(1.25),
    zoomOut: () => view.zoomBy(0.8),
    zoomReset: () => view.zoomBy(1 / view.zoom),
    fit: () => view.show(everything()),
    help: () => $('help').showModal(),
  };
}

function bindButtons(actions) {
  const buttons = { undo: 'undo', redo: 'redo', duplicate: 'duplicate', delete: 'remove', all: 'all', png: 'png', clear: 'clear', keys: 'help' };
  const zooms = { 'zoom-in': 'zoomIn', 'zoom-out': 'zoomOut', zoom: 'zoomReset', fit: 'fit' };
  for (const [id, action] of Object.entries({ ...buttons, ...zooms })) $(id).addEventListener('click', () => actions[action]());
  for (const button of document.querySelectorAll('[data-order]')) {
    button.addEventListener('click', () => actions.order(button.dataset.order));
  }
  for (const radio of document.querySelectorAll('[name=tool]')) {
    radio.addEventListener('change', () => {
      actions.use(radio.value);
      // Chosen with the arrow keys, it must stay where the next arrow key finds it.
      if (!radio.matches(':focus-visible')) board.focus({ preventScroll: true });
    });
  }
}

/** Others see where this pointer is; nothing once it has left. */
function tellCursor(say) {
  const away = () => say({ cursor: null });
  board.addEventListener('pointermove', (event) => {
    const { x, y } = view.toBoard(event);
    say({ cursor: { x: Math.round(x * 10) / 10, y: Math.round(y * 10) / 10 } });
  });
  board.addEventListener('pointerleave', away);
  document.addEventListener('visibilitychange', () => document.hidden && away());
}

/** The mouse pointer shows what a press would do. */
function hover(tools, pointers) {
  board.addEventListener('pointermove', (event) => {
    if (tools.current !== 'select' || pointers.busy || event.pointerType === 'touch') return;
    const at = view.toBoard(event);
    const handle = tools.handle(at, event);
    const movable = tools.onSelection(at) || tools.hit(at, event) !== undefined;
    board.style.cursor = handle?.cursor ?? (movable ? 'move' : '');
  });
}

// ---- the page ----

$('room').textContent = room;
$('room').title = room;
$('name').value = profile.name;
$('color').value = profile.color;
document.title = `${room} – peersync whiteboard`;
bindShare($('share'), toast);
bindPanels();
view.onChange(showView);
scene.onDraw(showCount);
onTheme(() => {
  scene.repaint();
  palette.paint();
});
showPeople();

try {
  // For the console of whoever debugs, and for the tests. Pages of your own need no global.
  window.peersyncClient = open();
} catch (error) {
  stop();
  showLine($('state'), ['failed', `Stopped: ${error.message}`, '']);
}
