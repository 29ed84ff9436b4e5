/** The client's options and their checks. Nothing here touches the network. */

import { PeersyncError } from './errors.js';
import { checkText, invalid } from './internal/check.js';
import type { NativeOptions } from './internal/native.js';
import type { Durability, WaitOptions } from './types.js';

/** Options of {@link BrowserSyncClient}. */
export interface ClientOptions {
  /** Name of the room: whoever names the same one at the same backend shares its documents. @default 'default' */
  room?: string;
  /** Name of this client in messages (`client_id`). @default chosen at random */
  clientId?: string;
  /**
   * 32 bytes, the secret seed of this user's identity (Ed25519). Keep it secret. Never stored by the package.
   * @default one that is made once and kept in this device's database; without one, a new one per client
   */
  identity?: Uint8Array;
  /** Shown to the backend when joining the room, never part of a URL. @default none */
  token?: string;
  /**
   * Where this device keeps the room, so that it is there at the next visit, also offline: in the browser's database, or
   * nowhere, as it was before: what is not sent is then lost with the page. Where there is no usable database it is as
   * with `'memory'`, and `storage` and `error` events say so.
   * @default 'indexeddb'
   */
  persistence?: 'indexeddb' | 'memory';
  /** Whether the tabs of this browser that have the room open use one connection to the backend. @default true */
  shareUplink?: boolean;
  /** Name of the database: clients of one page that must not see each other's rooms use different ones. @default 'peersync' */
  dbName?: string;
  /** What logs to the console, for the whole page; see {@link configureDebug}. @default what `localStorage.debug` says */
  debug?: boolean | string;
  /** Closes the client when aborted. @default none */
  signal?: AbortSignal;
}

/** Options of {@link BrowserSyncClient.connect}. */
export interface ConnectOptions extends WaitOptions {
  /** Milliseconds until the promise rejects with `TIMEOUT`; dialing goes on. @default 30_000 */
  timeoutMs?: number;
}

/** Options of {@link BrowserSyncClient.open}. */
export interface OpenOptions extends WaitOptions {
  /** Milliseconds until the promise rejects with `TIMEOUT`; opening goes on. @default 30_000 */
  timeoutMs?: number;
}

/** Options of {@link BrowserSyncClient.send}. */
export interface SendOptions extends WaitOptions {
  /**
   * How safe the operation must be before the promise resolves. Where this device keeps nothing, `'local'` resolves at
   * once, with the durability `'none'`.
   * @default 'backend'
   */
  until?: Durability;
  /** Milliseconds until the promise rejects with `TIMEOUT`; the operation is still sent. @default no limit */
  timeoutMs?: number;
}

/** Until `open()` and `connect()` give up waiting. */
export const DEFAULT_CONNECT_TIMEOUT_MS = 30_000;

/** Bytes of an identity's seed. */
const IDENTITY_BYTES = 32;

/** Options that a later version will have. Taking them silently would promise what is not kept. */
const NOT_YET: readonly string[] = ['secret', 'webrtc', 'iceServers'];

const KNOWN: readonly string[] = ['room', 'clientId', 'identity', 'token', 'persistence', 'shareUplink', 'dbName', 'debug', 'signal'];

/** Options for the module, and those that the wrapper keeps. */
export type CheckedOptions = NativeOptions & Pick<ClientOptions, 'debug' | 'signal'>;

/** Checks what `new BrowserSyncClient` was given. Throws `INVALID_ADDRESS`, `INVALID_ARGUMENT` or `UNSUPPORTED`. */
export function checkOptions(url: unknown, options: unknown): CheckedOptions {
  if (typeof options !== 'object' || options === null) throw invalid('options must be an object');
  const given = options as Record<string, unknown>;
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || KNOWN.includes(name)) continue;
    if (NOT_YET.includes(name)) throw new PeersyncError('UNSUPPORTED', `this version has no option '${name}'`);
    throw invalid(`there is no option '${name}'; there are: ${KNOWN.join(', ')}`);
  }
  const { identity, persistence = 'indexeddb', shareUplink = true, debug, signal } = given;
  if (identity !== undefined && !(identity instanceof Uint8Array && identity.length === IDENTITY_BYTES)) {
    throw invalid(`identity must be a Uint8Array of ${IDENTITY_BYTES} bytes`);
  }
  if (persistence !== 'indexeddb' && persistence !== 'memory') throw invalid("persistence must be 'indexeddb' or 'memory'");
  if (typeof shareUplink !== 'boolean') throw invalid('shareUplink must be a boolean');
  if (debug !== undefined && typeof debug !== 'boolean' && typeof debug !== 'string') {
    throw invalid('debug must be a boolean or a string');
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid('signal must be an AbortSignal');
  const checked: CheckedOptions = {
    url: checkAddress(url),
    room: checkName('room', given['room']) ?? 'default',
    persistence,
    shareUplink,
    dbName: checkName('dbName', given['dbName']) ?? 'peersync',
  };
  const clientId = checkName('clientId', given['clientId']);
  const token = checkName('token', given['token']);
  if (clientId !== undefined) checked.clientId = clientId;
  if (token !== undefined) checked.token = token;
  // A copy: the caller may wipe its own.
  if (identity !== undefined) checked.identity = identity.slice();
  if (debug !== undefined) checked.debug = debug;
  if (signal !== undefined) checked.signal = signal;
  return checked;
}

/** Checks `until` of `send`. */
export function checkUntil(until: unknown): Durability {
  if (until === undefined) return 'backend';
  if (until === 'local' || until === 'peer' || until === 'backend') return until;
  throw invalid(`until must be 'local', 'peer' or 'backend'`);
}

function checkName(what: string, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || value === '') throw invalid(`${what} must be a non-empty string`);
  return checkText(what, value);
}

function checkAddress(url: unknown): string {
  const example = 'give one such as ws://localhost:8000/ws or /ip4/127.0.0.1/tcp/8000/ws';
  if (typeof url !== 'string' || url === '') {
    throw new PeersyncError('INVALID_ADDRESS', `the backend's address must be a string: ${example}`);
  }
  // Multiaddrs are parsed in one place, the module, once it is loaded.
  if (url.startsWith('/')) return url;
  let protocol: string;
  try {
    protocol = new URL(url).protocol;
  } catch (cause) {
    throw new PeersyncError('INVALID_ADDRESS', `'${url}' is neither a URL nor a multiaddr: ${example}`, { cause });
  }
  if (protocol === 'ws:' || protocol === 'wss:') return url;
  throw new PeersyncError('INVALID_ADDRESS', `'${url}' must start with ws:// or wss://: ${example}`);
}
