// Compile-time tests: every `@ts-expect-error` must be an error, everything else must not be. Never run.
import { BrowserSyncClient, isPeersyncError, PeersyncError } from 'peersync';
import type { Ack, ClientEvents, ClientOptions, ClientStatus, ErrorCode, HistoryEvent, JsonValue, ListEvent, MapEvent } from 'peersync';
import type { Peer, PresenceEvent, PresenceState, RoomContent, SharedRecords, SharedText, SyncStatus, TextEvent } from 'peersync';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'a', debug: true });

// ---- constructor ----
// @ts-expect-error the address is required
new BrowserSyncClient();
// @ts-expect-error an option that does not exist
new BrowserSyncClient('ws://a', { rom: 'a' });
// @ts-expect-error the identity is bytes
const wrongIdentity: ClientOptions = { identity: 'secret' };

// @ts-expect-error there is no third place to keep a room
new BrowserSyncClient('ws://a', { persistence: 'localStorage' });
new BrowserSyncClient('ws://a', { persistence: 'memory', shareUplink: false, dbName: 'other' });
same<ReturnType<typeof client.open>, Promise<void>>(true);
same<typeof client.syncStatus, SyncStatus>(true);

// ---- events ----
client.on('syncStatus', (status) => same<typeof status, SyncStatus>(true));
client.on('storage', ({ mode }) => same<typeof mode, 'indexeddb' | 'memory'>(true));
client.on('opened', ({ restored }) => same<typeof restored, boolean>(true));

client.on('status', (status) => same<typeof status, ClientStatus>(true));
client.on('pending', (pending) => same<typeof pending, number>(true));
client.on('error', (error) => same<typeof error, PeersyncError>(true));
client.on('peer_join', (peer) => same<typeof peer, Peer>(true), { signal: new AbortController().signal });
client.on('operation', ({ type }) => same<typeof type, 'operation'>(true));
same<ReturnType<typeof client.on>, () => void>(true);
const next = client.once('reconnecting', { timeoutMs: 5 });
same<typeof next, Promise<ClientEvents['reconnecting']>>(true);
const stop = client.once('synced', (synced) => same<typeof synced, boolean>(true));
same<typeof stop, () => void>(true);
// @ts-expect-error an event that does not exist
client.on('dat', () => {});
// @ts-expect-error the listener takes a number
client.on('pending', (pending: string) => pending);
// @ts-expect-error applications cannot emit
client.emit('pending', 1);

// ---- send ----
const sent = client.send({ type: 'operation', operation: 'INSERT', data: { content: 'x', position: 0 } }, { until: 'peer' });
same<typeof sent, Promise<Ack>>(true);
void client.send({ type: 'operation', operation: 'DELETE', data: { position: 0 } });
void client.send({ type: 'operation', operation: 'UPDATE', data: { document: 'x', doc: 'notes' } });
// @ts-expect-error an operation that does not exist
void client.send({ type: 'operation', operation: 'REMOVE', data: { position: 0 } });
// @ts-expect-error DELETE needs a position
void client.send({ type: 'operation', operation: 'DELETE', data: {} });
// @ts-expect-error the content of an INSERT is text
void client.send({ type: 'operation', operation: 'INSERT', data: { content: 7 } });
void client.send({ type: 'operation', operation: 'MOVE', data: { from: 0, to: 5, length: 2 } });
void client.send({ type: 'operation', operation: 'INSERT', data: { id: 'a', kind: 'circle', at: { x: 1 } } });
void client.send({ type: 'operation', operation: 'UPDATE', data: { id: 'a', x: 2, label: undefined, collection: 'shapes' } });
void client.send({ type: 'operation', operation: 'DELETE', data: { id: 'a' } });
void client.send({ type: 'operation', operation: 'MOVE', data: { id: 'a', before: null } });
void client.send({ type: 'operation', operation: 'UPDATE', data: { cursor_position: { x: 1, y: 2 }, name: 'Ada' } });
// @ts-expect-error a record does not move nowhere
void client.send({ type: 'operation', operation: 'MOVE', data: { id: 'a' } });
// @ts-expect-error the name of a collection is text
void client.send({ type: 'operation', operation: 'DELETE', data: { id: 'a', collection: 7 } });
// @ts-expect-error functions are no fields
void client.send({ type: 'operation', operation: 'INSERT', data: { id: 'a', draw: () => {} } });
// @ts-expect-error a durability that does not exist
void client.send({ type: 'operation', operation: 'INSERT', data: { content: 'x' } }, { until: 'disk' });

