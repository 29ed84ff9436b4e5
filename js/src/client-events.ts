/** What a client tells its listeners, and its figures. */

import type { PeersyncError } from './errors.js';
import type { OperationMessage, SyncMessage } from './messages.js';
import type { AckEvent, ClientStatus, HistoryEvent, Peer, PresenceEvent, StorageChange, SyncStatus } from './types.js';

/** What each event carries. */
export interface ClientEvents {
  /** What this device has is here and can be edited. `restored`: the room has been synced here before. */
  opened: { restored: boolean };
  /** A session with the backend began. */
  connected: { peerId: string };
  /** The session ended; `reason` is for people. */
  disconnected: { reason: string };
  /** The next try comes in `delayMs` milliseconds; `attempt` counts from 1 since the last session. */
  reconnecting: { attempt: number; delayMs: number };
  /** New value of {@link BrowserSyncClient.synced}. */
  synced: boolean;
  /** A message from the room. Kept (1,000 at most, the snapshot first) until the first `data` listener exists. */
  data: SyncMessage;
  /** A `data` message of type `operation`, as it arrives; not kept for later listeners. */
  operation: OperationMessage;
  /** Operations of this client became safer. */
  ack: AckEvent;
  /** Someone came into the room. */
  peer_join: Peer;
  /** Someone left the room, or was cut off. */
  peer_leave: Peer;
  /** What another peer tells about itself changed. */
  presence: PresenceEvent;
  /** New values of {@link BrowserSyncClient.canUndo} and {@link BrowserSyncClient.canRedo}. */
  history: HistoryEvent;
  /** New value of {@link BrowserSyncClient.status}. */
  status: ClientStatus;
  /** New value of {@link BrowserSyncClient.pending}. */
  pending: number;
  /** New value of {@link BrowserSyncClient.syncStatus}. That `oldestPendingMs` grows is no change. */
  syncStatus: SyncStatus;
  /** This device began or ceased to keep the room. */
  storage: StorageChange;
  /** A failure that no call is there to report, such as a refused edit. Logged when nobody listens. */
  error: PeersyncError;
}

/** Figures of one client, for people and graphs; names may be added in any version. */
export interface ClientStats {
  /** `data` messages waiting for the first listener. */
  dataBuffered: number;
  /** `data` messages thrown away because too many waited. */
  dataDropped: number;
  /** Figures of the module, such as operations and bytes sent and received. */
  [name: string]: unknown;
}

/** Each event, for the check that a listener asks for one that exists. */
export const CLIENT_EVENTS: readonly (keyof ClientEvents)[] = [
  'opened',
  'connected',
  'disconnected',
  'reconnecting',
  'synced',
  'data',
  'operation',
  'ack',
  'peer_join',
  'peer_leave',
  'presence',
  'history',
  'status',
  'pending',
  'syncStatus',
  'storage',
  'error',
];
