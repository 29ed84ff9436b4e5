/** Shapes that cross the public API: messages, deltas, peers. */

/** JSON that survives a round trip. */
export type JsonValue = null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue };

/** Formatting of a range of text: any JSON by name. `null` removes the name. */
export type TextAttributes = Record<string, JsonValue>;

/**
 * One step of a text delta. Exactly one of `retain`, `insert` and `delete` is set. Lengths are UTF-16 code units, as
 * in JavaScript strings.
 */
export interface DeltaOp {
  /** Leave this many code units (with `attributes`: format them). */
  retain?: number;
  /** Insert this text. */
  insert?: string;
  /** Delete this many code units. */
  delete?: number;
  /** Formatting of what is inserted or retained. */
  attributes?: TextAttributes;
}

/**
 * Where the client stands. `connecting`: dialing or joining the room; `disconnected`: not connected, a next try may
 * be scheduled; `closed`: for good.
 */
export type ClientStatus = 'connecting' | 'connected' | 'disconnected' | 'closed';

/**
 * How safe an operation is. `local`: this browser keeps it; `peer`: a peer that keeps rooms has it on disk;
 * `backend`: the backend named by the client's URL has it on disk.
 */
export type Durability = 'local' | 'peer' | 'backend';

/** Someone else in the room. */
export interface Peer {
  /** Transport identity: one per tab or process. */
  peerId: string;
  /** Persistent identity of the user. */
  author: string;
}

/** Text changed, by this client or another. */
export interface TextEvent {
  /** What changed, in order from the start of the text. Lengths are UTF-16 code units. */
  delta: DeltaOp[];
  /** `local`: by a call on this client. */
  origin: 'local' | 'remote';
  /** Who changed it. Empty when many did, as after the room was rebuilt without an operation. */
  author: string;
  /** Id of the operation. Empty when `author` is. */
  id: string;
}

/** An operation is as safe as `durability` says. Covers every earlier operation of this client too. */
export interface AckEvent {
  /** Sequence number of the operation, as text edits return it. */
  seq: number;
  /** Ids of the messages sent with `send` that are this safe only now. Empty for text edits. */
  ids: string[];
  /** How safe it is. */
  durability: Durability;
  /** Peer id of who says so. */
  by: string;
}

/** What `send` resolves with. */
export interface Ack {
  /** Id of the message. */
  id: string;
  /** How safe it is: at least what `until` asked for. */
  durability: Durability;
  /** Peer id of who says so. */
  by: string;
}

/** Every message of `/sync/1.0.0` has these fields; SPEC.md lists the shapes of `data`. */
export interface SyncMessage {
  /** `operation`, `snapshot`, `peer_event`, … */
  type: string;
  /** `INSERT`, `DELETE`, `UPDATE`, … */
  operation?: string;
  /** Unique id. */
  id?: string;
  /** Seconds since 1970, with fraction. */
  timestamp?: number;
  /** Who sent it, by its own words. */
  client_id?: string;
  /** The content; its shape follows `operation`. */
  data?: Record<string, JsonValue>;
  /** The operation that positions refer to. */
  parent_id?: string | null;
  /** Version of the format. */
  version?: number;
}

/** A {@link SyncMessage} that changes a document. */
export interface OperationMessage extends SyncMessage {
  type: 'operation';
  operation: string;
}

/** Fields of a message that may be left out when sending; the client fills them in. */
interface OutgoingFields {
  type: 'operation';
  /** Unique id. @default chosen by the client */
  id?: string;
  /** Seconds since 1970. @default now */
  timestamp?: number;
  /** @default the client's `clientId` */
  client_id?: string;
  /** The operation that positions refer to. @default the text as this client sees it */
  parent_id?: string | null;
  /** @default 1 */
  version?: number;
}

/** Inserts text. Without `position` it is appended; a position past the end means the end. */
export interface InsertTextMessage extends OutgoingFields {
  operation: 'INSERT';
  data: {
    content: string;
    /** UTF-16 code units. */
    position?: number;
    /** Name of the document. @default 'document' */
    doc?: string;
  };
}

/** Deletes text. */
export interface DeleteTextMessage extends OutgoingFields {
  operation: 'DELETE';
  data: {
    /** UTF-16 code units. */
    position: number;
    /** UTF-16 code units. @default 1 */
    length?: number;
    /** Name of the document. @default 'document' */
    doc?: string;
  };
}

/** Replaces the text by the smallest difference, so that edits of others at the same time survive. */
export interface UpdateTextMessage extends OutgoingFields {
  operation: 'UPDATE';
  data: {
    /** The whole new text. */
    document: string;
    /** Name of the document. @default 'document' */
    doc?: string;
  };
}

/** What `send` takes. */
export type OutgoingMessage = InsertTextMessage | DeleteTextMessage | UpdateTextMessage;

/** How long a call waits. */
export interface WaitOptions {
  /** Ends the waiting with `ABORTED`. What was started is not undone. */
  signal?: AbortSignal;
  /** Milliseconds until the waiting ends with `TIMEOUT`. */
  timeoutMs?: number;
}
