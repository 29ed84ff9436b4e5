/** What `syncStatus` says, and whether that is news. */

import type { ClientStatus, StorageMode, SyncStatus } from '../types.js';
import type { NativeSyncStatus } from './native.js';

/** The public form of what the module counts. */
export function syncStatusOf(counted: NativeSyncStatus, status: ClientStatus): SyncStatus {
  const { mode, unsaved, pending, oldestPendingMs } = counted;
  const kept = unsaved === 0 ? 'stored' : 'storing';
  const sent = status === 'connected' ? 'sending' : 'offline';
  return {
    local: mode === 'memory' ? 'memory' : kept,
    backend: pending === 0 ? 'stored' : sent,
    oldestPendingMs: pending === 0 ? null : (oldestPendingMs ?? 0),
  };
}

/** Before the module is there: nothing has been made that could be unsafe. */
export function nothingMade(mode: StorageMode): NativeSyncStatus {
  return { mode, unsaved: 0, pending: 0, oldestPendingMs: null };
}

/** Remembers what was told last. */
export class SyncState {
  #told: SyncStatus;

  constructor(first: SyncStatus) {
    this.#told = first;
  }

  /** Whether `status` differs from what was told last; then that is what was told. */
  isNews(status: SyncStatus): boolean {
    const { local, backend } = this.#told;
    if (local === status.local && backend === status.backend) return false;
    this.#told = status;
    return true;
  }
}
