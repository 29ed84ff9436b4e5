/** What observers are told of a room that this device had: each document as one change that makes it from nothing. */

import type { ChangeOrigin, ListEvent, MapEvent, RecordsEvent, TextEvent } from '../types.js';
import type { NativeClient } from './native.js';

/** Many made it, in operations that nobody has seen come. */
const origin: ChangeOrigin = { origin: 'remote', author: '', id: '' };

export function restoredText(native: NativeClient, name: string): TextEvent | undefined {
  const delta = native.textDelta(name);
  return delta.length > 0 ? { delta, ...origin } : undefined;
}

export function restoredMap(native: NativeClient, name: string): MapEvent | undefined {
  const changes = native.mapEntries(name).map(([key, value]) => ({ key, action: 'set' as const, value }));
  return changes.length > 0 ? { changes, ...origin } : undefined;
}

export function restoredList(native: NativeClient, name: string): ListEvent | undefined {
  const insert = native.listValues(name);
  return insert.length > 0 ? { delta: [{ insert }], ...origin } : undefined;
}

export function restoredRecords(native: NativeClient, name: string): RecordsEvent | undefined {
  const values = native.recordValues(name);
  const changes = values.map((value) => ({ type: 'insert' as const, id: value.id, value, before: null }));
  return changes.length > 0 ? { changes, ...origin } : undefined;
}
