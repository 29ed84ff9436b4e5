/** Messages of `/sync/1.0.0`: as `data` events bring them, and as `send` takes them. */

import type { JsonValue, PresenceState } from './types.js';

/** Every message of `/sync/1.0.0` has these fields; SPEC.md lists the shapes of `data`. */
export interface SyncMessage {
  /** `operation`, `snapshot`, `peer_event`, … */
  type: string;
  /** `INSERT`, `DELETE`, `UPDATE` or `MOVE`. */
  operation?: string;
  /** Unique id. */
  id?: string;
  /** Seconds since 1970, with fraction. */
  timestamp?: number;
  /** Who sent it, by its own words. */
  client_id?: string;
  /** The content; its shape follows `operation`. A field that an `UPDATE` removes is there and `undefined`. */
  data?: Record<string, JsonValue | undefined>;
  /** Always `null`: positions refer to the text as the messages before it left it. */
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
  /** An id that no message of this client had: one of its last 1,024 is refused. @default chosen by the client */
  id?: string;
  /** Seconds since 1970. Checked, and not used. */
  timestamp?: number;
  /** A name. Checked, and not used: who wrote it is the client's key. */
  client_id?: string;
  /** Refused unless `null`: positions refer to the text as this client has it. */
  parent_id?: null;
  /** Any other is refused. @default 1 */
  version?: 1;
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

/** Moves a range of text: a deletion and an insertion in one. */
export interface MoveTextMessage extends OutgoingFields {
  operation: 'MOVE';
  data: {
    /** Start of the range, in UTF-16 code units. */
    from: number;
    /** Where it goes: a position in the text before the move, not inside the range. */
    to: number;
    /** UTF-16 code units. @default 1 */
    length?: number;
    /** Name of the document. @default 'document' */
    doc?: string;
  };
}

/** Which record a message is about. Whatever else stands in `data` is a field of it. */
export interface RecordTarget {
  /** Id of the record. A `data` with an `id` always means a record. */
  id: string;
  /** Name of the collection. @default 'shapes' */
  collection?: string;
}

/** Adds a record at the end of its collection. There must be none of its id. */
export interface InsertRecordMessage extends OutgoingFields {
  operation: 'INSERT';
  data: RecordTarget & { [field: string]: JsonValue | undefined };
}

/** Sets the named fields of a record; one that is `undefined` is removed. */
export interface UpdateRecordMessage extends OutgoingFields {
  operation: 'UPDATE';
  data: RecordTarget & { [field: string]: JsonValue | undefined };
}

/** Deletes a record. */
export interface DeleteRecordMessage extends OutgoingFields {
  operation: 'DELETE';
  data: RecordTarget;
}

/** Moves a record within the order of its collection. `before: null`: to the end. */
export interface MoveRecordMessage extends OutgoingFields {
  operation: 'MOVE';
  data: RecordTarget & ({ before: string | null } | { after: string } | { index: number });
}

/** Merges fields into this client's presence; `null` removes one, also the `cursor_position`. Never stored, so that its `Ack` is `none`. */
export interface UpdatePresenceMessage extends OutgoingFields {
  operation: 'UPDATE';
  data: PresenceState & { cursor_position: JsonValue };
}

/** What `send` takes. */
export type OutgoingMessage =
  | InsertTextMessage
  | DeleteTextMessage
  | UpdateTextMessage
  | MoveTextMessage
  | InsertRecordMessage
  | UpdateRecordMessage
  | DeleteRecordMessage
  | MoveRecordMessage
  | UpdatePresenceMessage;
