/** Promises that end by themselves: with a result, a failure, a timeout or an abort. */

import { PeersyncError } from '../errors.js';
import type { WaitOptions } from '../types.js';
import { checkObject, invalid } from './check.js';

/** The longest delay a timer can hold; a longer one would fire at once. */
const MAX_TIMER_MS = 2_147_483_647;

/**
 * Calls `start` with `resolve` and `reject`; what it returns is called once, however the waiting ends.
 * `what` begins the timeout's sentence: "no 'data' event within 500 ms"; `cause` explains the timeout, if it can.
 * What `start` throws is the promise's rejection; it does not run at all when `signal` is already aborted.
 */
export function waitFor<T>(
  options: WaitOptions,
  what: string,
  start: (resolve: (value: T) => void, reject: (error: unknown) => void) => () => void,
  cause: () => PeersyncError | undefined = () => undefined,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    // What this throws is the promise's rejection as well.
    const { signal, timeoutMs } = checkWait(options);
    if (signal?.aborted) {
      reject(aborted(signal));
      return;
    }
    let ended = false;
    let stop: (() => void) | undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const end = (settle: () => void) => {
      if (ended) return;
      ended = true;
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      stop?.();
      settle();
    };
    const onAbort = () => end(() => reject(signal ? aborted(signal) : undefined));
    signal?.addEventListener('abort', onAbort);
    if (timeoutMs !== undefined && timeoutMs <= MAX_TIMER_MS) {
      timer = setTimeout(() => end(() => reject(timedOut(what, timeoutMs, cause()))), timeoutMs);
    }
    try {
      stop = start(
        (value) => end(() => resolve(value)),
        (error) => end(() => reject(error)),
      );
      // `start` may have settled before it returned.
      if (ended) stop();
    } catch (error) {
      end(() => reject(error));
    }
  });
}

function checkWait(options: WaitOptions): WaitOptions {
  checkObject('options', options);
  const { signal, timeoutMs } = options;
  if (timeoutMs !== undefined && !(typeof timeoutMs === 'number' && timeoutMs >= 0)) {
    throw invalid('timeoutMs must be a number of milliseconds, 0 or more');
  }
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw invalid('signal must be an AbortSignal');
  return options;
}

function aborted(signal: AbortSignal): PeersyncError {
  return new PeersyncError('ABORTED', 'the call was aborted', { cause: signal.reason });
}

function timedOut(what: string, timeoutMs: number, cause: PeersyncError | undefined): PeersyncError {
  const why = cause ? ` (last failure: ${cause.message})` : '';
  return new PeersyncError('TIMEOUT', `${what} within ${timeoutMs} ms${why}`, cause && { cause });
}
