// Notepad: one shared text per room.
import { BrowserSyncClient, isPeersyncError } from 'peersync';
import { authorsShown, redo, showAuthors, undo, writers } from 'peersync/codemirror';
import { workOffline } from '../offline.js';
import { profile } from '../profile.js';
import { backend, bindShare, room } from '../room.js';
import { showLine, Status } from '../status.js';
import { openEditor } from './editor.js';

const $ = (id) => document.getElementById(id);
const MAX_FACES = 5;
const MAX_LEGEND = 12;

let toastTimer;
let speechTimer;

function show(client, status) {
  if (showLine($('state'), status.line)) {
    // Said aloud only once it lasts: while someone types, it changes with every key.
    clearTimeout(speechTimer);
    speechTimer = setTimeout(() => ($('spoken').textContent = $('state').textContent), 1_000);
  }
  showPeople(client, status);
  // The text, not the editor: that one may be about to follow.
  if (!status.arrived || client.status === 'closed') return;
  $('undo').disabled = status.failed || !client.canUndo;
  $('redo').disabled = status.failed || !client.canRedo;
  let length;
  try {
    ({ length } = client.text('document'));
  } catch {
    // It is being closed.
    return;
  }
  $('count').textContent = `${length.toLocaleString('en')} character${length === 1 ? '' : 's'}`;
}

/** How many there are, and the first letters of their names. */
function showPeople(client, { others }) {
  const people = new Map([[client.author, profile]]);
  if (others) {
    const states = client.presence.others();
    for (const { peerId, author } of others) if (!people.has(author)) people.set(author, states.get(peerId) ?? {});
  }
  $('people').textContent = others ? `${people.size} ${people.size === 1 ? 'person' : 'people'} here` : '–';
  const faces = others ? [...people.values()].slice(0, MAX_FACES) : [];
  replaceChildren($('faces'), faces.map(({ name, color }) => {
    const face = document.createElement('i');
    const shown = typeof name === 'string' ? name.trim().slice(0, 40) : '';
    face.textContent = [...(shown || '?')][0].toUpperCase();
    face.title = shown || 'Guest';
    face.style.backgroundColor = /^#[0-9a-f]{6}$/i.test(color) ? color : 'var(--soft)';
    return face;
  }));
}

/** Who wrote how much of the text, while the marks for it are shown. */
function showLegend(view) {
  const list = writers(view.state);
  $('authors').setAttribute('aria-pressed', authorsShown(view.state));
  $('legend').hidden = !authorsShown(view.state);
  const whole = list.reduce((sum, { length }) => sum + length, 0);
  const entries = list.slice(0, MAX_LEGEND).map(({ name, color, length, self }) => {
    const entry = document.createElement('li');
    const dot = document.createElement('i');
    dot.style.backgroundColor = color;
    const who = document.createElement('b');
    who.textContent = self ? `${name} (you)` : name;
    entry.append(dot, who, ` ${Math.max(1, Math.round((100 * length) / whole))} %`);
    return entry;
  });
  const note = (text) => Object.assign(document.createElement('li'), { textContent: text });
  if (list.length > MAX_LEGEND) entries.push(note(`and ${list.length - MAX_LEGEND} more`));
  if (list.length === 0) entries.push(note('Nobody has written anything yet.'));
  replaceChildren($('legend'), entries);
}

/** Leaves alone what is the same: this is asked many times a second. */
function replaceChildren(parent, children) {
  const same = parent.children.length === children.length && children.every((child, at) => child.isEqualNode(parent.children[at]));
  if (!same) parent.replaceChildren(...children);
}

function toast(sentence, ms = 2_500) {
  $('toast').textContent = sentence;
  $('toast').classList.add('shown');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $('toast').classList.remove('shown'), ms);
}

function open() {
  const client = new BrowserSyncClient(backend, { room, identity: profile.identity });
  const refresh = () => show(client, status);
  const { view, allow } = openEditor($('editor'), client, {
    user: { name: profile.name, color: profile.color },
    onChange: (update) => {
      if (update.docChanged) refresh();
      showLegend(update.view);
    },
    onError: (error) => toast(`Not possible: ${error.message}`),
  });
  const status = new Status(client, {
    arrive: () => {
      allow(true, 'Write something. Everyone in this room sees it.');
      if (document.activeElement === document.body) view.focus();
      workOffline();
    },
    change: refresh,
    stop: () => allow(false, ''),
    toast,
  });
  for (const event of ['presence', 'history']) client.on(event, refresh);
  client.on('presence', () => avoidColors(client));
  client.text('document').observe(refresh);
  useTools(client, view, refresh);
  // TIMEOUT means that it is still trying.
  client.connect().catch((error) => isPeersyncError(error, 'TIMEOUT') || status.fail(error));
  return client;
}

/** Of two whom chance gave one colour, the one who came with the larger peer id takes another. */
function avoidColors(client) {
  const others = [...client.presence.others()];
  const taken = others.filter(([peerId]) => peerId < client.peerId).map(([, { color }]) => color);
  if (!profile.avoidColors(taken)) return;
  $('color').value = profile.color;
  client.presence.set({ color: profile.color });
}

function useTools(client, view, refresh) {
  // Pressing a tool leaves the caret, and a phone's keyboard, where they are.
  for (const tool of document.querySelectorAll('.tool')) tool.addEventListener('pointerdown', (event) => event.preventDefault());
  $('undo').addEventListener('click', () => undo(view));
  $('redo').addEventListener('click', () => redo(view));
  $('authors').addEventListener('click', () => showAuthors(view, !authorsShown(view.state)));
  const introduce = () => {
    client.presence.set({ name: profile.name, color: profile.color });
    refresh();
  };
  $('name').addEventListener('input', () => {
    profile.name = $('name').value.trim();
    introduce();
  });
  $('name').addEventListener('change', () => ($('name').value = profile.name));
  $('name').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.isComposing) return;
    // Or else the editor would get it.
    event.preventDefault();
    view.focus();
  });
  $('color').addEventListener('input', () => {
    profile.color = $('color').value;
    introduce();
  });
}

$('name').value = profile.name;
$('color').value = profile.color;
$('room').textContent = room;
$('room').title = room;
document.title = `${room} – peersync notepad`;
bindShare($('share'), toast);

try {
  // For the console of whoever debugs, and for the tests. Pages of your own need no global.
  window.peersyncClient = open();
} catch (error) {
  showLine($('state'), ['failed', `Stopped: ${error.message}`, '']);
}
