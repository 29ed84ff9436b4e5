// Notepad: one shared text per room. ?room=name, ?backend=ws://host:port/path (default: this server).
import { BrowserSyncClient, isPeersyncError } from '/sdk/index.js';
import { bindTextarea } from './textarea.js';

const $ = (id) => document.getElementById(id);
const query = new URLSearchParams(location.search);
const room = query.get('room') || 'default';
const backend = query.get('backend') || `${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/ws`;
const paper = $('paper');

let arrived = false;
let retryAt = 0;
let failure = '';
let backendPeer;
let toastTimer;
let speechTimer;

/** What the status line says: `[kind, sentence]`. Always what is known, never what is hoped. */
function state(client) {
  const { pending, status, synced } = client;
  const edits = pending === 1 ? '1 edit' : `${pending} edits`;
  if (failure) return ['failed', failure];
  if (!arrived) {
    const seconds = Math.ceil((retryAt - Date.now()) / 1_000);
    if (status === 'disconnected' && seconds > 0) return ['offline', `No connection – next try in ${seconds} s`];
    return ['connecting', 'Connecting…'];
  }
  if (status !== 'connected') {
    return ['offline', pending ? `Offline – ${edits} kept in this tab` : 'Offline – edits are kept in this tab'];
  }
  if (pending) return ['pending', `${edits} pending`];
  return synced ? ['saved', 'Saved'] : ['connecting', 'Catching up…'];
}

function show(client) {
  const [kind, sentence] = state(client);
  if ($('state').textContent !== sentence) {
    $('state').textContent = sentence;
    $('state').dataset.state = kind;
    // Said aloud only once it lasts: while someone types, it changes with every key.
    clearTimeout(speechTimer);
    speechTimer = setTimeout(() => ($('spoken').textContent = sentence), 1_000);
  }
  // The backend is a peer too, but not one of the people.
  const others = client.peers.filter(({ peerId }) => peerId !== backendPeer).map(({ author }) => author);
  const people = new Set([client.author, ...others]).size;
  const counted = arrived && client.status === 'connected';
  $('people').textContent = counted ? `${people} ${people === 1 ? 'person' : 'people'} here` : '–';
  // The text, not the textarea: that one may be about to follow.
  if (!arrived || client.status === 'closed') return;
  const { length } = client.text('document');
  $('count').textContent = `${length.toLocaleString('en')} character${length === 1 ? '' : 's'}`;
}

function toast(sentence) {
  $('toast').textContent = sentence;
  $('toast').classList.add('shown');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => $('toast').classList.remove('shown'), 2_500);
}

function open() {
  const client = new BrowserSyncClient(backend, { room });
  const text = client.text('document');
  const refresh = () => show(client);

  client.on('connected', ({ peerId }) => (backendPeer = peerId));
  client.on('reconnecting', ({ delayMs }) => (retryAt = Date.now() + delayMs));
  client.on('synced', (synced) => {
    if (!synced || arrived) return;
    arrived = true;
    bindTextarea(paper, text, (error) => toast(`Not possible: ${error.message}`));
    paper.readOnly = false;
    paper.placeholder = 'Write something. Everyone in this room sees it.';
    if (document.activeElement === document.body) paper.focus();
  });
  client.on('error', (error) => {
    // After these nothing goes on; after any other, the status line already says how things stand.
    const final = ['INTERNAL', 'INVALID_ADDRESS', 'PEER_ID_MISMATCH', 'ROOM_REFUSED', 'UNSUPPORTED'];
    if (final.includes(error.code)) stop(error);
    else if (arrived) toast(error.message);
  });
  for (const event of ['status', 'synced', 'pending', 'connected', 'reconnecting', 'peer_join', 'peer_leave']) {
    client.on(event, refresh);
  }
  text.observe(refresh);
  paper.addEventListener('input', refresh);
  setInterval(() => arrived || refresh(), 1_000);

  function stop(error) {
    failure = `Stopped: ${error.message}`;
    paper.readOnly = true;
    paper.placeholder = '';
    refresh();
  }

  addEventListener('beforeunload', (event) => {
    if (client.pending > 0) event.preventDefault();
  });
  // TIMEOUT means that it is still trying.
  client.connect().catch((error) => isPeersyncError(error, 'TIMEOUT') || stop(error));
  return client;
}

$('room').textContent = room;
$('room').title = room;
document.title = `${room} – peersync notepad`;
$('share').addEventListener('click', async () => {
  const link = new URL(location.pathname, location.origin);
  link.searchParams.set('room', room);
  if (query.has('backend')) link.searchParams.set('backend', backend);
  try {
    await navigator.clipboard.writeText(link.href);
    toast('Link copied');
  } catch {
    // No clipboard outside a secure context, or no permission.
    prompt('Copy this link', link.href);
  }
});

try {
  // For the console of whoever debugs, and for the tests. Pages of your own need no global.
  window.peersyncClient = open();
} catch (error) {
  failure = `Stopped: ${error.message}`;
  $('state').textContent = failure;
  $('state').dataset.state = 'failed';
  paper.placeholder = '';
}
