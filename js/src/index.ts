/** The package's public names. */

export { BrowserSyncClient } from './client.js';
export type { ClientEvents, ClientStats } from './client-events.js';
export { configureDebug } from './debug.js';
export { isPeersyncError, PeersyncError } from './errors.js';
export type { ErrorCode } from './errors.js';
export type { Listener, ListenOptions, Unsubscribe } from './events.js';
export type { ClientOptions, ConnectOptions, OpenOptions, SendOptions } from './options.js';
export type { SharedList } from './list.js';
export type { SharedMap } from './map.js';
export type * from './messages.js';
export type { Presence } from './presence.js';
export type { SharedRecords } from './records.js';
export type { RoomClient } from './room.js';
export type { SharedText } from './text.js';
export type * from './types.js';
