// Lets js/dist run in Node against the fake module: `pkg/peersync.js` and the package's own name are redirected.
import { register } from 'node:module';
import { setImmediate } from 'node:timers/promises';

const fake = new URL('./fake-native.mjs', import.meta.url).href;
const entry = new URL('../dist/index.js', import.meta.url).href;
const hook = `
  export async function resolve(specifier, context, next) {
    if (specifier.endsWith('/pkg/peersync.js')) return { url: ${JSON.stringify(fake)}, shortCircuit: true };
    if (specifier === 'peersync') return { url: ${JSON.stringify(entry)}, shortCircuit: true };
    return next(specifier, context);
  }`;
register(`data:text/javascript,${encodeURIComponent(hook)}`);

export const { fake: native, FakeNativeClient } = await import(fake);
export const { BrowserSyncClient, PeersyncError, configureDebug, isPeersyncError } = await import(entry);

/** Lets every queued microtask and event run. */
export const settled = () => setImmediate();

/** A client and the fake below it, once `connect()` has made one. */
export async function open(options) {
  const before = native.clients.length;
  const client = new BrowserSyncClient('ws://localhost:8000/ws', options);
  const connected = client.connect({ timeoutMs: 1_000 });
  connected.catch(() => {});
  while (native.clients.length === before) await settled();
  await settled();
  return { client, connected, fake: native.clients.at(-1) };
}

/** For `assert.rejects` and `assert.throws`: a PeersyncError of this code whose message matches. */
export const failure = (code, message = /./) => (error) =>
  isPeersyncError(error, code) && error instanceof PeersyncError && message.test(error.message);
