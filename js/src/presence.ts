/** Who is doing what at the moment: states that peers tell each other and nobody stores. */

import type { ListenOptions, Listener, Unsubscribe } from './events.js';
import { checkObject } from './internal/check.js';
import type { LivePresence } from './internal/live-presence.js';
import { plain } from './internal/plain.js';
import type { PresenceEvent, PresenceState } from './types.js';

/**
 * What this client tells the others about itself, and what they tell. Get it from `client.presence`. States are JSON,
 * sent as they change (at most 20 times a second; while `drag` is set, 60), never stored, and gone when their peer is.
 * The own state may be set before `connect()`, and is told again after every reconnection.
 *
 * @example
 * ```ts
 * import { BrowserSyncClient } from 'peersync';
 *
 * const client = new BrowserSyncClient('ws://localhost:8000/ws', { room: 'garden' });
 * client.presence.set({ name: 'Ada', color: '#c2185b' });
 * client.presence.observe(({ peerId, state }) => console.log(peerId, state ?? 'left'));
 * await client.connect();
 * ```
 */
export class Presence {
  readonly #live: LivePresence;

  /** @internal Applications use `client.presence`. */
  constructor(live: LivePresence) {
    this.#live = live;
  }

  /**
   * Merges `fields` into the own state; one that is `null` or `undefined` is removed. `null` removes all. The whole
   * state has at most 4,096 bytes, encoded; a call that would make it larger changes nothing. Throws
   * `INVALID_ARGUMENT`, `TOO_LARGE`, `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * client.presence.set({ cursor: { x: 3, y: 4 }, drag: { id: 'sun', x: 10, y: 20 } });
   * client.presence.set({ drag: null });
   * console.assert(client.presence.get().drag === undefined);
   * ```
   */
  set(fields: PresenceState | null): void {
    if (fields !== null) checkObject('fields', fields);
    this.#live.set(plain('fields', fields));
  }

  /**
   * The own state, a copy. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * client.presence.set({ name: 'Ada' });
   * console.assert(client.presence.get().name === 'Ada');
   * ```
   */
  get(): PresenceState {
    return this.#live.get();
  }

  /**
   * The states of the others by peer id, as copies. Who has none is not in it. Throws `CLOSED`.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * await client.connect();
   * for (const [peerId, { name, cursor }] of client.presence.others()) console.log(peerId, name, cursor);
   * ```
   */
  others(): Map<string, PresenceState> {
    return this.#live.others();
  }

  /**
   * Calls `listener` when another peer's state changes. The client's `presence` event tells the same.
   *
   * @returns a function that ends the observation, as aborting `options.signal` does.
   *
   * @example
   * ```ts
   * import { BrowserSyncClient } from 'peersync';
   *
   * const client = new BrowserSyncClient('ws://localhost:8000/ws');
   * const stop = client.presence.observe(({ peerId, state }) => console.log(peerId, state?.cursor));
   * await client.connect();
   * stop();
   * ```
   */
  observe(listener: Listener<PresenceEvent>, options?: ListenOptions): Unsubscribe {
    return this.#live.observe(listener, options);
  }
}
