/** Loads the WebAssembly module once, when first needed. The only file that imports `pkg/`. */

import { PeersyncError } from '../errors.js';
import { traceInto } from './debug.js';
import type { NativeGlue, NativeModule } from './native.js';

/** The loaded module and whether it is still alive. After a trap its memory cannot be trusted again. */
export class Instance {
  readonly module: NativeModule;
  readonly #mourners = new Set<(failure: PeersyncError) => void>();
  #failure: PeersyncError | undefined;

  constructor(module: NativeModule) {
    this.module = module;
    module.onTrap((message) => this.die(message));
  }

  /** Set once the module has trapped. */
  get failure(): PeersyncError | undefined {
    return this.#failure;
  }

  /** Calls back once if the module traps. Returns a function that ends that. */
  onDeath(callback: (failure: PeersyncError) => void): () => void {
    this.#mourners.add(callback);
    return () => this.#mourners.delete(callback);
  }

  /** Marks the module as trapped. The first reason stays. */
  die(reason: string): PeersyncError {
    if (this.#failure) return this.#failure;
    const failure = new PeersyncError('INTERNAL', `peersync's module has crashed, reload the page: ${reason}`);
    this.#failure = failure;
    // Later: the trap may still be unwinding through Rust frames below us.
    queueMicrotask(() => {
      for (const callback of this.#mourners) callback(failure);
      this.#mourners.clear();
    });
    return failure;
  }
}

let loading: Promise<Instance> | undefined;

/** The module, loaded on the first call. A load that failed is tried again by the next call. */
export function loadInstance(): Promise<Instance> {
  loading ??= load().catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function load(): Promise<Instance> {
  if (typeof WebAssembly === 'undefined') {
    throw new PeersyncError('UNSUPPORTED', 'peersync needs WebAssembly, which is not available here');
  }
  // Bundlers find the file by this literal expression, so it must stay as it is.
  const url = new URL('../../../pkg/peersync_bg.wasm', import.meta.url);
  try {
    // @ts-ignore: pkg/ is built later than this, or not at all for the unit tests; NativeGlue is its type.
    const glue = (await import('../../../pkg/peersync.js')) as unknown as NativeGlue;
    await glue.default({ module_or_path: url });
    traceInto(glue);
    return new Instance(glue);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PeersyncError('CONNECTION_FAILED', `could not load ${url.href}: ${reason}`, { cause });
  }
}
