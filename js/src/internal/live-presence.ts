/** Presence below its public face: the own state before and after the module is loaded, and who observes the others. */

import { Emitter, type ListenOptions, type Listener, type Unsubscribe } from '../events.js';
import type { PresenceEvent, PresenceState } from '../types.js';
import type { Bridge } from './bridge.js';
import { checkState } from './presence-size.js';

/** The presence of one client. */
export class LivePresence {
  readonly #bridge: Bridge;
  readonly #emitter = new Emitter<{ change: PresenceEvent }>(['change']);
  /** The own state, until the module has it. */
  #early: PresenceState = {};

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  /** Merges checked fields into the own state. What throws changes nothing. */
  set(fields: PresenceState | null): void {
    if (this.#loaded) return this.#bridge.call('presence', (native) => native.presenceSet(fields));
    const merged = Object.entries(fields === null ? {} : { ...this.#early, ...fields });
    const state = Object.fromEntries(merged.filter(([, value]) => value !== null && value !== undefined));
    checkState(state);
    this.#early = state;
  }

  get(): PresenceState {
    if (this.#loaded) return this.#bridge.peek<PresenceState>({}, (native) => native.presenceGet());
    return structuredClone(this.#early);
  }

  others(): Map<string, PresenceState> {
    if (!this.#loaded) return new Map();
    return new Map(this.#bridge.peek<[string, PresenceState][]>([], (native) => native.presenceOthers()));
  }

  observe(listener: Listener<PresenceEvent>, options?: ListenOptions): Unsubscribe {
    return this.#emitter.on('change', listener, options);
  }

  /** The module is there: it takes over what was set before. Throws what it refuses; the fields that it takes stay. */
  opened(): void {
    const early = this.#early;
    this.#early = {};
    if (Object.keys(early).length === 0) return;
    try {
      this.set(early);
    } catch (error) {
      this.#setEach(early);
      throw error;
    }
  }

  #setEach(fields: PresenceState): void {
    for (const [name, value] of Object.entries(fields)) {
      try {
        this.set({ [name]: value });
      } catch {
        // The failure of all of them together is the one to report.
      }
    }
  }

  deliver(event: PresenceEvent): void {
    this.#emitter.emit('change', event);
  }

  get #loaded(): boolean {
    const { failure, loaded } = this.#bridge;
    if (failure) throw failure;
    return loaded;
  }
}