// @ts-expect-error nothing is not what one waits for
void client.send({ type: 'operation', operation: 'INSERT', data: { content: 'x' } }, { until: 'none' });
same<Ack['durability'], 'none' | 'local' | 'peer' | 'backend'>(true);

// ---- text ----
const text: SharedText = client.text('notes');
same<ReturnType<typeof text.insert>, number>(true);
text.observe((event) => same<typeof event, TextEvent>(true));
text.insert(0, 'x', { bold: true, link: { href: 'https://example.org' } });
// @ts-expect-error functions are no attributes
text.insert(0, 'x', { bold: () => true });
// @ts-expect-error the index comes first
text.insert('x', 0);
// @ts-expect-error the length is read only
text.length = 0;
// @ts-expect-error texts come from client.text(name)
new SharedText('notes');

text.move(0, 5, 2);
same<ReturnType<typeof text.cursor>, string>(true);
same<ReturnType<typeof text.index>, number | undefined>(true);
// @ts-expect-error a cursor sticks to one side
text.cursor(0, 0);

// ---- maps and lists ----
const map = client.map('settings');
same<ReturnType<typeof map.get>, JsonValue | undefined>(true);
map.observe((event) => same<typeof event, MapEvent>(true));
map.set('grid', { size: 20, lines: [1, null] });
// @ts-expect-error functions are no values
map.set('grid', () => {});
// @ts-expect-error to remove a key, delete it
map.set('grid', undefined);
const list = client.list('jobs');
list.observe((event) => same<typeof event, ListEvent>(true));
list.insert(0, ['a', 1, { b: true }]);
// @ts-expect-error items come in an array
list.insert(0, 'a');

// ---- records ----
interface Shape {
  kind: 'circle' | 'square';
  x: number;
  label?: string;
}
const shapes: SharedRecords<Shape> = client.records<Shape>('shapes', { deletePolicy: 'update-wins' });
same<ReturnType<typeof shapes.get>, (Shape & { id: string }) | undefined>(true);
shapes.set('a', { kind: 'circle', x: 1 });
shapes.set('a', { label: undefined });
shapes.move('a', { before: 'b' });
shapes.move('a', { before: null });
shapes.observe(({ changes }) => {
  for (const change of changes) if (change.type === 'insert') same<typeof change.value, Shape & { id: string }>(true);
});
// @ts-expect-error a field of the wrong type
shapes.set('a', { x: '1' });
// @ts-expect-error a field that shapes do not have
shapes.set('a', { radius: 1 });
// @ts-expect-error a place that does not exist
shapes.move('a', { behind: 'b' });
// @ts-expect-error a policy that does not exist
client.records('shapes', { deletePolicy: 'never' });
client.records('anything').set('a', { x: 1, nested: { y: [2] } });

// ---- presence, undo, content ----
client.presence.set({ cursor: { x: 1 }, name: 'Ada', mood: 'good', drag: null });
client.presence.set(null);
same<ReturnType<typeof client.presence.others>, Map<string, PresenceState>>(true);
client.on('presence', (event) => same<typeof event, PresenceEvent>(true));
client.on('history', (event) => same<typeof event, HistoryEvent>(true));
same<ReturnType<typeof client.undo>, boolean>(true);
same<ReturnType<typeof client.toJSON>, RoomContent>(true);
// @ts-expect-error read only
client.canUndo = true;

// ---- errors ----
function handle(error: unknown): ErrorCode | undefined {
  if (isPeersyncError(error, 'TIMEOUT')) return error.code;
  // @ts-expect-error a code that does not exist
  isPeersyncError(error, 'LATE');
  // @ts-expect-error still unknown
  return error.code;
}
// @ts-expect-error the union is closed
new PeersyncError('LATE', 'late');

async function closing(): Promise<void> {
  await using other = new BrowserSyncClient('ws://localhost:8000/ws');
  await other.connect({ timeoutMs: 1_000 });
}

export { closing, handle, wrongIdentity };
