/** A typed event emitter: every subscription ends by function, by `off` or by signal. */

import { PeersyncError } from './errors.js';
import { waitFor } from './internal/wait.js';
import type { WaitOptions } from './types.js';

/** A function that ends a subscription. Calling it again does nothing. */
export type Unsubscribe = () => void;

/** How long a subscription lasts. */
export interface ListenOptions {
  /** Ends the subscription when aborted. */
  signal?: AbortSignal;
}

/** Called with what an event of its type carries. */
export type Listener<T> = (payload: T) => void;

interface Entry {
  readonly type: PropertyKey;
  readonly listener: Listener<never>;
  active: boolean;
}

/**
 * Reports what a listener threw as an uncaught error of the page, without stopping anyone.
 *
 * @internal
 */
export function reportListenerError(error: unknown): void {
  if (typeof globalThis.reportError === 'function') globalThis.reportError(error);
  else console.error(error);
}

/**
 * Keeps listeners by event type and calls them in the order in which they were added.
 *
 * @internal
 */
export class Emitter<Events extends object> {
  readonly #types: ReadonlySet<PropertyKey>;
  readonly #entries = new Map<PropertyKey, Entry[]>();
  readonly #waiting = new Set<(error: PeersyncError) => void>();
  readonly #added: (type: keyof Events) => void;
  #failure: PeersyncError | undefined;

  /** `types`: every event there is. `added` is called after a listener was added. */
  constructor(types: readonly (keyof Events)[], added: (type: keyof Events) => void = () => {}) {
    this.#types = new Set(types);
    this.#added = added;
  }

  on<K extends keyof Events>(type: K, listener: Listener<Events[K]>, options: ListenOptions = {}): Unsubscribe {
    this.#checkType(type);
    if (typeof listener !== 'function') {
      throw new PeersyncError('INVALID_ARGUMENT', `the listener for '${String(type)}' must be a function`);
    }
    const { signal } = options;
    if (signal?.aborted) return () => {};
    const entry: Entry = { type, listener: listener as Listener<never>, active: true };
    const stop = () => {
      signal?.removeEventListener('abort', stop);
      this.#remove(entry);
    };
    signal?.addEventListener('abort', stop);
    // A new array each time: an emit in progress goes on over the one it started with.
    this.#entries.set(type, [...(this.#entries.get(type) ?? []), entry]);
    this.#added(type);
    return stop;
  }

  off<K extends keyof Events>(type: K, listener: Listener<Events[K]>): void {
    this.#checkType(type);
    for (const entry of this.#entries.get(type) ?? []) {
      if (entry.listener === (listener as Listener<never>)) this.#remove(entry);
    }
  }

  once<K extends keyof Events>(type: K, listener: Listener<Events[K]>, options: ListenOptions = {}): Unsubscribe {
    const stop = this.on(
      type,
      (payload) => {
        stop();
        listener(payload);
      },
      options,
    );
    return stop;
  }

  next<K extends keyof Events>(type: K, options: WaitOptions = {}): Promise<Events[K]> {
    return waitFor<Events[K]>(options, `no '${String(type)}' event`, (resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return () => {};
      }
      const stop = this.once(type, resolve);
      this.#waiting.add(reject);
      return () => {
        stop();
        this.#waiting.delete(reject);
      };
    });
  }

  /** Calls every listener of `type`. A listener that throws is reported and stops nobody. */
  emit<K extends keyof Events>(type: K, payload: Events[K]): void {
    for (const entry of this.#entries.get(type) ?? []) {
      if (!entry.active) continue;
      try {
        (entry.listener as Listener<Events[K]>)(payload);
      } catch (error) {
        reportListenerError(error);
      }
    }
  }

  /** Whether anyone listens for `type`. */
  has(type: keyof Events): boolean {
    return (this.#entries.get(type)?.length ?? 0) > 0;
  }

  /** Rejects every promise that waits for an event, now and later: none will come. */
  fail(error: PeersyncError): void {
    this.#failure ??= error;
    for (const reject of [...this.#waiting]) reject(error);
  }

  #remove(entry: Entry): void {
    entry.active = false;
    const rest = (this.#entries.get(entry.type) ?? []).filter((other) => other !== entry);
    this.#entries.set(entry.type, rest);
  }

  #checkType(type: keyof Events): void {
    if (this.#types.has(type)) return;
    const known = [...this.#types].map(String).join(', ');
    throw new PeersyncError('INVALID_ARGUMENT', `there is no event '${String(type)}'; there are: ${known}`);
  }
}
