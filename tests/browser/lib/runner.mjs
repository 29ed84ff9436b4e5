// Runs tests one after another, each with a deadline and its own clean-up; closes with node:test's counts.
import { mkdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const artifacts = fileURLToPath(new URL('../artifacts/', import.meta.url));
const DEFAULT_TIMEOUT_MS = 60_000;
const tests = [];

/** Registers a test. `run` gets a context with `defer(cleanup)`; clean-ups run last first, whatever happened. */
export function test(name, options, run) {
  if (typeof options === 'function') tests.push({ name, timeoutMs: DEFAULT_TIMEOUT_MS, run: options });
  else tests.push({ name, timeoutMs: DEFAULT_TIMEOUT_MS, ...options, run });
}

/** `promise`, or a failure that says what was waited for. */
export function within(ms, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Asks `probe` until it gives something true, and returns that. A late `probe` fails with what it saw last. */
export async function eventually(ms, what, probe) {
  const deadline = Date.now() + ms;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${ms} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Runs every test whose name contains one of `filters` (all, if there is none). Returns how many failed. */
export async function runAll(filters, { onFailure }) {
  rmSync(artifacts, { recursive: true, force: true });
  mkdirSync(artifacts, { recursive: true });
  const chosen = tests.filter(({ name }) => filters.length === 0 || filters.some((part) => name.includes(part)));
  const started = Date.now();
  let failed = 0;
  for (const [index, { name, timeoutMs, run }] of chosen.entries()) {
    const begun = Date.now();
    const cleanups = [];
    const context = { name, defer: (cleanup) => cleanups.push(cleanup) };
    let failure;
    try {
      await within(timeoutMs, name, run(context));
    } catch (error) {
      failure = error;
      await onFailure(context, error).catch(() => {});
    }
    for (const cleanup of cleanups.reverse()) {
      await within(10_000, `clean-up of ${name}`, Promise.resolve().then(cleanup)).catch((error) => (failure ??= error));
    }
    const state = failure ? 'not ok' : 'ok';
    console.log(`${state} ${index + 1} - ${name} (${((Date.now() - begun) / 1_000).toFixed(1)} s)`);
    if (failure) {
      failed += 1;
      console.log(`  ${String(failure.stack ?? failure).replaceAll('\n', '\n  ')}`);
    }
  }
  const passed = chosen.length - failed;
  console.log(`1..${chosen.length}\n# tests ${chosen.length}\n# pass ${passed}\n# fail ${failed}`);
  console.log(`# duration_ms ${Date.now() - started}\n\n${passed} passed, ${failed} failed`);
  return chosen.length === 0 ? 1 : failed;
}
