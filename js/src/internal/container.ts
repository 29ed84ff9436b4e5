/** What maps and lists have in common: values at keys or positions of one named document. */

import type { JsonValue } from '../types.js';
import type { LiveDocument } from './document.js';
import type { NativeClient } from './native.js';

/** A map or a list. `E` is what its observers get. */
export abstract class Container<E> {
  /** Its name within the room. */
  readonly name: string;
  /** @internal */
  protected readonly document: LiveDocument<E>;

  /** @internal Applications call `client.map(name)` and `client.list(name)`. */
  constructor(document: LiveDocument<E>) {
    this.name = document.name;
    this.document = document;
  }

  /** @internal One value, a copy. */
  protected value(get: (native: NativeClient) => JsonValue | undefined): JsonValue | undefined {
    return this.document.read<JsonValue | undefined>(undefined, get);
  }
}
