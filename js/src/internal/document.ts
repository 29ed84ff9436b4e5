/** What the live documents of a room have in common: how they reach the module, and who observes them. */

import { Emitter, type ListenOptions, type Listener, type Unsubscribe } from '../events.js';
import type { Bridge } from './bridge.js';
import type { NativeClient } from './native.js';

/** One document as its handle sees it. `E` is what its observers get. */
export class LiveDocument<E> {
  readonly name: string;
  readonly #bridge: Bridge;
  readonly #emitter = new Emitter<{ change: E }>(['change']);

  constructor(name: string, bridge: Bridge) {
    this.name = name;
    this.#bridge = bridge;
  }

  /** Makes an edit; answers what the module does. Throws `NOT_CONNECTED`, `CLOSED` and what the module throws. */
  edit<T = number>(use: (native: NativeClient) => T): T {
    return this.#bridge.call('editing', use);
  }

  /** Reads; `empty` before the module is loaded. Throws `CLOSED`. */
  read<T>(empty: T, use: (native: NativeClient) => T): T {
    const { failure } = this.#bridge;
    if (failure) throw failure;
    return this.#bridge.peek(empty, use);
  }

  observe(listener: Listener<E>, options?: ListenOptions): Unsubscribe {
    return this.#emitter.on('change', listener, options);
  }

  deliver(event: E): void {
    this.#emitter.emit('change', event);
  }
}

/** Every document of one kind: the same handle for the same name. */
export class Documents<E, Handle> {
  readonly #bridge: Bridge;
  readonly #known = new Map<string, { document: LiveDocument<E>; handle: Handle }>();

  constructor(bridge: Bridge) {
    this.#bridge = bridge;
  }

  get(name: string, make: (document: LiveDocument<E>) => Handle): Handle {
    const known = this.#known.get(name);
    if (known) return known.handle;
    const document = new LiveDocument<E>(name, this.#bridge);
    const handle = make(document);
    this.#known.set(name, { document, handle });
    return handle;
  }

  deliver(name: string, event: E): void {
    this.#known.get(name)?.document.deliver(event);
  }

  /** The module is there: tells observers what each document is, as `describe` says it; nothing if it is empty. */
  opened(describe: (native: NativeClient, name: string) => E | undefined): void {
    for (const { document } of this.#known.values()) {
      const event = document.read<E | undefined>(undefined, (native) => describe(native, document.name));
      if (event) document.deliver(event);
    }
  }
}
