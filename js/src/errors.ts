/** Every failure the package can report. Match on `code`, never on the message. The table is in SPEC.md. */

/** Each code, so that a value from elsewhere can be checked against the union. */
export const ERROR_CODES = [
  'INVALID_ARGUMENT',
  'INVALID_ADDRESS',
  'NOT_CONNECTED',
  'CLOSED',
  'TIMEOUT',
  'ABORTED',
  'CONNECTION_FAILED',
  'PEER_ID_MISMATCH',
  'ROOM_REFUSED',
  'REFUSED',
  'TYPE_MISMATCH',
  'TOO_LARGE',
  'STORAGE_FULL',
  'STORAGE_FAILED',
  'STORAGE_CORRUPT',
  'STORAGE_NEWER',
  'ROOM_FULL',
  'UNSUPPORTED',
  'INTERNAL',
] as const;

/**
 * Why a call failed.
 *
 * - `INVALID_ARGUMENT`: a value has the wrong type or range; the message names it.
 * - `INVALID_ADDRESS`: neither a `ws://` or `wss://` URL nor a multiaddr.
 * - `NOT_CONNECTED`: neither `open()` nor `connect()` has loaded the module yet.
 * - `CLOSED`: `close()` was called, or the `signal` given to the constructor was aborted.
 * - `TIMEOUT`: `timeoutMs` passed. What was started goes on in the background.
 * - `ABORTED`: the `signal` of the call was aborted; `cause` is its reason.
 * - `CONNECTION_FAILED`: the backend or the WebAssembly file could not be reached. Trying again may help.
 * - `PEER_ID_MISMATCH`: the backend is not the one whose `/p2p/…` id the address names.
 * - `ROOM_REFUSED`: the backend does not let this client into the room.
 * - `REFUSED`: the backend refused the operation.
 * - `TYPE_MISMATCH`: the document's name is in use for another type.
 * - `TOO_LARGE`, `ROOM_FULL`: a bound was reached.
 * - `STORAGE_FULL`: this device has no room for more. What it does not keep is still sent.
 * - `STORAGE_FAILED`: this device's storage is missing, was deleted, or fails.
 * - `STORAGE_CORRUPT`: what this device kept of the room cannot be read; it is fetched anew.
 * - `STORAGE_NEWER`: a newer version of the package has written this device's storage, which is left as it is.
 * - `UNSUPPORTED`: this version or this platform cannot do that.
 * - `INTERNAL`: a defect in peersync. After a trap in the module every call fails with it; reload the page.
 */
export type ErrorCode = (typeof ERROR_CODES)[number];

/**
 * The only error the package throws or rejects with.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient, PeersyncError } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws');
 * try {
 *   await client.connect({ timeoutMs: 5_000 });
 * } catch (error) {
 *   if (error instanceof PeersyncError) console.warn(error.code, error.message);
 * }
 * ```
 */
export class PeersyncError extends Error {
  override readonly name = 'PeersyncError';
  /** What kind of failure this is. */
  readonly code: ErrorCode;

  /**
   * @param code - What kind of failure this is.
   * @param message - One sentence for a developer.
   * @param options - `cause`: what was thrown underneath.
   *
   * @example
   * ```ts
   * import { PeersyncError } from 'peersync';
   *
   * // In a test of an application: what it does when the room is full.
   * const error = new PeersyncError('ROOM_FULL', 'the room is full');
   * console.assert(error.code === 'ROOM_FULL');
   * ```
   */
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
}

/**
 * Whether `error` is a {@link PeersyncError}, and, when `code` is given, of that kind. Also true for errors of another
 * copy of the package on the same page, for which `instanceof` is false.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient, isPeersyncError } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws');
 * try {
 *   client.text('notes').insert(0, 'too early');
 * } catch (error) {
 *   if (!isPeersyncError(error, 'NOT_CONNECTED')) throw error;
 * }
 * ```
 */
export function isPeersyncError(error: unknown, code?: ErrorCode): error is PeersyncError {
  if (!(error instanceof Error) || error.name !== 'PeersyncError') return false;
  const actual = (error as { code?: unknown }).code;
  return isErrorCode(actual) && (code === undefined || actual === code);
}

/**
 * Whether `value` is one of the codes.
 *
 * @internal
 */
export function isErrorCode(value: unknown): value is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(value);
}
