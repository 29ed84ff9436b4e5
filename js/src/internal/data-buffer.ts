/** Keeps messages that nobody listens for yet, so that none is missed between `connect()` and `on('data')`. */

import type { SyncMessage } from '../messages.js';

/** Messages kept. Full: the oldest that is no snapshot goes, and is counted. */
export const MAX_BUFFERED_MESSAGES = 1_000;

/** Where messages go once someone listens. */
export interface DataSink {
  /** Whether anyone listens. */
  has(): boolean;
  /** Delivers one. */
  emit(message: SyncMessage): void;
}

/** Holds messages back until the first listener has had all of them, in order; then passes them on at once. */
export class DataBuffer {
  readonly #sink: DataSink;
  #held: SyncMessage[] = [];
  #open = false;
  #flushing = false;
  #dropped = 0;

  constructor(sink: DataSink) {
    this.#sink = sink;
  }

  /** Messages held back now. */
  get buffered(): number {
    return this.#held.length;
  }

  /** Messages thrown away because the buffer was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Delivers or keeps a message. */
  push(message: SyncMessage): void {
    if (this.#open) {
      this.#sink.emit(message);
      return;
    }
    if (this.#held.length >= MAX_BUFFERED_MESSAGES) {
      // A snapshot is the state that everything after it builds on.
      const oldest = this.#held.findIndex(({ type }) => type !== 'snapshot');
      this.#held.splice(Math.max(oldest, 0), 1);
      this.#dropped += 1;
    }
    this.#held.push(message);
  }

  /** A listener was added: delivers what is held, from a microtask, while anyone listens. */
  listenerAdded(): void {
    if (this.#open || this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      while (this.#sink.has()) {
        const message = this.#held.shift();
        if (!message) {
          this.#open = true;
          return;
        }
        this.#sink.emit(message);
      }
    });
  }
}
