/** One native client: its lifetime, and the only way to call it. Whatever it throws becomes a `PeersyncError`. */

import { isErrorCode, PeersyncError, type ErrorCode } from '../errors.js';
import type { NativeClient, NativeEvent, NativeOptions } from './native.js';
import { loadInstance, type Instance } from './wasm.js';

/** What the owner of a bridge gets told. */
export interface BridgeHandlers {
  /** The native client is there with what this device has, and has not dialed yet. */
  opened(): void;
  /** Called for each native event, until the native client is gone. */
  event(event: NativeEvent): void;
  /** The module has trapped: nothing will come any more. */
  died(failure: PeersyncError): void;
}

/** Owns a native client: loads, calls, closes and frees it. */
export class Bridge {
  readonly #options: NativeOptions;
  readonly #handlers: BridgeHandlers;
  #opening: Promise<NativeClient> | undefined;
  #starting: Promise<void> | undefined;
  #instance: Instance | undefined;
  #native: NativeClient | undefined;
  #closing: Promise<void> | undefined;
  #forgetDeath: () => void = () => {};

  constructor(options: NativeOptions, handlers: BridgeHandlers) {
    this.#options = options;
    this.#handlers = handlers;
  }

  /** Loads the module and opens the native client, which dials nothing yet. Idempotent; after a failure it tries again. */
  open(): Promise<NativeClient> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  /** Opens, and starts dialing. Idempotent; after a failure it tries again. */
  start(): Promise<void> {
    this.#starting ??= this.open().then((native) => this.#use(native, () => native.connect())).catch((error: unknown) => {
      this.#starting = undefined;
      throw error;
    });
    return this.#starting;
  }

  /** Whether `start` has been called and has not failed. */
  get started(): boolean {
    return this.#starting !== undefined;
  }

  /** Whether the native client is there. */
  get loaded(): boolean {
    return this.#native !== undefined;
  }

  /** What every call fails with from now on, if it does: `CLOSED` or `INTERNAL`. */
  get failure(): PeersyncError | undefined {
    const dead = this.#instance?.failure;
    if (dead) return new PeersyncError(dead.code, dead.message, { cause: dead });
    return this.#closing && closed();
  }

  /** Calls the native client. `doing` begins the sentence of `NOT_CONNECTED`. */
  call<T>(doing: string, use: (native: NativeClient) => T): T {
    const { failure } = this;
    if (failure) throw failure;
    if (!this.#native) {
      throw new PeersyncError('NOT_CONNECTED', `${doing} needs the module: await client.open() or client.connect() first`);
    }
    return this.#use(this.#native, use);
  }

  /** Calls the native client while it lives, also while it is closing; otherwise returns `absent`. */
  peek<T>(absent: T, use: (native: NativeClient) => T): T {
    if (!this.#native || this.#instance?.failure) return absent;
    return this.#use(this.#native, use);
  }

  /** Sends what is unsent (the native side bounds the time), closes and frees. Never rejects. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #open(): Promise<NativeClient> {
    const instance = await loadInstance();
    if (this.#closing) throw closed();
    if (instance.failure) throw instance.failure;
    this.#instance = instance;
    this.#forgetDeath();
    this.#forgetDeath = instance.onDeath((failure) => this.#handlers.died(failure));
    const native = await this.#make(instance);
    if (this.#closing) {
      // `close` came too early to see it.
      await untilDeath(instance, native.close()).finally(() => instance.failure ?? native.free());
      throw closed();
    }
    this.#native = native;
    this.#handlers.opened();
    return native;
  }

  async #make(instance: Instance): Promise<NativeClient> {
    const { NativeClient } = instance.module;
    const onEvent = (event: NativeEvent) => this.#handlers.event(event);
    try {
      return await untilDeath(instance, NativeClient.open(this.#options, onEvent));
    } catch (error) {
      this.#forgetDeath();
      throw this.#convert(error);
    }
  }

  async #close(): Promise<void> {
    const native = this.#native;
    const instance = this.#instance;
    if (!native || !instance || instance.failure) return;
    try {
      await untilDeath(instance, native.close()).catch((error: unknown) => {
        if (!instance.failure) throw error;
      });
      this.#native = undefined;
      if (!instance.failure) native.free();
    } catch (error) {
      this.#native = undefined;
      const { code, message } = this.#convert(error);
      this.#handlers.event({ type: 'error', code, message });
    } finally {
      this.#forgetDeath();
    }
  }

  #use<N extends NativeClient | undefined, T>(native: N, use: (native: N) => T): T {
    try {
      return use(native);
    } catch (error) {
      throw this.#convert(error);
    }
  }

  #convert(error: unknown): PeersyncError {
    if (isTrap(error)) {
      const failure = this.#instance?.die(error.message);
      return new PeersyncError('INTERNAL', failure?.message ?? error.message, { cause: error });
    }
    return toPeersyncError(error);
  }
}

/** The code if it is one of the union, else `fallback`. */
export function toCode(code: unknown, fallback: ErrorCode): ErrorCode {
  return isErrorCode(code) ? code : fallback;
}

function toPeersyncError(error: unknown): PeersyncError {
  if (error instanceof PeersyncError) return error;
  if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) {
    return new PeersyncError(toCode(error.code, 'INTERNAL'), String(error.message), { cause: error });
  }
  return new PeersyncError('INTERNAL', error instanceof Error ? error.message : String(error), { cause: error });
}

/** A trap, or a stack overflow inside the module: either leaves its memory half written. */
function isTrap(error: unknown): error is Error {
  return error instanceof WebAssembly.RuntimeError || error instanceof RangeError;
}

/** `promise`, or the failure of a module that traps meanwhile: that leaves its promises pending for ever. */
function untilDeath<T>(instance: Instance, promise: Promise<T>): Promise<T> {
  let forget = () => {};
  const death = new Promise<never>((_, reject) => (forget = instance.onDeath(reject)));
  return Promise.race([promise, death]).finally(() => forget());
}

function closed(): PeersyncError {
  return new PeersyncError('CLOSED', 'the client is closed');
}
