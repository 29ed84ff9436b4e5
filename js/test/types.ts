// Compile-time tests: every `@ts-expect-error` must be an error, everything else must not be. Never run.
import { BrowserSyncClient, isPeersyncError, PeersyncError } from 'peersync';
import type { Ack, ClientEvents, ClientOptions, ClientStatus, ErrorCode, Peer, SharedText, TextEvent } from 'peersync';

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

// ---- events ----
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
// @ts-expect-error a durability that does not exist
void client.send({ type: 'operation', operation: 'INSERT', data: { content: 'x' } }, { until: 'disk' });

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
